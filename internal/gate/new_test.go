package gate_test

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/vexxy/action/internal/baseline"
	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/gate"
	"github.com/vexxy/action/internal/inventory"
	"github.com/vexxy/action/internal/judge"
	"github.com/vexxy/action/internal/judge/judgetest"
)

// was makes a baseline of assessments.
func was(assessments ...judge.Assessment) *baseline.Baseline {
	b := baseline.Baseline{From: "result.json"}
	for _, a := range assessments {
		b.Statements = append(b.Statements, baseline.Statement{
			Vulnerability: a.Vulnerability, Aliases: a.Aliases, PURL: a.PURL, Package: a.PackageName, Type: a.PackageType, Status: a.Status,
		})
	}
	return &b
}

func in(a judge.Assessment, name string) judge.Assessment {
	a.PackageName, a.PackageType = name, "deb"
	return a
}

func TestDecideOnWhatIsNew(t *testing.T) {
	only := gate.Policy{OnlyNew: true}
	high, low := in(affected("CVE-1", inventory.High, true), "a"), in(affected("CVE-2", inventory.Low, false), "b")
	open := func(a judge.Assessment) judge.Assessment { return with(a, judge.UnderInvestigation) }
	cleared := func(a judge.Assessment) judge.Assessment { return with(a, judge.NotAffected) }
	broken := baseline.Unusable("result.json", errors.New("reading baseline: it is damaged"))
	policy := func(f func(*gate.Policy)) gate.Policy { p := only; f(&p); return p }
	rows := []struct {
		name    string
		policy  gate.Policy
		before  *baseline.Baseline
		j       judge.Judgement
		verdict gate.Verdict
		code    fault.Code
		counted int
		causes  int
	}{
		{"nothing affected", only, was(), judgement(cleared(high)), gate.VerdictPass, 0, 0, 0},
		{"affected before and now", only, was(high, low), judgement(high, low), gate.VerdictPass, 0, 0, 0},
		{"affected before, all counts", gate.Policy{}, was(high, low), judgement(high, low), gate.VerdictFail, 2, 2, 1},
		{"one is new", only, was(high), judgement(high, low), gate.VerdictFail, 2, 1, 1},
		{"one is new, one allowed", policy(func(p *gate.Policy) { p.Max = 1 }), was(high), judgement(high, low), gate.VerdictPass, 0, 1, 0},
		{"cleared before", only, was(cleared(high)), judgement(high), gate.VerdictFail, 2, 1, 1},
		{"open before", only, was(open(high)), judgement(high), gate.VerdictFail, 2, 1, 1},
		{"in another package before", only, was(in(high, "z")), judgement(high), gate.VerdictFail, 2, 1, 1},
		{"in another package too", only, was(high), judgement(high, in(high, "z")), gate.VerdictFail, 2, 1, 1},
		{"new below the lowest severity", policy(func(p *gate.Policy) { p.FailOn = inventory.High }), was(high), judgement(high, low), gate.VerdictPass, 0, 0, 0},
		{"new at the lowest severity", policy(func(p *gate.Policy) { p.FailOn = inventory.Low }), was(high), judgement(high, low), gate.VerdictFail, 2, 1, 1},
		{"new, over the limit of its severity", policy(func(p *gate.Policy) {
			p.Max, p.MaxBySeverity = gate.Unlimited, map[inventory.Severity]int{inventory.Low: 0}
		}), was(high), judgement(high, low), gate.VerdictFail, 2, 1, 1},
		{"old, over the limit of its severity", policy(func(p *gate.Policy) {
			p.Max, p.MaxBySeverity = gate.Unlimited, map[inventory.Severity]int{inventory.High: 0}
		}), was(high), judgement(high, low), gate.VerdictPass, 0, 1, 0},
		{"new without a fix", policy(func(p *gate.Policy) { p.OnlyFixed = true }), was(high), judgement(high, low), gate.VerdictPass, 0, 0, 0},
		{"new with a fix", policy(func(p *gate.Policy) { p.OnlyFixed = true }), was(low), judgement(high, low), gate.VerdictFail, 2, 1, 1},
		{"new, warn only", policy(func(p *gate.Policy) { p.WarnOnly = true }), was(), judgement(high), gate.VerdictFail, 0, 1, 1},
		{"open, and was not affected", only, was(cleared(low)), judgement(open(low)), gate.VerdictInconclusive, 4, 0, 1},
		{"open, and was not there", only, was(), judgement(open(low)), gate.VerdictInconclusive, 4, 0, 1},
		{"open, and was affected", only, was(low), judgement(open(low)), gate.VerdictPass, 0, 0, 0},
		{"open, within the limit", policy(func(p *gate.Policy) { p.Max = 1 }), was(), judgement(open(low)), gate.VerdictPass, 0, 0, 0},
		{"open, warn", policy(func(p *gate.Policy) { p.WarnOnInconclusive = true }), was(), judgement(open(low)), gate.VerdictInconclusive, 0, 0, 1},
		{"no baseline", only, nil, judgement(high), gate.VerdictFail, 2, 1, 2},
		{"no baseline, nothing affected", only, nil, judgement(cleared(high)), gate.VerdictPass, 0, 0, 0},
		{"no baseline, open", only, nil, judgement(open(high)), gate.VerdictInconclusive, 4, 0, 2},
		{"a baseline that cannot be used", only, &broken, judgement(high), gate.VerdictFail, 2, 1, 2},
		{"insufficient now", only, was(high, low), spoiled(high, low), gate.VerdictInconclusive, 4, 2, 2},
		{"insufficient now, warn", policy(func(p *gate.Policy) { p.WarnOnInconclusive = true }), was(high), spoiled(high), gate.VerdictInconclusive, 0, 1, 2},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			var change *baseline.Change
			if row.before != nil {
				change = baseline.Compare(*row.before, row.j)
			}
			d := gate.Decide(row.policy, row.j, change)
			if d.Verdict != row.verdict || d.Code != row.code || d.Counted != row.counted || len(d.Causes) != row.causes {
				t.Errorf("%+v, want %s, code %d, %d counted, %d causes", d, row.verdict, row.code, row.counted, row.causes)
			}
		})
	}
}

func TestCausesSayWhatIsNew(t *testing.T) {
	high := affected("CVE-1", inventory.High, true)
	j := judgement(high, with(affected("CVE-2", inventory.Low, true), judge.UnderInvestigation))
	policy := gate.Policy{OnlyNew: true, FailOn: inventory.Medium}
	broken := baseline.Unusable("result.json", errors.New("reading baseline: it is damaged"))
	for _, row := range []struct {
		change *baseline.Change
		want   []string
	}{
		{baseline.Compare(*was(), j), []string{"1 newly affected vulnerabilities of severity medium or worse, 0 allowed"}},
		{nil, []string{"1 newly affected vulnerabilities of severity medium or worse, 0 allowed", "everything counts as new: there is no baseline"}},
		{baseline.Compare(broken, j), []string{"1 newly affected vulnerabilities of severity medium or worse, 0 allowed", "everything counts as new: reading baseline: it is damaged"}},
	} {
		if d := gate.Decide(policy, j, row.change); !slices.Equal(d.Causes, row.want) {
			t.Errorf("causes %q, want %q", d.Causes, row.want)
		}
	}
	policy.FailOn = inventory.Low
	if d := gate.Decide(policy, j, baseline.Compare(*was(high), j)); d.Causes[0] != "1 vulnerabilities newly affected or under investigation of severity low or worse, 0 allowed" {
		t.Errorf("causes %q", d.Causes)
	}
}

// A baseline that knows less never makes a run pass that fails with it, and
// one that cannot be used decides as none does.
func TestLessBaselineNeverPasses(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 12))
	strict := 0
	for i := range 500 {
		j := judge.Judge(judgetest.Random(rng))
		whole := was(j.Assessments...)
		less := *whole
		less.Statements = nil
		for _, s := range whole.Statements {
			if rng.IntN(2) == 0 {
				less.Statements = append(less.Statements, s)
			}
		}
		policy := gate.Policy{OnlyNew: true, Max: rng.IntN(2), OnlyFixed: rng.IntN(3) == 0}
		with, without := gate.Decide(policy, j, baseline.Compare(*whole, j)), gate.Decide(policy, j, baseline.Compare(less, j))
		if without.Verdict == gate.VerdictPass && with.Verdict != gate.VerdictPass || without.Counted < with.Counted {
			t.Fatalf("record %d: %s with the whole baseline, %s with less", i, with.Verdict, without.Verdict)
		}
		if with.Verdict != without.Verdict {
			strict++
		}
		less.Problem = "damaged"
		none, all := gate.Decide(policy, j, baseline.Compare(less, j)), gate.Policy{Max: policy.Max, OnlyFixed: policy.OnlyFixed}
		if d := gate.Decide(all, j, nil); none.Verdict != d.Verdict || none.Counted != d.Counted {
			t.Fatalf("record %d: %s with a damaged baseline, %s without fail-on: new", i, none.Verdict, d.Verdict)
		}
	}
	if strict < 20 {
		t.Errorf("only %d of the baselines mattered", strict)
	}
}
