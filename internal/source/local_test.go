package source

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
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
