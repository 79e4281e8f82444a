package app

import (
	"context"
	"strings"

	"github.com/vexxy/action/internal/baseline"
	"github.com/vexxy/action/internal/config"
)

// artifactPrefix begins a baseline that is an earlier run's artifact.
const artifactPrefix = "artifact:"

// openBaseline reads the earlier run that the inputs name, nil for none. One
// that cannot be read, or that the host refuses, does not end the run:
// everything is new to it.
func openBaseline(ctx context.Context, cfg config.Config, h host) (*baseline.Set, error) {
	if cfg.Baseline == "" {
		return nil, nil
	}
	set, err := readBaseline(ctx, cfg, h)
	if err != nil {
		set = baseline.UnusableSet(cfg.Baseline, err)
	}
	return &set, err
}

// readBaseline reads a baseline from where its prefix says, else by its path.
func readBaseline(ctx context.Context, cfg config.Config, h host) (baseline.Set, error) {
	if name, is := strings.CutPrefix(cfg.Baseline, artifactPrefix); is {
		from, files, done, err := h.artifact(ctx, name, cfg.Publication.GitHubToken)
		if err != nil {
			return baseline.Set{}, err
		}
		defer done()
		h.Note("baseline: " + from)
		return baseline.OpenFiles(from, files)
	}
	return baseline.OpenGuarded(cfg.Baseline, h.instead)
}
