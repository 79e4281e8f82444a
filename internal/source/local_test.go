package source

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/subject"
)

// file is an entry of a tar archive.
type file struct {
	name, text, link string
	kind             byte
}

func tarFiles(t testing.TB, files ...file) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range files {
		h := tar.Header{Name: f.name, Mode: 0o644, Size: int64(len(f.text)), Linkname: f.link, Typeflag: f.kind}
		if f.kind == 0 {
			h.Typeflag = tar.TypeReg
		}
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, f.text); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func write(t testing.TB, dir, name string, text []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// dockerSave writes the image as Docker did before version 25: layers as plain
// tar files, equal layers linked.
func dockerSave(t testing.TB, image v1.Image, tags string) []byte {
	t.Helper()
	raw, err := image.RawConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	layers, err := image.Layers()
	if err != nil {
		t.Fatal(err)
	}
	files := []file{{name: "config.json", text: string(raw)}}
	var names []string
	seen := map[v1.Hash]string{}
	for i, l := range layers {
		name := fmt.Sprintf("%d/layer.tar", i)
		names = append(names, `"`+name+`"`)
		h, err := l.DiffID()
		if err != nil {
			t.Fatal(err)
		}
		if first, again := seen[h]; again {
			files = append(files, file{name: name, kind: tar.TypeSymlink, link: "../" + first})
			continue
		}
		seen[h] = name
		r, err := l.Uncompressed()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file{name: "./" + name, text: string(text)})
	}
	files = append(files, file{name: "manifest.json", text: fmt.Sprintf(`[{"Config":"config.json","RepoTags":%s,"Layers":[%s]}]`, tags, strings.Join(names, ","))})
	return tarFiles(t, files...)
}

func gzipped(t testing.TB, raw []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(raw); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// layerTexts are the files of the image's layers, in order.
func layerTexts(t testing.TB, image v1.Image) []string {
	t.Helper()
	layers, err := image.Layers()
	if err != nil {
		t.Fatal(err)
	}
	var texts []string
	for _, l := range layers {
		r, err := l.Uncompressed()
		if err != nil {
			t.Fatal(err)
		}
		files := tar.NewReader(r)
		if _, err := files.Next(); err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(files)
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, string(text))
	}
	return texts
}

func TestDockerArchive(t *testing.T) {
	dir := t.TempDir()
	image := imageOf(t, here, "one", "two", "one")
	old := dockerSave(t, image, `["app:1.0"]`)
	tag, err := name.NewTag("app:1.0")
	if err != nil {
		t.Fatal(err)
	}
	var compressed bytes.Buffer
	if err := tarball.Write(tag, image, &compressed); err != nil {
		t.Fatal(err)
	}
	for name, raw := range map[string][]byte{"old.tar": old, "old.tar.gz": gzipped(t, old), "compressed.tar": compressed.Bytes()} {
		t.Run(name, func(t *testing.T) {
			path := write(t, dir, name, raw)
			for _, ref := range []string{"docker-archive:" + path, "docker-archive:" + path + ":app:1.0", "docker-archive:" + path + ":docker.io/library/app:1.0"} {
				got := resolved(t, ref, Options{WantDigest: configDigestOf(t, image)})
				if !got.Local() || got.Source != subject.SourceDockerArchive || got.ConfigDigest != configDigestOf(t, image) || got.Pull != "" || got.Platform != here || got.Requested != ref {
					t.Errorf("it is %+v", got)
				}
				if !strings.HasSuffix(got.Repository, "app") || got.Tag != "1.0" {
					t.Errorf("its name is %q, %q", got.Repository, got.Tag)
				}
				if texts := layerTexts(t, got.Image); !slices.Equal(texts, []string{"one", "two", "one"}) {
					t.Errorf("its layers are %q", texts)
				}
				exportsAs(t, got)
			}
			_, err := attempt(t, "docker-archive:"+path, Options{WantDigest: digestOf(t, image)})
			refused(t, err, fault.Integrity)
		})
	}
}

// exportsAs exports the image and finds the same one in the archive.
func exportsAs(t *testing.T, image Image) {
	t.Helper()
	var b bytes.Buffer
	if err := image.Export(&b); err != nil {
		t.Fatal(err)
	}
	again := resolved(t, "docker-archive:"+write(t, t.TempDir(), "x.tar", b.Bytes()), Options{})
	if again.ConfigDigest != image.ConfigDigest || again.Repository != "" || !slices.Equal(layerTexts(t, again.Image), layerTexts(t, image.Image)) {
		t.Errorf("exported it is %+v", again.Subject)
	}
}

func TestArchiveOfSeveral(t *testing.T) {
	a, b := imageOf(t, here, "a"), imageOf(t, here, "b")
	images := map[name.Tag]v1.Image{}
	for s, image := range map[string]v1.Image{"app:a": a, "ghcr.io/x/app:b": b} {
		tag, err := name.NewTag(s)
		if err != nil {
			t.Fatal(err)
		}
		images[tag] = image
	}
	path := filepath.Join(t.TempDir(), "several.tar")
	if err := tarball.MultiWriteToFile(path, images); err != nil {
		t.Fatal(err)
	}
	_, err := attempt(t, "docker-archive:"+path, Options{})
	refused(t, err, fault.Usage, "holds 2 images", "app:a", "ghcr.io/x/app:b")
	_, err = attempt(t, "docker-archive:"+path+":app:c", Options{})
	refused(t, err, fault.Usage, `no image "app:c"`, "app:a")
	if got := resolved(t, "docker-archive:"+path+":ghcr.io/x/app:b", Options{}); got.ConfigDigest != configDigestOf(t, b) {
		t.Errorf("it is %+v", got.Subject)
	}
}

func TestBrokenArchives(t *testing.T) {
	dir := t.TempDir()
	image := imageOf(t, here, "one", strings.Repeat("two", 1000))
	good := dockerSave(t, image, `null`)
	manifest := func(s string) []byte { return tarFiles(t, file{name: "manifest.json", text: s}) }
	for name, c := range map[string]struct {
		raw  []byte
		part string
	}{
		"empty":             {nil, "docker save"},
		"text":              {[]byte(strings.Repeat("hello ", 1000)), "docker save"},
		"truncated":         {good[:len(good)/2], "docker save"},
		"truncated gzip":    {gzipped(t, good)[:200], "docker save"},
		"gzip of nothing":   {gzipped(t, nil), "docker save"},
		"xz":                {[]byte("\xfd7zXZ\x00"), "unpack it"},
		"no manifest":       {tarFiles(t, file{name: "x", text: "y"}), "manifest.json"},
		"OCI archive":       {tarFiles(t, file{name: "index.json", text: "{}"}), "oci-dir:FOLDER"},
		"manifest no JSON":  {manifest("["), "manifest.json"},
		"no images":         {manifest("[]"), "holds no image"},
		"no configuration":  {manifest(`[{"Config":"c","Layers":[]}]`), `"c" is missing`},
		"missing layer":     {tarFiles(t, file{name: "c", text: `{"rootfs":{"diff_ids":["sha256:` + strings.Repeat("0", 64) + `"]}}`}, file{name: "manifest.json", text: `[{"Config":"c","Layers":["l"]}]`}), `"l" is missing`},
		"too few layers":    {tarFiles(t, file{name: "c", text: `{"rootfs":{"diff_ids":["sha256:` + strings.Repeat("0", 64) + `"]}}`}, file{name: "manifest.json", text: `[{"Config":"c"}]`}), "0 layers for 1 diff IDs"},
		"circle of links":   {tarFiles(t, file{name: "a", kind: tar.TypeSymlink, link: "b"}, file{name: "b", kind: tar.TypeSymlink, link: "a"}, file{name: "manifest.json", text: `[{"Config":"a"}]`}), "link"},
		"link out of it":    {tarFiles(t, file{name: "a", kind: tar.TypeSymlink, link: "/etc/passwd"}, file{name: "manifest.json", text: `[{"Config":"a"}]`}), "missing"},
		"large manifest":    {manifest(strings.Repeat(" ", maxDocument+1)), "bytes"},
		"escapes in a name": {manifest(`[{"Config":"\u001b[31m::set-output"}]`), "missing"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := attempt(t, "docker-archive:"+write(t, dir, "x.tar", c.raw), Options{})
			refused(t, err, fault.Usage, c.part)
		})
	}
	_, err := attempt(t, "docker-archive:"+filepath.Join(dir, "missing.tar"), Options{})
	refused(t, err, fault.Usage, "missing.tar")
	_, err = attempt(t, "docker-archive:/dev/zero", Options{})
	refused(t, err, fault.Usage, "not a regular file")
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = attempt(t, "docker-archive:"+pipe, Options{})
	refused(t, err, fault.Usage, "not a regular file")

	bomb := gzipped(t, bytes.Repeat([]byte{0}, 1<<20))
	_, err = attempt(t, "docker-archive:"+write(t, dir, "bomb.tar", bomb), Options{MaxBytes: 1 << 16})
	refused(t, err, fault.Usage, "more than 65536 bytes")

	// A changed layer is found out as it is read.
	changed := bytes.Replace(good, []byte("twotwo"), []byte("twoTwo"), 1)
	broken, err := attempt(t, "docker-archive:"+write(t, dir, "changed.tar", changed), Options{})
	if err != nil {
		t.Fatal(err)
	}
	refused(t, readAll(broken), fault.Integrity, "has the digest")
	if err := broken.Export(io.Discard); fault.CodeOf(context.Background(), err) != fault.Integrity {
		t.Errorf("it is exported with %v", err)
	}
}

func TestOCILayout(t *testing.T) {
	dir := t.TempDir()
	a, b := imageOf(t, here, "a", "aa"), imageOf(t, here, "b")
	index := indexOf(t, here, subject.Platform{OS: "linux", Architecture: "s390x"})
	path, err := layout.Write(dir, empty.Index)
	if err != nil {
		t.Fatal(err)
	}
	if err := path.AppendImage(a, layout.WithAnnotations(map[string]string{refName: "1.0"})); err != nil {
		t.Fatal(err)
	}
	got := resolved(t, "oci-dir:"+dir, Options{WantDigest: digestOf(t, a)})
	if !got.Local() || got.Source != subject.SourceOCIDir || got.ConfigDigest != configDigestOf(t, a) || got.Tag != "1.0" || got.Pull != "" {
		t.Errorf("it is %+v", got.Subject)
	}
	exportsAs(t, got)
	if err := path.AppendImage(b, layout.WithAnnotations(map[string]string{refName: "ghcr.io/x/app:2.0"})); err != nil {
		t.Fatal(err)
	}
	if err := path.AppendIndex(index, layout.WithAnnotations(map[string]string{refName: "multi"})); err != nil {
		t.Fatal(err)
	}
	for chosen, want := range map[string]string{
		":1.0": configDigestOf(t, a), "@" + digestOf(t, a): configDigestOf(t, a),
		":2.0": configDigestOf(t, b), ":ghcr.io/x/app:2.0": configDigestOf(t, b),
	} {
		if got := resolved(t, "oci-dir:"+dir+chosen, Options{}); got.ConfigDigest != want {
			t.Errorf("%s is %+v", chosen, got.Subject)
		}
	}
	if got := resolved(t, "oci-dir:"+dir+":multi", Options{WantDigest: digestOf(t, index), Platform: "linux/s390x"}); got.Platform.Architecture != "s390x" || !got.Local() {
		t.Errorf("of an index it is %+v", got.Subject)
	}
	_, err = attempt(t, "oci-dir:"+dir, Options{})
	refused(t, err, fault.Usage, "holds 3 images", "1.0", "ghcr.io/x/app:2.0", "multi")
	_, err = attempt(t, "oci-dir:"+dir+":3.0", Options{})
	refused(t, err, fault.Usage, `none is "3.0"`)
	_, err = attempt(t, "oci-dir:"+dir+":1.0", Options{WantDigest: digestOf(t, b)})
	refused(t, err, fault.Integrity)

	// The layout's own index may be the image's.
	dir = t.TempDir()
	if _, err := layout.Write(dir, index); err != nil {
		t.Fatal(err)
	}
	if got := resolved(t, "oci-dir:"+dir, Options{}); got.Platform != here {
		t.Errorf("it is %+v", got.Subject)
	}
}

func TestBrokenLayouts(t *testing.T) {
	image := imageOf(t, here, "a")
	fresh := func() string {
		dir := t.TempDir()
		if _, err := layout.Write(dir, mutate.AppendManifests(empty.Index, mutate.IndexAddendum{Add: image})); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	blob := func(dir, digest string) string {
		return filepath.Join(dir, "blobs", "sha256", strings.TrimPrefix(digest, "sha256:"))
	}
	change := func(path string) {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		raw[len(raw)/2] ^= 1
		write(t, "", path, raw)
	}
	for _, digest := range []string{digestOf(t, image), configDigestOf(t, image)} {
		dir := fresh()
		change(blob(dir, digest))
		_, err := attempt(t, "oci-dir:"+dir, Options{})
		refused(t, err, fault.Integrity, "has the digest")
	}
	layers, err := image.Layers()
	if err != nil {
		t.Fatal(err)
	}
	dir := fresh()
	change(blob(dir, digestOf(t, layers[0])))
	broken, err := attempt(t, "oci-dir:"+dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	refused(t, readAll(broken), fault.Integrity)

	dir = fresh()
	config := blob(dir, configDigestOf(t, image))
	if err := os.Remove(config); err != nil {
		t.Fatal(err)
	}
	_, err = attempt(t, "oci-dir:"+dir, Options{})
	refused(t, err, fault.Usage, "write the layout anew")
	outside := write(t, t.TempDir(), "outside", []byte("{}"))
	if err := os.Symlink(outside, config); err != nil {
		t.Fatal(err)
	}
	_, err = attempt(t, "oci-dir:"+dir, Options{})
	refused(t, err, fault.Usage, "escapes")
	if err := os.Remove(config); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(config, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = attempt(t, "oci-dir:"+dir, Options{})
	refused(t, err, fault.Usage, "not a regular file")

	_, err = attempt(t, "oci-dir:"+t.TempDir(), Options{})
	refused(t, err, fault.Usage, "index.json")
	_, err = attempt(t, "oci-dir:"+filepath.Join(dir, "none"), Options{})
	refused(t, err, fault.Usage)
	for text, part := range map[string]string{"{": "index.json", "{}": "holds no image", strings.Repeat(" ", maxDocument+1): "bytes"} {
		write(t, dir, "index.json", []byte(text))
		_, err = attempt(t, "oci-dir:"+dir, Options{})
		refused(t, err, fault.Usage, part)
	}
}

// daemon is a local engine that holds archives by name.
type daemon struct {
	images map[string]ImageInfo
	saves  map[string][]byte
	err    error
}

func (d daemon) Inspect(_ context.Context, ref string) (ImageInfo, error) {
	if info, ok := d.images[ref]; ok || d.err != nil {
		return info, d.err
	}
	return ImageInfo{}, fmt.Errorf("inspecting: %w", ErrNoImage)
}

func (d daemon) Save(_ context.Context, id string) (io.ReadCloser, error) {
	return io.NopCloser(bytes.NewReader(d.saves[id])), nil
}

func TestDaemon(t *testing.T) {
	image := imageOf(t, here, "a", "b")
	id := configDigestOf(t, image)
	host := serve(t, nil)
	push(t, host+"/both:1", image)
	info := ImageInfo{ID: id, RepoTags: []string{"app:1"}}
	o := Options{Daemon: daemon{
		images: map[string]ImageInfo{"app:1": info, id: info, id[7:19]: info, host + "/only:1": info, host + "/both:1": info, "registry.invalid/app:1": info},
		saves:  map[string][]byte{id: dockerSave(t, image, `["app:1"]`)},
	}}
	for ref, want := range map[string][2]string{
		"docker-daemon:app:1": {"app", "1"}, id: {"app", "1"}, id[7:19]: {"app", "1"},
		host + "/only:1": {host + "/only", "1"}, "registry.invalid/app:1": {"registry.invalid/app", "1"},
	} {
		got := resolved(t, ref, o)
		if !got.Local() || got.Source != subject.SourceDaemon || got.Loaded != id || got.Pull != "" || got.ConfigDigest != id || [2]string{got.Repository, got.Tag} != want {
			t.Errorf("%s is %+v", ref, got)
		}
		if texts := layerTexts(t, got.Image); !slices.Equal(texts, []string{"a", "b"}) {
			t.Errorf("%s has the layers %q", ref, texts)
		}
	}
	if got := resolved(t, host+"/both:1", o); got.Source != subject.SourceRegistry {
		t.Errorf("held by both it is from the %s", got.Source)
	}
	// Where the registry was named, or a digest, the engine is not asked.
	only := host + "/only"
	_, err := attempt(t, "registry:"+only+":1", o)
	refused(t, err, fault.Usage)
	pinned := o
	pinned.WantDigest = "sha256:" + strings.Repeat("0", 64)
	_, err = attempt(t, only+":1", pinned)
	refused(t, err, fault.Usage)
	_, err = attempt(t, only+"@"+pinned.WantDigest, o)
	refused(t, err, fault.Usage)

	_, err = attempt(t, "docker-daemon:nothing", o)
	refused(t, err, fault.Usage, "docker image ls")
	_, err = attempt(t, "docker-daemon:nothing", Options{})
	refused(t, err, fault.Infra, "no local engine")
	_, err = attempt(t, "docker-daemon:nothing", Options{Daemon: daemon{err: errors.New("\x1b[31mdown")}})
	refused(t, err, fault.Infra, "docker info")
	_, err = attempt(t, "docker-daemon:app:1", Options{Daemon: daemon{images: map[string]ImageInfo{"app:1": info}}})
	refused(t, err, fault.Usage)

	// The engine saves another image than the one it described.
	other := ImageInfo{ID: "sha256:" + strings.Repeat("a", 64)}
	_, err = attempt(t, "docker-daemon:app:1", Options{Daemon: daemon{
		images: map[string]ImageInfo{"app:1": other}, saves: map[string][]byte{other.ID: dockerSave(t, image, `[]`)},
	}})
	refused(t, err, fault.Integrity, other.ID)
}
