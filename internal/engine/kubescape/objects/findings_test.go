package objects

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kubescape/storage/pkg/apis/softwarecomposition/v1beta1"

	"github.com/vexxy/action/internal/inventory"
)

func realFull(t testing.TB) *v1beta1.VulnerabilityManifest {
	return real[v1beta1.VulnerabilityManifest](t, "vulnerabilitymanifest-full")
}

// catalogued are the packages of the real SBOM as our own catalog has them.
func catalogued(t testing.TB, but ...string) (packages []inventory.Package) {
	for _, a := range realSBOM(t).Spec.Syft.Artifacts {
		if slices.Contains(but, a.Name) {
			continue
		}
		packages = append(packages, inventory.Package{
			ID: "id-" + a.Name, Name: a.Name, Version: a.Version, Type: a.Type, PURL: a.PURL, Files: []string{"/usr/lib/" + a.Name},
		})
	}
	return packages
}

func brief(findings []inventory.Finding) (out []string) {
	for _, f := range findings {
		out = append(out, fmt.Sprintf("%s %s %s %s", f.PackageID, f.ID, f.Severity, f.FixState))
	}
	return out
}

func TestFindingsOfRealList(t *testing.T) {
	findings, missing, err := Findings(realFull(t), catalogued(t))
	if err != nil || len(missing) != 0 {
		t.Fatalf("missing %+v, %v", missing, err)
	}
	same(t, "findings", brief(findings), []string{
		"id-coreutils CVE-2099-4001 negligible not-fixed",
		"id-golang.org/x/text CVE-2022-32149 high fixed",
		"id-libexpat1 CVE-2099-3001 high fixed",
		"id-libssl3 CVE-2099-1001 critical fixed",
		"id-libssl3 CVE-2099-1002 medium not-fixed",
		"id-lodash CVE-2021-23337 high fixed",
		"id-openssl CVE-2099-1001 critical fixed",
		"id-openssl CVE-2099-1002 medium not-fixed",
		"id-zlib1g CVE-2099-2001 high wont-fix",
	})
	text, ssl := findings[1], findings[3]
	if !slices.Equal(text.Aliases, []string{"GHSA-69ch-w2m2-3vjp"}) || text.Namespace != "github:language:go" || !slices.Equal(text.FixVersions, []string{"0.3.8"}) {
		t.Errorf("got %+v", text)
	}
	if ssl.Aliases != nil || ssl.DataSource != "https://bed.invalid/debian/CVE-2099-1001" || ssl.Description != "Bed record: memory error in the TLS record layer." ||
		!slices.Equal(ssl.FixVersions, []string{"3.0.99-1~deb12u1"}) || ssl.CVSS != 0 {
		t.Errorf("got %+v", ssl)
	}
}

func TestFindingsOnPackagesThatWeLack(t *testing.T) {
	findings, missing, err := Findings(realFull(t), catalogued(t, "libssl3", "zlib1g"))
	if err != nil || len(findings) != 9 || len(missing) != 2 {
		t.Fatalf("%d findings, missing %+v, %v", len(findings), missing, err)
	}
	lost := map[string]int{}
	for _, f := range findings {
		lost[f.PackageID]++
	}
	for _, p := range missing {
		if p.Files != nil || !strings.HasPrefix(p.ID, "kubescape-") || p.Type != "deb" || p.PURL == "" || p.Location == "" {
			t.Errorf("got %+v", p)
		}
	}
	if lost[missing[0].ID] != 2 || missing[0].Name != "libssl3" || missing[0].Source.Name != "openssl" || lost[missing[1].ID] != 1 {
		t.Errorf("%v, missing %+v", lost, missing)
	}
}

// matchOn is one match on a package.
func matchOn(kind, name, version, purl string, places ...string) v1beta1.Match {
	m := v1beta1.Match{Artifact: v1beta1.GrypePackage{Type: v1beta1.SyftType(kind), Name: name, Version: version, PURL: purl}}
	m.Vulnerability.ID = "CVE-2099-1"
	for _, p := range places {
		m.Artifact.Locations = append(m.Artifact.Locations, v1beta1.SyftCoordinates{RealPath: p})
	}
	return m
}

func TestFindingsFindTheirPackages(t *testing.T) {
	ours := []inventory.Package{
		{ID: "1", Type: "npm", Name: "a", Version: "1", PURL: "pkg:npm/a@1", Location: "/x/package.json", Files: []string{"/x/index.js", "/x/package.json"}},
		{ID: "2", Type: "npm", Name: "a", Version: "1", PURL: "pkg:npm/a@1", Location: "/y/package.json"},
		{ID: "3", Type: "java-archive", Name: "text", Version: "1", PURL: "pkg:maven/org.a/text@1"},
		{ID: "4", Type: "java-archive", Name: "text", Version: "1", PURL: "pkg:maven/org.b/text@1"},
		{ID: "5", Type: "deb", Name: "c", Version: "1:2+3", PURL: "pkg:deb/debian/c@1%3A2%2B3?arch=amd64&distro=debian-12"},
		{ID: "6", Type: "binary", Name: "d", Version: "1"},
	}
	for want, m := range map[string]v1beta1.Match{
		"1":         matchOn("npm", "a", "1", "pkg:npm/a@1", "/x/package.json"),
		"2":         matchOn("npm", "a", "1", "pkg:npm/a@1", "", "/y/package.json"),
		"1,2":       matchOn("npm", "a", "1", "", "/elsewhere"),
		"4":         matchOn("java-archive", "text", "1", "pkg:maven/org.b/text@1?type=jar#sub"),
		"5":         matchOn("deb", "c", "1:2+3", "pkg:deb/debian/c@1%3a2+3?arch=amd64"),
		"6":         matchOn("binary", "d", "1", "pkg:generic/d@1"),
		"kubescape": matchOn("java-archive", "text", "1", "pkg:maven/org.c/text@1"),
	} {
		list := &v1beta1.VulnerabilityManifest{}
		list.Spec.Payload.Matches = []v1beta1.Match{m, m}
		findings, missing, err := Findings(list, ours)
		var ids []string
		for _, f := range findings {
			id, _, _ := strings.Cut(f.PackageID, "-")
			ids = append(ids, id)
		}
		if got := strings.Join(ids, ","); got != want || err != nil || (want == "kubescape") != (len(missing) == 1) {
			t.Errorf("on %s, want %s, missing %+v, %v", got, want, missing, err)
		}
	}
}

func TestFindingIsJoined(t *testing.T) {
	first, second := matchOn("deb", "a", "1", ""), matchOn("deb", "a", "1", "")
	first.Vulnerability.Fix = v1beta1.Fix{State: "not-fixed", Versions: []string{"3", "", "2", "3"}}
	first.Vulnerability.Severity = "Important"
	first.Vulnerability.Cvss = []v1beta1.Cvss{{Metrics: v1beta1.CvssMetrics{BaseScore: math.NaN()}}, {Metrics: v1beta1.CvssMetrics{BaseScore: -3}}}
	first.RelatedVulnerabilities = []v1beta1.VulnerabilityMetadata{
		{ID: "GHSA-b", Severity: "HIGH", Cvss: []v1beta1.Cvss{{Metrics: v1beta1.CvssMetrics{BaseScore: 7.5}}, {Metrics: v1beta1.CvssMetrics{BaseScore: 99}}},
			DataSource: "no address", Description: strings.Repeat("ü", 400)},
		{ID: "CVE-2099-1", Severity: "Low", DataSource: "https://a.invalid", Description: "later"}, {ID: "GHSA-a"}, {ID: ""},
	}
	second.Vulnerability.Fix = v1beta1.Fix{State: "fixed", Versions: []string{"4"}}
	other := matchOn("deb", "a", "1", "")
	other.Vulnerability.Namespace = "nvd:cpe"
	ignored := matchOn("deb", "b", "1", "")
	exception := v1beta1.IgnoredMatch{Match: ignored, AppliedIgnoreRules: []v1beta1.IgnoreRule{{Vulnerability: "CVE-2099-1"}}}
	header := v1beta1.IgnoredMatch{Match: matchOn("rpm", "kernel-headers", "1", ""), AppliedIgnoreRules: []v1beta1.IgnoreRule{{Package: &v1beta1.IgnoreRulePackage{Name: "kernel-headers"}}}}
	list := &v1beta1.VulnerabilityManifest{}
	list.Spec.Payload.Matches = []v1beta1.Match{first, second, other}
	list.Spec.Payload.IgnoredMatches = []v1beta1.IgnoredMatch{exception, header}
	findings, _, err := Findings(list, []inventory.Package{{ID: "a", Type: "deb", Name: "a", Version: "1"}, {ID: "b", Type: "deb", Name: "b", Version: "1"}})
	if err != nil || len(findings) != 3 || findings[1].Namespace != "nvd:cpe" || findings[2].PackageID != "b" {
		t.Fatalf("got %+v, %v", findings, err)
	}
	f := findings[0]
	if !slices.Equal(f.FixVersions, []string{"2", "3", "4"}) || !slices.Equal(f.Aliases, []string{"GHSA-a", "GHSA-b"}) || f.FixState != "fixed" ||
		f.Severity != inventory.High || f.CVSS != 10 || f.DataSource != "https://a.invalid" || len(f.Description) > 500 || !strings.HasSuffix(f.Description, "ü…") {
		t.Errorf("got %+v", f)
	}
	if findings[1].FixState != "unknown" || findings[1].Severity != inventory.Unknown {
		t.Errorf("got %+v", findings[1])
	}
}

func TestTooManyFindings(t *testing.T) {
	list := &v1beta1.VulnerabilityManifest{}
	list.Spec.Payload.Matches = make([]v1beta1.Match, maxMatches+1)
	if _, _, err := Findings(list, nil); err == nil {
		t.Error("half of a list is taken for a list")
	}
	list.Spec.Payload.Matches = make([]v1beta1.Match, 1000)
	for i := range list.Spec.Payload.Matches {
		list.Spec.Payload.Matches[i].Vulnerability.ID = fmt.Sprint(i)
	}
	packages := make([]inventory.Package, 600)
	for i := range packages {
		packages[i].ID = fmt.Sprint(i)
	}
	_, _, err := Findings(list, packages)
	if err == nil {
		t.Fatal("600,000 findings are taken")
	}
	says(t, words(err), "500001 findings or more", "split the image")
}

func TestDatabase(t *testing.T) {
	const digest = "cf7b8ccca9690171f2a125e1c92cf0e52abc7dfbb4cdab29b8fcadf25e23527c"
	got := Database(realFull(t))
	want := Matcher{"v0.99.1-matching-adaptive", digest, inventory.Database{
		Schema: "v6.1.0", Built: time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC), Digest: "sha256:" + digest,
		From: "http://grypedb.kubescape.svc/databases/v6/vulnerability-db_v6.1.0_bed.tar.zst?checksum=sha256%3A" + digest,
	}}
	if got != want {
		t.Errorf("got %+v", got)
	}
	imported := &v1beta1.VulnerabilityManifest{}
	imported.Spec.Metadata.Tool.DatabaseVersion = "manual import"
	for _, status := range []string{"", "null", "[]", "\x00", `{"built":"0000-01-01T00:00:00+23:00","schemaVersion":6,"from":"manual import"}`, `{"built":[],"from":"%"}`} {
		imported.Spec.Payload.Descriptor_.VulnerabilityDBStatus = json.RawMessage(status)
		d := Database(imported)
		if _, err := json.Marshal(d); err != nil || d.Database.Digest != "manual import" || !d.Database.Built.IsZero() {
			t.Errorf("%q: %+v, %v", status, d, err)
		}
	}
}
