package run

import (
	"context"
	"fmt"
	"runtime/debug"

	"golang.org/x/sync/errgroup"

	"github.com/vexxy/action/internal/source"
)

// each takes all images through the engine to their documents, at most Parallel
// of them at once, and settles what became of each. Every image has its own
// entry and its own folder; they share nothing but the engine, the timeline and
// what is only read.
func (p Plan) each(ctx context.Context, images []source.Image, out []ImageOutcome) {
	var g errgroup.Group
	g.SetLimit(max(1, p.Parallel))
	for i := range out {
		g.Go(func() error { // waits for a place
			if ctx.Err() == nil {
				out[i].settle(ctx, p.guarded(ctx, images[i], &out[i]))
			}
			return nil
		})
	}
	_ = g.Wait() // outcomes hold the errors
}

// guarded makes a panic over one image that image's error: in a goroutine of
// its own it would end the program with the code of a failed gate, and leave
// behind what the engine has running for all of them.
func (p Plan) guarded(ctx context.Context, img source.Image, out *ImageOutcome) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("running %s: panic: %v\n%s", out.Requested, v, debug.Stack())
		}
	}()
	return p.image(ctx, img, out)
}

// step names a step after its image where several run, so that the timeline
// tells them apart.
func (p Plan) step(name, ref string) func(error) {
	if len(p.Images) > 1 {
		name += ": " + ref
	}
	return p.Timeline.Step(name)
}
