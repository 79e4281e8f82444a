package sensor

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// Serve is the helper: it attaches the sensor, says so on out, obeys the
// commands on in, and ends with a stop command, when in ends (its parent is
// gone) or when ctx does. Failures to attach are told on out and returned.
//
// For the self-test it starts its own executable again with the same
// arguments and an environment variable, and Serve takes the other branch.
func Serve(ctx context.Context, in io.Reader, out io.Writer) error {
	return serve(ctx, in, out, tuning{})
}

// tuning are settings that only tests change.
type tuning struct {
	// ring is the ring buffer's size in bytes; 0 is the default.
	ring uint32
	// files is how many different files the kernel's table holds; 0 is the default.
	files uint32
	// blocked keeps the ring from being read until a canary has run.
	blocked bool
}

func serve(ctx context.Context, in io.Reader, out io.Writer, t tuning) error {
	if os.Getenv(canaryEnv) != "" {
		return canaryChild(in, out)
	}
	// The terminal's interrupt is for the parent, which stops the helper.
	signal.Ignore(syscall.SIGINT, syscall.SIGHUP, syscall.SIGPIPE)
	send := newSender(out)
	p, err := attach(t)
	if err != nil {
		m := message{Type: msgFailed, Error: err.Error()}
		switch {
		case errors.Is(err, ErrPermission):
			m.Cause = causePermission
		case errors.Is(err, ErrUnsupported):
			m.Cause = causeUnsupported
		}
		send.message(m)
		send.close()
		return fmt.Errorf("starting the sensor: %w", err)
	}
	w := newWatch(p, send, t)
	defer w.close()
	health := w.health()
	send.message(message{Type: msgReady, Health: &health})

	commands := make(chan command)
	ended := make(chan struct{})
	defer close(ended)
	go readCommands(in, commands, ended)
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case c, ok := <-commands:
			if !ok {
				return nil
			}
			switch c.Do {
			case doClaim:
				w.claim(c)
			case doCanary:
				canary := w.runCanary(ctx, c.Stage)
				send.message(message{Type: msgCanary, ID: c.ID, Canary: &canary})
			case doStop:
				health := w.stop(ctx)
				send.message(message{Type: msgEnd, ID: c.ID, Health: &health})
				return send.close()
			}
		}
	}
}

// readCommands passes on the lines of in until in ends or a line is no command.
func readCommands(in io.Reader, commands chan<- command, ended <-chan struct{}) {
	defer close(commands)
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 4<<10), maxLine)
	for lines.Scan() {
		var c command
		if json.Unmarshal(lines.Bytes(), &c) != nil {
			return
		}
		select {
		case commands <- c:
		case <-ended:
			return
		}
	}
}
