package source

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"

	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/subject"
)

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
