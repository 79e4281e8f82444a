// Command observe is the eye of the test bed's node-agent: it watches one
// container by vexxy's own sensor and tells what it saw in lines of JSON.
//
// It says {"ready":true} when the sensor is attached, then reads one line, the
// container's ID, from its input. Each file used is one line; so is the
// container's first program ({"claimed":true}). When the input ends it says
// {"end":{…}} with what was lost, and ends.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/vexxy/action/internal/evidence"
	"github.com/vexxy/action/internal/sensor"
)

// helperVerb makes this program the sensor's helper.
const helperVerb = "sensor"

// claimFor bounds the wait for the container's first program.
const claimFor = time.Minute

// line is one line of the output; one of its fields is set.
type line struct {
	Ready   bool  `json:"ready,omitempty"`
	Claimed bool  `json:"claimed,omitempty"`
	File    *file `json:"file,omitempty"`
	End     *end  `json:"end,omitempty"`
}

// file is one file that the container used, by its name in the container.
type file struct {
	Path  []byte          `json:"path"`
	Kinds []evidence.Kind `json:"kinds"`
}

// end is how the watching went.
type end struct {
	Lost   uint64   `json:"lost"`
	Errors []string `json:"errors,omitempty"`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	run := observe
	if len(os.Args) == 2 && os.Args[1] == helperVerb {
		run = sensor.Serve
	}
	err := run(ctx, os.Stdin, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "observe:", err)
		os.Exit(1)
	}
}

func observe(ctx context.Context, in io.Reader, out io.Writer) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("finding this program: %w", err)
	}
	session, err := sensor.Start(ctx, []string{self, helperVerb})
	if err != nil {
		return err
	}
	to := json.NewEncoder(out)
	if err := to.Encode(line{Ready: true}); err != nil {
		return fmt.Errorf("writing: %w", err)
	}
	lines := bufio.NewReader(in)
	id, err := lines.ReadString('\n')
	if err != nil {
		if errors.Is(err, io.EOF) {
			return nil // never used
		}
		return fmt.Errorf("reading the container's ID: %w", err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = io.Copy(io.Discard, lines)
	}()
	if err := claim(ctx, session, strings.TrimSpace(id), ended); err != nil {
		return err
	}
	if err := to.Encode(line{Claimed: true}); err != nil {
		return fmt.Errorf("writing: %w", err)
	}
	for watching := true; watching; {
		select {
		case <-session.Changed():
		case <-session.Done():
			return fmt.Errorf("watching: %w", session.Err())
		case <-ctx.Done():
			watching = false
		case <-ended:
			watching = false
		}
		if err := tell(to, session.Drain()); err != nil {
			return err
		}
	}
	// All of it once more: a file may have been used in further ways.
	all, health, err := session.Stop(context.WithoutCancel(ctx))
	if err := tell(to, all); err != nil {
		return err
	}
	told := end{Lost: health.Lost.Total(), Errors: health.Errors}
	if err != nil {
		told.Errors = append(told.Errors, err.Error())
	}
	return to.Encode(line{End: &told})
}

// claim names the container; it gives up when the input ends.
func claim(ctx context.Context, session *sensor.Session, id string, ended <-chan struct{}) error {
	ctx, cancel := context.WithTimeoutCause(ctx, claimFor, fmt.Errorf("no program of it ran within %s", claimFor))
	defer cancel()
	go func() {
		select {
		case <-ended:
			cancel()
		case <-ctx.Done():
		}
	}()
	if _, err := session.Claim(ctx, id, sensor.ClaimOptions{}); err != nil {
		return fmt.Errorf("claiming container %q: %w", id, err)
	}
	return nil
}

func tell(to *json.Encoder, seen []evidence.Observation) error {
	for _, o := range seen {
		if err := to.Encode(line{File: &file{Path: o.Path, Kinds: o.Kinds}}); err != nil {
			return fmt.Errorf("writing: %w", err)
		}
	}
	return nil
}
