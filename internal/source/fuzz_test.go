package source

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/subject"
)

// settled checks what holds for the outcome of any bytes: a fault with a hint
// and a bounded, clean text, or an image that reads or refuses its layers.
func settled(t *testing.T, image Image, err error) {
	t.Helper()
	if err == nil {
		if !strings.HasPrefix(image.ConfigDigest, "sha256:") || image.Platform.OS == "" {
			t.Fatalf("accepted %+v", image.Subject)
		}
		if err = readAll(image); err == nil {
			return
		}
	}
	var f *fault.Error
	if !errors.As(err, &f) || f.Hint == "" || f.Code == fault.Internal {
		t.Fatalf("%v is no fault with a hint", err)
	}
	if len(err.Error()) > 10_000 || strings.ContainsAny(err.Error(), "\x1b\n\r\x00") {
		t.Fatalf("an error of %d bytes: %q", len(err.Error()), err)
	}
}

func FuzzReference(f *testing.F) {
	for _, s := range []string{
		"nginx:1.27", "ghcr.io/a/b@sha256:" + strings.Repeat("0", 64), "registry:a:b", "docker-archive:x.tar:y", "oci-dir:a@b",
		"[::1]:5000/a", "localhost:5000/a", "a\x1b[31m\nb", "0123456789abcdef", "docker-daemon:-", "a/../b", "xn--/a", "é:1",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := parse(s, []string{"localhost"})
		if err != nil {
			settled(t, Image{}, err)
			return
		}
		if (r.source == subject.SourceRegistry) != (r.remote != nil) {
			t.Fatalf("%q became %+v", s, r)
		}
		if r.remote != nil && strings.ContainsAny(r.remote.Name(), " \x1b\n\r\x00") {
			t.Fatalf("%q names %q", s, r.remote.Name())
		}
	})
}

// FuzzManifest has a registry serve the bytes as manifest and configuration,
// at their own digests.
func FuzzManifest(f *testing.F) {
	f.Add([]byte(`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{"digest":"D","size":S,"platform":{"os":"linux","architecture":"amd64"}}]}`),
		[]byte(`{"schemaVersion":2,"config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"D","size":S},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"D","size":S}]}`),
		[]byte(`{"os":"linux","architecture":"amd64","rootfs":{"diff_ids":["sha256:`+strings.Repeat("0", 64)+`"]}}`))
	f.Add([]byte(`{"manifests":[]}`), []byte(`{"layers":null,"config":{}}`), []byte(`[]`))
	f.Add([]byte(`{"manifests":[{"digest":"D","size":S}]}`), []byte(`{"config":{"mediaType":"application/vnd.docker.container.image.v1+json","digest":"D","size":S},"layers":[]}`), []byte(`{}`))
	f.Fuzz(func(t *testing.T, index, manifest, config []byte) {
		blobs := map[v1.Hash][]byte{}
		store := func(raw []byte) v1.Descriptor {
			h, size, err := v1.SHA256(bytes.NewReader(raw))
			if err != nil {
				t.Fatal(err)
			}
			blobs[h] = raw
			return v1.Descriptor{Digest: h, Size: size}
		}
		// D and S stand for the digest and size of what is one level below.
		fill := func(raw []byte, d v1.Descriptor) []byte {
			raw = bytes.ReplaceAll(raw, []byte(`"D"`), []byte(`"`+d.Digest.String()+`"`))
			return bytes.ReplaceAll(raw, []byte(`"size":S`), fmt.Appendf(nil, `"size":%d`, d.Size))
		}
		open := func(d v1.Descriptor) (io.ReadCloser, error) {
			return io.NopCloser(bytes.NewReader(blobs[d.Digest])), nil
		}
		top := fill(index, store(fill(manifest, store(config))))
		want := subject.Platform{OS: "linux", Architecture: "amd64"}
		found, err := descend(top, want, func(d v1.Descriptor) ([]byte, error) {
			r, err := open(d)
			if err != nil {
				return nil, err
			}
			return readVerified(r, "manifest", d, fault.Infra)
		})
		if err != nil {
			settled(t, Image{}, err)
			return
		}
		image, err := assemble(found, subject.Subject{}, want, content{open, fault.Infra, 1 << 20})
		settled(t, image, err)
		if err == nil && !json.Valid(found) {
			t.Fatal("an image without a manifest")
		}
	})
}

func FuzzArchive(f *testing.F) {
	image := imageOf(f, here, "one", "two", "one")
	good := dockerSave(f, image, `["app:1.0"]`)
	f.Add(good, "")
	f.Add(gzipped(f, good), "app:1.0")
	f.Add(tarFiles(f, file{name: "a", kind: '2', link: "a"}, file{name: "manifest.json", text: `[{"Config":"a"}]`}), "")
	f.Add([]byte("\x1f\x8b"), "x")
	f.Fuzz(func(t *testing.T, raw []byte, tag string) {
		path := write(t, t.TempDir(), "x.tar", raw)
		opened, err := openFile(path)
		if err != nil {
			t.Fatal(err)
		}
		o := Options{TempDir: t.TempDir(), MaxBytes: 1 << 20}.defaults()
		image, err := readArchive(opened, "x.tar", tag, "", subject.Subject{}, here, o)
		settled(t, image, err)
		if err := image.Close(); err != nil {
			t.Fatal(err)
		}
		nothingIn(t, o.TempDir)
		if _, err := opened.Stat(); !errors.Is(err, os.ErrClosed) {
			t.Fatal("the archive stays open")
		}
	})
}

// FuzzChallenge has a registry demand credentials in any words.
func FuzzChallenge(f *testing.F) {
	for _, s := range []string{`Bearer realm="http://169.254.169.254/",service="x"`, `Basic realm="x"`, `Bearer`, `Bearer realm=`, `Bearer realm="::"`, `,`, `Bearer realm="file:///etc/passwd"`, "Digest a=b, Bearer realm=\"http://evil.example/\"", `Bearer realm="http://user:pass@10.0.0.1"`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, challenge string) {
		o := Options{
			Keychain: authn.NewMultiKeychain(),
			Insecure: []string{"public.example"},
			Timeout:  5 * time.Second,
			Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
				if r.URL.Hostname() == "10.0.0.1" || r.URL.Hostname() == "169.254.169.254" || r.URL.Hostname() == "localhost" {
					t.Errorf("%q leads to %s", challenge, r.URL)
				}
				return &http.Response{
					StatusCode: http.StatusUnauthorized, Request: r, Body: http.NoBody,
					Header: http.Header{"Www-Authenticate": {challenge}},
				}, nil
			}),
		}
		o.network.lookup = (&world{names: map[string]string{"public.example": "93.184.216.34"}}).network().lookup
		image, err := Resolve(context.Background(), "public.example/app:1", o)
		if err == nil {
			t.Fatal("an image out of nothing")
		}
		settled(t, image, err)
	})
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
