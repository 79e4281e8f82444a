package run

import (
	"context"
	"maps"

	"github.com/vexxy/action/internal/config"
	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/gate"
	"github.com/vexxy/action/internal/record"
	"github.com/vexxy/action/internal/triage"
)

// Observed is one image's record, as another job has left it.
type Observed struct {
	Record record.Record
	// Check, where there is one, may refuse what follows from the record before
	// any of it is written.
	Check func(Documents) error
}

// Again takes records of an earlier job through the rest of a run: it judges
// them anew, gates them by the plan's own policy and baseline, writes their
// documents and attests to them. The records are hostile: what decides over
// them is the plan's, and none of their words is given to anybody as a command.
// They stay where they are. The plan needs neither engine nor images.
func Again(ctx context.Context, p Plan, all []Observed) (Outcome, error) {
	out := Outcome{ID: p.ID, StartedAt: p.StartedAt, Verdict: gate.VerdictError, Code: fault.Internal}
	p.Images = nil
	for _, o := range all {
		p.Images = append(p.Images, o.Record.Subject.Requested)
	}
	for i, dir := range folders(p.OutputDir, p.Images) {
		out.Images = append(out.Images, ImageOutcome{Requested: p.Images[i], Dir: dir, Verdict: gate.VerdictError})
	}
	if err := begin(p, &out); err != nil {
		return out, err
	}
	for i := range all {
		if ctx.Err() == nil {
			out.Images[i].settle(ctx, p.again(ctx, all[i], &out.Images[i]))
		}
	}
	err := finish(ctx, p, &out, context.Cause(ctx))
	return out, err
}

func (p Plan) again(ctx context.Context, o Observed, out *ImageOutcome) error {
	rec := o.Record
	rec.Raw = maps.Clone(rec.Raw)
	if err := p.keepBaseline(ctx, &rec); err != nil {
		return err
	}
	p.Triage = p.Triage.Current(p.StartedAt) // the record's clock is its maker's
	if data, kept := rec.Raw[record.RawTriage]; kept {
		p.Triage = p.Triage.With(triage.Decode(data).Raising())
	}
	if err := p.keepTriage(&rec); err != nil {
		return err
	}
	rec.Run.Settings = config.Decided(rec.Run.Settings, p.Settings)
	done := p.step("judge and write documents", out.Requested)
	docs, err := compose(ctx, rec, p.Policy, "")
	if err == nil && o.Check != nil {
		err = o.Check(docs)
	}
	if err == nil {
		err = docs.writeFiles(out.Dir)
	}
	done(err)
	if err != nil {
		return err
	}
	return p.conclude(ctx, docs, out)
}
