package app

import (
	"context"

	"github.com/vexxy/action/internal/baseline"
	"github.com/vexxy/action/internal/config"
	"github.com/vexxy/action/internal/run"
	"github.com/vexxy/action/internal/subject"
)

// baselines gives the plan of a run, by its ID, what finds each image's
// baseline: in an earlier run that was opened, or among what is attested; nil
// for none.
func baselines(ctx context.Context, cfg config.Config, id string, opened *baseline.Set, getenv func(string) string, own run.Attester, guard baseline.Guard, note func(string)) (func(context.Context, subject.Subject, bool) baseline.Baseline, error) {
	if opened != nil {
		return func(_ context.Context, s subject.Subject, alone bool) baseline.Baseline { return opened.For(s, alone) }, nil
	}
	return attestedBaseline(ctx, cfg, id, getenv, own, guard, note)
}

// openBaseline reads the earlier run that the inputs name, nil for none and for
// one that is attested: attestedBaseline looks for that. One
// that cannot be read, or that the host refuses, does not end the run:
// everything is new to it.
func openBaseline(ctx context.Context, cfg config.Config, h host) (*baseline.Set, error) {
	want := cfg.Earlier()
	if want.Path == "" && want.Artifact == "" {
		return nil, nil
	}
	set, err := readBaseline(ctx, want, cfg.Publication.GitHubToken, h)
	if err != nil {
		set = baseline.UnusableSet(cfg.Baseline, err)
	}
	return &set, err
}

// readBaseline reads a baseline out of an artifact, or by its path.
func readBaseline(ctx context.Context, want config.Earlier, token config.Secret, h host) (baseline.Set, error) {
	if want.Artifact != "" {
		from, files, done, err := h.artifact(ctx, want.Artifact, token)
		if err != nil {
			return baseline.Set{}, err
		}
		defer done()
		h.Note("baseline: " + from)
		return baseline.OpenFiles(from, files)
	}
	return baseline.OpenGuarded(want.Path, h.instead)
}
