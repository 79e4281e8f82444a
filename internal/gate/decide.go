package gate

import (
	"fmt"
	"slices"
	"strings"

	"github.com/vexxy/action/internal/baseline"
	"github.com/vexxy/action/internal/evidence"
	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/foreign"
	"github.com/vexxy/action/internal/inventory"
	"github.com/vexxy/action/internal/judge"
)

// Decision is what a policy says of a judgement.
type Decision struct {
	Verdict Verdict `json:"verdict"`
	// Code is the exit code that the verdict asks for.
	Code fault.Code `json:"code"`
	// Causes say in words everything that speaks against passing, in the order
	// of its weight. It is empty for a pass.
	Causes []string `json:"causes"`
	// Counts are the vulnerabilities that count, by severity: the affected
	// ones (the newly affected ones where the policy asks for those), or all
	// that are not fixed when the evidence is insufficient. One
	// that has different severities in different packages counts for each, so
	// that another finding never takes one away.
	Counts map[inventory.Severity]int `json:"counts"`
	// Counted is the number of vulnerabilities at or above the policy's lowest
	// severity, each once, which is held against the policy's Max.
	Counted int `json:"counted"`
}

// Decide holds the judgement against the policy. change is what has changed
// since the baseline, nil where there is none; it matters to Policy.OnlyNew
// alone.
//
// With insufficient evidence the verdict is inconclusive whatever the numbers
// say, and the numbers are those of all findings, so that a workload which
// spoils its evidence gains nothing. With sufficient evidence what is affected
// decides over pass and fail; a limit that only holds as long as nothing under
// investigation turns out to be affected is not known to hold, and the verdict
// is inconclusive. WarnOnInconclusive and WarnOnly change the code and never
// the verdict.
//
// With OnlyNew all of this is about what was not affected in the baseline
// already: what is under investigation now and was affected then is no news
// whatever it turns out to be. Insufficient evidence counts without regard to
// the baseline.
func Decide(p Policy, j judge.Judgement, change *baseline.Change) Decision {
	sufficient := j.Sufficient && evidence.Sufficient(j.Checks)
	counted := j.Assessments
	newly := ""
	if p.OnlyNew && sufficient {
		counted, newly = fresh(j.Assessments, change), "newly "
	}
	d := Decision{Causes: []string{}}
	d.Counts, d.Counted = p.count(counted, judge.Affected)
	what := newly + "affected vulnerabilities"
	if !sufficient {
		what = "vulnerabilities not cleared"
		d.Counts, d.Counted = p.count(counted, judge.Affected, judge.UnderInvestigation, judge.NotAffected)
	}
	exceeded := p.exceeded(d.Counts, d.Counted, what)
	openCounts, openCounted := p.count(counted, judge.Affected, judge.UnderInvestigation)
	open := p.exceeded(openCounts, openCounted, "vulnerabilities "+newly+"affected or under investigation")
	switch {
	case !sufficient:
		d.Verdict, d.Code = VerdictInconclusive, fault.Inconclusive
		d.Causes = append(d.Causes, insufficient(j.Checks))
		if p.WarnOnInconclusive {
			d.Code = fault.Pass
		}
	case len(exceeded) > 0:
		d.Verdict, d.Code = VerdictFail, fault.GateFailed
		if p.WarnOnly {
			d.Code = fault.Pass
		}
	case len(open) > 0:
		d.Verdict, d.Code, exceeded = VerdictInconclusive, fault.Inconclusive, open
		if p.WarnOnInconclusive {
			d.Code = fault.Pass
		}
	default:
		d.Verdict, d.Code = VerdictPass, fault.Pass
	}
	d.Causes = append(d.Causes, exceeded...)
	if len(d.Causes) > 0 && p.OnlyNew {
		d.Causes = append(d.Causes, everything(change)...)
	}
	return d
}

// fresh gives the assessments that were not affected in the baseline already.
func fresh(assessments []judge.Assessment, change *baseline.Change) []judge.Assessment {
	var some []judge.Assessment
	for i := range assessments {
		if change.New(&assessments[i]) {
			some = append(some, assessments[i])
		}
	}
	return some
}

// everything says why all counts as new, where it does.
func everything(change *baseline.Change) []string {
	switch {
	case change == nil:
		return []string{"everything counts as new: there is no baseline"}
	case !change.Baseline.Usable():
		return []string{"everything counts as new: " + change.Baseline.Problem}
	}
	return nil
}

// count counts vulnerabilities of the given statuses by severity, and those
// that Max is about.
func (p Policy) count(assessments []judge.Assessment, statuses ...judge.Status) (map[inventory.Severity]int, int) {
	type entry struct {
		vulnerability string
		rank          int
	}
	seen, counted := map[entry]bool{}, map[string]bool{}
	for i := range assessments {
		a := &assessments[i]
		switch {
		case !slices.Contains(statuses, a.Status):
			continue
		case p.OnlyFixed && len(a.FixVersions) == 0 && a.FixState != "fixed":
			continue
		}
		seen[entry{a.Vulnerability, severityRank(a.Severity)}] = true
		if p.counts(a.Severity) {
			counted[a.Vulnerability] = true
		}
	}
	counts := make(map[inventory.Severity]int, len(inventory.Severities))
	for _, s := range inventory.Severities {
		counts[s] = 0
	}
	for e := range seen {
		counts[inventory.Severities[e.rank]]++
	}
	return counts, len(counted)
}

// severityRank is a severity's place, worst first; a word that is none counts
// as unknown.
func severityRank(s inventory.Severity) int {
	if i := slices.Index(inventory.Severities, s); i >= 0 {
		return i
	}
	return len(inventory.Severities) - 1
}

// counts reports whether a severity counts towards Max. A policy with a lowest
// severity that is no severity counts all.
func (p Policy) counts(s inventory.Severity) bool {
	lowest := slices.Index(inventory.Severities, p.FailOn)
	return lowest < 0 || severityRank(s) <= lowest
}

// exceeded says which limits the counts exceed; what names the things counted.
func (p Policy) exceeded(counts map[inventory.Severity]int, counted int, what string) []string {
	var causes []string
	if p.Max != Unlimited && counted > max(p.Max, 0) {
		floor := ""
		if slices.Contains(inventory.Severities, p.FailOn) {
			floor = fmt.Sprintf(" of severity %s or worse", p.FailOn)
		}
		causes = append(causes, fmt.Sprintf("%d %s%s, %d allowed", counted, what, floor, max(p.Max, 0)))
	}
	for _, s := range inventory.Severities {
		limit, limited := p.MaxBySeverity[s]
		if limited && limit != Unlimited && counts[s] > max(limit, 0) {
			causes = append(causes, fmt.Sprintf("%d %s of severity %s, %d allowed", counts[s], what, s, max(limit, 0)))
		}
	}
	return causes
}

// insufficient names the checks that did not hold.
func insufficient(checks []evidence.Check) string {
	var failed []string
	for _, c := range checks {
		if c.Applies && !c.OK {
			failed = append(failed, fmt.Sprintf("%s (%s)", c.ID, foreign.Text(c.Measured).Line(160)))
		}
	}
	if len(failed) == 0 {
		return "the evidence is insufficient: not all checks were made"
	}
	return "the evidence is insufficient: " + strings.Join(failed, ", ")
}
