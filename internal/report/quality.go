package report

import (
	"time"

	"github.com/vexxy/action/internal/evidence"
	"github.com/vexxy/action/internal/foreign"
	"github.com/vexxy/action/internal/judge"
)

// checks is one line for each condition of sufficiency.
func (p *page) checks(j judge.Judgement) {
	p.f("### Quality of the evidence\n\n| | condition | measured |\n|---|---|---|\n")
	for _, c := range j.Checks {
		p.f("| %s %s | %s | %s |\n", checkMark(c), foreign.Text(c.ID).Markdown(20), foreign.Text(c.Title).Markdown(300), foreign.Text(c.Measured).Markdown(500))
	}
	p.f("\n")
}

// checkMark shows whether a condition holds.
func checkMark(c evidence.Check) string {
	switch {
	case !c.Applies:
		return "➖"
	case !c.OK:
		return "❌"
	}
	return "✅"
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
