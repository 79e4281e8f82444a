package sticky

import (
	"context"
	"fmt"
	"time"
)

// Kind is what a failed request means for the next one.
type Kind int

// The kinds of failures.
const (
	Passing  Kind = iota // it may work again: 5xx, a time-out, a lost connection
	Limited              // too many requests
	Denied               // the token may not
	Missing              // not there, or not for this token
	TooLong              // the text
	Refused              // anything else
	Answered             // no failure
)

// Failure is a request that failed. An answer that got lost is passing: the
// request may have taken effect.
type Failure struct {
	Kind   Kind
	Status int
	Wait   time.Duration // asked for by the host; 0 where it did not
	What   string        // encoded for one line
}

// Patience is what is left of a budget of waiting: when it ends, and how long
// the next wait is.
type Patience struct {
	Until time.Time
	Next  time.Duration
}

// Wait waits as long as a failure asks for, else longer each time. Where the
// budget does not last that long the error says so at once.
func (p *Patience) Wait(ctx context.Context, f Failure) error {
	wait := f.Wait
	if wait == 0 {
		wait = p.Next
		p.Next *= 2
	}
	if left := time.Until(p.Until); wait > left {
		return fmt.Errorf("%s; waiting %s more is beyond what is left for it", f.What, wait.Round(time.Millisecond))
	}
	return pause(ctx, wait)
}

// Try repeats a request until it is answered or fails for good, or the budget
// does not last: then the failure says so.
func (p *Patience) Try(ctx context.Context, try func(context.Context) Failure) Failure {
	for {
		f := try(ctx)
		if f.Kind != Passing && f.Kind != Limited {
			return f
		}
		if err := p.Wait(ctx, f); err != nil {
			f.What = err.Error()
			return f
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
