package report

import (
	"fmt"
	"strings"

	"github.com/vexxy/action/internal/baseline"
	"github.com/vexxy/action/internal/foreign"
	"github.com/vexxy/action/internal/gate"
	"github.com/vexxy/action/internal/judge"
)

// detail is how much a summary shows: the greatest number of rows in each of
// its tables. Totals are always shown.
type detail struct{ affected, open, cleared, witnesses, timings int }

// details are the steps in which a summary shrinks until it fits: everything,
// then collapsed, then counts alone.
var details = []detail{
	{1 << 30, 1 << 30, 1 << 30, 100, 1 << 30},
	{2000, 500, 0, 50, 50},
	{200, 50, 0, 20, 20},
	{20, 0, 0, 5, 0},
	{0, 0, 0, 0, 0},
}

// summaryFloor is the least size of a summary, in bytes, whatever the limit.
const summaryFloor = 512

// Summary gives summary.md of a judged image in at most limit bytes (but never
// less than 512): the verdict first, then what speaks for it. It shrinks in
// steps and keeps every total.
func Summary(img Image, limit int) []byte {
	limit = max(limit, summaryFloor)
	for _, d := range details {
		if text := summary(img, d); len(text) <= limit {
			return []byte(text)
		}
	}
	s := img.Judgement.Summary
	return []byte(foreign.Text(contradicted(len(img.Judgement.Contradictions()))+fmt.Sprintf(
		"vexxy: %s. %d vulnerabilities analysed: %d affected, %d under investigation, %d not affected, %d fixed. See result.json.",
		img.Decision.Verdict, s.Total, s.Affected, s.UnderInvestigation, s.NotAffected, s.Fixed)).Markdown(limit-1) + "\n")
}

// page is a Markdown document in the making.
type page struct{ strings.Builder }

func (p *page) f(format string, args ...any) { fmt.Fprintf(p, format, args...) }

func summary(img Image, d detail) string {
	var p page
	p.f("## %s\n\n", title(img.Decision.Verdict, img.Decision.Causes, img.Judgement))
	p.alarm(img.Judgement, max(d.affected, 5))
	p.subject(img)
	p.engine(img)
	p.counts(img.Judgement, img.Change)
	p.change(img.Change)
	p.causes(img.Decision.Causes)
	p.insufficient(img.Judgement)
	p.changed(img.Change, baseline.NewlyAffected, "### Newly affected\n\n", noun{"newly affected finding", "newly affected findings"}, d.affected)
	p.changed(img.Change, baseline.NewlyFixed, "### Newly fixed or gone\n\n", noun{"newly fixed finding", "newly fixed findings"}, d.open)
	p.affected(img.Judgement, d.affected)
	p.open(img.Judgement, d.open)
	p.cleared(img, d.cleared)
	p.people(img.Judgement, d.cleared)
	p.witnesses(img, d.witnesses)
	p.against(img.Differences, d.witnesses)
	p.checks(img.Judgement)
	p.timeline(img.Record, d.timings)
	p.reproduce(img)
	return p.String()
}

// marks go before the verdicts.
var marks = map[gate.Verdict]string{
	gate.VerdictPass: "✅", gate.VerdictFail: "❌", gate.VerdictInconclusive: "⚠️",
	gate.VerdictError: "💥", gate.VerdictCancelled: "🛑",
}

// title is the verdict with its weightiest reason, in one line.
func title(v gate.Verdict, causes []string, j judge.Judgement) string {
	head := marks[v] + " vexxy: " + foreign.Text(v).Markdown(40)
	switch v {
	case gate.VerdictPass:
		return head + fmt.Sprintf(" — %s reached of %d", count(j.Summary.Affected, "vulnerability", "vulnerabilities"), j.Summary.Total)
	case gate.VerdictInconclusive:
		if !j.Sufficient {
			return head + " — the evidence is not sufficient"
		}
	}
	if len(causes) > 0 {
		return head + " — " + foreign.Text(causes[0]).Markdown(300)
	}
	return head
}

func (p *page) subject(img Image) {
	s := img.Record.Subject
	name := s.Repository + "@" + s.Digest()
	if s.Local() {
		name = s.Digest()
	}
	p.f("**Image** %s, asked for as %s, platform %s", foreign.Text(name).Code(400), foreign.Text(s.Requested).Code(300), foreign.Text(s.Platform.String()).Code(60))
	if s.Local() {
		p.f(" — never pushed, so its OpenVEX document names packages and not the image")
	}
	p.f("\n\n")
}

func (p *page) counts(j judge.Judgement, c *baseline.Change) {
	s := j.Summary
	p.f("| vulnerabilities analysed | affected | under investigation | not affected | fixed |\n|---:|---:|---:|---:|---:|\n")
	p.f("| %d | **%d**%s | %d%s | %d%s | %d%s |\n\n", s.Total, s.Affected, delta(s.Affected, c, judge.Affected),
		s.UnderInvestigation, delta(s.UnderInvestigation, c, judge.UnderInvestigation),
		s.NotAffected, delta(s.NotAffected, c, judge.NotAffected), s.Fixed, delta(s.Fixed, c, judge.Fixed))
	p.f("Each vulnerability counts once, by its worst status; %s (vulnerability × package).", count(s.Findings, "finding", "findings"))
	if text := severities(s); text != "" {
		p.f(" Affected by severity: %s.", text)
	}
	p.f(" Confidence: **%s**.\n\n", foreign.Text(j.Confidence).Markdown(20))
}

func (p *page) causes(causes []string) {
	if len(causes) == 0 {
		return
	}
	p.f("### What speaks against passing\n\n")
	for i, cause := range causes {
		if i == 20 {
			p.f("- and %d more, see result.json\n", len(causes)-i)
			break
		}
		p.f("- %s\n", foreign.Text(cause).Markdown(1500))
	}
	p.f("\n")
}

// insufficient says which checks failed and what to do, so that nobody has to
// look for the reason of an inconclusive run.
func (p *page) insufficient(j judge.Judgement) {
	if j.Sufficient {
		return
	}
	p.f("### Why nothing can be called not affected\n\n")
	p.f("Every condition must hold; these do not:\n\n")
	for _, c := range failed(j.Checks) {
		p.f("- **%s %s**: %s.", foreign.Text(c.ID).Markdown(20), foreign.Text(c.Title).Markdown(300), foreign.Text(strings.TrimRight(c.Measured, ". ")).Markdown(1000))
		if c.Remedy != "" {
			p.f(" **What to do:** %s", foreign.Text(c.Remedy).Markdown(1000))
		}
		p.f("\n")
	}
	p.f("\n")
}

// count puts a number before the right form of its noun.
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
