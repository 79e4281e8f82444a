// Package local shows a run to someone at a terminal, or in a plain log: the
// steps as they come and go, the window's time, and at the end the error.
package local

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/vexxy/action/internal/foreign"
	"github.com/vexxy/action/internal/steplog"
)

// Options say what the output can do. The zero value is a plain log.
type Options struct {
	// Terminal says that lines can be redrawn in place.
	Terminal bool
	// Width gives the terminal's columns; 80 where it is nil or says less
	// than 20.
	Width func() int
	// Heartbeat is the time between two plain lines of an open window, 30 s
	// where it is 0.
	Heartbeat time.Duration
}

// refresh is the time between two drawings of the live line.
const refresh = 200 * time.Millisecond

// Progress shows a run's steps. Steps may run side by side. It is safe for
// concurrent use.
type Progress struct {
	mu       sync.Mutex
	out      io.Writer
	opt      Options
	steps    []*step // those that run, oldest first
	observed steplog.Observation
	drawn    bool // a live line is on the terminal
	stop     chan struct{}
	done     chan struct{}
	closed   bool
}

type step struct {
	name  string
	start time.Time
}

// New starts a display on out. Close ends it.
func New(out io.Writer, opt Options) *Progress {
	if opt.Heartbeat <= 0 {
		opt.Heartbeat = 30 * time.Second
	}
	p := &Progress{out: out, opt: opt, stop: make(chan struct{}), done: make(chan struct{})}
	go p.tick()
	return p
}

// ForFile is New for a file such as os.Stderr, live where it is a terminal
// that can redraw (see TERM in the environment of getenv).
func ForFile(f *os.File, getenv func(string) string) *Progress {
	fd := int(f.Fd())
	return New(f, Options{
		Terminal: term.IsTerminal(fd) && getenv("TERM") != "dumb",
		Width: func() int {
			width, _, err := term.GetSize(fd)
			if err != nil {
				return 0
			}
			return width
		},
	})
}

// Step begins a step. The function that it gives ends it with the step's
// error, if any; calling that again does nothing.
func (p *Progress) Step(name string) func(error) {
	s := &step{name: foreign.Text(name).Terminal(200), start: time.Now()}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.steps = append(p.steps, s)
	if !p.opt.Terminal {
		p.line("%s …", s.name)
	}
	p.draw()
	var once sync.Once
	return func(err error) { once.Do(func() { p.end(s, err) }) }
}

func (p *Progress) end(s *step, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range p.steps {
		if p.steps[i] == s {
			p.steps = append(p.steps[:i], p.steps[i+1:]...)
			break
		}
	}
	mark := "✓"
	if err != nil {
		mark = "✗"
	}
	p.line("%s %s (%s)", mark, s.name, steplog.Short(time.Since(s.start)))
	p.draw()
}

// Window says that the observation begins now and lasts at most total. A total
// of 0 ends it.
func (p *Progress) Window(total time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.observed.Begin(total)
	p.draw()
}

// Seen says how many different files the workload has used so far, and how
// many packages own them.
func (p *Progress) Seen(files, packages int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.observed.Saw(files, packages)
}

// Note prints one line beside the steps. It may hold foreign text.
func (p *Progress) Note(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.line("  %s", foreign.Text(text).Terminal(2000))
	p.draw()
}

// Close clears the live line and ends the display. What is said afterwards is
// not shown.
func (p *Progress) Close() {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return
	}
	p.clear()
	p.closed = true
	close(p.stop)
	p.mu.Unlock()
	<-p.done
}

// tick redraws the live line, or prints the heartbeat, until Close.
func (p *Progress) tick() {
	defer close(p.done)
	every := refresh
	if !p.opt.Terminal {
		every = min(p.opt.Heartbeat, time.Second)
	}
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-p.stop:
			return
		case now := <-ticker.C:
			p.mu.Lock()
			if p.opt.Terminal {
				p.draw()
			} else if p.observed.Due(now, p.opt.Heartbeat) {
				p.line("  %s", p.observed.Text(now))
			}
			p.mu.Unlock()
		}
	}
}

// line prints a whole line above the live one.
func (p *Progress) line(format string, args ...any) {
	if p.closed {
		return
	}
	p.clear()
	fmt.Fprintf(p.out, format+"\n", args...)
}

// draw puts the live line onto the terminal.
func (p *Progress) draw() {
	if !p.opt.Terminal || p.closed || len(p.steps) == 0 {
		return
	}
	p.clear()
	newest := p.steps[len(p.steps)-1]
	text := newest.name
	if n := len(p.steps) - 1; n > 0 {
		text += fmt.Sprintf(" (+%d)", n)
	}
	if p.observed.Open() {
		text += "  " + p.observed.Text(time.Now())
	} else {
		text += "  " + steplog.Short(time.Since(newest.start))
	}
	// One column stays free: some terminals wrap when the last one is filled.
	fmt.Fprint(p.out, cut(text, p.width()-1))
	p.drawn = true
}

// clear takes the live line off: back to the first column, erase to the end
// (ECMA-48 EL).
func (p *Progress) clear() {
	if p.drawn {
		fmt.Fprint(p.out, "\r\x1b[K")
		p.drawn = false
	}
}

func (p *Progress) width() int {
	if p.opt.Width != nil {
		if width := p.opt.Width(); width >= 20 {
			return width
		}
	}
	return 80
}
