package e2e

import (
	"encoding/json"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/vexxy/action/internal/consume"
	"github.com/vexxy/action/internal/judge"
	"github.com/vexxy/action/internal/record"
)

// multi is an image index in the registry.
type multi struct {
	tag, byDigest, repository    string
	index, here, elsewhere, conf string // digests
}

// elsewhere is a platform that this machine does not run.
func elsewhere() string {
	if runtime.GOARCH == "arm64" {
		return "amd64"
	}
	return "arm64"
}

// pushIndex puts a fixture into the registry as an index of two platforms, as
// multi-platform builds make it: the fixture itself for this machine, and
// another manifest of the same layers that says it is for another.
func pushIndex(t *testing.T, image string) multi {
	t.Helper()
	real := layoutImage(t, image)
	conf, err := real.ConfigFile()
	must(err)
	conf = conf.DeepCopy()
	conf.Architecture = elsewhere()
	foreign := must1(mutate.ConfigFile(real, conf))
	entry := func(img v1.Image, arch string) mutate.IndexAddendum {
		return mutate.IndexAddendum{Add: img, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: arch}}}
	}
	// this machine's comes last: the first that is there will not do
	index := mutate.IndexMediaType(mutate.AppendManifests(empty.Index, entry(foreign, elsewhere()), entry(real, runtime.GOARCH)), types.OCIImageIndex)
	tag := must1(name.NewTag(bed.registry + "/fixtures/multi-" + image + ":v1"))
	must(remote.WriteIndex(tag, index))
	m := multi{
		tag: tag.String(), repository: tag.Context().Name(), index: must1(index.Digest()).String(), here: must1(real.Digest()).String(),
		elsewhere: must1(foreign.Digest()).String(), conf: must1(real.ConfigName()).String(),
	}
	m.byDigest = tag.Context().Digest(m.index).String()
	return m
}

// An image index is fixed to its own digest and that of the platform that ran,
// whether it is named by tag or by digest. Both stand in the result and in the
// OpenVEX document, which suppresses the same findings for who knows the image
// by either.
func TestIndex(t *testing.T) {
	m := pushIndex(t, "go-app")
	if m.here == m.elsewhere || m.index == m.here {
		t.Fatalf("the index is none of two images: %+v", m)
	}
	for _, c := range []struct {
		name, ref string
		flags     []string
	}{
		{"by tag", m.tag, []string{"--digest", m.index}},
		{"by digest", m.byDigest, []string{"--digest", m.here}},
	} {
		t.Run(c.name, func(t *testing.T) {
			out := analyse(t, slices.Concat(c.flags, serving, []string{c.ref})...)
			if out.code != 0 || out.result.Verdict != "pass" {
				t.Fatalf("verdict %s, exit code %d\n%s", out.result.Verdict, out.code, out.stderr)
			}
			out.only(t, "golang.org/x/text", judge.Affected)
			out.only(t, "gopkg.in/yaml.v2", judge.NotAffected)

			out.isOf(t, m, c.ref)
			out.names(t, m)
			readings := out.consumed(t).Readings
			for _, digest := range []string{m.index, m.here} {
				for _, consumer := range []string{"grype", "trivy"} {
					if !slices.ContainsFunc(readings, func(r consume.Reading) bool {
						return r.Consumer == consumer && r.Image == m.repository+"@"+digest && len(r.Suppressed) > 0
					}) {
						t.Errorf("%s hides nothing of %s", consumer, digest)
					}
				}
			}
		})
	}
	for _, other := range []string{m.elsewhere, m.conf} {
		out := analyse(t, "--digest", other, m.tag)
		if out.code != 6 || !strings.Contains(out.stderr, other) {
			t.Errorf("exit code %d for an image that is not %s\n%s", out.code, other, out.stderr)
		}
	}
}

// isOf fails the test unless the result and the record name the index and the
// platform that ran.
func (o outcome) isOf(t *testing.T, m multi, ref string) {
	t.Helper()
	var result struct {
		Subject struct {
			Digest         string `json:"digest"`
			IndexDigest    string `json:"index_digest"`
			ManifestDigest string `json:"manifest_digest"`
			ConfigDigest   string `json:"config_digest"`
			Platform       string `json:"platform"`
		}
	}
	must(json.Unmarshal(read(t, o.dir, "result.json"), &result))
	got := result.Subject
	if got.Digest != m.index || got.IndexDigest != m.index || got.ManifestDigest != m.here || got.ConfigDigest != m.conf ||
		got.Platform != "linux/"+runtime.GOARCH {
		t.Errorf("the result is of %+v, want %+v", got, m)
	}
	rec := must1(record.Read(filepath.Join(o.dir, "record"))).Subject
	if rec.IndexDigest != m.index || rec.ManifestDigest != m.here || rec.Repository != m.repository || rec.Requested != ref {
		t.Errorf("the record is of %+v, want %+v", rec, m)
	}
}

// names fails the test unless each statement of the document on the disk names
// the index and the platform that ran, and not the other platform.
func (o outcome) names(t *testing.T, m multi) {
	t.Helper()
	var doc struct {
		Statements []struct {
			Products []struct {
				ID string `json:"@id"`
			}
		}
	}
	must(json.Unmarshal(read(t, o.dir, "vex.openvex.json"), &doc))
	for _, s := range doc.Statements {
		var products []string
		for _, p := range s.Products {
			products = append(products, p.ID)
		}
		for _, digest := range []string{m.index, m.here} {
			if want := "pkg:oci/multi-go-app@" + digest; !slices.Contains(products, want) {
				t.Fatalf("products %q do not hold %s", products, want)
			}
		}
		if strings.Contains(strings.Join(products, " "), strings.TrimPrefix(m.elsewhere, "sha256:")) {
			t.Fatalf("products %q speak of a platform that did not run", products)
		}
	}
}
