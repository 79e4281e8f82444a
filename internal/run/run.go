// Package run holds the order of one run and nothing else: resolve, observe,
// record, judge, write. Read Run first; each step lives in the package that
// its name says.
package run

import (
	"cmp"
	"context"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/vexxy/action/internal/baseline"
	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/gate"
	"github.com/vexxy/action/internal/record"
	"github.com/vexxy/action/internal/source"
	"github.com/vexxy/action/internal/subject"
	"github.com/vexxy/action/internal/triage"
)

// Engine runs an image and watches it.
type Engine interface {
	// Prepare makes ready what all images share.
	Prepare(ctx context.Context) error
	// Observe runs one image and gives its record, all but Run filled in. A
	// workload that fared badly is no error: the record says so. Where the plan
	// has images side by side it is called for several of them at once.
	Observe(ctx context.Context, img source.Image) (record.Record, error)
}

// Plan is everything that a run is made of.
type Plan struct {
	// ID is the run's name in all documents: 96 random bits in hex.
	ID      string
	Version string
	Images  []string
	// Settings are the effective inputs for the record, Policy what they say
	// of the gate.
	Settings map[string]string
	Policy   gate.Policy
	// Baseline gives what an earlier run said of an image, nil where none was
	// given. alone says that the run has no other image.
	Baseline func(ctx context.Context, s subject.Subject, alone bool) baseline.Baseline
	// Triage is what people have stated, nil where nothing was found.
	Triage    *triage.Set
	OutputDir string
	StartedAt time.Time
	// Origin is the CI job that this is, for the record; nil outside of one.
	Origin  *record.Origin
	Resolve func(ctx context.Context, ref string) (source.Image, error)
	Engine  Engine
	// Attester, where there is one, attests to every image that was judged.
	Attester Attester
	// Parallel is how many images run side by side; 0 and 1 are one after the
	// other. An engine must be fit for it, and names the steps that it reports
	// after their images.
	Parallel int
	Timeline *Timeline
}

// Run takes every image of the plan through the whole run and writes the
// documents. It goes on with the other images when one fails; the outcome says
// what became of each, in the order of the plan. Only what ends all of them is an error.
func Run(ctx context.Context, p Plan) (Outcome, error) {
	out := Outcome{ID: p.ID, StartedAt: p.StartedAt, Verdict: gate.VerdictError, Code: fault.Internal}
	for i, dir := range folders(p.OutputDir, p.Images) {
		out.Images = append(out.Images, ImageOutcome{Requested: p.Images[i], Dir: dir, Verdict: gate.VerdictError})
	}
	if err := begin(p, &out); err != nil {
		return out, err
	}

	images, err := p.resolveAndPrepare(ctx)
	defer func() {
		for _, img := range images {
			img.Close()
		}
	}()
	if err != nil {
		err = finish(ctx, p, &out, err) // before out is read: its code would be the first one
		return out, err
	}
	p.each(ctx, images, out.Images)
	err = finish(ctx, p, &out, context.Cause(ctx))
	return out, err
}

// resolveAndPrepare fixes all images to digests while the engine gets ready.
func (p Plan) resolveAndPrepare(ctx context.Context) ([]source.Image, error) {
	images := make([]source.Image, len(p.Images))
	g, prepareCtx := errgroup.WithContext(ctx)
	g.Go(func() error {
		done := p.Timeline.Step("prepare engine")
		err := p.Engine.Prepare(prepareCtx)
		done(err)
		return err
	})
	for i, ref := range p.Images {
		g.Go(func() error {
			done := p.Timeline.Step("resolve " + ref)
			img, err := p.Resolve(ctx, ref) // its layers are read long after this group is done
			images[i] = img
			done(err)
			return err
		})
	}
	return images, g.Wait()
}

// image takes one image from the engine to its documents.
func (p Plan) image(ctx context.Context, img source.Image, out *ImageOutcome) error {
	rec, err := p.Engine.Observe(ctx, img)
	if err != nil {
		return err
	}
	if err := context.Cause(ctx); err != nil {
		return err
	}
	rec.Run = record.Run{
		Schema: record.Schema, ID: p.ID, Version: p.Version,
		StartedAt: p.StartedAt, FinishedAt: time.Now().UTC(),
		Settings: p.Settings, Timings: p.Timeline.Timings(), Origin: p.Origin,
	}
	if err := p.keepBaseline(ctx, &rec); err != nil {
		return err
	}
	if err := p.keepTriage(&rec); err != nil {
		return err
	}
	done := p.step("judge and write documents", out.Requested)
	docs, err := p.write(ctx, &rec, out)
	done(err)
	if err != nil {
		return err
	}
	return p.conclude(ctx, docs, out)
}

// conclude attests to an image whose documents are written, where that is asked
// for, and writes its result.
func (p Plan) conclude(ctx context.Context, docs Documents, out *ImageOutcome) error {
	if p.Attester != nil {
		done := p.step("attest", out.Requested)
		err := p.attest(ctx, &docs, out)
		done(cmp.Or(err, out.AttestErr))
		if err != nil {
			return err
		}
		if context.Cause(ctx) != nil {
			return out.AttestErr
		}
	}
	out.take(docs)
	return docs.writeResult(out.Dir)
}

// write keeps the record and what follows from it, all but the result. Writing
// brings the record to the form that a replay reads, so that both give the same
// documents.
func (p Plan) write(ctx context.Context, rec *record.Record, out *ImageOutcome) (Documents, error) {
	if err := record.Write(filepath.Join(out.Dir, "record"), rec); err != nil {
		return Documents{}, err
	}
	docs, err := Compose(ctx, *rec, p.Policy)
	if err != nil {
		return docs, err
	}
	return docs, docs.writeFiles(out.Dir)
}
