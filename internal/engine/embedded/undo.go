package embedded

import (
	"context"
	"errors"
	"fmt"

	"github.com/vexxy/action/internal/journal"
)

// making notes that something is about to be made: in the journal, for a later
// cleanup should this process be killed, and in the engine's own list.
func (e *Engine) making(kind journal.Kind, id string, remove func(context.Context, string) error) error {
	if err := e.journal.Created(kind, id); err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.undos = append(e.undos, undo{what: string(kind) + " " + id, f: func(ctx context.Context) error {
		if err := remove(ctx, id); err != nil {
			return err
		}
		return e.journal.Removed(kind, id)
	}})
	return nil
}

// Close takes back everything that the engine made, last first. It may be called at any point, more than once, and goes on after a
// failure: what could not be removed stays in the list and in the error.
func (e *Engine) Close(ctx context.Context) error {
	var errs []error
	e.mu.Lock()
	undos := e.undos
	e.undos = nil
	e.mu.Unlock()
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
	if len(left) == 0 && e.docker != nil {
		e.docker.Close()
		e.docker = nil
	}
	return errors.Join(errs...)
}
