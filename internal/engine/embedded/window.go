package embedded

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/vexxy/action/internal/evidence"
	"github.com/vexxy/action/internal/exercise"
	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/sensor"
	"github.com/vexxy/action/internal/source"
)

// glance is how often the window looks at what has no event of its own: the
// progress line and the quiet time.
const glance = 500 * time.Millisecond

// The longest times that the sensor may take to answer.
const (
	claimTimeout  = 30 * time.Second
	canaryTimeout = 20 * time.Second
)

const claimHint = "the engine's containers must run on this machine's own kernel; `vexxy doctor` says whether they do"

// errSensor ends what waits when there is no sensor any more.
var errSensor = errors.New("the sensor ended")

// errExited ends what waits for a workload that is no more.
var errExited = errors.New("the workload ended")

// window is the time in which one workload is watched, from its first exec to
// the last canary.
type window struct {
	engine   *Engine
	sensor   *sensor.Session
	workload *workload
	seen     *tracker
	middle   bool // the middle canary was run

	evidence evidence.Evidence
	phases   phases
}

// run starts the workload and watches it to the window's end.
func (w *window) run(ctx context.Context, img source.Image) (evidence.Evidence, error) {
	o := w.engine.options
	w.evidence.Engine = Name
	w.evidence.Workload.ReadyBy = evidence.ReadyNever
	w.enter(evidence.PhaseStartup)
	claimed, err := w.start(ctx)
	if err != nil {
		return w.evidence, err
	}
	start := claimed.FirstExecAt
	w.phases.restart(start)
	w.evidence.Window = evidence.Window{Start: start, Configured: o.Duration.Seconds()}
	w.engine.progress.Window(o.Duration)

	ended := fmt.Errorf("the window of %s ended", o.Duration)
	inner, cancel := context.WithDeadlineCause(ctx, start.Add(o.Duration), ended)
	defer cancel()
	inner = w.untilExit(inner)
	stopGlance := w.glancing(inner)

	stopped, err := w.live(inner, ended)
	stopGlance()
	w.engine.progress.Window(0)
	w.evidence.Window.End = time.Now().UTC()
	w.phases.end(w.evidence.Window.End)
	w.evidence.Window.Stopped = stopped
	if cause := context.Cause(ctx); cause != nil {
		return w.evidence, cause
	}
	if err != nil {
		return w.evidence, err
	}
	return w.evidence, w.conclude(ctx, img)
}

// live takes the workload through its phases: startup, exercise, idle.
func (w *window) live(ctx context.Context, ended error) (evidence.Stop, error) {
	plan := w.engine.options.Exercise
	by, err := plan.Ready(ctx, w.workload)
	switch {
	case errors.Is(err, exercise.ErrNotReady):
		w.engine.progress.Note(err.Error())
		return evidence.StopNotReady, w.canary(ctx, "middle")
	case err != nil:
		return w.cut(ctx, ended)
	}
	w.evidence.Workload.ReadyBy = by
	w.evidence.Workload.ReadyAt = time.Now().UTC()

	if plan.Declared() {
		w.enter(evidence.PhaseExercise)
		w.evidence.Exercise, err = plan.Run(ctx, w.workload)
		if err != nil {
			return w.cut(ctx, ended)
		}
	}
	exercised := time.Now()
	w.enter(evidence.PhaseIdle)
	// The middle canary stands in the middle of an idle window; where there
	// was an exercise it follows that at once, since an early stop may come.
	if !plan.Declared() {
		if !sleep(ctx, time.Until(w.evidence.Window.Start.Add(w.engine.options.Duration/2))) {
			return w.cut(ctx, ended)
		}
	}
	if err := w.canary(ctx, "middle"); err != nil {
		return evidence.StopSensor, err
	}
	return w.idle(ctx, ended, exercised)
}

// idle waits for the window's end, or for the quiet time after an exercise.
func (w *window) idle(ctx context.Context, ended error, exercised time.Time) (evidence.Stop, error) {
	o := w.engine.options
	early := o.EarlyStop && o.Exercise.Declared()
	for {
		next := glance
		if early {
			if since, known := w.seen.quietSince(exercised); known {
				next = time.Until(since.Add(o.Quiet))
				if next <= 0 {
					w.evidence.Window.Quiet = time.Since(since).Seconds()
					return evidence.StopQuiet, nil
				}
			}
		} else {
			next = o.Duration
		}
		if !sleep(ctx, next) {
			return w.cut(ctx, ended)
		}
	}
}

// cut says why the window's context ended: its time, the workload's end, or
// what ended the run.
func (w *window) cut(ctx context.Context, ended error) (evidence.Stop, error) {
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, ended):
		return evidence.StopDuration, nil
	case errors.Is(cause, errExited):
		return evidence.StopExited, nil // conclude knows how it ended
	case errors.Is(cause, errSensor):
		return evidence.StopSensor, fmt.Errorf("the sensor ended: %w", w.sensor.Err())
	case cause != nil: // the run's end, or the engine's failure
		return evidence.StopInterrupted, cause
	default:
		return evidence.StopSensor, errors.New("the window ended without a cause")
	}
}

// canary runs one self-test of the sensor inside the workload's group. The
// sensor keeps the outcome.
func (w *window) canary(ctx context.Context, stage string) error {
	ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), canaryTimeout,
		fmt.Errorf("no answer within %s", canaryTimeout))
	defer cancel()
	w.middle = w.middle || stage == "middle"
	if _, err := w.sensor.Canary(ctx, stage); err != nil {
		return fmt.Errorf("testing the sensor: %w", err)
	}
	return nil
}

// start starts the workload while the sensor already waits for it, so that the
// image's files are listed before the workload can change them.
func (w *window) start(ctx context.Context) (sensor.Claimed, error) {
	w.workload.await(ctx) // not gctx, which ends with this function
	var claimed sensor.Claimed
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		claimed, err = w.claim(gctx)
		return err
	})
	g.Go(func() error { return w.workload.start(gctx) })
	return claimed, g.Wait()
}

// claim waits for the sensor to find the container's control group.
func (w *window) claim(ctx context.Context) (sensor.Claimed, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, claimTimeout,
		fmt.Errorf("the sensor saw no program start within %s", claimTimeout))
	defer cancel()
	claimed, err := w.sensor.Claim(ctx, w.workload.id, sensor.ClaimOptions{})
	if err != nil {
		return claimed, fault.New(fault.Infra, claimHint, "finding the container's processes: %w", err)
	}
	return claimed, nil
}

// enter begins a phase, for the record and for the sensor.
func (w *window) enter(name string) {
	w.phases.enter(name, time.Now())
	w.sensor.Phase(name)
}

// untilExit gives a context that ends with errExited when the workload does,
// and with the sensor's error when that does.
func (w *window) untilExit(ctx context.Context) context.Context {
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		select {
		case <-w.workload.exited:
			cancel(errExited)
		case <-w.sensor.Done():
			cancel(errSensor)
		case err := <-w.workload.waitErr:
			cancel(infra(err, "waiting for the container"))
		case <-ctx.Done():
			cancel(nil)
		}
	}()
	return ctx
}

// glancing keeps the progress line current until the function that it gives
// is called.
func (w *window) glancing(ctx context.Context) func() {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			for _, o := range w.sensor.Drain() {
				w.seen.see(o)
			}
			w.engine.progress.Seen(w.seen.counts())
			if !sleep(ctx, glance) {
				return
			}
		}
	})
	return func() {
		cancel()
		wg.Wait()
	}
}

// sleep waits for d; false says that the context ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
