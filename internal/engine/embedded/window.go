package embedded

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/vexxy/action/internal/evidence"
	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/sensor"
	"github.com/vexxy/action/internal/source"
	"github.com/vexxy/action/internal/window"
)

// claimTimeout is how long the sensor may take to see the container's first
// exec.
const claimTimeout = 30 * time.Second

const claimHint = "the engine's containers must run on this machine's own kernel; `vexxy doctor` says whether they do"

// observation is one container under the sensor.
type observation struct {
	window.Watch
	engine   *Engine
	workload *workload
}

// run starts the workload and watches it to the window's end.
func (w *observation) run(ctx context.Context, img source.Image) (evidence.Evidence, error) {
	w.Evidence.Engine = Name
	if err := w.Run(ctx, w.start); err != nil {
		return w.Evidence, err
	}
	return w.Evidence, w.conclude(ctx, img)
}

// start starts the workload while the sensor already waits for it, so that the
// image's files are listed before the workload can change them.
func (w *observation) start(ctx context.Context) (time.Time, error) {
	w.workload.await(ctx, w.Ended) // not gctx, which ends with this function
	var claimed sensor.Claimed
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		claimed, err = w.claim(gctx)
		return err
	})
	g.Go(func() error { return w.workload.start(gctx) })
	return claimed.FirstExecAt, g.Wait()
}

// claim waits for the sensor to find the container's control group.
func (w *observation) claim(ctx context.Context) (sensor.Claimed, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, claimTimeout,
		fmt.Errorf("the sensor saw no program start within %s", claimTimeout))
	defer cancel()
	claimed, err := w.Sensor.Claim(ctx, w.workload.id, sensor.ClaimOptions{})
	if err != nil {
		return claimed, fault.New(fault.Infra, claimHint, "finding the container's processes: %w", err)
	}
	return claimed, nil
}
