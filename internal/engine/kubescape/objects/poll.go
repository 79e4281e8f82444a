package objects

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/foreign"
)

// lookTimeout bounds one look, so that a connection that hangs is not the end;
// longestPause the pause that an ailing server gets.
const (
	lookTimeout  = 60 * time.Second
	longestPause = 5 * time.Second
)

var errSlow = fmt.Errorf("the API server did not answer within %s", lookTimeout)

// look asks once. The state says in words what was seen; an error that is no
// *fault.Error is a server's, and may pass.
type look func(ctx context.Context) (done bool, state string, err error)

// poll looks until it is done. An ailing server (429, 500, no answer) is asked
// ever less often, or as often as it says. The error is the cause of a ctx that
// ended, or a *fault.Error that says what was waited for and was seen last.
func (c *Client) poll(ctx context.Context, limit time.Duration, what string, see look) error {
	expired := errors.New(what)
	bounded, cancel := context.WithTimeoutCause(ctx, limit, expired)
	defer cancel()
	last, hint, pause := "nothing was seen of it", "", c.limits.Poll
	for {
		one, end := context.WithTimeoutCause(bounded, lookTimeout, errSlow)
		done, state, err := see(one)
		slow := one.Err() != nil && bounded.Err() == nil
		end()
		ailing := c.health.since(err)
		var final *fault.Error
		switch {
		case done && err == nil:
			return nil
		case errors.As(err, &final):
			return err
		case err != nil && bounded.Err() == nil:
			pause = longer(pause, err)
			last, hint = message(err), serverHint
			if slow {
				last = errSlow.Error()
			}
			if ailing >= c.limits.Ailing {
				return fault.New(fault.Infra, hint, "%w; Kubescape's API has given nothing but errors for %s: %s", expired, ailing.Round(time.Second), last)
			}
		case state != "":
			last, hint, pause = state, "", c.limits.Poll
		default:
			pause = c.limits.Poll
		}
		again := time.NewTimer(pause)
		select {
		case <-again.C:
			continue
		case <-bounded.Done():
			again.Stop()
		}
		if cause := context.Cause(bounded); cause != expired {
			return cause
		}
		return fault.New(fault.Infra, hint, "waiting %s: %w; the last state: %s", limit, expired, last)
	}
}

// health is whether Kubescape's API answers, as all who ask it see it.
type health struct {
	mu   sync.Mutex
	ill  time.Time // since when, zero for well
	last time.Time // when it was looked at
}

// since notes the outcome of a look and gives how long there have been nothing
// but errors. Those that are about the object, and not the server, are none.
func (h *health) since(err error) time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	var said *fault.Error
	if err == nil || errors.As(err, &said) {
		h.ill = time.Time{}
		return 0
	}
	now := time.Now()
	if h.ill.IsZero() || now.Sub(h.last) > lookTimeout+2*longestPause { // nobody knows what was between
		h.ill = now
	}
	h.last = now
	return now.Sub(h.ill)
}

const serverHint = "see the log of Kubescape's storage, and whether its APIService is available"

// longer gives the pause after a failure.
func longer(pause time.Duration, err error) time.Duration {
	pause = min(2*pause, longestPause)
	if seconds, ok := apierrors.SuggestsClientDelay(err); ok {
		pause = max(pause, min(time.Duration(max(seconds, 0))*time.Second, 2*longestPause))
	}
	return pause
}

// refused turns an error that no waiting mends into words; others it gives
// back, nil for a missing object.
func refused(verb, what string, err error) error {
	switch {
	case apierrors.IsNotFound(err):
		return nil
	case apierrors.IsForbidden(err), apierrors.IsUnauthorized(err):
		return fault.New(fault.Infra, "let the kubeconfig's user "+verb+" "+what, "reading Kubescape's objects: %s", message(err))
	}
	return err
}

// message is a server's error for people.
func message(err error) string { return shown(err.Error(), 300) }

// shown makes foreign text fit for a sentence.
func shown(s string, max int) string { return foreign.Text(s).Line(max) }

// words are an error with what to do about it.
func words(err error) string {
	if hint := fault.HintOf(err); hint != "" {
		return err.Error() + ": " + hint
	}
	return err.Error()
}

// settle separates a run that ended from what is only to be said.
func settle(ctx context.Context, err error) (said string, ended error) {
	switch {
	case err == nil:
		return "", nil
	case ctx.Err() != nil:
		return "", context.Cause(ctx)
	}
	return words(err), nil
}
