package kubescape

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vexxy/action/internal/catalog"
	"github.com/vexxy/action/internal/record"
	"github.com/vexxy/action/internal/sensor"
	"github.com/vexxy/action/internal/source"
	"github.com/vexxy/action/internal/window"
)

// abandonTimeout bounds the wait for a sensor whose answer nobody wants.
const abandonTimeout = 2 * time.Second

// Observe runs the image in the cluster, under node-agent and vexxy's own
// sensor, while Syft reads it, and gives the record of all that is known of
// it. A workload that fails is evidence, not an error. Several images may be
// observed at the same time.
func (e *Engine) Observe(ctx context.Context, img source.Image) (record.Record, error) {
	if err := e.runnable(ctx, img); err != nil {
		return record.Record{}, err
	}
	s := &sighting{engine: e, image: img, progress: e.progressOf(img)}
	s.Options = e.options.Window
	s.Seen, s.Progress, s.Ended = window.NewTracker(), s.progress, make(chan error, 1)
	settled := make(chan struct{})
	s.Settled = func() { close(settled) }
	rec := record.Record{Subject: img.Subject, Raw: map[string][]byte{}}
	var read *catalog.Catalog
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		read, err = e.read(gctx, img, s)
		return err
	})
	g.Go(func() error { // without a database there is no need to go on
		_, err := e.matcher(gctx)
		return err
	})
	g.Go(func() error {
		if err := come(gctx, settled); err != nil {
			return err
		}
		return e.complete(gctx)
	})
	g.Go(func() error { return s.watch(gctx) })
	err := g.Wait()
	if err == nil {
		err = s.testify(ctx, read, &rec)
	}
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	if err != nil {
		s.makeRoom(ctx)
	}
	return rec, err
}

// makeRoom takes the workload of an image that came to nothing out of the
// cluster, for the sake of those that still run. Close would do so at the end.
func (s *sighting) makeRoom(ctx context.Context) {
	if s.remove == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), removeTimeout)
	defer cancel()
	if err := s.remove(ctx); err != nil {
		s.progress.Note("removing the workload: " + err.Error())
	}
}

// read lists the image's packages. What the readers of hostile files panic
// over is an error.
func (e *Engine) read(ctx context.Context, img source.Image, s *sighting) (_ *catalog.Catalog, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("reading the image's packages: panic: %v\n%s", p, debug.Stack())
		}
	}()
	tmp, remove, err := catalog.TempDir(e.options.TempDir)
	if err != nil {
		return nil, err
	}
	defer remove()
	done := s.progress.Step("read packages")
	read, err := catalog.Read(ctx, img.Image, img.Requested, tmp)
	done(err)
	if err != nil {
		return nil, err
	}
	s.Seen.Know(read.Packages)
	return read, nil
}

// watch runs the workload for its window. The sensor is attached and tested
// before the workload is made.
func (s *sighting) watch(ctx context.Context) error {
	defer func() {
		if s.Sensor != nil {
			stopping, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), abandonTimeout, errors.New("the sensor did not end in time"))
			defer cancel()
			s.Sensor.Stop(stopping)
		}
	}()
	done := s.progress.Step("prepare workload")
	err := s.attach(ctx)
	if err == nil {
		err = s.engine.settled(ctx, Sandbox)
	}
	done(err)
	if err != nil {
		return err
	}
	defer s.forget()
	done = s.progress.Step("observe")
	s.Evidence.Engine = Name
	err = s.Run(ctx, s.start)
	if err == nil {
		err = s.conclude(ctx)
	}
	done(err)
	return err
}

// attach starts the sensor where it shares the kernel with the nodes. Where it
// does not, the evidence says so, and nothing will be cleared.
func (s *sighting) attach(ctx context.Context) error {
	same, err := s.engine.sharesKernel(ctx)
	switch {
	case err != nil:
		s.kubescape.Sensor = "it is not known whether the nodes run on this machine's kernel: " + err.Error()
		return nil
	case !same:
		s.kubescape.Sensor = "the nodes run on another kernel than this machine's"
		return nil
	}
	session, err := sensor.Start(ctx, s.engine.options.SensorCommand)
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			return cause
		}
		s.kubescape.Sensor = err.Error()
		s.progress.Note("vexxy's own sensor does not watch: " + err.Error())
		return nil
	}
	s.Sensor = session
	return s.Canary(ctx, "start")
}

// sharesKernel reports whether any node runs on this machine's kernel.
func (e *Engine) sharesKernel(ctx context.Context) (bool, error) {
	nodes, err := e.cluster.Client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return false, err
	}
	for _, n := range nodes.Items {
		if same, err := e.cluster.SameKernel(ctx, n.Name); same || err != nil {
			return same, err
		}
	}
	return false, nil
}
