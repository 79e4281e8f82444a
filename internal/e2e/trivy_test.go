package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/vexxy/action/internal/judge"
	"github.com/vexxy/action/internal/record"
)

// Trivy itself, named by VEXXY_TEST_TRIVY, reads from the registry what a run
// has attested to an image, in each layout, and the document from its file. Of
// what it finds it suppresses exactly what the run has judged not affected.
// VEXXY_TEST_TRIVY_CACHE is a folder with a database of the facts that the run's
// own was made of. scripts/consumers/trivy.sh builds and names both.
func TestTrivyReads(t *testing.T) {
	flags, env, _ := attesting()
	attest := func(t *testing.T, format, image string) outcome {
		t.Helper()
		out := analyseEnv(t, env, slices.Concat(flags, serving, []string{"--attestation-format", format, image})...)
		if out.code != 0 || out.result.Verdict != "pass" {
			t.Fatalf("verdict %s, exit code %d\n%s", out.result.Verdict, out.code, out.stderr)
		}
		return out
	}
	for _, c := range []struct {
		image string
		least int // findings that are suppressed
		// packages of which a finding is suppressed, resp. shown
		suppressed, shown []string
	}{
		{"node-app", 20, []string{"minimist", "ws", "login", "tar"}, []string{"lodash", "libc6"}},
		{"demo", 100, []string{"git", "busybox", "openssh-client", "libtiff6"}, []string{"zlib1g", "libc6"}},
		{"apk-db", 1, []string{"gopkg.in/yaml.v2"}, []string{"musl"}},
	} {
		t.Run(c.image, func(t *testing.T) {
			image := pushAs(t, c.image, "trivy-"+c.image)
			out := attest(t, "both", image)
			for _, vex := range []string{"oci", filepath.Join(out.dir, "vex.openvex.json")} {
				got := trivy(t, image, "--vex", vex)
				got.agrees(t, out, trivy(t, image))
				if len(got.suppressed) < c.least {
					t.Errorf("--vex %s suppresses %d findings, want at least %d", vex, len(got.suppressed), c.least)
				}
				for _, p := range c.suppressed {
					if !got.suppressed.of(p) || got.shown.of(p) {
						t.Errorf("--vex %s does not suppress all findings of %s", vex, p)
					}
				}
				for _, p := range c.shown {
					if got.suppressed.of(p) || !got.shown.of(p) {
						t.Errorf("--vex %s does not show all findings of %s", vex, p)
					}
				}
			}
		})
	}
	for _, format := range []string{"bundle", "legacy", "both"} {
		for _, api := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s,api=%t", format, api), func(t *testing.T) {
				server := httptest.NewServer(describing(registry.New(registry.WithReferrersSupport(api), registry.Logger(log.New(io.Discard, "", 0)))))
				defer server.Close()
				img := layoutImage(t, "go-app")
				tag := must1(name.NewTag(server.Listener.Addr().String() + "/fixtures/trivy:v1"))
				must(remote.Write(tag, img))
				image := tag.Context().Digest(must1(img.Digest()).String()).String()
				before := trivy(t, image, "--vex", "oci")
				if len(before.suppressed) > 0 {
					t.Errorf("%d findings are suppressed before anything is attested", len(before.suppressed))
				}
				out := attest(t, format, image)
				for _, ref := range []string{image, tag.String()} {
					got := trivy(t, ref, "--vex", "oci")
					got.agrees(t, out, before)
					if !got.suppressed.of("gopkg.in/yaml.v2") || !got.shown.of("golang.org/x/text") {
						t.Errorf("of %s %v are suppressed and %v shown", ref, got.suppressed, got.shown)
					}
				}
			})
		}
	}
	// What is attested is what was observed: of an index one platform's manifest,
	// by which Trivy must know the image. The document in its file names both.
	t.Run("index", func(t *testing.T) {
		m := pushIndex(t, "go-app")
		out := attest(t, "both", m.tag)
		document := filepath.Join(out.dir, "vex.openvex.json")
		here := m.repository + "@" + m.here
		for _, c := range []struct{ image, vex string }{{here, "oci"}, {here, document}, {m.tag, document}, {m.byDigest, document}} {
			got := trivy(t, c.image, "--vex", c.vex)
			got.agrees(t, out, trivy(t, c.image))
			if len(got.suppressed) == 0 {
				t.Errorf("--vex %s suppresses nothing of %s", c.vex, c.image)
			}
		}
		for image, vex := range map[string]string{m.tag: "oci", m.repository + "@" + m.elsewhere: document} {
			if got := trivy(t, image, "--vex", vex); len(got.suppressed) > 0 || len(got.shown) == 0 {
				t.Errorf("--vex %s suppresses %d findings of %s, which was not observed", vex, len(got.suppressed), image)
			}
		}
	})
}

// describing stands before a registry that lists referrers by their
// configurations' types, and lists them by what their manifests say of
// themselves, as the specification has it
// (https://github.com/opencontainers/distribution-spec, listing referrers).
func describing(h http.Handler) http.Handler {
	get := func(path string) *httptest.ResponseRecorder {
		got := httptest.NewRecorder()
		h.ServeHTTP(got, httptest.NewRequest(http.MethodGet, path, nil))
		return got
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		repository, _, asked := strings.Cut(r.URL.Path, "/referrers/")
		if !asked || r.Method != http.MethodGet {
			h.ServeHTTP(w, r)
			return
		}
		got := get(r.URL.Path)
		var index v1.IndexManifest
		if got.Code == http.StatusOK {
			must(json.Unmarshal(got.Body.Bytes(), &index))
			for i := range index.Manifests {
				d := &index.Manifests[i]
				var m struct {
					ArtifactType string
					Annotations  map[string]string
				}
				must(json.Unmarshal(get(repository+"/manifests/"+d.Digest.String()).Body.Bytes(), &m))
				d.ArtifactType, d.Annotations = m.ArtifactType, m.Annotations
			}
			got.Body = bytes.NewBuffer(must1(json.Marshal(index)))
		}
		for k, v := range got.Header() {
			if k != "Content-Length" {
				w.Header()[k] = v
			}
		}
		w.WriteHeader(got.Code)
		_, _ = w.Write(got.Body.Bytes())
	})
}

// found is what Trivy says of one package's vulnerability.
type found struct {
	VulnerabilityID, PkgName, InstalledVersion string
	PkgIdentifier                              struct{ PURL string }
}

func (f found) String() string { return f.VulnerabilityID + " in " + f.PkgIdentifier.PURL }

type findings []found

func (all findings) of(pkg string) bool {
	return slices.ContainsFunc(all, func(f found) bool { return f.PkgName == pkg })
}

// scanned is what Trivy makes of an image.
type scanned struct{ shown, suppressed findings }

// trivy scans an image in a registry.
func trivy(t *testing.T, image string, flags ...string) scanned {
	t.Helper()
	program, cache := os.Getenv("VEXXY_TEST_TRIVY"), os.Getenv("VEXXY_TEST_TRIVY_CACHE")
	if program == "" || cache == "" {
		t.Fatal("scripts/consumers/trivy.sh runs this with Trivy; leave it out by -skip '^TestTrivyReads'")
	}
	// #nosec G204 -- the tester's own program
	cmd := exec.CommandContext(t.Context(), program, slices.Concat([]string{
		"image", "--image-src", "remote", "--platform", "linux/" + runtime.GOARCH, "--scanners", "vuln", "--format", "json", "--show-suppressed", "--quiet",
		"--cache-dir", cache, "--cache-backend", "memory", "--skip-db-update", "--skip-java-db-update", "--skip-version-check", "--disable-telemetry", "--offline-scan",
	}, flags, []string{image})...)
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir())
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, stderr.String())
	}
	var report struct {
		Results []struct {
			Vulnerabilities findings
			Modified        []struct {
				Status, Statement, Source string
				Finding                   found
			} `json:"ExperimentalModifiedFindings"`
		}
	}
	must(json.Unmarshal(stdout.Bytes(), &report))
	var out scanned
	for _, r := range report.Results {
		out.shown = append(out.shown, r.Vulnerabilities...)
		for _, m := range r.Modified {
			if m.Status != string(judge.NotAffected) && m.Status != string(judge.Fixed) || m.Statement != "vulnerable_code_not_in_execute_path" {
				t.Errorf("%s is suppressed as %s, %s", m.Finding, m.Status, m.Statement)
			}
			out.suppressed = append(out.suppressed, m.Finding)
		}
	}
	return out
}

// agrees fails the test unless Trivy suppresses exactly what the run has judged
// not affected of what it finds without the document, and finds all that is
// judged so.
func (s scanned) agrees(t *testing.T, o outcome, without scanned) {
	t.Helper()
	j := judge.Judge(must1(record.Read(filepath.Join(o.dir, "record"))))
	key := func(id, pkg, version string) string {
		return id + " " + strings.ToLower(pkg) + " " + strings.TrimPrefix(version, "v")
	}
	judged, cleared := map[string]judge.Status{}, map[string]bool{}
	for _, a := range j.Assessments {
		for _, id := range append([]string{a.Vulnerability}, a.Aliases...) {
			judged[key(id, a.PackageName, a.PackageVersion)] = a.Status
		}
		if a.Status == judge.NotAffected {
			cleared[key(a.Vulnerability, a.PackageName, a.PackageVersion)] = true
		}
	}
	if len(without.suppressed) > 0 || len(without.shown) != len(s.shown)+len(s.suppressed) {
		t.Errorf("%d findings are shown and %d suppressed, of %d", len(s.shown), len(s.suppressed), len(without.shown))
	}
	for _, f := range without.shown {
		status := judged[key(f.VulnerabilityID, f.PkgName, f.InstalledVersion)]
		want := status == judge.NotAffected || status == judge.Fixed
		if suppressed, shown := slices.Contains(s.suppressed, f), slices.Contains(s.shown, f); suppressed != want || shown == want {
			t.Errorf("%s, judged %q: suppressed %t, shown %t", f, status, suppressed, shown)
		}
		delete(cleared, key(f.VulnerabilityID, f.PkgName, f.InstalledVersion))
	}
	for f := range cleared {
		t.Errorf("Trivy does not find %s", f)
	}
}
