package report

import (
	"regexp"
	"strconv"

	"github.com/vexxy/action/internal/baseline"
	"github.com/vexxy/action/internal/inventory"
	"github.com/vexxy/action/internal/judge"
)

// Output is one value that a run hands to the steps and jobs after it. Names
// are lower case with hyphens. Values are of one line without blanks, quotes
// or anything that a shell reads as more than text.
type Output struct{ Name, Value string }

// Outputs are those of one image.
func Outputs(img Image) []Output {
	all := outputs(string(img.Decision.Verdict), int(img.Decision.Code), img.Record.Run.ID, img.Judgement.Summary)
	add := func(name, value string) { all = append(all, Output{name, harmless(value)}) }
	add("sufficient", strconv.FormatBool(img.Judgement.Sufficient))
	add("confidence", string(img.Judgement.Confidence))
	add("digest", img.Record.Subject.Digest())
	if c := img.Change; c != nil && c.Baseline.Usable() {
		add("newly-affected", strconv.Itoa(c.Counts[baseline.NewlyAffected]))
		add("newly-fixed", strconv.Itoa(c.Counts[baseline.NewlyFixed]))
	}
	return all
}

// RunOutputs are those of a run over several images, added up.
func RunOutputs(r Run) []Output {
	total := judge.Summary{AffectedBySeverity: map[inventory.Severity]int{}}
	for _, e := range r.Images {
		if e.Summary != nil {
			add(&total, *e.Summary)
		}
	}
	return outputs(string(r.Verdict), int(r.Code), r.RunID, total)
}

// FailureOutputs are those of a run without a judgement: there are no counts,
// so that nobody takes 0 for one.
func FailureOutputs(f Failure) []Output {
	return outputs(string(f.Verdict), int(f.Code), f.RunID, judge.Summary{})[:3]
}

func outputs(verdict string, code int, runID string, s judge.Summary) []Output {
	all := []Output{{"verdict", harmless(verdict)}, {"exit-code", strconv.Itoa(code)}, {"run-id", harmless(runID)}}
	for _, n := range []struct {
		name  string
		count int
	}{
		{"vulnerabilities", s.Total}, {"affected", s.Affected}, {"under-investigation", s.UnderInvestigation},
		{"not-affected", s.NotAffected}, {"fixed", s.Fixed},
		{"affected-critical", s.AffectedBySeverity[inventory.Critical]}, {"affected-high", s.AffectedBySeverity[inventory.High]},
	} {
		all = append(all, Output{n.name, strconv.Itoa(n.count)})
	}
	return all
}

var harm = regexp.MustCompile(`[^A-Za-z0-9:._@/+-]+`)

// harmless replaces what is not plain, and cuts.
func harmless(s string) string {
	s = harm.ReplaceAllString(s[:min(len(s), 1000)], "-")
	return s[:min(len(s), 200)]
}
