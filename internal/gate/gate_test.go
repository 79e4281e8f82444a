package gate_test

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/vexxy/action/internal/evidence"
	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/gate"
	"github.com/vexxy/action/internal/inventory"
	"github.com/vexxy/action/internal/judge"
	"github.com/vexxy/action/internal/judge/judgetest"
)

func TestParseLimit(t *testing.T) {
	type by = map[inventory.Severity]int
	rows := []struct {
		in  string
		max int
		by  by
	}{
		{"3", 3, nil}, {" 0 ", 0, nil}, {"unlimited", gate.Unlimited, nil}, {"Unlimited", gate.Unlimited, nil},
		{"critical=0,high=3", gate.Unlimited, by{inventory.Critical: 0, inventory.High: 3}},
		{" critical = 0 , low=unlimited", gate.Unlimited, by{inventory.Critical: 0, inventory.Low: gate.Unlimited}},
	}
	for _, row := range rows {
		limit, by, err := gate.ParseLimit(row.in)
		if err != nil || limit != row.max || !maps.Equal(by, row.by) {
			t.Errorf("%q: %d %v %v, want %d %v", row.in, limit, by, err, row.max, row.by)
		}
	}
	for _, in := range []string{"", "-1", "3.5", "many", "0x3", "99999999999", "high", "high=", "high=-1", "huge=3", "high=1,high=2", "high=1,,low=2", "3,high=1", "=3", "high=1=2"} {
		_, _, err := gate.ParseLimit(in)
		var f *fault.Error
		if !errors.As(err, &f) || f.Code != fault.Usage || f.Hint == "" {
			t.Errorf("%q: %v, want a usage error with a hint", in, err)
		}
	}
}

// affected makes an assessment; fix says whether a fixed version is known.
func affected(cve string, s inventory.Severity, fix bool) judge.Assessment {
	a := judge.Assessment{Vulnerability: cve, Severity: s, Status: judge.Affected, FixState: "not-fixed"}
	if fix {
		a.FixState, a.FixVersions = "fixed", []string{"2"}
	}
	return a
}

func with(a judge.Assessment, s judge.Status) judge.Assessment {
	a.Status = s
	return a
}

// judgement makes one on good evidence.
func judgement(assessments ...judge.Assessment) judge.Judgement {
	return judge.Judgement{
		Assessments: assessments, Sufficient: true,
		Checks: evidence.Sufficiency(judgetest.Evidence(), judgetest.Facts()),
	}
}

// spoiled is the same on evidence that lost an event.
func spoiled(assessments ...judge.Assessment) judge.Judgement {
	e := judgetest.Evidence()
	e.Health.Lost.Ring = 7
	return judge.Judgement{Assessments: assessments, Checks: evidence.Sufficiency(e, judgetest.Facts())}
}

func TestDecide(t *testing.T) {
	const unlimited = gate.Unlimited
	high, low := affected("CVE-1", inventory.High, true), affected("CVE-2", inventory.Low, false)
	odd := affected("CVE-3", "strange", false)
	by := func(s inventory.Severity, n int) map[inventory.Severity]int { return map[inventory.Severity]int{s: n} }
	rows := []struct {
		name    string
		policy  gate.Policy
		j       judge.Judgement
		verdict gate.Verdict
		code    fault.Code
		counted int
		causes  int
	}{
		{"nothing affected", gate.Policy{}, judgement(with(high, judge.NotAffected), with(low, judge.Fixed)), gate.VerdictPass, 0, 0, 0},
		{"open, and none allowed", gate.Policy{}, judgement(with(low, judge.UnderInvestigation)), gate.VerdictInconclusive, 4, 0, 1},
		{"open, within the limit", gate.Policy{Max: 2}, judgement(high, with(low, judge.UnderInvestigation)), gate.VerdictPass, 0, 1, 0},
		{"open, over the limit with what is affected", gate.Policy{Max: 1}, judgement(high, with(low, judge.UnderInvestigation)), gate.VerdictInconclusive, 4, 1, 1},
		{"open below the lowest severity", gate.Policy{FailOn: inventory.High}, judgement(with(low, judge.UnderInvestigation)), gate.VerdictPass, 0, 0, 0},
		{"open, by severity", gate.Policy{Max: unlimited, MaxBySeverity: by(inventory.High, 0)}, judgement(with(high, judge.UnderInvestigation)), gate.VerdictInconclusive, 4, 0, 1},
		{"open, warn", gate.Policy{WarnOnInconclusive: true}, judgement(with(low, judge.UnderInvestigation)), gate.VerdictInconclusive, 0, 0, 1},
		{"open, warn only is not enough", gate.Policy{WarnOnly: true}, judgement(with(low, judge.UnderInvestigation)), gate.VerdictInconclusive, 4, 0, 1},
		{"affected over the limit decides before what is open", gate.Policy{}, judgement(high, with(low, judge.UnderInvestigation)), gate.VerdictFail, 2, 1, 1},
		{"affected, none allowed", gate.Policy{}, judgement(high), gate.VerdictFail, 2, 1, 1},
		{"as many as allowed", gate.Policy{Max: 2}, judgement(high, low), gate.VerdictPass, 0, 2, 0},
		{"one more than allowed", gate.Policy{Max: 1}, judgement(high, low), gate.VerdictFail, 2, 2, 1},
		{"a limit below zero that means nothing", gate.Policy{Max: -7}, judgement(high), gate.VerdictFail, 2, 1, 1},
		{"no limit", gate.Policy{Max: unlimited}, judgement(high, low), gate.VerdictPass, 0, 2, 0},
		{"one vulnerability in two packages counts once", gate.Policy{Max: 1}, judgement(high, high), gate.VerdictPass, 0, 1, 0},
		{"below the lowest severity", gate.Policy{FailOn: inventory.Medium}, judgement(low), gate.VerdictPass, 0, 0, 0},
		{"at the lowest severity", gate.Policy{FailOn: inventory.Low}, judgement(low), gate.VerdictFail, 2, 1, 1},
		{"above the lowest severity", gate.Policy{FailOn: inventory.Low}, judgement(high), gate.VerdictFail, 2, 1, 1},
		{"an unknown severity does not reach high", gate.Policy{FailOn: inventory.High}, judgement(odd), gate.VerdictPass, 0, 0, 0},
		{"an unknown severity counts where all do", gate.Policy{}, judgement(odd), gate.VerdictFail, 2, 1, 1},
		{"by severity, met", gate.Policy{Max: unlimited, MaxBySeverity: by(inventory.High, 1)}, judgement(high, low), gate.VerdictPass, 0, 2, 0},
		{"by severity, exceeded", gate.Policy{Max: unlimited, MaxBySeverity: by(inventory.High, 0)}, judgement(high), gate.VerdictFail, 2, 1, 1},
		{"by severity, of another", gate.Policy{Max: unlimited, MaxBySeverity: by(inventory.Critical, 0)}, judgement(high), gate.VerdictPass, 0, 1, 0},
		{"both limits exceeded", gate.Policy{MaxBySeverity: by(inventory.High, 0)}, judgement(high), gate.VerdictFail, 2, 1, 2},
		{"worse elsewhere does not hide a severity", gate.Policy{Max: unlimited, MaxBySeverity: by(inventory.High, 0)},
			judgement(high, affected("CVE-1", inventory.Critical, true)), gate.VerdictFail, 2, 1, 1},
		{"only fixed, has a fix", gate.Policy{OnlyFixed: true}, judgement(high, low), gate.VerdictFail, 2, 1, 1},
		{"only fixed, has none", gate.Policy{OnlyFixed: true}, judgement(low), gate.VerdictPass, 0, 0, 0},
		{"warn only", gate.Policy{WarnOnly: true}, judgement(high), gate.VerdictFail, 0, 1, 1},
		{"insufficient, nothing affected", gate.Policy{Max: unlimited}, spoiled(with(high, judge.UnderInvestigation)), gate.VerdictInconclusive, 4, 1, 1},
		{"insufficient, too many", gate.Policy{}, spoiled(high), gate.VerdictInconclusive, 4, 1, 2},
		{"insufficient counts what is not cleared", gate.Policy{}, spoiled(with(high, judge.UnderInvestigation), with(low, judge.Fixed)), gate.VerdictInconclusive, 4, 1, 2},
		{"insufficient, no finding at all", gate.Policy{}, spoiled(), gate.VerdictInconclusive, 4, 0, 1},
		{"insufficient, warn", gate.Policy{WarnOnInconclusive: true}, spoiled(high), gate.VerdictInconclusive, 0, 1, 2},
		{"insufficient, warn only is not enough", gate.Policy{WarnOnly: true}, spoiled(high), gate.VerdictInconclusive, 4, 1, 2},
		{"failed, warn on inconclusive is not enough", gate.Policy{WarnOnInconclusive: true}, judgement(high), gate.VerdictFail, 2, 1, 1},
		{"no judgement", gate.Policy{Max: unlimited}, judge.Judgement{}, gate.VerdictInconclusive, 4, 0, 1},
		{"a judgement that only says it is sufficient", gate.Policy{Max: unlimited}, judge.Judgement{Sufficient: true}, gate.VerdictInconclusive, 4, 0, 1},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			d := gate.Decide(row.policy, row.j, nil)
			if d.Verdict != row.verdict || d.Code != row.code || d.Counted != row.counted || len(d.Causes) != row.causes {
				t.Errorf("%+v, want %s, code %d, %d counted, %d causes", d, row.verdict, row.code, row.counted, row.causes)
			}
			if len(d.Counts) != len(inventory.Severities) {
				t.Errorf("counts of %d severities", len(d.Counts))
			}
		})
	}
}

func TestCausesNameWhatFailed(t *testing.T) {
	d := gate.Decide(gate.Policy{FailOn: inventory.Medium}, spoiled(affected("CVE-1", inventory.High, true)), nil)
	want := []string{
		"the evidence is insufficient: E2 (lost events: ring 7)",
		"1 vulnerabilities not cleared of severity medium or worse, 0 allowed",
	}
	if !slices.Equal(d.Causes, want) {
		t.Errorf("causes\n%s\nwant\n%s", strings.Join(d.Causes, "\n"), strings.Join(want, "\n"))
	}
}
