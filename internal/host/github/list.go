package github

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	gh "github.com/google/go-github/v60/github"

	"github.com/vexxy/action/internal/sticky"
)

// folder asks the API, as file does.
func (a *API) folder(ctx context.Context, e Event, sha, path string) ([]string, error) {
	p := sticky.Patience{Until: time.Now().Add(a.budget), Next: a.backoff}
	for {
		names, f := a.tryFolder(ctx, e, sha, path)
		switch f.Kind {
		case sticky.Answered:
			return names, nil
		case sticky.Passing, sticky.Limited:
			if err := p.Wait(ctx, f); err != nil {
				return nil, err
			}
			continue
		case sticky.Missing:
			if a.hasCommit(ctx, e, sha) {
				return nil, fmt.Errorf("%s: %w", path, fs.ErrNotExist)
			}
		}
		return nil, errors.New(f.What)
	}
}

func (a *API) tryFolder(ctx context.Context, e Event, sha, path string) ([]string, sticky.Failure) {
	ctx, cancel := a.once(ctx)
	defer cancel()
	_, entries, _, err := a.client.Repositories.GetContents(ctx, e.Owner, e.Repo, path, &gh.RepositoryContentGetOptions{Ref: sha})
	if err != nil {
		return nil, fail(err)
	}
	var names []string
	for _, entry := range entries {
		if entry.GetType() == "file" {
			names = append(names, entry.GetName())
		}
	}
	return names, sticky.Failure{Kind: sticky.Answered}
}
