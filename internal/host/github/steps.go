package github

import (
	"fmt"
	"io"
	"time"

	"github.com/vexxy/action/internal/steplog"
)

// sink writes the steps of a job; the host's lock is held.
type sink struct{ h *Host }

func (s sink) Line(text string) { fmt.Fprintln(s.h.out, text) }

func (s sink) Note(note string) {
	s.h.foreign(func(w io.Writer) { fmt.Fprintln(w, text(note, steplog.MaxNote)) })
}

func (s sink) Group(g steplog.Group) {
	s.h.action.Group(g.Title)
	fmt.Fprintf(s.h.out, "began %s\n", g.Began.UTC().Format(time.RFC3339))
	if len(g.Notes) > 0 {
		s.h.foreign(func(w io.Writer) {
			for _, note := range g.Notes {
				fmt.Fprintln(w, text(note, steplog.MaxNote))
			}
		})
	}
	s.h.action.EndGroup()
}
