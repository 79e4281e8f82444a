package report_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/vexxy/action/internal/baseline"
	"github.com/vexxy/action/internal/gate"
	"github.com/vexxy/action/internal/inventory"
	"github.com/vexxy/action/internal/judge"
	"github.com/vexxy/action/internal/report"
)

// earlier is what a run before sample said: zlib1g was not reached yet,
// another package had a vulnerability that is gone, one finding is as it was.
func earlier() baseline.Baseline {
	return baseline.Baseline{
		From: "baseline/result.json", RunID: "fedcba9876543210fedcba98", Version: "0.9.0", FinishedAt: at(-86400),
		Requested: "nginx:1.24", Digest: "sha256:" + strings.Repeat("9", 64), Platform: "linux/amd64",
		Statements: []baseline.Statement{
			{Vulnerability: "GHSA-xxxx-yyyy-zzzz", PURL: "pkg:deb/debian/zlib1g@1.2.12", Package: "zlib1g", Version: "1.2.12", Severity: inventory.Critical, Status: judge.NotAffected},
			{Vulnerability: "CVE-2026-0002", PURL: "pkg:deb/debian/libpcre2-8-0@10.42", Package: "libpcre2-8-0", Version: "10.42", Severity: inventory.Medium, Status: judge.Affected},
			{Vulnerability: "CVE-2026-0004", PURL: "pkg:deb/debian/perl-base@5.36", Package: "perl-base", Version: "5.36", Severity: inventory.High, Status: judge.UnderInvestigation},
			{Vulnerability: "CVE-2025-9999", PURL: "pkg:deb/debian/libxml2@2.9", Package: "libxml2", Version: "2.9", Severity: inventory.High, Status: judge.Affected},
		},
	}
}

// compared is sample held against earlier, with a gate on what is new.
func compared() report.Image {
	img := sample()
	img.Change = baseline.Compare(earlier(), img.Judgement)
	img.Decision.Causes = []string{"1 newly affected vulnerabilities of severity high or worse, 0 allowed"}
	img.Command = "vexxy run --engine embedded --http-probe / --fail-on new index.docker.io/library/nginx@sha256:" + strings.Repeat("a", 64)
	return img
}

// uncomparable is sample with a baseline that cannot be used.
func uncomparable() report.Image {
	img := compared()
	img.Change = baseline.Compare(baseline.Unusable("baseline/result.json", errors.New("reading baseline: it is no result.json of vexxy: it has no schema_version")), img.Judgement)
	return img
}

func TestChange(t *testing.T) {
	golden(t, "change.result.json", result(t, compared()))
	golden(t, "change.summary.md", report.Summary(compared(), 1<<20))
	golden(t, "no-baseline.summary.md", report.Summary(uncomparable(), 1<<20))
	s := compiled(t)
	for name, img := range map[string]report.Image{"compared": compared(), "uncomparable": uncomparable()} {
		if err := valid(t, s, result(t, img)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	good := string(result(t, compared()))
	for _, c := range []struct{ old, new string }{
		{`"class": "newly_affected"`, `"class": "unchanged"`},
		{`"newly_fixed": 1,`, ``},
		{`"usable": true`, `"usable": "yes"`},
		{`"before": "under_investigation"`, `"before": ""`},
	} {
		bad := strings.Replace(good, c.old, c.new, 1)
		if bad == good {
			t.Errorf("the result holds no %s", c.old)
		} else if valid(t, s, []byte(bad)) == nil {
			t.Errorf("the schema accepts %q in place of %s", c.new, c.old)
		}
	}
}

// The list of changes is cut, its counts are not.
func TestChangeIsBounded(t *testing.T) {
	img := large(6000)
	img.Change = baseline.Compare(baseline.Baseline{Statements: []baseline.Statement{}}, img.Judgement)
	data := result(t, img)
	if err := valid(t, compiled(t), data); err != nil {
		t.Error(err)
	}
	var doc struct {
		Change struct {
			Findings map[string]int
			Items    []struct{ Class string }
		}
	}
	if err := json.Unmarshal(data, &doc); err != nil {
		t.Fatal(err)
	}
	if n := doc.Change.Findings; n["newly_affected"] != 2400 || n["added"] != 3600 || len(doc.Change.Items) != 2000 || doc.Change.Items[1999].Class != "newly_affected" {
		t.Errorf("%v with %d items", n, len(doc.Change.Items))
	}
}

// An earlier result goes through the whole of it: what result.json says is
// what the next run compares with.
func TestResultIsItsOwnBaseline(t *testing.T) {
	img := compared()
	c := baseline.Compare(reread(t, img), img.Judgement)
	if len(c.Items) != 0 || !c.Baseline.Usable() || c.Before[judge.Affected] != img.Judgement.Summary.Affected {
		t.Errorf("%+v", c)
	}
	d := gate.Decide(gate.Policy{OnlyNew: true}, img.Judgement, c)
	if d.Counted != 0 {
		t.Errorf("%+v", d)
	}
}
