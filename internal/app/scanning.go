package app

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/vexxy/action/internal/baseline"
	"github.com/vexxy/action/internal/config"
	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/host/github"
	"github.com/vexxy/action/internal/run"
)

// upload gives code scanning what is affected, an analysis for each image. What
// cannot be uploaded is told once, and is among the run's documents.
func (g *gitHub) upload(ctx context.Context, end ending) {
	cancelled := end.code == fault.Interrupted || end.code == fault.Terminated
	if !end.cfg.Publication.UploadSARIF || cancelled {
		return
	}
	if pull := g.event.Pull; pull != nil && pull.Fork {
		g.Annotate(github.Notice, "vexxy: no upload", "pull requests from forks have a token that can read alone\n"+run.SARIFFile+" in "+end.cfg.OutputDir+" has the log")
		return
	}
	api, err := github.NewAPI(g.getenv, end.cfg.Publication.GitHubToken.Reveal())
	var at github.Analysis
	if err == nil {
		var why string
		if at, why, err = g.analysed(ctx, api, end.part); why != "" {
			g.Annotate(github.Notice, "vexxy: no upload", why)
			return
		}
	}
	uploaded := 0
	for _, image := range end.out.Images {
		if err != nil || !judged(image) {
			continue
		}
		if at.SARIF, err = os.ReadFile(filepath.Join(image.Dir, run.SARIFFile)); err == nil {
			err = api.Upload(ctx, g.event.Owner, g.event.Repo, at)
			uploaded++
		}
	}
	if err != nil {
		g.try("no upload", err)
		return
	}
	fmt.Fprintf(g.s.Out, "uploaded to code scanning: %d of %d images\n", uploaded, len(end.out.Images))
}

// analysed is the commit that code scanning's results are on; why says that
// there is none.
func (g *gitHub) analysed(ctx context.Context, api *github.API, p part) (at github.Analysis, why string, err error) {
	at = github.Analysis{Commit: g.event.Commit, Ref: g.event.Ref}
	if follows := g.event.Trigger != nil && p == partPublish; follows {
		at.Commit = g.event.Trigger.HeadSHA
	} else if g.event.Pull == nil {
		return at, "", nil
	}
	number, why, err := g.pull(ctx, api)
	at.Ref = fmt.Sprintf("refs/pull/%d/head", number)
	return at, why, err
}

// artifact is a baseline out of an earlier run.
func (g *gitHub) artifact(ctx context.Context, name string, token config.Secret) (string, baseline.Reader, func(), error) {
	api, err := github.NewAPI(g.getenv, token.Reveal())
	if err != nil {
		return "", nil, nil, err
	}
	got, err := api.LatestArtifact(ctx, g.event, name, os.TempDir())
	if err != nil {
		return "", nil, nil, err
	}
	return got.From, got.Read, got.Close, nil
}
