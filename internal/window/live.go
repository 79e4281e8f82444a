package window

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/vexxy/action/internal/evidence"
	"github.com/vexxy/action/internal/exercise"
)

// live takes the workload through its phases: startup, exercise, idle.
func (w *Watch) live(ctx context.Context, ended error) (evidence.Stop, error) {
	plan := w.Exercise
	by, err := plan.Ready(ctx, w.Target)
	if w.Settled != nil {
		w.Settled()
	}
	switch {
	case errors.Is(err, exercise.ErrNotReady):
		w.Progress.Note(err.Error())
		return evidence.StopNotReady, w.Canary(ctx, "middle")
	case err != nil:
		return w.cut(ctx, ended)
	}
	w.Evidence.Workload.ReadyBy = by
	w.Evidence.Workload.ReadyAt = time.Now().UTC()

	if plan.Declared() {
		w.enter(evidence.PhaseExercise)
		w.Evidence.Exercise, err = plan.Run(ctx, w.Target)
		if err != nil {
			return w.cut(ctx, ended)
		}
	}
	exercised := time.Now()
	w.enter(evidence.PhaseIdle)
	// The middle canary stands in the middle of an idle window; where there
	// was an exercise it follows that at once, since an early stop may come.
	if !plan.Declared() {
		if !sleep(ctx, time.Until(w.Evidence.Window.Start.Add(w.Duration/2))) {
			return w.cut(ctx, ended)
		}
	}
	if err := w.Canary(ctx, "middle"); err != nil {
		return evidence.StopSensor, err
	}
	return w.idle(ctx, ended, exercised)
}

// idle waits for the window's end, or for the quiet time after an exercise.
func (w *Watch) idle(ctx context.Context, ended error, exercised time.Time) (evidence.Stop, error) {
	early := w.EarlyStop && w.Exercise.Declared()
	for {
		next := glance
		if early {
			if since, known := w.Seen.quietSince(exercised); known {
				next = time.Until(since.Add(w.Quiet))
				if next <= 0 {
					w.Evidence.Window.Quiet = time.Since(since).Seconds()
					return evidence.StopQuiet, nil
				}
			}
		} else {
			next = w.Duration
		}
		if !sleep(ctx, next) {
			return w.cut(ctx, ended)
		}
	}
}

// cut says why the window's context ended: its time, the workload's end, or
// what ended the run.
func (w *Watch) cut(ctx context.Context, ended error) (evidence.Stop, error) {
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, ended):
		return evidence.StopDuration, nil
	case errors.Is(cause, errExited):
		return evidence.StopExited, nil // the engine knows how it ended
	case errors.Is(cause, errSensor):
		return evidence.StopSensor, fmt.Errorf("the sensor ended: %w", w.Sensor.Err())
	case cause != nil: // the run's end, or the engine's failure
		return evidence.StopInterrupted, cause
	default:
		return evidence.StopSensor, errors.New("the window ended without a cause")
	}
}
