package embedded

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/vexxy/action/internal/catalog"
	"github.com/vexxy/action/internal/evidence"
	"github.com/vexxy/action/internal/inventory"
	"github.com/vexxy/action/internal/record"
	"github.com/vexxy/action/internal/sensor"
	"github.com/vexxy/action/internal/source"
	"github.com/vexxy/action/internal/window"
)

// abandonTimeout bounds the wait for a sensor whose answer nobody wants.
const abandonTimeout = 2 * time.Second

// Prepare reaches the Docker engine and checks that the sensor can run here.
func (e *Engine) Prepare(ctx context.Context) error {
	docker, err := Connect(ctx)
	if err != nil {
		return err
	}
	e.docker = docker
	return nil
}

// Observe runs the image under the sensor while Syft and Grype read it, and
// gives the record of both. A workload that fails is evidence, not an error.
func (e *Engine) Observe(ctx context.Context, img source.Image) (record.Record, error) {
	rec := record.Record{Subject: img.Subject}
	seen := window.NewTracker()
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		var err error
		rec.Inventory, rec.SBOM, err = e.takeInventory(gctx, img, seen)
		return err
	})
	g.Go(func() error { // without a database there is no need to go on
		_, err := e.matcher(gctx)
		return err
	})
	g.Go(func() error {
		var err error
		rec.Evidence, err = e.watch(gctx, img, seen)
		return err
	})
	err := g.Wait()
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	return rec, err
}

// takeInventory reads the image's packages and matches them. What the readers
// of hostile files panic over is an error: a panic here would end the program
// with the code of a failed gate and leave the container behind.
func (e *Engine) takeInventory(ctx context.Context, img source.Image, seen *window.Tracker) (_ inventory.Inventory, _ []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("reading the image's packages: panic: %v\n%s", p, debug.Stack())
		}
	}()
	tmp, remove, err := catalog.TempDir(e.options.TempDir)
	if err != nil {
		return inventory.Inventory{}, nil, err
	}
	defer remove()
	done := e.progress.Step("read packages")
	read, err := catalog.Read(ctx, img.Image, img.Requested, tmp)
	done(err)
	if err != nil {
		return inventory.Inventory{}, nil, err
	}
	seen.Know(read.Packages)

	done = e.progress.Step("match vulnerabilities")
	matcher, err := e.matcher(ctx)
	var inv inventory.Inventory
	if err == nil {
		inv, err = matcher.Complete(ctx, read)
	}
	done(err)
	return inv, read.SBOM, err
}

// watch runs the workload for its window and gives the evidence. The sensor
// is attached and tested before the container starts, and asked for what it
// saw before the container is taken away.
func (e *Engine) watch(ctx context.Context, img source.Image, seen *window.Tracker) (evidence.Evidence, error) {
	o := e.options
	w := &observation{engine: e}
	w.Options = window.Options{Duration: o.Duration, EarlyStop: o.EarlyStop, Quiet: o.Quiet, Exercise: o.Exercise}
	w.Seen, w.Progress, w.Ended = seen, e.progress, make(chan error, 1)
	defer func() {
		if w.Sensor != nil {
			// Its answer was taken, or is of no use any more: what runs must
			// be taken away soon, whether the helper answers or not.
			stopping, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), abandonTimeout,
				fmt.Errorf("the sensor did not end within %s", abandonTimeout))
			defer cancel()
			w.Sensor.Stop(stopping)
		}
	}()
	done := e.progress.Step("prepare container")
	err := w.prepare(ctx, img)
	done(err)
	if err != nil {
		return evidence.Evidence{}, err
	}
	done = e.progress.Step("observe")
	ev, err := w.run(ctx, img)
	done(err)
	return ev, err
}

// prepare attaches and tests the sensor while the engine gets the image, and
// makes the container.
func (w *observation) prepare(ctx context.Context, img source.Image) error {
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		session, err := sensor.Start(ctx, w.engine.options.SensorCommand)
		if err != nil {
			return err
		}
		w.Sensor = session
		return w.Canary(ctx, "start")
	})
	g.Go(func() error {
		ref, err := w.engine.provide(gctx, img)
		if err != nil {
			return err
		}
		w.workload, err = w.engine.create(gctx, ref, img)
		w.Target = w.workload
		return err
	})
	return g.Wait()
}
