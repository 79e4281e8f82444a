// Package gitlab is the run's host in a GitLab job: steps as collapsible
// sections of the log, a dotenv report and one sticky note on the merge request.
// Nothing here changes a verdict: what cannot be published is told once, with
// what to do about it.
//
// A job cannot mask anything: secrets are never printed. What reaches the log
// from elsewhere passes an encoder, so that no text begins or ends a section.
package gitlab

import (
	"fmt"
	"io"
	"regexp"
	"strings"
	"sync"

	"github.com/vexxy/action/internal/foreign"
	"github.com/vexxy/action/internal/steplog"
)

// Host is one job of a GitLab pipeline. It is safe for concurrent use.
type Host struct {
	*steplog.Log
	mu       sync.Mutex
	out      io.Writer
	sections int
}

// New makes the host of a job whose log is out. Close ends the display of
// steps; the rest of the host works on.
func New(out io.Writer) *Host {
	h := &Host{out: out}
	h.Log = steplog.New(&h.mu, sink{h})
	return h
}

// Here reports whether the environment is that of a GitLab job.
func Here(getenv func(string) string) bool { return getenv("GITLAB_CI") == "true" }

// Level is the weight of a remark in the log.
type Level string

// The weights of remarks.
const (
	Error   Level = "error"
	Warning Level = "warning"
	Notice  Level = "notice"
)

// Remark puts a title and the lines of a message into the log, where no section
// hides them. Both may hold foreign text.
func (h *Host) Remark(level Level, title, message string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	fmt.Fprintf(h.out, "%s: %s\n", level, text(title, 200))
	for i, line := range steplog.Lines(message) {
		if i == 10 {
			fmt.Fprintln(h.out, "  …")
			break
		}
		fmt.Fprintf(h.out, "  %s\n", text(line, 1000))
	}
}

// Write prints what write writes, which is encoded, between steps.
func (h *Host) Write(write func(io.Writer)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	write(h.out)
}

// sink writes the steps of a job; the host's lock is held.
type sink struct{ h *Host }

func (s sink) Line(line string) { fmt.Fprintln(s.h.out, line) }

func (s sink) Note(note string) { fmt.Fprintln(s.h.out, text(note, steplog.MaxNote)) }

// Group writes a section (https://docs.gitlab.com/ci/jobs/job_logs, custom
// collapsible sections), unfolded where the step has failed. Its name is of our
// own making and stands once in a log; GitLab shows the time between its marks.
func (s sink) Group(g steplog.Group) {
	s.h.sections++
	name := sectionName(s.h.sections, g.Title)
	folded := "true"
	if !strings.HasPrefix(g.Title, "✓") {
		folded = "false"
	}
	const erase = "\r\x1b[0K"
	fmt.Fprintf(s.h.out, "section_start:%d:%s[collapsed=%s]%s%s\n", g.Began.Unix(), name, folded, erase, g.Title)
	for _, note := range g.Notes {
		fmt.Fprintln(s.h.out, text(note, steplog.MaxNote))
	}
	fmt.Fprintf(s.h.out, "section_end:%d:%s%s\n", g.Ended.Unix(), name, erase)
}

var noName = regexp.MustCompile(`[^a-z0-9]+`)

// sectionName makes a section's name of what GitLab takes: letters, digits, dots,
// underscores and hyphens.
func sectionName(n int, title string) string {
	word := strings.Trim(noName.ReplaceAllString(strings.ToLower(title), "_"), "_")
	return strings.TrimRight(fmt.Sprintf("vexxy_%d_%.40s", n, word), "_")
}

// text encodes foreign text as one line of the log.
func text(s string, max int) string { return foreign.Text(s).Line(max) }
