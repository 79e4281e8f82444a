package source

import (
	"encoding/base64"
	"fmt"
	"io"
	"log"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/subject"
)

func nopLog() *log.Logger { return log.New(io.Discard, "", 0) }

func TestRegistryImage(t *testing.T) {
	host := serve(t, nil)
	image := imageOf(t, here, "one", "two", "one")
	push(t, host+"/team/app:1.0", image)
	for _, ref := range []string{host + "/team/app:1.0", "registry:" + host + "/team/app:1.0", host + "/team/app@" + digestOf(t, image)} {
		got := resolved(t, ref, Options{WantDigest: digestOf(t, image)})
		want := subject.Subject{
			Requested: ref, Source: subject.SourceRegistry, Repository: host + "/team/app", Tag: "1.0",
			ManifestDigest: digestOf(t, image), ConfigDigest: configDigestOf(t, image), Platform: here,
		}
		if strings.Contains(ref, "@") {
			want.Tag = ""
		}
		if got.Subject != want {
			t.Errorf("%s is %+v, want %+v", ref, got.Subject, want)
		}
		if got.Local() || got.Pull != host+"/team/app@"+digestOf(t, image) || got.Loaded != "" {
			t.Errorf("%s is pulled as %q, loaded as %q", ref, got.Pull, got.Loaded)
		}
		if digestOf(t, got.Image) != digestOf(t, image) || got.Config.Architecture != here.Architecture || got.Size() == 0 {
			t.Errorf("%s has other contents", ref)
		}
		if len(got.TCPPorts()) != 2 || got.Healthcheck() == nil {
			t.Errorf("%s: ports %v, health check %v", ref, got.TCPPorts(), got.Healthcheck())
		}
	}
}

func TestRegistryIndex(t *testing.T) {
	host := serve(t, nil)
	arm := subject.Platform{OS: "linux", Architecture: "arm", Variant: "v6"}
	index := indexOf(t, subject.Platform{OS: "windows", Architecture: "amd64"}, here, subject.Platform{OS: "linux", Architecture: "ppc64le"}, arm, subject.Platform{OS: "linux", Architecture: "arm", Variant: "v7"})
	ref := host + "/app:multi"
	push(t, ref, index)
	got := resolved(t, ref, Options{})
	if got.IndexDigest != digestOf(t, index) || got.Platform != here || got.ManifestDigest == got.IndexDigest || got.Digest() != got.IndexDigest {
		t.Errorf("it is %+v", got.Subject)
	}
	if got.Pull != host+"/app@"+got.ManifestDigest {
		t.Errorf("it is pulled as %s", got.Pull)
	}
	if p := resolved(t, ref, Options{Platform: "linux/arm"}).Platform; p.Variant != "v7" {
		t.Errorf("of two variants it is %s", p)
	}
	if p := resolved(t, ref, Options{Platform: "linux/arm/v6"}).Platform; p != arm {
		t.Errorf("the wanted variant became %s", p)
	}
	for _, want := range []string{got.IndexDigest, got.ManifestDigest} {
		resolved(t, ref, Options{WantDigest: want})
		resolved(t, host+"/app@"+want, Options{WantDigest: want})
	}
	for _, want := range []string{got.ConfigDigest, "sha256:" + strings.Repeat("0", 64)} {
		_, err := attempt(t, ref, Options{WantDigest: want})
		refused(t, err, fault.Integrity, got.IndexDigest, want)
	}
	_, err := attempt(t, ref, Options{Platform: "linux/s390x"})
	refused(t, err, fault.Usage, "not for linux/s390x", "--platform one of windows/amd64, "+here.String()+", linux/ppc64le, linux/arm/v6, linux/arm/v7")

	nested := mutate.AppendManifests(indexOf(t), mutate.IndexAddendum{
		Add:        index,
		Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: here.OS, Architecture: here.Architecture}},
	})
	push(t, host+"/app:nested", nested)
	if got := resolved(t, host+"/app:nested", Options{}); got.IndexDigest != digestOf(t, nested) || got.Platform != here {
		t.Errorf("nested it is %+v", got.Subject)
	}
}

// TestUnfitImages are things in a registry that cannot be run and scanned.
func TestUnfitImages(t *testing.T) {
	host := serve(t, nil)
	push(t, host+"/other:1", imageOf(t, subject.Platform{OS: "linux", Architecture: "s390x"}, "x"))
	_, err := attempt(t, host+"/other:1", Options{Platform: "linux/amd64"})
	refused(t, err, fault.Usage, "--platform linux/s390x")

	push(t, host+"/chart:1", mutate.ConfigMediaType(imageOf(t, here, "x"), "application/vnd.cncf.helm.config.v1+json"))
	_, err = attempt(t, host+"/chart:1", Options{})
	refused(t, err, fault.Usage, "artifact of type", "helm")

	fewer := imageOf(t, here, "x", "y")
	config, err := fewer.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	config = config.DeepCopy()
	config.RootFS.DiffIDs = config.RootFS.DiffIDs[:1]
	if fewer, err = mutate.ConfigFile(fewer, config); err != nil {
		t.Fatal(err)
	}
	push(t, host+"/fewer:1", fewer)
	_, err = attempt(t, host+"/fewer:1", Options{})
	refused(t, err, fault.Integrity, "2 layers")

	large := imageOf(t, here, strings.Repeat("x", 1<<20))
	push(t, host+"/bomb:1", large)
	bomb, err := attempt(t, host+"/bomb:1", Options{MaxBytes: 64 << 10})
	if err != nil {
		t.Fatal(err)
	}
	refused(t, readAll(bomb), fault.Usage, "larger than 65536 bytes")
	_, err = attempt(t, host+"/bomb:1", Options{MaxBytes: 100})
	refused(t, err, fault.Usage, "more than 100 bytes")

	// Layers in each other's place: right bytes, wrong configuration.
	swapped := imageOf(t, here, "x", "y")
	if config, err = swapped.ConfigFile(); err != nil {
		t.Fatal(err)
	}
	config = config.DeepCopy()
	d := config.RootFS.DiffIDs
	d[0], d[1] = d[1], d[0]
	if swapped, err = mutate.ConfigFile(swapped, config); err != nil {
		t.Fatal(err)
	}
	push(t, host+"/swapped:1", swapped)
	image, err := attempt(t, host+"/swapped:1", Options{})
	if err != nil {
		t.Fatal(err)
	}
	refused(t, readAll(image), fault.Integrity, "has the digest")
}

func TestNotFound(t *testing.T) {
	host := serve(t, nil)
	_, err := attempt(t, host+"/nothing:1", Options{})
	refused(t, err, fault.Usage, host+"/nothing:1", "check the name")
	push(t, host+"/app:1", imageOf(t, here, "x"))
	_, err = attempt(t, host+"/app:2", Options{})
	refused(t, err, fault.Usage)
	_, err = attempt(t, host+"/app@sha256:"+strings.Repeat("0", 64), Options{})
	refused(t, err, fault.Usage)
	_, err = attempt(t, "registry.invalid/app:1", Options{})
	refused(t, err, fault.Infra, "registry.invalid")
	_, err = attempt(t, "127.0.0.1:1/app:1", Options{})
	refused(t, err, fault.Infra, "check the network")
}

// TestCredentials asks a registry with a token server, with good, bad and no
// credentials.
func TestCredentials(t *testing.T) {
	const token = "token-canary"
	var host string
	host = serve(t, func(inner http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.URL.Path == "/token":
				user, password, _ := r.BasicAuth()
				if user != "me" || password != "pass" {
					http.Error(w, `{"errors":[{"code":"UNAUTHORIZED","message":"\u001b[31mno"}]}`, http.StatusUnauthorized)
					return
				}
				fmt.Fprintf(w, `{"token":%q}`, token)
			case r.Header.Get("Authorization") == "Bearer "+token:
				inner.ServeHTTP(w, r)
			default:
				w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm="http://%s/token",service="x"`, host))
				w.WriteHeader(http.StatusUnauthorized)
			}
		})
	})
	image := imageOf(t, here, "x")
	good := keychain{authn.FromConfig(authn.AuthConfig{Username: "me", Password: "pass"})}
	push(t, host+"/app:1", image, remote.WithAuth(good.Authenticator))
	resolved(t, host+"/app:1", Options{Keychain: good})
	bad := keychain{authn.FromConfig(authn.AuthConfig{Username: "me", Password: "wrong-canary"})}
	for _, k := range []authn.Keychain{bad, nil} {
		_, err := attempt(t, host+"/app:1", Options{Keychain: k})
		refused(t, err, fault.Infra, "docker login "+host)
		if strings.Contains(err.Error(), "canary") || strings.Contains(err.Error(), base64.StdEncoding.EncodeToString([]byte("me:wrong-canary"))) {
			t.Errorf("%q holds a secret", err)
		}
	}
}

// keychain gives the same credentials for all.
type keychain struct{ authn.Authenticator }

func (k keychain) Resolve(authn.Resource) (authn.Authenticator, error) { return k.Authenticator, nil }
