package source

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/subject"
)

// here is the platform that is wanted by default.
var here = subject.Platform{OS: "linux", Architecture: runtime.GOARCH}

// tarOf is a tar with one file.
func tarOf(t testing.TB, path, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if err := w.WriteHeader(&tar.Header{Name: path, Mode: 0o644, Size: int64(len(text))}); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// imageOf is an image for the platform with a layer for each text.
func imageOf(t testing.TB, p subject.Platform, texts ...string) v1.Image {
	t.Helper()
	image := empty.Image
	for _, text := range texts {
		raw := tarOf(t, "file", text)
		l, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(raw)), nil })
		if err != nil {
			t.Fatal(err)
		}
		if image, err = mutate.AppendLayers(image, l); err != nil {
			t.Fatal(err)
		}
	}
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	config = config.DeepCopy()
	config.OS, config.Architecture, config.Variant = p.OS, p.Architecture, p.Variant
	config.Config.ExposedPorts = map[string]struct{}{"8080/tcp": {}, "443": {}, "53/udp": {}, "x": {}, "0/tcp": {}}
	config.Config.Healthcheck = &v1.HealthConfig{Test: []string{"CMD", "true"}}
	if image, err = mutate.ConfigFile(image, config); err != nil {
		t.Fatal(err)
	}
	return image
}

// indexOf is an index over images for the platforms, with an attestation in
// front.
func indexOf(t testing.TB, platforms ...subject.Platform) v1.ImageIndex {
	t.Helper()
	index := mutate.AppendManifests(empty.Index, mutate.IndexAddendum{
		Add: imageOf(t, subject.Platform{OS: "unknown", Architecture: "unknown"}, "attestation"),
		Descriptor: v1.Descriptor{
			Platform:    &v1.Platform{OS: "unknown", Architecture: "unknown"},
			Annotations: map[string]string{"vnd.docker.reference.type": "attestation-manifest"},
		},
	})
	for _, p := range platforms {
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add:        imageOf(t, p, "for "+p.String()),
			Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: p.OS, Architecture: p.Architecture, Variant: p.Variant}},
		})
	}
	return index
}

// serve starts a registry behind the middleware, if there is one, and gives
// its host.
func serve(t testing.TB, middleware func(http.Handler) http.Handler) string {
	t.Helper()
	handler := registry.New(registry.Logger(nopLog()))
	if middleware != nil {
		handler = middleware(handler)
	}
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

// push pushes an image or index as ref.
func push(t testing.TB, ref string, what remote.Taggable, o ...remote.Option) {
	t.Helper()
	tag, err := name.ParseReference(ref)
	if err != nil {
		t.Fatal(err)
	}
	switch what := what.(type) {
	case v1.ImageIndex:
		err = remote.WriteIndex(tag, what, o...)
	case v1.Image:
		err = remote.Write(tag, what, o...)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func digestOf(t testing.TB, d interface{ Digest() (v1.Hash, error) }) string {
	t.Helper()
	h, err := d.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return h.String()
}

func configDigestOf(t testing.TB, image v1.Image) string {
	t.Helper()
	h, err := image.ConfigName()
	if err != nil {
		t.Fatal(err)
	}
	return h.String()
}

// resolved resolves without credentials and reads every layer.
func resolved(t testing.TB, ref string, o Options) Image {
	t.Helper()
	image, err := attempt(t, ref, o)
	if err != nil {
		t.Fatalf("resolving %s: %v", ref, err)
	}
	if err := readAll(image); err != nil {
		t.Fatalf("reading %s: %v", ref, err)
	}
	return image
}

// attempt is Resolve without credentials, with files of the test's own. What
// is left in the folder for temporary files after Close fails the test.
func attempt(t testing.TB, ref string, o Options) (Image, error) {
	t.Helper()
	if o.Keychain == nil {
		o.Keychain = authn.NewMultiKeychain()
	}
	if o.TempDir == "" {
		o.TempDir = t.TempDir()
	}
	image, err := Resolve(t.Context(), ref, o)
	if err == nil {
		t.Cleanup(func() {
			for range 2 {
				if err := image.Close(); err != nil {
					t.Errorf("closing %s: %v", ref, err)
				}
			}
			nothingIn(t, o.TempDir)
		})
		return image, nil
	}
	nothingIn(t, o.TempDir)
	return image, err
}

func nothingIn(t testing.TB, dir string) {
	t.Helper()
	left, err := os.ReadDir(dir)
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// readAll reads every layer in both forms.
func readAll(image Image) error {
	layers, err := image.Image.Layers()
	if err != nil {
		return err
	}
	for _, l := range layers {
		for _, open := range []func() (io.ReadCloser, error){l.Compressed, l.Uncompressed} {
			r, err := open()
			if err != nil {
				return err
			}
			_, err = io.Copy(io.Discard, r)
			r.Close()
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// refused checks an error's code, that it has a hint, and what both say.
func refused(t testing.TB, err error, code fault.Code, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("there is no error")
	}
	if got := fault.CodeOf(context.Background(), err); got != code {
		t.Errorf("the code of %q is %d, not %d", err, got, code)
	}
	said := err.Error() + "\n" + fault.HintOf(err)
	if fault.HintOf(err) == "" {
		t.Errorf("%q has no hint", err)
	}
	for _, p := range parts {
		if !strings.Contains(said, p) {
			t.Errorf("%q lacks %q", said, p)
		}
	}
	if strings.ContainsAny(err.Error(), "\x1b\n\r") {
		t.Errorf("%q holds controls", err)
	}
}

func TestParse(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "a:b.tar")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	digest := "sha256:" + strings.Repeat("a", 64)
	for ref, want := range map[string]struct {
		source       subject.Source
		forced       bool
		name, chosen string
	}{
		"nginx":                             {subject.SourceRegistry, false, "nginx", ""},
		"nginx:1.27":                        {subject.SourceRegistry, false, "nginx:1.27", ""},
		"registry:2":                        {subject.SourceRegistry, false, "registry:2", ""},
		"registry:5000/app:1":               {subject.SourceRegistry, false, "registry:5000/app:1", ""},
		"registry:nginx:1.27":               {subject.SourceRegistry, true, "nginx:1.27", ""},
		"registry:ghcr.io/a/b":              {subject.SourceRegistry, true, "ghcr.io/a/b", ""},
		"docker-daemon:app:1":               {subject.SourceDaemon, true, "app:1", ""},
		"0123456789ab":                      {subject.SourceDaemon, true, "0123456789ab", ""},
		digest:                              {subject.SourceDaemon, true, digest, ""},
		"docker-archive:" + file:            {subject.SourceDockerArchive, true, file, ""},
		"docker-archive:" + file + ":app:1": {subject.SourceDockerArchive, true, file + ":app:1", "app:1"},
		"oci-dir:" + dir + "@" + digest:     {subject.SourceOCIDir, true, dir + "@" + digest, digest},
		"oci-dir:" + dir + ":1.0":           {subject.SourceOCIDir, true, dir + ":1.0", "1.0"},
		"oci-dir:nowhere:1.0":               {subject.SourceOCIDir, true, "nowhere:1.0", ""},
	} {
		r, err := parse(ref, nil)
		if err != nil || r.source != want.source || r.forced != want.forced || r.name != want.name || r.chosen != want.chosen {
			t.Errorf("%s: %+v, %v", ref, r, err)
		}
	}
	for _, ref := range []string{"", "UPPER", "a b", "docker-archive:", "oci-dir:", "a@sha256:1", "\x1b[31m", "a\x00b", strings.Repeat("a", 10_000), "-x:y:z"} {
		_, err := parse(ref, nil)
		refused(t, err, fault.Usage)
	}
	if r, err := parse("registry.example/app", []string{"registry.example"}); err != nil || r.remote.Context().Scheme() != "http" {
		t.Errorf("an insecure registry is asked by %v, %v", r, err)
	}
}

func TestPlatforms(t *testing.T) {
	if p, err := ParsePlatform("linux/arm/v7"); err != nil || p != (subject.Platform{OS: "linux", Architecture: "arm", Variant: "v7"}) {
		t.Errorf("parsed %v, %v", p, err)
	}
	for _, s := range []string{"linux", "linux/", "/amd64", "a/b/c/d"} {
		_, err := ParsePlatform(s)
		refused(t, err, fault.Usage)
	}
	_, err := Resolve(t.Context(), "a", Options{Platform: "amd64"})
	refused(t, err, fault.Usage, "linux/amd64")
}

// TestHelpers holds what an engine asks an image for.
func TestHelpers(t *testing.T) {
	var i Image
	i.Config.Config.ExposedPorts = map[string]struct{}{"8080/tcp": {}, "8080": {}, "443/TCP": {}, "53/udp": {}, "x": {}, "70000": {}}
	if got := fmt.Sprint(i.TCPPorts()); got != "[443 8080]" {
		t.Errorf("ports %s", got)
	}
	if i.Healthcheck() != nil {
		t.Error("an image without has a health check")
	}
	i.Config.Config.Healthcheck = &v1.HealthConfig{Test: []string{"NONE"}}
	if i.Healthcheck() != nil {
		t.Error("a health check that is turned off counts")
	}
	i.Config.Config.Healthcheck.Test = []string{"CMD-SHELL", "true"}
	if i.Healthcheck() == nil {
		t.Error("the health check is lost")
	}
	failure := errors.New("x")
	i.closers = []func() error{func() error { return failure }}
	if !errors.Is(i.Close(), failure) {
		t.Error("an error of closing is lost")
	}
}
