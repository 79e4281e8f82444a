package kubescape

import (
	"context"
	"errors"
	"fmt"
)

// undoing notes how to take back what is about to be made.
func (e *Engine) undoing(what string, f func(context.Context) error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.undos = append(e.undos, undo{what, f})
}

// Close takes back everything that the engine made, last first. It may be
// called at any point, more than once, and goes on after a failure: what could
// not be removed stays in the list and in the error.
func (e *Engine) Close(ctx context.Context) error {
	e.mu.Lock()
	undos := e.undos
	e.undos = nil
	e.mu.Unlock()
	var errs []error
	var left []undo
	for i := len(undos) - 1; i >= 0; i-- {
		if err := undos[i].f(ctx); err != nil {
			errs = append(errs, fmt.Errorf("removing %s: %w", undos[i].what, err))
			left = append([]undo{undos[i]}, left...)
		}
	}
	e.mu.Lock()
	e.undos = append(left, e.undos...)
	e.mu.Unlock()
	return errors.Join(errs...)
}
