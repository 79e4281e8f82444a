package report

import (
	"fmt"
	"strings"
	"time"

	"github.com/vexxy/action/internal/foreign"
	"github.com/vexxy/action/internal/judge"
)

// triageOf gives people's statements as result.json has them: names cut.
func triageOf(t *judge.Triage) *judge.Triage {
	if t == nil {
		return nil
	}
	copied := judge.Triage{Documents: []judge.TriageDocument{}, Effects: map[judge.Effect]int{}}
	for _, e := range judge.Effects {
		copied.Effects[e] = t.Effects[e]
	}
	for _, d := range t.Documents {
		d.Source, d.ID, d.Author = clip(d.Source), clip(d.ID), clip(d.Author)
		copied.Documents = append(copied.Documents, d)
	}
	return &copied
}

// contradicted is the alarm in one sentence; empty for none.
func contradicted(n int) string {
	switch n {
	case 0:
		return ""
	case 1:
		return "CONTRADICTION: 1 finding was stated to be not affected by a person, and was seen in use. "
	}
	return fmt.Sprintf("CONTRADICTION: %d findings were stated to be not affected by a person, and were seen in use. ", n)
}

// alarm tells, before all else, where a person's not_affected is contradicted
// by what was seen.
func (p *page) alarm(j judge.Judgement, rows int) {
	all := j.Contradictions()
	if len(all) == 0 {
		return
	}
	p.f("**🚨 %s** Such findings stay affected and count. Correct the statements, or find out why the package was used.\n\n", foreign.Text(strings.TrimSpace(contradicted(len(all)))).Markdown(300))
	p.rows(len(all), rows, noun{"contradiction", "contradictions"}, "| severity | vulnerability | package | stated by | seen |\n|---|---|---|---|---|\n", func(i int) {
		a := all[i]
		p.f("| %s | %s | %s | %s | %s |\n", foreign.Text(a.Severity).Markdown(20), vulnerability(a), packageOf(a), person(a.Human), sighting(a.Seen))
	})
}

// person names who stated something, when, where and why.
func person(h *judge.Human) string {
	text := foreign.Text(h.Author).Markdown(150)
	if !h.At.IsZero() {
		text += ", " + h.At.Format(time.DateOnly)
	}
	text += ", " + foreign.Text(h.Source).Code(200)
	if h.Justification != "" {
		text += ", " + foreign.Text(h.Justification).Code(80)
	} else if h.Impact != "" {
		text += ", " + foreign.Text(h.Impact).Markdown(300)
	}
	return text
}

// effects are the effects in words.
var effects = map[judge.Effect]string{
	judge.Contradicted: "contradicted by what was seen", judge.Raised: "made worse", judge.Cleared: "cleared",
	judge.Agrees: "no other than the evidence", judge.NoEffect: "without effect",
}

// people tells what statements of people were taken in, and what they did.
func (p *page) people(j judge.Judgement, rows int) {
	t := j.Triage
	if t == nil {
		return
	}
	p.f("### Statements of people\n\n")
	for i, d := range t.Documents {
		switch {
		case i == 20:
			p.f("- and %d more, see result.json\n", len(t.Documents)-i)
		case i > 20:
		case d.Problem != "":
			p.f("- %s is **not read**: %s\n", foreign.Text(d.Source).Code(200), foreign.Text(d.Problem).Markdown(600))
		default:
			p.f("- %s by %s: %s", foreign.Text(d.Source).Code(200), foreign.Text(d.Author).Markdown(150), count(d.Statements, "statement", "statements"))
			if d.Unread > 0 {
				p.f(", and %d that cannot be understood", d.Unread)
			}
			p.f("\n")
		}
	}
	p.f("\nOn the findings of this image: %d contradicted, %d made worse, %d cleared, %d as the evidence says, %d without effect.\n\n",
		t.Of(judge.Contradicted), t.Of(judge.Raised), t.Of(judge.Cleared), t.Of(judge.Agrees), t.Of(judge.NoEffect))
	var all []*judge.Assessment
	for _, e := range []judge.Effect{judge.Raised, judge.Cleared, judge.NoEffect} {
		for i := range j.Assessments {
			if h := j.Assessments[i].Human; h != nil && h.Effect == e {
				all = append(all, &j.Assessments[i])
			}
		}
	}
	if len(all) == 0 {
		return
	}
	p.fold(len(all), rows, noun{"finding that a person spoke on", "findings that people spoke on"}, "| vulnerability | package | stated | by | what came of it |\n|---|---|---|---|---|\n", func(i int) {
		a := all[i]
		what := effects[a.Human.Effect]
		if a.Human.Why != "" {
			what += ": " + foreign.Text(a.Human.Why).Markdown(200)
		}
		p.f("| %s | %s | %s | %s | %s |\n", vulnerability(a), packageOf(a), statusWord(a.Human.Status, ""), person(a.Human), what)
	})
}

// alarm is the same for the table at the end of a run.
func (t *table) alarm(j judge.Judgement) {
	all := j.Contradictions()
	if len(all) == 0 {
		return
	}
	t.wrap("  !", contradicted(len(all)))
	for _, a := range all[:min(topFindings, len(all))] {
		t.wrap("   ", fmt.Sprintf("%s in %s: not affected by %s", foreign.Text(a.Vulnerability).Terminal(24), foreign.Text(a.PackageName).Terminal(24), foreign.Text(a.Human.Author).Terminal(60)))
	}
}
