package report

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/vexxy/action/internal/foreign"
	"github.com/vexxy/action/internal/judge"
	"github.com/vexxy/action/internal/record"
)

// checks is one line for each condition of sufficiency.
func (p *page) checks(j judge.Judgement) {
	p.f("### Quality of the evidence\n\n| | condition | measured |\n|---|---|---|\n")
	for _, c := range j.Checks {
		mark := "✅"
		switch {
		case !c.Applies:
			mark = "➖"
		case !c.OK:
			mark = "❌"
		}
		p.f("| %s %s | %s | %s |\n", mark, foreign.Text(c.ID).Markdown(20), foreign.Text(c.Title).Markdown(300), foreign.Text(c.Measured).Markdown(500))
	}
	p.f("\n")
}

// moment is one line of the timeline.
type moment struct {
	start, end time.Time
	what       string
}

// fence takes out of a line what could end a fenced block, or pass for a
// comment to those who look for one in the text.
var fence = strings.NewReplacer("`", "'", "<!", "< !")

// timeline shows what happened when, as seconds since the run's start. It is a
// fenced block: its text is one safe line each and holds no backtick.
func (p *page) timeline(r record.Record, limit int) {
	var all []moment
	for _, t := range r.Run.Timings {
		what := t.Step
		if t.Error != "" {
			what += " — failed: " + t.Error
		}
		all = append(all, moment{t.Start, t.End, what})
	}
	e := r.Evidence
	if !e.Window.Start.IsZero() {
		all = append(all, moment{e.Window.Start, e.Window.End, "window, ended by: " + string(e.Window.Stopped)})
	}
	for _, phase := range e.Phases {
		all = append(all, moment{phase.Start, phase.End, "  phase " + phase.Name})
	}
	for _, x := range e.Exercise {
		outcome := "passed"
		if !x.Passed {
			outcome = "FAILED"
		}
		all = append(all, moment{x.Start, x.End, fmt.Sprintf("  %s %s: %s, %s", x.Kind, x.What, outcome, x.Outcome)})
	}
	if !e.Workload.ReadyAt.IsZero() {
		all = append(all, moment{e.Workload.ReadyAt, e.Workload.ReadyAt, "  ready, by " + string(e.Workload.ReadyBy)})
	}
	slices.SortStableFunc(all, func(a, b moment) int { return a.start.Compare(b.start) })
	if len(all) == 0 || limit == 0 {
		return
	}
	p.f("<details><summary>Timeline</summary>\n\nSeconds since %s.\n\n```text\n", r.Run.StartedAt.UTC().Format(time.RFC3339))
	for i, m := range all {
		if i == limit {
			p.f("and %d more, see result.json\n", len(all)-i)
			break
		}
		p.f("%8.1f … %8.1f  %s\n", m.start.Sub(r.Run.StartedAt).Seconds(), m.end.Sub(r.Run.StartedAt).Seconds(),
			fence.Replace(foreign.Text(m.what).Line(200)))
	}
	p.f("```\n\n</details>\n\n")
}

// reproduce says how the same documents are made again.
func (p *page) reproduce(img Image) {
	r := img.Record
	p.f("### How to reproduce\n\n")
	p.f("`vexxy replay record` makes the same documents from the record %s, byte for byte. ", foreign.Text(r.Digest).Code(80))
	p.f("Made by vexxy %s (Syft %s, Grype %s) with the vulnerability database %s of %s, run %s.\n",
		foreign.Text(r.Run.Version).Markdown(60), foreign.Text(r.Inventory.Syft).Markdown(60), foreign.Text(r.Inventory.Grype).Markdown(60),
		foreign.Text(r.Inventory.Database.Digest).Code(80), r.Inventory.Database.Built.UTC().Format(time.RFC3339), foreign.Text(r.Run.ID).Code(110))
}
