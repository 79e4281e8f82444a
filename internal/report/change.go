package report

import (
	"fmt"
	"strings"
	"time"

	"github.com/vexxy/action/internal/baseline"
	"github.com/vexxy/action/internal/foreign"
	"github.com/vexxy/action/internal/inventory"
	"github.com/vexxy/action/internal/judge"
)

// maxItems is the greatest length of the list of changes in result.json; the
// counts beside it are always whole.
const maxItems = 2000

// changePart is what result.json says of the baseline.
type changePart struct {
	Baseline baselinePart           `json:"baseline"`
	Findings map[baseline.Class]int `json:"findings"`
	Before   map[judge.Status]int   `json:"before"`
	Items    []itemPart             `json:"items"`
}

type baselinePart struct {
	From       string    `json:"from"`
	Usable     bool      `json:"usable"`
	Problem    string    `json:"problem,omitempty"`
	RunID      string    `json:"run_id,omitempty"`
	Version    string    `json:"vexxy_version,omitempty"`
	FinishedAt time.Time `json:"finished_at,omitzero"`
	Requested  string    `json:"requested,omitempty"`
	Digest     string    `json:"digest,omitempty"`
	Platform   string    `json:"platform,omitempty"`
}

type itemPart struct {
	Class         baseline.Class     `json:"class"`
	Before        judge.Status       `json:"before,omitempty"`
	Now           judge.Status       `json:"now,omitempty"`
	Vulnerability string             `json:"vulnerability"`
	Package       string             `json:"package"`
	Version       string             `json:"version"`
	Severity      inventory.Severity `json:"severity"`
}

// changeOf gives the baseline's part, nil for a run without one.
func changeOf(c *baseline.Change) *changePart {
	if c == nil {
		return nil
	}
	b := c.Baseline
	part := &changePart{
		Baseline: baselinePart{
			clip(b.From), b.Usable(), b.Problem, clip(b.RunID), clip(b.Version), b.FinishedAt,
			clip(b.Requested), clip(b.Digest), clip(b.Platform),
		},
		Findings: c.Counts, Before: c.Before, Items: []itemPart{},
	}
	for _, i := range c.Items[:min(maxItems, len(c.Items))] {
		part.Items = append(part.Items, itemPart{i.Class, i.Before, i.Now, clip(i.Vulnerability), clip(i.Package), clip(i.Version), i.Severity})
	}
	return part
}

// change says in a few lines what is not as it was.
func (p *page) change(c *baseline.Change) {
	if c == nil {
		return
	}
	b := c.Baseline
	if !b.Usable() {
		p.f("**No baseline to compare with**, everything counts as new: %s\n\n", foreign.Text(b.Problem).Markdown(600))
		return
	}
	p.f("**Since the baseline** (run %s", foreign.Text(b.RunID).Code(110))
	if !b.FinishedAt.IsZero() {
		p.f(" of %s", b.FinishedAt.UTC().Format("2006-01-02 15:04"))
	}
	n := c.Counts
	p.f("): %s, %s, %d with another status, %d new and not affected, %d as before.\n\n",
		bold(n[baseline.NewlyAffected], "newly affected"), bold(n[baseline.NewlyFixed], "newly fixed or gone"),
		n[baseline.Changed], n[baseline.Added], n[baseline.Unchanged])
}

// bold stresses a number that is not 0.
func bold(n int, what string) string {
	if n == 0 {
		return "0 " + what
	}
	return fmt.Sprintf("**%d %s**", n, what)
}

// delta is a number's change, such as "+2"; empty for none or where nothing
// can be compared.
func delta(now int, c *baseline.Change, status judge.Status) string {
	if c == nil || !c.Baseline.Usable() || now == c.Before[status] {
		return ""
	}
	return fmt.Sprintf(" (%+d)", now-c.Before[status])
}

// changed is a table of the items of a class.
func (p *page) changed(c *baseline.Change, class baseline.Class, heading string, what noun, rows int) {
	if c == nil {
		return
	}
	items := c.Of(class)
	if len(items) == 0 {
		return
	}
	p.f("%s", heading)
	p.rows(len(items), rows, what, "| severity | vulnerability | package | before | now |\n|---|---|---|---|---|\n", func(i int) {
		it := &items[i]
		p.f("| %s | %s | %s %s | %s | %s |\n", foreign.Text(it.Severity).Markdown(20), foreign.Text(it.Vulnerability).Markdown(100),
			foreign.Text(it.Package).Code(120), foreign.Text(it.Version).Markdown(200), statusWord(it.Before, "absent"), statusWord(it.Now, "gone"))
	})
}

// statusWord gives a status in words, or what stands for none.
func statusWord(s judge.Status, none string) string {
	if s == "" {
		return none
	}
	return foreign.Text(strings.ReplaceAll(string(s), "_", " ")).Markdown(40)
}
