package github

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// step is one that runs, with what was said since it began.
type step struct {
	name  string
	start time.Time
	notes []string
}

// maxNotes is how many lines a group holds, of maxNote bytes each.
const (
	maxNotes = 500
	maxNote  = 2000
)

// Step begins a step. As steps run side by side and groups do not nest, a
// step's group is written as a whole when the step ends; its start is one line.
// The function that it gives ends the step with its error, if any; calling that
// again does nothing.
func (h *Host) Step(name string) func(error) {
	s := &step{name: text(name, 200), start: time.Now()}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.steps = append(h.steps, s)
	h.line("%s …", s.name)
	var once sync.Once
	return func(err error) { once.Do(func() { h.end(s, err) }) }
}

func (h *Host) end(s *step, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := range h.steps {
		if h.steps[i] == s {
			h.steps = append(h.steps[:i], h.steps[i+1:]...)
			break
		}
	}
	if h.closed {
		return
	}
	mark := "✓"
	if err != nil {
		mark = "✗"
		s.notes = append(s.notes, lines(err.Error())...)
	}
	h.action.Group(fmt.Sprintf("%s %s (%s)", mark, s.name, short(time.Since(s.start))))
	fmt.Fprintf(h.out, "began %s\n", s.start.UTC().Format(time.RFC3339))
	if len(s.notes) > 0 {
		h.foreign(func(w io.Writer) {
			for _, note := range s.notes {
				fmt.Fprintln(w, text(note, maxNote))
			}
		})
	}
	h.action.EndGroup()
}

// Window says that the observation begins now and lasts at most total. A total
// of 0 ends it.
func (h *Host) Window(total time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.window, h.total = time.Now(), total
	h.beat = h.window
}

// Seen says how many different files the workload has used so far, and how
// many packages own them.
func (h *Host) Seen(files, packages int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.files, h.packages = files, packages
}

// Note keeps one line for the group of the step that began last, or prints it
// where none runs. It may hold foreign text.
func (h *Host) Note(note string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if n := len(h.steps); n > 0 {
		s := h.steps[n-1]
		if len(s.notes) < maxNotes {
			s.notes = append(s.notes, note)
		}
		return
	}
	if !h.closed {
		h.foreign(func(w io.Writer) { fmt.Fprintln(w, text(note, maxNote)) })
	}
}

// Close ends the display of steps. Steps that are still open are not shown;
// the rest of the host works on.
func (h *Host) Close() {
	h.mu.Lock()
	if h.closed {
		h.mu.Unlock()
		return
	}
	h.closed = true
	close(h.stop)
	h.mu.Unlock()
	<-h.done
}

// tick prints a heartbeat while an observation is open, so that nobody takes
// the job for dead.
func (h *Host) tick() {
	defer close(h.done)
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-h.stop:
			return
		case now := <-ticker.C:
			h.mu.Lock()
			if h.total > 0 && now.Sub(h.beat) >= h.every {
				h.beat = now
				gone := now.Sub(h.window)
				h.line("  %s, at most %s left, %d files and %d packages seen", short(gone), short(max(0, h.total-gone)), h.files, h.packages)
			}
			h.mu.Unlock()
		}
	}
}

// line prints one line of our own words and encoded names.
func (h *Host) line(format string, args ...any) {
	if !h.closed {
		fmt.Fprintf(h.out, format+"\n", args...)
	}
}

// lines splits a text at its line breaks, without empty lines.
func lines(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == '\n' || r == '\r' })
}

// short gives a duration as people say it: 0.4s, 12s, 3m05s.
func short(d time.Duration) string {
	if d < 10*time.Second {
		return fmt.Sprintf("%.1fs", d.Seconds())
	}
	d = d.Round(time.Second)
	if d < time.Minute {
		return fmt.Sprintf("%.0fs", d.Seconds())
	}
	return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
}
