package app

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/vexxy/action/internal/config"
	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/record"
	"github.com/vexxy/action/internal/run"
)

var replayInputs = []config.Input{
	{Name: "output-dir", Kind: config.Text, Default: "vexxy-replay", Doc: "where the documents go"},
}

// replayCommand makes the documents of a record anew. The exit code is the
// gate's, as it was in the run.
func replayCommand(ctx context.Context, s Streams, args []string) (fault.Code, error) {
	line, err := config.ParseLine(args, replayInputs)
	if err != nil {
		return fault.Usage, err
	}
	if len(line.Rest) != 1 {
		return fault.Usage, fault.New(fault.Usage, "vexxy replay [--output-dir DIR] RECORD", "replay takes one record directory")
	}
	rec, err := record.Read(line.Rest[0])
	if err != nil {
		return fault.Usage, err
	}
	policy, err := config.PolicyFromSettings(rec.Run.Settings)
	if err != nil {
		return fault.Usage, fmt.Errorf("reading the record's policy: %w", err)
	}
	docs, err := run.Compose(ctx, rec, policy)
	if err != nil {
		return fault.Internal, err
	}
	dir, _ := line.Text("output-dir")
	if err := run.MakeDir(dir); err != nil {
		return fault.Usage, err
	}
	if err := docs.WriteTo(dir); err != nil {
		return fault.Infra, err
	}
	d := docs.Image.Decision
	fmt.Fprintf(s.Out, "%s (exit code %d): %s\n", d.Verdict, d.Code, filepath.Join(dir, run.ResultFile))
	return d.Code, nil
}
