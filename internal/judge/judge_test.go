package judge_test

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vexxy/action/internal/evidence"
	"github.com/vexxy/action/internal/inventory"
	"github.com/vexxy/action/internal/judge"
	"github.com/vexxy/action/internal/judge/judgetest"
	"github.com/vexxy/action/internal/record"
)

// Each condition of sufficiency, broken alone in a whole record, leaves no
// not_affected and is the one check that fails.
func TestEachConditionProtectsStatements(t *testing.T) {
	rows := []struct {
		id    string
		spoil func(*record.Record)
	}{
		{"E1", func(r *record.Record) { r.Evidence.Health.AttachedAt = time.Time{} }},
		{"E2", func(r *record.Record) { r.Evidence.Health.Lost.Vanish = 1 }},
		{"E3", func(r *record.Record) { r.Evidence.Health.Canaries[1].Seen = 0 }},
		{"E4", func(r *record.Record) { r.Subject.ConfigDigest = judgetest.Digest("9") }},
		{"E5", func(r *record.Record) { r.Run.Settings["http-probe"] = "/" }},
		{"E6", func(r *record.Record) { r.Inventory.Incomplete = "too large" }},
		{"E7", func(r *record.Record) { r.Run.Settings["max-db-age"] = "1h" }},
		{"E8", func(r *record.Record) {
			r.Evidence.Health.Blind = []evidence.Blind{{What: "memfd-exec", Count: 1}}
		}},
		{"E9", func(r *record.Record) { r.Evidence.Engine = "kubescape" }},
	}
	for _, row := range rows {
		r := judgetest.Good()
		judgetest.AddPackage(&r, judgetest.Deb("a", "", "/usr/bin/a"), cve)
		if s := judge.Judge(r).Summary; s.NotAffected != 1 {
			t.Fatalf("nothing is cleared on good evidence: %+v", s)
		}
		row.spoil(&r)
		j := judge.Judge(r)
		var failed []string
		for _, c := range j.Checks {
			if c.Applies && !c.OK {
				failed = append(failed, c.ID)
			}
		}
		if !slices.Equal(failed, []string{row.id}) {
			t.Errorf("%s: failing checks %v", row.id, failed)
		}
		a := only(t, j, "deb-a")
		if j.Sufficient || j.Summary.NotAffected != 0 || a.Status != judge.UnderInvestigation || a.Reason != judge.ReasonInsufficient {
			t.Errorf("%s: sufficient %v, %+v", row.id, j.Sufficient, a)
		}
		if !strings.Contains(a.Text, row.id) || j.Confidence != evidence.ConfidenceNone {
			t.Errorf("%s: confidence %s, text %q", row.id, j.Confidence, a.Text)
		}
	}
}

func TestDatabaseAgeLimit(t *testing.T) {
	// The database of the good record is one day older than the window's start.
	rows := []struct {
		limit string
		ok    bool
	}{
		{"", true}, {"5d", true}, {"120h", true}, {"24h10m", true}, {"1d1h", true}, {"90000", true}, {"0", true}, {"0s", true}, {"0d", true},
		{"1h", false}, {"1d", false}, {"-1", false}, {"-5d", false}, {"-1h", false}, {"5", false}, {"d", false}, {"never", false}, {"5 d", false},
		{"999999999999d", false}, {"99999999999999999999", false}, {"106751d99h", false}, {"NaN", false}, {"1d-1h", false},
	}
	for _, row := range rows {
		r := judgetest.Good()
		r.Run.Settings["max-db-age"] = row.limit
		if j := judge.Judge(r); j.Sufficient != row.ok {
			t.Errorf("limit %q: sufficient %v, want %v: %s", row.limit, j.Sufficient, row.ok, j.Checks[6].Measured)
		}
	}
	r := judgetest.Good()
	r.Run.Settings["max-db-age"] = "0"
	if j := judge.Judge(r); !strings.Contains(j.Checks[6].Measured, "limit lifted") {
		t.Errorf("a lifted limit does not show: %q", j.Checks[6].Measured)
	}
}

// Instances of one package are one assessment of their worst status.
func TestWorstInstanceWins(t *testing.T) {
	r := judgetest.Good()
	idle := lang("npm", "a", "/one/node_modules/a/package.json", "/one/node_modules/a/i.js")
	used := lang("npm", "a", "/two/node_modules/a/package.json", "/two/node_modules/a/i.js")
	idle.ID, used.ID = "idle", "used"
	judgetest.AddPackage(&r, idle, cve)
	judgetest.AddPackage(&r, used, cve)
	judgetest.Observe(&r, "/two/node_modules/a/i.js", evidence.Open)
	j := judge.Judge(r)
	a := only(t, j, "idle")
	if len(j.Assessments) != 1 || a.Status != judge.Affected || !slices.Equal(a.PackageIDs, []string{"idle", "used"}) {
		t.Errorf("assessments %+v", j.Assessments)
	}
	if !slices.Equal(j.Observed, []string{"deb-init", "used"}) {
		t.Errorf("observed %v", j.Observed)
	}
}

// An identifier that is given twice stands for the worse of the two.
func TestPackageIDGivenTwice(t *testing.T) {
	used, idle := judgetest.Deb("a", "", "/used"), judgetest.Deb("a", "", "/idle")
	for _, order := range [][]inventory.Package{{used, idle}, {idle, used}} {
		r := judgetest.Good()
		judgetest.AddPackage(&r, order[0], cve)
		judgetest.AddPackage(&r, order[1])
		judgetest.Observe(&r, "/used", evidence.Exec)
		if a := only(t, judge.Judge(r), used.ID); a.Status != judge.Affected {
			t.Errorf("%s: %s, want affected", order[0].Files, a.Status)
		}
	}
}

func TestFactsOfSeveralFindingsAreJoined(t *testing.T) {
	r := judgetest.Good()
	p := judgetest.Deb("a", "", "/usr/bin/a")
	judgetest.AddPackage(&r, p)
	judgetest.AddFinding(&r, inventory.Finding{ID: "GHSA-b", Aliases: []string{cve}, PackageID: p.ID, Severity: "strange", FixState: "unknown", EPSS: 0.5, Description: "b", DataSource: "https://b"})
	judgetest.AddFinding(&r, inventory.Finding{ID: cve, PackageID: p.ID, Severity: inventory.Negligible, CVSS: 7.5, KEV: true, FixState: "wont-fix"})
	judgetest.AddFinding(&r, inventory.Finding{ID: "GHSA-a", Aliases: []string{"GHSA-b"}, PackageID: p.ID, Severity: inventory.Unknown, FixState: "fixed", FixVersions: []string{"3", "2"}})
	a := only(t, judge.Judge(r), p.ID)
	if a.Vulnerability != cve || !slices.Equal(a.Aliases, []string{"GHSA-a", "GHSA-b"}) {
		t.Errorf("identifiers %s %v", a.Vulnerability, a.Aliases)
	}
	if a.Severity != inventory.Negligible || a.CVSS != 7.5 || a.EPSS != 0.5 || !a.KEV || a.FixState != "fixed" || !slices.Equal(a.FixVersions, []string{"2", "3"}) {
		t.Errorf("facts %+v", a)
	}
	if a.Description != "b" || a.DataSource != "https://b" {
		t.Errorf("texts %q %q", a.Description, a.DataSource)
	}
}

func TestFixedNeedsEveryFindingToSaySo(t *testing.T) {
	p := judgetest.Deb("a", "", "/usr/bin/a")
	yes := inventory.Finding{ID: cve, PackageID: p.ID, FixState: "fixed", FixVersions: []string{"1.0", p.Version}}
	other := inventory.Finding{ID: "GHSA-1", Aliases: []string{cve}, PackageID: p.ID, FixState: "fixed", FixVersions: []string{"9"}}
	state := yes
	state.FixState = "not-fixed"
	rows := []struct {
		name     string
		findings []inventory.Finding
		want     judge.Status
	}{
		{"the installed version", []inventory.Finding{yes}, judge.Fixed},
		{"another version", []inventory.Finding{other}, judge.Affected},
		{"the sources differ", []inventory.Finding{yes, other}, judge.Affected},
		{"the state differs", []inventory.Finding{state}, judge.Affected},
	}
	for _, row := range rows {
		r := judgetest.Good()
		judgetest.AddPackage(&r, p)
		judgetest.Observe(&r, "/usr/bin/a", evidence.Exec)
		for _, f := range row.findings {
			judgetest.AddFinding(&r, f)
		}
		if a := only(t, judge.Judge(r), p.ID); a.Status != row.want {
			t.Errorf("%s: %s, want %s", row.name, a.Status, row.want)
		}
	}

	// A binary package that happens to bear the fixed version of a source that
	// it was not built from is not fixed.
	lagging := judgetest.Deb("a", "", "/usr/bin/a")
	lagging.Source = &inventory.Source{Name: "a-source", Version: "0.1"}
	r := judgetest.Good()
	judgetest.AddPackage(&r, lagging)
	judgetest.Observe(&r, "/usr/bin/a", evidence.Exec)
	judgetest.AddFinding(&r, yes)
	if a := only(t, judge.Judge(r), lagging.ID); a.Status != judge.Affected {
		t.Errorf("another source version: %s, want affected", a.Status)
	}
}

func TestSummaryCountsByWorstStatus(t *testing.T) {
	r := judgetest.Good()
	judgetest.AddPackage(&r, judgetest.Deb("used", "", "/used"), "CVE-2026-1", "CVE-2026-2")
	judgetest.AddPackage(&r, judgetest.Deb("idle", "", "/idle"), "CVE-2026-1", "CVE-2026-3")
	judgetest.AddPackage(&r, judgetest.Deb("empty", ""), "CVE-2026-3", "CVE-2026-4")
	judgetest.AddPackage(&r, judgetest.Deb("idle2", "", "/idle2"), "CVE-2026-5")
	judgetest.Observe(&r, "/used", evidence.Open)
	s := judge.Judge(r).Summary
	want := judge.Summary{Total: 5, Affected: 2, UnderInvestigation: 2, NotAffected: 1, Findings: 7}
	if s.Total != want.Total || s.Affected != want.Affected || s.UnderInvestigation != want.UnderInvestigation ||
		s.NotAffected != want.NotAffected || s.Fixed != 0 || s.Findings != want.Findings || s.AffectedBySeverity[inventory.High] != 2 {
		t.Errorf("summary %+v, want %+v", s, want)
	}
}

// Several binary packages of one source share the source's URL; it goes to one
// of them, and to none where they differ.
func TestSourceURLIsSharedSafely(t *testing.T) {
	const source = "pkg:deb/debian/src@1.2-3"
	holders := func(sister inventory.Package) (n int) {
		r := judgetest.Good()
		judgetest.AddPackage(&r, judgetest.Deb("a", "src", "/a"), cve)
		judgetest.AddPackage(&r, sister, cve)
		for _, a := range judge.Judge(r).Assessments {
			if slices.Contains(a.SubcomponentPURLs, source) {
				n++
			}
			if a.SubcomponentPURLs[0] != a.PURL {
				t.Errorf("the package's own URL is not the first: %+v", a)
			}
		}
		return n
	}
	if n := holders(judgetest.Deb("b", "src", "/b")); n != 1 {
		t.Errorf("%d hold the source's URL, want 1", n)
	}
	if n := holders(judgetest.Deb("b", "src", "/usr/share/doc/b/copyright")); n != 0 {
		t.Errorf("%d hold the source's URL though they differ, want none", n)
	}
}

func TestAssessmentsAreInOrder(t *testing.T) {
	r := judgetest.Good()
	p, q := judgetest.Deb("a", "", "/a"), judgetest.Deb("b", "", "/b")
	judgetest.AddPackage(&r, q, "CVE-2026-2")
	judgetest.AddPackage(&r, p, "CVE-2026-2", "CVE-2026-1")
	judgetest.AddFinding(&r, inventory.Finding{ID: "CVE-2026-9", PackageID: p.ID, Severity: inventory.Critical})
	var got []string
	for _, a := range judge.Judge(r).Assessments {
		got = append(got, a.Vulnerability+" "+a.PackageName)
	}
	want := []string{"CVE-2026-9 a", "CVE-2026-1 a", "CVE-2026-2 a", "CVE-2026-2 b"}
	if !slices.Equal(got, want) {
		t.Errorf("order %v, want %v", got, want)
	}
}

// A record without anything is judged without a panic and clears nothing.
func TestEmptyRecord(t *testing.T) {
	j := judge.Judge(record.Record{})
	if j.Sufficient || len(j.Assessments) != 0 || j.Observed == nil || j.Summary.AffectedBySeverity == nil {
		t.Errorf("judgement %+v", j)
	}
	r := record.Record{}
	r.Inventory.Findings = []inventory.Finding{{}, {ID: cve}}
	r.Evidence.Window.Configured = math.Inf(1)
	if s := judge.Judge(r).Summary; s.UnderInvestigation != 2 || s.Total != 2 {
		t.Errorf("summary %+v", s)
	}
}
