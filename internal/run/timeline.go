package run

import (
	"slices"
	"sync"
	"time"

	"github.com/vexxy/action/internal/journal"
	"github.com/vexxy/action/internal/record"
)

// Progress shows a run to whoever waits for it.
type Progress interface {
	Step(name string) func(error)
	Window(total time.Duration)
	Seen(files, packages int)
	Note(string)
}

// Timeline is a Progress that keeps the time of every step, for the record,
// and tells the journal of it before it passes it on.
type Timeline struct {
	Progress
	journal *journal.Journal
	// expected is how many steps a run has, for the percentage.
	expected int

	mu      sync.Mutex
	timings []record.Timing
	ended   int
}

// NewTimeline wraps a progress display. expected is the number of steps that
// the run is likely to have.
func NewTimeline(p Progress, j *journal.Journal, expected int) *Timeline {
	return &Timeline{Progress: p, journal: j, expected: expected}
}

// Step opens a step. The function it gives must be called once, with the
// step's outcome.
func (t *Timeline) Step(name string) func(error) {
	shown := t.Progress.Step(name)
	t.mu.Lock()
	i := len(t.timings)
	t.timings = append(t.timings, record.Timing{Step: name, Start: time.Now().UTC()})
	percent := t.percent()
	t.mu.Unlock()
	t.journal.Status(name, percent)
	return func(err error) {
		t.mu.Lock()
		t.timings[i].End = time.Now().UTC()
		if err != nil {
			t.timings[i].Error = err.Error()
		}
		t.ended++
		t.mu.Unlock()
		t.journal.Action(name, "", err)
		shown(err)
	}
}

// percent is how much of the run is done; 100 is left to the end itself.
func (t *Timeline) percent() int {
	return min(99, 100*t.ended/max(1, t.expected))
}

// Timings gives the steps so far, in the order of their start. A step that is
// still open ends now.
func (t *Timeline) Timings() []record.Timing {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := slices.Clone(t.timings)
	for i := range all {
		if all[i].End.IsZero() {
			all[i].End = time.Now().UTC()
		}
	}
	return all
}
