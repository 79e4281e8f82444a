package run

import (
	"context"
	"fmt"

	"github.com/vexxy/action/internal/baseline"
	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/gate"
	"github.com/vexxy/action/internal/judge"
	"github.com/vexxy/action/internal/record"
	"github.com/vexxy/action/internal/triage"
)

// errNoBaseline is why all is new to a gate on what is new.
var errNoBaseline = fault.New(fault.Usage, "name an earlier result.json with --baseline", "no baseline was given")

// keepBaseline puts what an earlier run said of the image into its record, so
// that a replay compares with the same. One that is too large for a record is
// one that cannot be used.
func (p Plan) keepBaseline(ctx context.Context, rec *record.Record) error {
	delete(rec.Raw, record.RawBaseline) // engines have none
	if p.Baseline == nil {
		return nil
	}
	b := p.Baseline(ctx, rec.Subject, len(p.Images) == 1)
	data, err := baseline.Encode(b)
	if err == nil && len(data) > record.RawLimit {
		data, err = baseline.Encode(baseline.Unusable(b.From, fmt.Errorf("keeping the baseline: it has more than %d bytes", record.RawLimit)))
	}
	if err != nil {
		return err
	}
	keep(rec, record.RawBaseline, data)
	return nil
}

func keep(rec *record.Record, name string, data []byte) {
	if rec.Raw == nil {
		rec.Raw = map[string][]byte{}
	}
	rec.Raw[name] = data
}

// keepTriage puts what people have stated into the record, by which it is
// judged.
func (p Plan) keepTriage(rec *record.Record) error {
	delete(rec.Raw, record.RawTriage)
	if p.Triage == nil {
		return nil
	}
	data, err := triage.Encode(p.Triage)
	if err == nil && len(data) > record.RawLimit {
		err = fault.New(fault.Usage, "give fewer or smaller OpenVEX documents", "keeping people's statements: they have more than %d bytes", record.RawLimit)
	}
	if err != nil {
		return err
	}
	keep(rec, record.RawTriage, data)
	return nil
}

// compare holds a judgement against the record's baseline. It is nil where the
// run was given none and its gate asks for none.
func compare(rec record.Record, policy gate.Policy, j judge.Judgement) *baseline.Change {
	data, kept := rec.Raw[record.RawBaseline]
	switch {
	case kept:
		return baseline.Compare(baseline.Decode(data), j)
	case policy.OnlyNew:
		return baseline.Compare(baseline.Unusable("", errNoBaseline), j)
	}
	return nil
}
