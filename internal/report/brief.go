package report

import (
	"strings"

	"github.com/vexxy/action/internal/foreign"
	"github.com/vexxy/action/internal/gate"
	"github.com/vexxy/action/internal/judge"
)

// FailureSummary gives summary.md of a run that ended without a judgement.
func FailureSummary(f Failure) []byte {
	var p page
	p.f("## %s vexxy: %s\n\n", marks[f.Verdict], foreign.Text(f.Verdict).Markdown(40))
	if f.Requested != "" {
		p.f("**Image** asked for as %s\n\n", foreign.Text(f.Requested).Code(300))
	}
	p.f("There is no judgement: nothing was found to be affected or not affected. Exit code %d.\n\n", f.Code)
	for i, cause := range f.Causes {
		if i == 20 {
			p.f("- and %d more, see result.json\n", len(f.Causes)-i)
			break
		}
		p.f("- %s\n", foreign.Text(cause).Markdown(2000))
	}
	if f.Hint != "" {
		p.f("\n**What to do:** %s\n", foreign.Text(f.Hint).Markdown(1000))
	}
	p.f("\nRun %s, vexxy %s.\n", foreign.Text(f.RunID).Code(110), foreign.Text(f.Version).Markdown(60))
	return []byte(p.String())
}

// OverallSummary gives summary.md of a run over several images in at most
// limit bytes, but never less than 512. Images that do not fit are counted.
func OverallSummary(r Run, limit int) []byte {
	limit = max(limit, summaryFloor)
	verdicts := map[gate.Verdict]int{}
	for _, e := range r.Images {
		verdicts[e.Verdict]++
	}
	var words []string
	for _, v := range []gate.Verdict{gate.VerdictCancelled, gate.VerdictError, gate.VerdictInconclusive, gate.VerdictFail, gate.VerdictPass} {
		if n := verdicts[v]; n > 0 {
			words = append(words, count(n, "image", "images")+" "+foreign.Text(v).Markdown(40))
		}
	}
	var p page
	p.f("## %s vexxy: %s — %s\n\n", marks[r.Verdict], foreign.Text(r.Verdict).Markdown(40), strings.Join(words, ", "))
	contradictions := 0
	for _, e := range r.Images {
		contradictions += e.Contradictions
	}
	if contradictions > 0 {
		p.f("**🚨 %s**\n\n", foreign.Text(strings.TrimSpace(contradicted(contradictions))).Markdown(300))
	}
	const head = "| image | verdict | affected | under investigation | not affected | folder |\n|---|---|---:|---:|---:|---|\n"
	const room = 100 // for the line that says what was left out
	p.WriteString(head)
	for i, e := range r.Images {
		var row page
		s := judge.Summary{}
		if e.Summary != nil {
			s = *e.Summary
		}
		row.f("| %s | %s %s | %d | %d | %d | %s |\n", foreign.Text(e.Requested).Code(200), marks[e.Verdict], foreign.Text(e.Verdict).Markdown(40),
			s.Affected, s.UnderInvestigation, s.NotAffected, foreign.Text(e.Folder).Code(120))
		if p.Len()+row.Len()+room > limit {
			p.f("\n%d of %d images shown; all are in result.json.\n", i, len(r.Images))
			break
		}
		p.WriteString(row.String())
	}
	return []byte(p.String())
}
