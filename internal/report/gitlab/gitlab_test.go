package gitlab_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/vexxy/action/internal/foreign/foreigntest"
	"github.com/vexxy/action/internal/judge"
	"github.com/vexxy/action/internal/report"
	"github.com/vexxy/action/internal/report/gitlab"
	"github.com/vexxy/action/internal/report/reporttest"
)

func schema(t testing.TB) *jsonschema.Schema {
	t.Helper()
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	s, err := c.Compile("testdata/required.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func valid(t testing.TB, s *jsonschema.Schema, data []byte) error {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatalf("%v: %.300s", err, data)
	}
	return s.Validate(doc)
}

func scan(t testing.TB, img report.Image) []byte {
	t.Helper()
	data, err := gitlab.ContainerScanning(img)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

type read struct {
	Scan struct {
		Status   string
		Messages []struct{ Value string }
	}
	Vulnerabilities []struct {
		ID, Name, Description, Severity, Solution string
		Location                                  struct {
			Image      string
			Dependency struct {
				Package struct{ Name string }
				Version string
			}
		}
		Identifiers []struct{ Type, Name, Value, URL string }
		Details     map[string]struct{ Value string }
	}
}

func back(t testing.TB, data []byte) read {
	t.Helper()
	var r read
	if err := json.Unmarshal(data, &r); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestGolden(t *testing.T) {
	s := schema(t)
	for _, n := range reporttest.Sizes {
		img := reporttest.Sized(n)
		data := scan(t, img)
		if err := valid(t, s, data); err != nil {
			t.Errorf("%d findings: %v", n, err)
		}
		if n <= 1 {
			reporttest.Golden(t, fmt.Sprintf("scan.%d.json", n), data)
		} else {
			reporttest.Golden(t, fmt.Sprintf("scan.%d.txt", n), reporttest.Shortened(data, 60))
		}
		r := back(t, data)
		ids := map[string]bool{}
		for _, v := range r.Vulnerabilities {
			ids[v.ID] = true
		}
		if want := img.Judgement.Summary.Affected; len(r.Vulnerabilities) != want || len(ids) != want {
			t.Errorf("%d findings: %d vulnerabilities with %d IDs, want %d", n, len(r.Vulnerabilities), len(ids), want)
		}
	}
}

// TestSchemaRefuses shows that the schema can fail.
func TestSchemaRefuses(t *testing.T) {
	s := schema(t)
	good := string(scan(t, reporttest.Sized(1)))
	for _, c := range []struct{ old, new string }{
		{`"version": "15.0.7"`, `"version": "2.3"`}, {`"severity": "Critical"`, `"severity": "critical"`},
		{`"start_time": "2026-03-01T11:59:40"`, `"start_time": "2026-03-01T11:59:40Z"`}, {`"type": "cve"`, `"type": ""`},
		{`"operating_system": "debian 12"`, `"operating_system": ""`}, {`"status": "success"`, `"status": "ok"`},
	} {
		bad := strings.Replace(good, c.old, c.new, 1)
		if bad == good {
			t.Errorf("the report holds no %s", c.old)
		} else if valid(t, s, []byte(bad)) == nil {
			t.Errorf("the schema accepts %s", c.new)
		}
	}
}

func TestScan(t *testing.T) {
	img := reporttest.Compared()
	r := back(t, scan(t, img))
	v := r.Vulnerabilities[0]
	if len(r.Vulnerabilities) != 2 || v.Name != "CVE-2026-0001 in zlib1g" || v.Severity != "Critical" || v.Solution != "Upgrade zlib1g to 1.2.14." ||
		v.Location.Dependency.Package.Name != "zlib1g" || v.Location.Dependency.Version != "1.2.13" || v.Details["evidence"].Value != "Upgrade to 1.2.14." {
		t.Errorf("%+v", r)
	}
	if v.Location.Image != "index.docker.io/library/nginx@sha256:"+strings.Repeat("a", 64) {
		t.Errorf("image %q", v.Location.Image)
	}
	// The sample's alias is no real GHSA, and has no address.
	if len(v.Identifiers) != 2 || v.Identifiers[0].URL != "https://nvd.nist.gov/vuln/detail/CVE-2026-0001" || v.Identifiers[1].Value != "GHSA-xxxx-yyyy-zzzz" {
		t.Errorf("%+v", v.Identifiers)
	}
	if len(r.Scan.Messages) != 0 || r.Scan.Status != "success" {
		t.Errorf("%+v", r.Scan)
	}
	data := scan(t, reporttest.Inconclusive())
	if err := valid(t, schema(t), data); err != nil {
		t.Error(err)
	}
	if got := back(t, data).Scan; got.Status != "failure" || len(got.Messages) != 1 || !strings.Contains(got.Messages[0].Value, "insufficient") || !strings.Contains(got.Messages[0].Value, " under investigation") {
		t.Errorf("%+v", got)
	}
}

// An ID stays when versions change, and two versions of a package have two.
func TestIDs(t *testing.T) {
	id := func(f func(*judge.Assessment)) string {
		img := reporttest.Sized(1)
		f(&img.Judgement.Assessments[0])
		return back(t, scan(t, img)).Vulnerabilities[0].ID
	}
	same := id(func(*judge.Assessment) {})
	if id(func(a *judge.Assessment) { a.PURL, a.PackageVersion = "pkg:deb/debian/package0@2", "2" }) != same {
		t.Error("another version has another ID")
	}
	if id(func(a *judge.Assessment) { a.PURL = "pkg:deb/debian/other@1" }) == same {
		t.Error("another package has the same ID")
	}
	img := reporttest.Sized(1)
	img.Judgement.Assessments = append(img.Judgement.Assessments, img.Judgement.Assessments[0])
	img.Judgement.Assessments[1].PURL = "pkg:deb/debian/package0@2"
	if v := back(t, scan(t, img)).Vulnerabilities; v[0].ID != same || v[1].ID == same {
		t.Errorf("%s and %s", v[0].ID, v[1].ID)
	}
}

func TestNoFindingIsLostSilently(t *testing.T) {
	img := reporttest.Sized(25_010) // 10004 of them are affected
	r := back(t, scan(t, img))
	if len(r.Vulnerabilities) != 10_000 || len(r.Scan.Messages) != 1 || !strings.HasPrefix(r.Scan.Messages[0].Value, "4 further affected") {
		t.Errorf("%d vulnerabilities, %+v", len(r.Vulnerabilities), r.Scan.Messages)
	}
}

func TestImageNames(t *testing.T) {
	s := schema(t)
	for _, c := range []struct{ repository, digest, want string }{
		{"localhost:5000/app", "sha256:ab", "localhost:5000/app@sha256:ab"},
		{"", "sha256:ab", "sha256:ab"},
		{"a:b:c:d:e", "sha256:ab", "sha256:ab"},
		{"a b\n", "sha256:ab", "sha256:ab"},
		{"", "", ""}, {"::::", "::::", ""},
	} {
		img := reporttest.Sized(1)
		img.Record.Subject.Repository, img.Record.Subject.IndexDigest = c.repository, c.digest
		img.Record.Subject.ManifestDigest, img.Record.Subject.ConfigDigest = "", ""
		data := scan(t, img)
		if err := valid(t, s, data); err != nil {
			t.Errorf("%q: %v", c.repository, err)
		}
		if got := back(t, data).Vulnerabilities[0].Location.Image; c.want != "" && got != c.want {
			t.Errorf("%q is named %q, want %q", c.repository, got, c.want)
		}
	}
}

// TestForeignText runs the hostile strings through the report.
func TestForeignText(t *testing.T) {
	s := schema(t)
	active := regexp.MustCompile("[][{}<>`]|://|(?i:www\\.)|(^|[^0-9A-Za-z_])@[0-9A-Za-z]|#[0-9]|(?i:gh)-[0-9]")
	for name, text := range foreigntest.Corpus() {
		img := reporttest.Hostile(text)
		img.Record.Run.Version, img.Record.Run.ID, img.Record.Subject.IndexDigest = text, text, text
		data := scan(t, img)
		if err := valid(t, s, data); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, c := range string(data) {
			if c != '\n' && (unicode.IsControl(c) || unicode.Is(unicode.Cf, c)) {
				t.Errorf("%s: holds %U", name, c)
				break
			}
		}
		for _, v := range back(t, data).Vulnerabilities {
			for _, part := range []string{v.Name, v.Description, v.Solution, v.Location.Dependency.Package.Name, v.Details["evidence"].Value, v.Identifiers[0].Name} {
				if hit := active.FindString(part); hit != "" {
					t.Errorf("%s: %q holds %q", name, part, hit)
				}
			}
			for _, id := range v.Identifiers {
				if id.URL != "" {
					t.Errorf("%s: leads to %s", name, id.URL)
				}
			}
		}
	}
}

func BenchmarkContainerScanning5kFindings(b *testing.B) {
	img := reporttest.Sized(5000)
	for b.Loop() {
		scan(b, img)
	}
}

// Several images have one report, with an ID for each finding of each; one that
// was not judged makes the scan a failure.
func TestSeveralImages(t *testing.T) {
	a, b := reporttest.Sized(60), reporttest.Sized(60)
	b.Record.Subject.Repository = "registry.example/other"
	data, err := gitlab.ContainerScanningOf([]report.Image{a, b}, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := valid(t, schema(t), data); err != nil {
		t.Error(err)
	}
	r := back(t, data)
	ids, images := map[string]bool{}, map[string]bool{}
	for _, v := range r.Vulnerabilities {
		ids[v.ID], images[v.Location.Image] = true, true
	}
	if want := 2 * a.Judgement.Summary.Affected; len(ids) != want || len(images) != 2 || r.Scan.Status != "success" {
		t.Errorf("%d IDs, want %d; %v; %s", len(ids), want, images, r.Scan.Status)
	}
	data, err = gitlab.ContainerScanningOf([]report.Image{a}, 2)
	if err != nil {
		t.Fatal(err)
	}
	if err := valid(t, schema(t), data); err != nil {
		t.Error(err)
	}
	if r := back(t, data); r.Scan.Status != "failure" || len(r.Scan.Messages) != 1 || !strings.HasPrefix(r.Scan.Messages[0].Value, "2 of the images have no judgement") {
		t.Errorf("%+v", r.Scan)
	}
}
