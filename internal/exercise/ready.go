package exercise

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/vexxy/action/internal/evidence"
)

// pollEvery is the time between two looks at a condition that cannot be
// watched: a port or URL that does not answer yet.
const pollEvery = 200 * time.Millisecond

// ErrNotReady is in the chain of the error of a workload that was not ready in
// time.
var ErrNotReady = errors.New("workload not ready")

// Ready waits until the workload is ready by the strongest sign there is: the
// plan's input, the image's health check, its TCP ports. Without any of them
// it returns ReadyRunning at once: only the whole window can tell. The error
// wraps ErrNotReady when the time ran out.
func (p Plan) Ready(ctx context.Context, t Target) (evidence.Ready, error) {
	by, look := p.sign(ctx, t)
	if look == nil {
		return by, nil
	}
	end := time.Now().Add(p.ReadyTimeout)
	bounded, cancel := context.WithDeadline(ctx, end)
	defer cancel()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	last := errors.New("no sign of it")
	for {
		err := look(bounded)
		if err == nil {
			return by, nil
		}
		if time.Now().Before(end) {
			last = err // else err only says that the time ran out
		}
		select {
		case <-tick.C:
		case <-bounded.Done():
			if cause := context.Cause(ctx); cause != nil {
				return evidence.ReadyNever, cause
			}
			return evidence.ReadyNever, fmt.Errorf("%w by %s after %s: %w", ErrNotReady, by, p.ReadyTimeout, last)
		}
	}
}

// sign picks the strongest sign of readiness; look is nil when there is none.
func (p Plan) sign(ctx context.Context, t Target) (evidence.Ready, func(context.Context) error) {
	switch {
	case p.ReadyURL != "":
		return evidence.ReadyInput, func(ctx context.Context) error { return lookURL(ctx, t, p.ReadyURL) }
	case len(p.ReadyCommand) > 0:
		return evidence.ReadyInput, func(ctx context.Context) error {
			code, out, err := t.Exec(ctx, p.ReadyCommand)
			if err == nil && code != 0 {
				err = errors.New(p.redact(outcome(code, out)))
			}
			return err
		}
	}
	if h, err := t.Health(ctx); err == nil && h != HealthNone {
		return evidence.ReadyHealthcheck, func(ctx context.Context) error { return lookHealth(ctx, t) }
	}
	if len(t.Ports()) > 0 && t.Networked() {
		return evidence.ReadyPorts, func(ctx context.Context) error { return lookPorts(ctx, t) }
	}
	return evidence.ReadyRunning, nil
}

func lookURL(ctx context.Context, t Target, s string) error {
	u, err := URL(ctx, t, s)
	if err != nil {
		return err
	}
	status, err := get(ctx, u)
	if err == nil && status >= 400 {
		err = fmt.Errorf("HTTP %d", status)
	}
	return err
}

func lookHealth(ctx context.Context, t Target) error {
	h, err := t.Health(ctx)
	if err == nil && h != HealthHealthy {
		err = fmt.Errorf("health check says %s", h)
	}
	return err
}

func lookPorts(ctx context.Context, t Target) error {
	for _, port := range t.Ports() {
		if err := t.Accepts(ctx, port); err != nil {
			return err
		}
	}
	return nil
}
