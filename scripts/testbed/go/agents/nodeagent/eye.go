package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"sync"
	"time"
)

// seen is one line of the observing program: see scripts/testbed/observe.
type seen struct {
	Ready   bool `json:"ready"`
	Claimed bool `json:"claimed"`
	File    *struct {
		Path  []byte   `json:"path"`
		Kinds []string `json:"kinds"`
	} `json:"file"`
	End *struct {
		Lost   uint64   `json:"lost"`
		Errors []string `json:"errors"`
	} `json:"end"`
}

// openFor and closeFor bound the start and the end of an observing program.
const (
	openFor  = 40 * time.Second
	closeFor = 30 * time.Second
)

// eye is one observing program. It sees all containers from when it is open,
// and shows what the one that it is turned to has used since then.
type eye struct {
	command *exec.Cmd
	in      io.WriteCloser
	lines   chan seen // closed at its end
}

// openEye starts the program and waits until it sees.
func openEye(ctx context.Context, command []string) (*eye, error) {
	e := &eye{command: exec.Command(command[0], command[1:]...), lines: make(chan seen, 1024)}
	e.command.Stderr = os.Stderr
	var err error
	if e.in, err = e.command.StdinPipe(); err != nil {
		return nil, fmt.Errorf("opening an eye: %w", err)
	}
	out, err := e.command.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("opening an eye: %w", err)
	}
	if err := e.command.Start(); err != nil {
		return nil, fmt.Errorf("opening an eye: %w", err)
	}
	go e.read(out)
	ctx, cancel := context.WithTimeoutCause(ctx, openFor, fmt.Errorf("it does not see after %s", openFor))
	defer cancel()
	select {
	case line, ok := <-e.lines:
		if ok && line.Ready {
			return e, nil
		}
		err = errors.New("it has ended")
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	e.close()
	return nil, fmt.Errorf("opening an eye: %w", err)
}

func (e *eye) read(out io.Reader) {
	defer close(e.lines)
	from := bufio.NewScanner(out)
	from.Buffer(nil, 1<<20)
	for from.Scan() {
		var line seen
		if err := json.Unmarshal(from.Bytes(), &line); err != nil {
			log.Printf("reading what an eye says: %v", err)
			continue
		}
		e.lines <- line
	}
	if err := e.command.Wait(); err != nil {
		log.Printf("an eye has ended: %v", err)
	}
}

// turn names the container whose files are to be shown.
func (e *eye) turn(container string) error {
	if _, err := io.WriteString(e.in, container+"\n"); err != nil {
		return fmt.Errorf("turning an eye: %w", err)
	}
	return nil
}

// shut asks for the rest; the lines end some time later.
func (e *eye) shut() { _ = e.in.Close() }

// close ends the program whose lines nobody reads.
func (e *eye) close() {
	e.shut()
	killer := time.AfterFunc(closeFor, func() { _ = e.command.Process.Kill() })
	defer killer.Stop()
	for range e.lines {
	}
}

// eyes are open ones that nobody uses yet: a container must find one that was
// open before it started.
type eyes struct {
	command []string
	most    int
	mu      sync.Mutex
	open    []*eye
}

func newEyes(command []string, most int) *eyes { return &eyes{command: command, most: most} }

// fill opens as many as are missing.
func (s *eyes) fill(ctx context.Context) error {
	for {
		s.mu.Lock()
		missing := s.most - len(s.open)
		s.mu.Unlock()
		if missing <= 0 {
			return nil
		}
		e, err := openEye(ctx, s.command)
		if err != nil {
			return err
		}
		s.mu.Lock()
		s.open = append(s.open, e)
		s.mu.Unlock()
	}
}

// take gives one and has it replaced. early says that it was open before.
func (s *eyes) take(ctx context.Context) (e *eye, early bool, err error) {
	s.mu.Lock()
	if len(s.open) > 0 {
		e, early = s.open[0], true
		s.open = s.open[1:]
	}
	s.mu.Unlock()
	if e == nil {
		e, err = openEye(ctx, s.command)
	}
	go func() {
		if err := s.fill(ctx); err != nil {
			log.Print(err)
		}
	}()
	return e, early, err
}

func (s *eyes) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.open {
		e.close()
	}
	s.open = nil
}
