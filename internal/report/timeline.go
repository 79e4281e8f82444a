package report

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/vexxy/action/internal/foreign"
	"github.com/vexxy/action/internal/record"
)

// moment is one line of the timeline.
type moment struct {
	start, end time.Time
	what       string
	more       string // what is said of it behind the bar
}

// moments gives what happened in a run, in the order of its start.
func moments(r record.Record) []moment {
	var all []moment
	for _, t := range r.Run.Timings {
		m := moment{t.Start, t.End, t.Step, ""}
		if t.Error != "" {
			m.more = "failed: " + t.Error
		}
		all = append(all, m)
	}
	e := r.Evidence
	if !e.Window.Start.IsZero() {
		all = append(all, moment{e.Window.Start, e.Window.End, "window", "ended by: " + string(e.Window.Stopped)})
	}
	for _, phase := range e.Phases {
		all = append(all, moment{phase.Start, phase.End, "  phase " + phase.Name, ""})
	}
	for _, x := range e.Exercise {
		outcome := "passed"
		if !x.Passed {
			outcome = "FAILED"
		}
		all = append(all, moment{x.Start, x.End, "  " + x.Kind + " " + x.What, outcome + ", " + x.Outcome})
	}
	if !e.Workload.ReadyAt.IsZero() {
		all = append(all, moment{e.Workload.ReadyAt, e.Workload.ReadyAt, "  ready", "by " + string(e.Workload.ReadyBy)})
	}
	if k := e.Kubescape; k != nil && !k.Agent.ReadyAt.IsZero() {
		all = append(all, moment{k.Agent.ReadyAt, k.Agent.ReadyAt, "node-agent ready", ""})
	}
	slices.SortStableFunc(all, func(a, b moment) int { return a.start.Compare(b.start) })
	return all
}

// The columns of the timeline's names and bars.
const (
	nameColumns = 34
	barColumns  = 40
)

// fence takes out of a line what could end a fenced block, or pass for a
// comment to those who look for one in the text.
var fence = strings.NewReplacer("`", "'", "<!", "< !")

// timeline draws what happened when as bars over the run's time, so that what
// overlapped stands one above the other. It is a fenced block: its text is one
// safe line each, opens with blanks and holds no backtick.
func (p *page) timeline(r record.Record, limit int) {
	all := moments(r)
	if len(all) == 0 || limit == 0 {
		return
	}
	start, end := r.Run.StartedAt, r.Run.StartedAt
	for _, m := range all {
		if m.end.After(end) {
			end = m.end
		}
	}
	scale := axis{start, max(end.Sub(start), time.Millisecond)}
	p.f("<details><summary>Timeline</summary>\n\nSeconds since %s; a column is %s s.\n\n```text\n", start.UTC().Format(time.RFC3339), scale.column())
	for i, m := range all {
		if i == limit {
			p.f("  and %d more, see result.json\n", len(all)-i)
			break
		}
		line := fmt.Sprintf("  %s |%s| %8.1f – %.1f", column(m.what), scale.bar(m.start, m.end), m.start.Sub(start).Seconds(), m.end.Sub(start).Seconds())
		if m.more != "" {
			line += "  " + fence.Replace(foreign.Text(m.more).Line(160))
		}
		p.f("%s\n", line)
	}
	p.f("```\n\n</details>\n\n")
}

// column gives a name as many columns as all names have.
func column(name string) string {
	name = fence.Replace(foreign.Text(name).Line(200))
	if n := utf8.RuneCountInString(name); n < nameColumns {
		return name + strings.Repeat(" ", nameColumns-n)
	} else if n > nameColumns {
		return string([]rune(name)[:nameColumns-1]) + "…"
	}
	return name
}

// axis is the time that the bars lie on.
type axis struct {
	start time.Time
	total time.Duration
}

// column is how many seconds a column stands for.
func (a axis) column() string {
	s := a.total.Seconds() / barColumns
	if s >= 10 {
		return fmt.Sprintf("%.0f", s)
	}
	return fmt.Sprintf("%.2f", s)
}

// bar draws a stretch of time: at least one column of it, and a point for a
// moment. Times outside of the axis end at its ends.
func (a axis) bar(from, to time.Time) string {
	at := func(t time.Time) float64 {
		return min(1, max(0, t.Sub(a.start).Seconds()/a.total.Seconds())) * barColumns
	}
	first := min(int(at(from)), barColumns-1)
	mark, width := "█", min(int(at(to)+0.5), barColumns)-first
	if !to.After(from) {
		mark, width = "◆", 1
	}
	width = max(1, width)
	return strings.Repeat(" ", first) + strings.Repeat(mark, width) + strings.Repeat(" ", barColumns-first-width)
}
