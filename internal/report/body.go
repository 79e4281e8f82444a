package report

import (
	"fmt"
	"strings"

	"github.com/vexxy/action/internal/baseline"
	"github.com/vexxy/action/internal/foreign"
	"github.com/vexxy/action/internal/gate"
	"github.com/vexxy/action/internal/judge"
)

func comment(img Image, o CommentOptions, e extent) string {
	var p page
	p.f("## %s\n\n", title(img.Decision.Verdict, img.Decision.Causes, img.Judgement))
	p.alarm(img.Judgement, max(e.shown, 3))
	p.image(img)
	p.counts(img.Judgement, img.Change)
	p.change(img.Change)
	if len(img.Decision.Causes) > 1 || img.Decision.Verdict == gate.VerdictInconclusive {
		p.causes(img.Decision.Causes[:min(5, len(img.Decision.Causes))])
	}
	p.insufficient(img.Judgement)
	p.reached(img, e)
	p.gone(img, e)
	p.changedFold(img.Change, baseline.Changed, noun{"finding with another status", "findings with another status"}, e.rest)
	p.open(img.Judgement, e.rest)
	p.cleared(img, e.rest)
	p.people(img.Judgement, e.rest)
	p.ending(img, o, e)
	return p.String()
}

// resolvedComment says that nothing is affected, or not any more. Something
// that is under investigation may be, so that nothing is called resolved then.
func resolvedComment(img Image, o CommentOptions, e extent) string {
	var p page
	s := img.Judgement.Summary
	what := "nothing is affected"
	switch {
	case s.UnderInvestigation > 0:
		what = fmt.Sprintf("nothing was found to be affected, %d under investigation", s.UnderInvestigation)
	case o.Resolved:
		what = "resolved, nothing is affected any more"
	}
	p.f("## %s vexxy: pass — %s\n\n", marks[gate.VerdictPass], what)
	p.image(img)
	if s.Total == 0 {
		p.f("No vulnerability is known in its packages.\n\n")
	} else {
		p.f("Of %s: %d not affected, %d fixed, %d under investigation. Confidence: **%s**.\n\n",
			count(s.Total, "vulnerability", "vulnerabilities"), s.NotAffected, s.Fixed, s.UnderInvestigation, foreign.Text(img.Judgement.Confidence).Markdown(20))
	}
	p.change(img.Change)
	p.gone(img, e)
	p.changedFold(img.Change, baseline.Changed, noun{"finding with another status", "findings with another status"}, e.rest)
	p.open(img.Judgement, e.rest)
	if s.NotAffected > 0 {
		p.f("### Not affected: present, never used\n\n%s\n\n", claim(img))
	}
	p.people(img.Judgement, e.rest)
	p.ending(img, o, e)
	return p.String()
}

// briefComment is the last step: counts, and where the rest is.
func briefComment(img Image, o CommentOptions) string {
	var p page
	p.f("## %s\n\n", title(img.Decision.Verdict, nil, img.Judgement))
	p.alarm(img.Judgement, 0)
	p.counts(img.Judgement, img.Change)
	p.change(img.Change)
	p.evidenceLine(img)
	p.f("The tables are too long for a comment; all is in the artifacts of this run.\n\n")
	return p.String()
}

// ending is what all long forms end with.
func (p *page) ending(img Image, o CommentOptions, e extent) {
	p.evidenceLine(img)
	if e.folded > 0 {
		p.f("<details><summary>The conditions, each with what was measured</summary>\n\n")
		p.checks(img.Judgement)
		p.f("</details>\n\n")
	}
	p.repeat(img)
	r := img.Record
	p.f("<sub>vexxy %s, run %s, record %s</sub>\n", foreign.Text(r.Run.Version).Markdown(60), foreign.Text(r.Run.ID).Markdown(110), foreign.Text(r.Digest).Markdown(90))
}

// image names the image in one line.
func (p *page) image(img Image) {
	s := img.Record.Subject
	p.f("**Image** %s, platform %s", foreign.Text(s.Requested).Code(300), foreign.Text(s.Platform.String()).Code(60))
	if s.Requested != s.Repository+"@"+s.Digest() {
		p.f(", digest %s", foreign.Text(s.Digest()).Code(90))
	}
	p.f("\n\n")
}

// reached is the table of what is affected: what is new first, then by
// severity; what goes beyond the first rows is to unfold.
func (p *page) reached(img Image, e extent) {
	all := withStatus(img.Judgement, judge.Affected)
	if len(all) == 0 {
		return
	}
	compared := img.Change != nil && img.Change.Baseline.Usable()
	if compared {
		all = newFirst(all, img.Change)
	}
	const head = "| severity | vulnerability | package | fixed in | seen |\n|---|---|---|---|---|\n"
	row := func(i int) {
		a := all[i]
		mark := ""
		switch {
		case !compared || !img.Change.New(a):
		case img.Change.Was(a) == "":
			mark = " **new**"
		default: // it was there, and not reached
			mark = " **newly reached**"
		}
		p.f("| %s%s | %s | %s | %s | %s |\n", foreign.Text(a.Severity).Markdown(20), mark, vulnerability(a), packageOf(a), fixedIn(a), sighting(a.Seen))
	}
	p.f("### Affected: used while the image ran\n\n")
	what := noun{"affected finding", "affected findings"}
	if len(all) <= e.shown {
		p.rows(len(all), e.shown, what, head, row)
		return
	}
	if e.shown > 0 {
		p.f("%s", head)
		for i := range e.shown {
			row(i)
		}
		p.f("\n")
	}
	rest := len(all) - e.shown
	p.fold(rest, e.folded, noun{"further affected finding", "further affected findings"}, head, func(i int) { row(i + e.shown) })
}

// newFirst orders what is new before what is not, and keeps the order within.
func newFirst(all []*judge.Assessment, c *baseline.Change) []*judge.Assessment {
	var fresh, old []*judge.Assessment
	for _, a := range all {
		if c.New(a) {
			fresh = append(fresh, a)
		} else {
			old = append(old, a)
		}
	}
	return append(fresh, old...)
}

// gone is the table of what is newly fixed or gone.
func (p *page) gone(img Image, e extent) {
	p.changedFold(img.Change, baseline.NewlyFixed, noun{"newly fixed finding", "newly fixed findings"}, e.folded)
}

// changedFold is changed within a part that opens on a click.
func (p *page) changedFold(c *baseline.Change, class baseline.Class, what noun, rows int) {
	if c == nil || c.Counts[class] == 0 {
		return
	}
	if rows == 0 {
		p.changed(c, class, "", what, 0)
		return
	}
	p.f("<details><summary>%s</summary>\n\n", count(c.Counts[class], what.one, what.many))
	p.changed(c, class, "", what, rows)
	p.f("</details>\n\n")
}

// evidenceLine is one line with every condition of sufficiency.
func (p *page) evidenceLine(img Image) {
	j := img.Judgement
	shown := make([]string, len(j.Checks))
	for i, c := range j.Checks {
		shown[i] = checkMark(c) + " " + foreign.Text(c.ID).Markdown(20)
	}
	p.f("**Evidence** %s", strings.Join(shown, " · "))
	word := "sufficient"
	if !j.Sufficient {
		word = "insufficient"
	}
	p.f(" — %s, confidence %s, watched for %s\n\n", word, foreign.Text(j.Confidence).Markdown(20), img.Record.Evidence.Window.Length())
}

// repeat says how to make the run again.
func (p *page) repeat(img Image) {
	if img.Command == "" {
		return
	}
	// One line of safe text that begins with our own word cannot end the block.
	line := strings.NewReplacer("<!", "< !").Replace(foreign.Text(img.Command).Line(2000))
	if !strings.HasPrefix(line, "vexxy run ") {
		return
	}
	p.f("<details><summary>How to reproduce</summary>\n\n````sh\n%s\n````\n\n</details>\n\n", line)
}
