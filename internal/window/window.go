// Package window watches one running workload for its time: until it is ready,
// while it is exercised, until the configured time has passed or nothing new
// is seen. What runs the workload, and where, is the engines' to know.
package window

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/vexxy/action/internal/evidence"
	"github.com/vexxy/action/internal/exercise"
	"github.com/vexxy/action/internal/sensor"
)

// glance is how often the window looks at what has no event of its own: the
// progress line and the quiet time.
const glance = 500 * time.Millisecond

// canaryTimeout is how long the sensor may take for one self-test.
const canaryTimeout = 20 * time.Second

// errSensor ends what waits when there is no sensor any more.
var errSensor = errors.New("the sensor ended")

// errExited ends what waits for a workload that is no more.
var errExited = errors.New("the workload ended")

// Progress is told how the window goes.
type Progress interface {
	// Window says that the window begins and lasts at most total; 0 ends it.
	Window(total time.Duration)
	Seen(files, packages int)
	Note(string)
}

// Options say how long a workload is watched and how it is used meanwhile.
type Options struct {
	// Duration is the longest window. With EarlyStop it ends before, once the
	// exercise is done and no new package was seen for Quiet.
	Duration  time.Duration
	EarlyStop bool
	Quiet     time.Duration
	Exercise  exercise.Plan
}

// Watch is one window, from the workload's first exec to the last canary.
type Watch struct {
	Options
	// Sensor is attached and has passed its first self-test. It is nil where
	// no sensor can see the workload: then nothing but the time is watched.
	Sensor   *sensor.Session
	Target   exercise.Target
	Progress Progress
	Seen     *Tracker
	// Ended gets nil once the workload has ended by itself, or the reason why
	// that cannot be told any more. It has room for one.
	Ended chan error

	// Settled is called once the startup phase is over, whether the workload is
	// ready or not. It may be nil.
	Settled func()

	// Evidence grows while the workload is watched.
	Evidence evidence.Evidence

	phases phases
	middle bool // the middle canary was run
}

// Run has the workload started, by a function that gives the time of its first
// exec, and watches it to the window's end. The error is for what keeps the
// window from being one; a workload that fares badly is evidence.
func (w *Watch) Run(ctx context.Context, start func(context.Context) (time.Time, error)) error {
	w.Evidence.Workload.ReadyBy = evidence.ReadyNever
	w.enter(evidence.PhaseStartup)
	first, err := start(ctx)
	if err != nil {
		return err
	}
	w.phases.restart(first)
	w.Evidence.Window = evidence.Window{Start: first, Configured: w.Duration.Seconds()}
	w.Progress.Window(w.Duration)

	ended := fmt.Errorf("the window of %s ended", w.Duration)
	inner, cancel := context.WithDeadlineCause(ctx, first.Add(w.Duration), ended)
	defer cancel()
	inner = w.untilExit(inner)
	stopGlance := w.glancing(inner)

	stopped, err := w.live(inner, ended)
	stopGlance()
	w.Progress.Window(0)
	w.Evidence.Window.End = time.Now().UTC()
	w.phases.end(w.Evidence.Window.End)
	w.Evidence.Window.Stopped = stopped
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// Conclude takes the last canary and asks the sensor for all that it saw. It
// must be called while the workload still exists.
func (w *Watch) Conclude(ctx context.Context) error {
	w.Evidence.Phases = w.phases.all
	if w.Sensor == nil {
		return nil
	}
	if !w.middle {
		if err := w.Canary(ctx, "middle"); err != nil {
			return err
		}
	}
	if err := w.Canary(ctx, "end"); err != nil {
		return err
	}
	observations, health, err := w.Sensor.Stop(ctx)
	if err != nil {
		return fmt.Errorf("asking the sensor for what it saw: %w", err)
	}
	w.Evidence.Observations, w.Evidence.Health = observations, health
	return nil
}

// Canary runs one self-test of the sensor inside the workload's group. The
// sensor keeps the outcome.
func (w *Watch) Canary(ctx context.Context, stage string) error {
	if w.Sensor == nil {
		return nil
	}
	ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), canaryTimeout,
		fmt.Errorf("no answer within %s", canaryTimeout))
	defer cancel()
	w.middle = w.middle || stage == "middle"
	if _, err := w.Sensor.Canary(ctx, stage); err != nil {
		return fmt.Errorf("testing the sensor: %w", err)
	}
	return nil
}

// enter begins a phase, for the record and for the sensor.
func (w *Watch) enter(name string) {
	w.phases.enter(name, time.Now())
	if w.Sensor != nil {
		w.Sensor.Phase(name)
	}
}

// untilExit gives a context that ends with errExited when the workload does,
// and with the sensor's error when that does.
func (w *Watch) untilExit(ctx context.Context) context.Context {
	ctx, cancel := context.WithCancelCause(ctx)
	var sensorEnded <-chan struct{}
	if w.Sensor != nil {
		sensorEnded = w.Sensor.Done()
	}
	go func() {
		select {
		case err := <-w.Ended:
			if err == nil {
				err = errExited
			}
			cancel(err)
		case <-sensorEnded:
			cancel(errSensor)
		case <-ctx.Done():
			cancel(nil)
		}
	}()
	return ctx
}

// glancing keeps the progress line current until the function that it gives
// is called.
func (w *Watch) glancing(ctx context.Context) func() {
	if w.Sensor == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			for _, o := range w.Sensor.Drain() {
				w.Seen.see(o)
			}
			w.Progress.Seen(w.Seen.counts())
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
