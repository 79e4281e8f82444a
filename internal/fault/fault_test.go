package fault

import (
	"context"
	"errors"
	"fmt"
	"testing"
)

// The strongest code of a run wins, in the documented order.
func TestWorst(t *testing.T) {
	order := []Code{130, 143, 124, 6, 1, 3, 5, 4, 2, 7, 8, 0}
	for i, strong := range order {
		for _, weak := range order[i:] {
			if got := Worst(weak, strong); got != strong {
				t.Errorf("of %d and %d, %d wins", weak, strong, got)
			}
			if got := Worst(strong, weak); got != strong {
				t.Errorf("of %d and %d, %d wins", strong, weak, got)
			}
		}
	}
	if got := Worst(); got != Pass {
		t.Errorf("no code at all gives %d", got)
	}
	if got := Worst(99); got != Internal {
		t.Errorf("an unknown code gives %d", got)
	}
}

func TestCodeOf(t *testing.T) {
	ended := func(cause error) context.Context {
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(cause)
		return ctx
	}
	inner := New(Infra, "", "reading: %w", errors.New("broken"))
	for _, c := range []struct {
		name string
		ctx  context.Context
		err  error
		want Code
	}{
		{"nothing", t.Context(), nil, Pass},
		{"unknown error", t.Context(), errors.New("broken"), Internal},
		{"fault", t.Context(), fmt.Errorf("running: %w", inner), Infra},
		{"outer fault wins", t.Context(), New(Usage, "", "running: %w", inner), Usage},
		{"interrupted", ended(Signal{Interrupted}), inner, Interrupted},
		{"terminated without an error", ended(Signal{Terminated}), nil, Terminated},
		{"deadline", ended(ErrDeadline), inner, Deadline},
		{"cancelled for another reason", ended(errors.New("other")), inner, Infra},
	} {
		if got := CodeOf(c.ctx, c.err); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}

func TestHintOf(t *testing.T) {
	inner := New(Infra, "start it", "reaching: %w", errors.New("refused"))
	for _, c := range []struct {
		name string
		err  error
		want string
	}{
		{"none", errors.New("broken"), ""},
		{"wrapped", fmt.Errorf("running: %w", inner), "start it"},
		{"outer first", New(Usage, "name it", "running: %w", inner), "name it"},
		{"an empty hint hides none", New(Usage, "", "running: %w", inner), "start it"},
		{"first of several", errors.Join(errors.New("broken"), inner, New(Usage, "second", "x")), "start it"},
	} {
		if got := HintOf(c.err); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
