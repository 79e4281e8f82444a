// Package steplog shows the steps of a run in the log of a CI job, whose
// collapsible groups do not mix: a step's group is written as a whole when the
// step ends.
package steplog

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/vexxy/action/internal/foreign"
)

// Group is a step that has ended.
type Group struct {
	// Title is its mark, name and time, encoded.
	Title        string
	Began, Ended time.Time
	// Notes are lines of foreign text, not encoded.
	Notes []string
}

// Sink writes into the job's log. The log's lock is held.
type Sink interface {
	// Line writes one line of our own words and encoded names.
	Line(text string)
	Group(g Group)
	// Note writes one line of foreign text outside of any group.
	Note(text string)
}

// Log is a display of steps, which may run side by side. It is safe for
// concurrent use.
type Log struct {
	mu       *sync.Mutex // of all that writes to the log
	sink     Sink
	steps    []*step // those that run, oldest first
	observed Observation
	every    time.Duration
	stop     chan struct{}
	done     chan struct{}
	closed   bool
}

// step is one that runs, with what was said since it began.
type step struct {
	name  string
	start time.Time
	notes []string
}

// heartbeat is the time between two lines of an open observation.
const heartbeat = 30 * time.Second

// MaxNotes is how many lines a group holds, MaxNote how many bytes each should
// have at most.
const (
	MaxNotes = 500
	MaxNote  = 2000
)

// New starts a display. mu is held whenever the sink is written to. Close ends
// it.
func New(mu *sync.Mutex, sink Sink) *Log {
	l := &Log{mu: mu, sink: sink, every: heartbeat, stop: make(chan struct{}), done: make(chan struct{})}
	go l.tick()
	return l
}

// Step begins a step; its start is one line. The function that it gives ends
// the step with its error, if any; calling that again does nothing.
func (l *Log) Step(name string) func(error) {
	s := &step{name: foreign.Text(name).Line(200), start: time.Now()}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.steps = append(l.steps, s)
	l.line("%s …", s.name)
	var once sync.Once
	return func(err error) { once.Do(func() { l.end(s, err) }) }
}

func (l *Log) end(s *step, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range l.steps {
		if l.steps[i] == s {
			l.steps = append(l.steps[:i], l.steps[i+1:]...)
			break
		}
	}
	if l.closed {
		return
	}
	mark := "✓"
	if err != nil {
		mark = "✗"
		s.notes = append(s.notes, Lines(err.Error())...)
	}
	now := time.Now()
	l.sink.Group(Group{fmt.Sprintf("%s %s (%s)", mark, s.name, Short(now.Sub(s.start))), s.start, now, s.notes})
}

// Window says that the observation begins now and lasts at most total. A total
// of 0 ends it.
func (l *Log) Window(total time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.observed.Begin(total)
}

// Seen says how many different files the workload has used so far, and how
// many packages own them.
func (l *Log) Seen(files, packages int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.observed.Saw(files, packages)
}

// Note keeps one line for the group of the step that began last, or prints it
// where none runs. It may hold foreign text.
func (l *Log) Note(note string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := len(l.steps); n > 0 {
		s := l.steps[n-1]
		if len(s.notes) < MaxNotes {
			s.notes = append(s.notes, note)
		}
		return
	}
	if !l.closed {
		l.sink.Note(note)
	}
}

// Close ends the display. Steps that are still open are not shown.
func (l *Log) Close() {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return
	}
	l.closed = true
	close(l.stop)
	l.mu.Unlock()
	<-l.done
}

// tick prints a heartbeat while an observation is open, so that nobody takes
// the job for dead.
func (l *Log) tick() {
	defer close(l.done)
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-l.stop:
			return
		case now := <-ticker.C:
			l.mu.Lock()
			if l.observed.Due(now, l.every) {
				l.line("  %s", l.observed.Text(now))
			}
			l.mu.Unlock()
		}
	}
}

func (l *Log) line(format string, args ...any) {
	if !l.closed {
		l.sink.Line(fmt.Sprintf(format, args...))
	}
}

// Lines splits a text at its line breaks, without empty lines.
func Lines(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == '\n' || r == '\r' })
}
