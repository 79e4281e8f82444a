package sarif_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"github.com/vexxy/action/internal/foreign/foreigntest"
	"github.com/vexxy/action/internal/inventory"
	"github.com/vexxy/action/internal/judge"
	"github.com/vexxy/action/internal/report"
	"github.com/vexxy/action/internal/report/reporttest"
	"github.com/vexxy/action/internal/report/sarif"
)

func TestGolden(t *testing.T) {
	s := schema(t)
	for _, n := range reporttest.Sizes {
		img := reporttest.Sized(n)
		for kind, d := range map[string]sarif.Document{
			"affected": must(t)(sarif.Affected(img, sarif.Options{Dockerfile: "deploy/Dockerfile"})),
			"all":      must(t)(sarif.Complete(img, sarif.Options{})),
		} {
			if err := valid(t, s, d.Data); err != nil {
				t.Errorf("%s of %d: %v", kind, n, err)
			}
			if n <= 1 {
				reporttest.Golden(t, fmt.Sprintf("%s.%d.sarif", kind, n), d.Data)
			} else {
				reporttest.Golden(t, fmt.Sprintf("%s.%d.txt", kind, n), reporttest.Shortened(d.Data, 60))
			}
			want := n
			if kind == "affected" {
				want = img.Judgement.Summary.Affected
			}
			if d.Results != want || d.Left != 0 {
				t.Errorf("%s of %d: %d results, %d left", kind, n, d.Results, d.Left)
			}
			whole(t, fmt.Sprintf("%s of %d", kind, n), d)
		}
	}
}

// whole checks what a consumer relies on: rules that are there, severities,
// anchors, fingerprints of which no two are the same.
func whole(t *testing.T, name string, d sarif.Document) {
	t.Helper()
	run := read(t, d).Runs[0]
	prints := map[string]bool{}
	for i, r := range run.Results {
		if r.RuleIndex >= len(run.Tool.Driver.Rules) || run.Tool.Driver.Rules[r.RuleIndex].ID != r.RuleID {
			t.Fatalf("%s: result %d has another's rule", name, i)
		}
		at := r.Locations[0].PhysicalLocation
		if at.ArtifactLocation.URI == "" || at.Region.StartLine < 1 {
			t.Errorf("%s: result %d is nowhere: %+v", name, i, at)
		}
		print := r.PartialFingerprints["primaryLocationLineHash"]
		if prints[print] || !regexp.MustCompile(`^[0-9a-f]{32}:[0-9]+$`).MatchString(print) {
			t.Errorf("%s: result %d has the fingerprint %q", name, i, print)
		}
		prints[print] = true
	}
	if !strings.HasSuffix(run.AutomationDetails.ID, "/") {
		t.Errorf("%s: category %q", name, run.AutomationDetails.ID)
	}
}

// What is to be uploaded holds no suppressed result, as code scanning would
// show it as an open alert.
func TestOnlyAffectedIsUploaded(t *testing.T) {
	img := reporttest.Sized(60)
	d := must(t)(sarif.Affected(img, sarif.Options{}))
	for _, r := range read(t, d).Runs[0].Results {
		if r.Properties["status"] != "affected" || r.Suppressions != nil {
			t.Errorf("%s is %v", r.RuleID, r.Properties["status"])
		}
	}
	open := 0
	for _, r := range read(t, must(t)(sarif.Affected(img, sarif.Options{Open: true}))).Runs[0].Results {
		if r.Properties["status"] == "under_investigation" {
			open++
			if r.Level != "note" {
				t.Errorf("what is open has the level %s", r.Level)
			}
		}
	}
	if open != img.Judgement.Summary.UnderInvestigation {
		t.Errorf("%d of %d notes", open, img.Judgement.Summary.UnderInvestigation)
	}
	counts := map[string]int{}
	for _, r := range read(t, must(t)(sarif.Complete(img, sarif.Options{}))).Runs[0].Results {
		state := "alert"
		if r.Suppressions == nil {
			t.Errorf("%s does not say whether it is suppressed", r.RuleID)
		}
		if len(r.Suppressions) > 0 {
			state = r.Suppressions[0].Status
			if r.Suppressions[0].Justification == "" {
				t.Errorf("%s is suppressed without a reason", r.RuleID)
			}
		}
		counts[fmt.Sprint(r.Properties["status"], " ", state)]++
	}
	want := map[string]int{"affected alert": 24, "under_investigation underReview": 12, "not_affected accepted": 12, "fixed accepted": 12}
	if fmt.Sprint(counts) != fmt.Sprint(want) {
		t.Errorf("%v, want %v", counts, want)
	}
}

func TestEvidenceAndFixAreTold(t *testing.T) {
	run := read(t, must(t)(sarif.Affected(reporttest.Compared(), sarif.Options{}))).Runs[0]
	first := run.Results[0]
	for _, want := range []string{"zlib1g 1.2.13 is affected by CVE-2026-0001 (critical)", "Upgrade to 1.2.14"} {
		if !strings.Contains(first.Message.Text, want) {
			t.Errorf("the message %q lacks %q", first.Message.Text, want)
		}
	}
	if p := first.Properties; p["seen"] != "/usr/lib/x86_64-linux-gnu/libz.so.1.2.13" || p["process"] != "nginx" || p["phase"] != "startup" || p["fixedIn"] != "1.2.14" || p["new"] != true {
		t.Errorf("%v", p)
	}
	if new := run.Results[1].Properties["new"]; new != false {
		t.Errorf("the second is new: %v", new)
	}
	rule := run.Tool.Driver.Rules[0]
	if rule.HelpURI != "https://nvd.nist.gov/vuln/detail/CVE-2026-0001" || rule.Properties["security-severity"] != "9.8" || !strings.Contains(rule.Help.Text, "1.2.14") {
		t.Errorf("%+v", rule)
	}
}

func TestScores(t *testing.T) {
	for _, c := range []struct {
		severity inventory.Severity
		cvss     float64
		want     any
		level    string
	}{
		{inventory.Critical, 9.8, "9.8", "error"}, {inventory.Critical, 0, "9.5", "error"}, {inventory.Critical, 5, "9.0", "error"},
		{inventory.High, 9.8, "8.9", "error"}, {inventory.High, 7.5, "7.5", "error"}, {inventory.High, 0, "8.0", "error"},
		{inventory.Medium, 3, "4.0", "warning"}, {inventory.Medium, 0, "5.5", "warning"}, {inventory.Low, 9.8, "3.9", "note"},
		{inventory.Negligible, 7, "0.9", "note"}, {inventory.Unknown, 0, nil, "warning"}, {inventory.Unknown, 6.1, "6.1", "warning"}, {"strange", 0, nil, "warning"},
	} {
		img := reporttest.Sized(1)
		img.Judgement.Assessments[0].Severity, img.Judgement.Assessments[0].CVSS = c.severity, c.cvss
		run := read(t, must(t)(sarif.Affected(img, sarif.Options{}))).Runs[0]
		if got := run.Tool.Driver.Rules[0].Properties["security-severity"]; got != c.want || run.Results[0].Level != c.level {
			t.Errorf("%s %.1f: %v, level %s", c.severity, c.cvss, got, run.Results[0].Level)
		}
	}
}

// One vulnerability in two packages is one rule, of the worse severity.
func TestRules(t *testing.T) {
	img := reporttest.Sized(60)
	var all []judge.Assessment
	for i, a := range img.Judgement.Assessments {
		if a.Status == judge.Affected && len(all) < 2 {
			a.Vulnerability, a.Severity, a.CVSS = "CVE-2026-00001", []inventory.Severity{inventory.Low, inventory.Critical}[len(all)], 0
			a.PackageName, a.PURL = fmt.Sprint("p", i), fmt.Sprintf("pkg:npm/p%d@1", i)
			all = append(all, a)
		}
	}
	img.Judgement.Assessments = all
	run := read(t, must(t)(sarif.Affected(img, sarif.Options{}))).Runs[0]
	if len(run.Tool.Driver.Rules) != 1 || len(run.Results) != 2 || run.Tool.Driver.Rules[0].Properties["security-severity"] != "9.5" {
		t.Errorf("%+v", run.Tool.Driver.Rules)
	}
}

// A fingerprint stays when versions change, and is another for another
// package, image or vulnerability.
func TestFingerprints(t *testing.T) {
	print := func(f func(*report.Image)) string {
		img := reporttest.Sized(1)
		f(&img)
		return read(t, must(t)(sarif.Affected(img, sarif.Options{}))).Runs[0].Results[0].PartialFingerprints["primaryLocationLineHash"]
	}
	a := func(img *report.Image) *judge.Assessment { return &img.Judgement.Assessments[0] }
	same := print(func(*report.Image) {})
	for name, f := range map[string]func(*report.Image){
		"package's version": func(img *report.Image) { a(img).PURL, a(img).PackageVersion = "pkg:deb/debian/package0@2", "2" },
		"image's version":   func(img *report.Image) { img.Record.Subject.IndexDigest, img.Record.Subject.Requested = "", "nginx:9" },
		"run":               func(img *report.Image) { img.Record.Run.ID, img.Record.Digest = "x", "y" },
		"evidence":          func(img *report.Image) { a(img).Seen = nil; a(img).Text = "x" },
	} {
		if print(f) != same {
			t.Errorf("another %s has another fingerprint", name)
		}
	}
	for name, f := range map[string]func(*report.Image){
		"package":       func(img *report.Image) { a(img).PURL = "pkg:deb/debian/other@1" },
		"vulnerability": func(img *report.Image) { a(img).Vulnerability = "CVE-2026-99999" },
		"repository":    func(img *report.Image) { img.Record.Subject.Repository = "other" },
		"platform":      func(img *report.Image) { img.Record.Subject.Platform.Architecture = "arm64" },
	} {
		if print(f) == same {
			t.Errorf("another %s has the same fingerprint", name)
		}
	}
}

func TestDockerfile(t *testing.T) {
	for in, want := range map[string]string{
		"": "Dockerfile", "a/Dockerfile": "a/Dockerfile", "./x/../Dockerfile.prod": "Dockerfile.prod", `a\b`: "a/b",
		"/etc/passwd": "Dockerfile", "../../x": "Dockerfile", "..": "Dockerfile", "a b/#c?": "a%20b/%23c%3F", "https://evil.example/x": "./https:/evil.example/x",
	} {
		run := read(t, must(t)(sarif.Affected(reporttest.Sized(1), sarif.Options{Dockerfile: in}))).Runs[0]
		if got := run.Results[0].Locations[0].PhysicalLocation.ArtifactLocation.URI; got != want {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
	}
}

// Evidence that cannot tell closes no alert: what is open stands in the upload
// as notes, whatever the options, and the execution did not succeed.
func TestInsufficientEvidenceIsTold(t *testing.T) {
	s := schema(t)
	img := reporttest.Inconclusive()
	for _, d := range []sarif.Document{must(t)(sarif.Affected(img, sarif.Options{})), must(t)(sarif.Complete(img, sarif.Options{}))} {
		if err := valid(t, s, d.Data); err != nil {
			t.Error(err)
		}
		run := read(t, d).Runs[0]
		i := run.Invocations[0]
		if notes := i.ToolExecutionNotifications; i.ExecutionSuccessful || len(notes) != 1 || notes[0].Level != "error" || !strings.Contains(notes[0].Message.Text, "E2 (12 events lost") {
			t.Errorf("%+v", i)
		}
		counts := map[any]int{}
		for _, r := range run.Results {
			counts[r.Properties["status"]]++
			if r.Properties["status"] == "under_investigation" && r.Level != "note" {
				t.Errorf("%s has the level %s", r.RuleID, r.Level)
			}
		}
		affected, open := 0, 0
		for _, a := range img.Judgement.Assessments {
			switch a.Status {
			case judge.Affected:
				affected++
			case judge.UnderInvestigation:
				open++
			}
		}
		if open == 0 || counts["affected"] != affected || counts["under_investigation"] != open {
			t.Errorf("%v, want %d affected and %d open", counts, affected, open)
		}
	}
	if i := read(t, must(t)(sarif.Affected(reporttest.Sample(), sarif.Options{}))).Runs[0].Invocations[0]; !i.ExecutionSuccessful || len(i.ToolExecutionNotifications) != 0 {
		t.Errorf("sufficient: %+v", i)
	}
}

// TestForeignText runs the hostile strings through both files: they stay valid
// and lead nowhere.
func TestForeignText(t *testing.T) {
	s := schema(t)
	active := regexp.MustCompile("[][{}<>`]|://|(?i:www\\.)|(^|[^0-9A-Za-z_])@[0-9A-Za-z]|#[0-9]|(?i:gh)-[0-9]")
	markdown := regexp.MustCompile(`[<>\[\]!]|://|@`)
	for name, text := range foreigntest.Corpus() {
		img := reporttest.Hostile(text)
		o := sarif.Options{Dockerfile: text[:min(len(text), 3000)], Open: true}
		for kind, d := range map[string]sarif.Document{"affected": must(t)(sarif.Affected(img, o)), "all": must(t)(sarif.Complete(img, o))} {
			if err := valid(t, s, d.Data); err != nil {
				t.Errorf("%s of %s: %v", kind, name, err)
			}
			for _, c := range string(d.Data) {
				if c != '\n' && (unicode.IsControl(c) || unicode.Is(unicode.Cf, c)) {
					t.Errorf("%s of %s: holds %U", kind, name, c)
					break
				}
			}
			run := read(t, d).Runs[0]
			for _, r := range run.Results {
				if hit := active.FindString(r.Message.Text); hit != "" || len(r.Message.Text) > 2000 {
					t.Errorf("%s of %s: message holds %q in %d bytes", kind, name, hit, len(r.Message.Text))
				}
				for _, sup := range r.Suppressions {
					if hit := active.FindString(sup.Justification); hit != "" {
						t.Errorf("%s of %s: justification holds %q", kind, name, hit)
					}
				}
				if uri := r.Locations[0].PhysicalLocation.ArtifactLocation.URI; strings.Contains(uri, "://") || strings.HasPrefix(uri, "/") {
					t.Errorf("%s of %s: leads to %q", kind, name, uri)
				}
			}
			for _, r := range run.Tool.Driver.Rules {
				if r.HelpURI != "" {
					t.Errorf("%s of %s: help at %q", kind, name, r.HelpURI)
				}
				for _, part := range []string{r.ShortDescription.Text, r.FullDescription.Text, r.Help.Text} {
					if hit := active.FindString(part); hit != "" {
						t.Errorf("%s of %s: a rule holds %q", kind, name, hit)
					}
				}
				if hit := markdown.FindString(r.Help.Markdown); hit != "" {
					t.Errorf("%s of %s: help holds %q", kind, name, hit)
				}
			}
		}
	}
	// Text that looks like the places where the lists go.
	for _, text := range []string{"here", `"rules": "here"`, `"results": "here"`, "rules", `\"rules\": \"here\"`} {
		if err := valid(t, s, must(t)(sarif.Complete(reporttest.Hostile(text), sarif.Options{})).Data); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func BenchmarkAffected5kFindings(b *testing.B) {
	img := reporttest.Sized(5000)
	for b.Loop() {
		must(b)(sarif.Affected(img, sarif.Options{}))
	}
}

func BenchmarkComplete5kFindings(b *testing.B) {
	img := reporttest.Sized(5000)
	for b.Loop() {
		must(b)(sarif.Complete(img, sarif.Options{}))
	}
}
