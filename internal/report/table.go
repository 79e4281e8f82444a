package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/vexxy/action/internal/baseline"
	"github.com/vexxy/action/internal/foreign"
	"github.com/vexxy/action/internal/gate"
	"github.com/vexxy/action/internal/inventory"
	"github.com/vexxy/action/internal/judge"
)

// Shown is one image of the table at the end of a run.
type Shown struct {
	Entry Entry
	// Image is nil when there is no judgement.
	Image *Image
}

// TableOptions say what the output can do.
type TableOptions struct {
	// Width is the number of columns, 80 where it is less than 40.
	Width int
	// Colour allows colours for the verdicts.
	Colour bool
}

// topFindings is how many affected findings the table shows.
const topFindings = 10

// Table writes the short end of a run: for each image the verdict, the counts,
// what was reached, why it is inconclusive, and where the documents are.
func Table(w io.Writer, images []Shown, o TableOptions) error {
	if o.Width < 40 {
		o.Width = 80
	}
	t := table{width: o.Width, colour: o.Colour}
	for i, shown := range images {
		if i > 0 {
			t.line("")
		}
		t.image(shown)
	}
	_, err := io.WriteString(w, t.out.String())
	return err
}

type table struct {
	out    strings.Builder
	width  int
	colour bool
}

// line writes one line, cut to the width. What format holds is ours, args that
// are foreign have passed an encoder.
func (t *table) line(format string, args ...any) {
	t.out.WriteString(strings.TrimRight(foreign.Text(fmt.Sprintf(format, args...)).Terminal(t.width), " ") + "\n")
}

// wrap writes text over as many lines as it needs, at most five, indented.
func (t *table) wrap(indent, text string) {
	words := strings.Fields(foreign.Text(text).Terminal(5 * t.width))
	line := indent
	for _, word := range words {
		if len(line)+1+len(word) > t.width && strings.TrimSpace(line) != "" {
			t.line("%s", line)
			line = strings.Repeat(" ", len(indent)+1)
		}
		line += " " + word
	}
	t.line("%s", line)
}

func (t *table) image(s Shown) {
	e := s.Entry
	t.verdict(e.Verdict, foreign.Text(e.Requested).Terminal(t.width-16))
	if s.Image != nil {
		t.alarm(s.Image.Judgement)
	}
	for _, cause := range e.Causes[:min(5, len(e.Causes))] {
		t.wrap("  -", cause)
	}
	if s.Image != nil {
		t.counts(s.Image.Judgement)
		t.change(s.Image.Change)
		t.affected(s.Image.Judgement)
		t.remedies(s.Image.Judgement)
	}
	if e.Folder != "" {
		t.line("")
		t.wrap("  documents in", e.Folder)
	}
}

// colours are the ECMA-48 codes of the verdicts.
var colours = map[gate.Verdict]string{
	gate.VerdictPass: "\x1b[1;32m", gate.VerdictFail: "\x1b[1;31m", gate.VerdictInconclusive: "\x1b[1;33m",
	gate.VerdictError: "\x1b[1;31m", gate.VerdictCancelled: "\x1b[1;33m",
}

func (t *table) verdict(v gate.Verdict, image string) {
	word := strings.ToUpper(foreign.Text(v).Terminal(20))
	if colour := colours[v]; t.colour && colour != "" {
		t.out.WriteString(colour + word + "\x1b[0m  " + image + "\n")
		return
	}
	t.line("%s  %s", word, image)
}

func (t *table) counts(j judge.Judgement) {
	s := j.Summary
	t.line("")
	t.line("  %-24s%6d  confidence %s", "vulnerabilities", s.Total, foreign.Text(j.Confidence).Terminal(20))
	t.line("    %-22s%6d  %s", "affected", s.Affected, severities(s))
	t.line("    %-22s%6d", "under investigation", s.UnderInvestigation)
	t.line("    %-22s%6d", "not affected", s.NotAffected)
	if s.Fixed > 0 {
		t.line("    %-22s%6d", "fixed", s.Fixed)
	}
	if n := j.Triage.Of(judge.Raised) + j.Triage.Of(judge.Cleared); n > 0 {
		t.line("    %-22s%6d", "by people's statements", n)
	}
}

// change says what is not as it was in the baseline.
func (t *table) change(c *baseline.Change) {
	switch {
	case c == nil:
	case !c.Baseline.Usable():
		t.wrap("  everything is new:", c.Baseline.Problem)
	default:
		t.line("  since the baseline      %6d  newly affected, %d newly fixed or gone", c.Counts[baseline.NewlyAffected], c.Counts[baseline.NewlyFixed])
	}
}

func (t *table) affected(j judge.Judgement) {
	all := withStatus(j, judge.Affected)
	if len(all) == 0 {
		return
	}
	t.line("")
	for i, a := range all {
		if i == topFindings {
			t.line("  … and %d more affected findings, see summary.md", len(all)-i)
			break
		}
		name := foreign.Text(a.PackageName).Terminal(24) + " " + foreign.Text(a.PackageVersion).Terminal(20)
		fixed := fixState(a)
		if len(a.FixVersions) > 0 {
			fixed = "fixed in " + foreign.Text(a.FixVersions[0]).Terminal(20)
		}
		t.line("  %-10s %-18s %s, %s", short(a.Severity), foreign.Text(a.Vulnerability).Terminal(24), name, fixed)
		if a.Seen != nil {
			owner := ""
			if a.Seen.Package != "" {
				owner = ", of " + foreign.Text(a.Seen.Package).Terminal(24)
			}
			by := foreign.Text(a.Seen.Process).Terminal(15) + " in " + foreign.Text(a.Seen.Phase).Terminal(10)
			if a.Seen.Process == "" && a.Seen.ByAgent() {
				by = "node-agent's profile"
			}
			t.line("  %-10s %s by %s%s", "", foreign.Text(a.Seen.Path).Terminal(t.width-40-len(owner)), by, owner)
		}
	}
}

func short(s inventory.Severity) string { return foreign.Text(s).Terminal(10) }

// remedies says why a run is inconclusive and what to do about it.
func (t *table) remedies(j judge.Judgement) {
	if j.Sufficient {
		return
	}
	t.line("")
	t.line("  nothing can be called not affected:")
	for _, c := range failed(j.Checks) {
		t.wrap("  "+foreign.Text(c.ID).Terminal(10), c.Title+": "+c.Measured)
		if c.Remedy != "" {
			t.wrap("     →", c.Remedy)
		}
	}
}
