package github

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	gh "github.com/google/go-github/v60/github"

	"github.com/vexxy/action/internal/base"
	"github.com/vexxy/action/internal/sticky"
)

// NewBase reads the base of the event's pull request: from the checkout in the
// workspace where it has that commit, else by the API.
func NewBase(e Event, workspace string, api func() (*API, error)) *base.Base {
	return base.New(base.Change{
		Name: "pull request", Base: e.Pull.BaseSHA, Head: e.Pull.HeadSHA,
		File: func(ctx context.Context, commit, path string) ([]byte, error) {
			a, err := api()
			if err != nil {
				return nil, err
			}
			return a.file(ctx, e, commit, path)
		},
		Folder: func(ctx context.Context, commit, path string) ([]string, error) {
			a, err := api()
			if err != nil {
				return nil, err
			}
			return a.folder(ctx, e, commit, path)
		},
		Fetch:   "fetch the base commit (actions/checkout with fetch-depth: 0), or add `contents: read` to the job's permissions",
		Outside: "$RUNNER_TEMP",
	}, workspace)
}

// file reads a file of a commit.
func (a *API) file(ctx context.Context, e Event, sha, path string) ([]byte, error) {
	return inCommit(ctx, a, e, sha, path, a.tryFile)
}

// inCommit tries to read something of a commit until it is answered. To a token
// that may not see it GitHub answers as to a file that is not there: which of
// both, the commit tells.
func inCommit[T any](ctx context.Context, a *API, e Event, sha, path string, try func(ctx context.Context, e Event, sha, path string) (T, sticky.Failure)) (got T, err error) {
	f := a.patiently(ctx, func(ctx context.Context) (f sticky.Failure) {
		got, f = try(ctx, e, sha, path)
		return f
	})
	switch {
	case f.Kind == sticky.Answered:
		return got, nil
	case f.Kind == sticky.Missing && a.hasCommit(ctx, e, sha):
		return got, fmt.Errorf("%s: %w", path, fs.ErrNotExist)
	}
	return got, errors.New(f.What)
}

func (a *API) hasCommit(ctx context.Context, e Event, sha string) bool {
	ctx, cancel := a.once(ctx)
	defer cancel()
	_, _, err := a.client.Git.GetCommit(ctx, e.Owner, e.Repo, sha)
	return err == nil
}

func (a *API) tryFile(ctx context.Context, e Event, sha, path string) ([]byte, sticky.Failure) {
	ctx, cancel := a.once(ctx)
	defer cancel()
	content, _, _, err := a.client.Repositories.GetContents(ctx, e.Owner, e.Repo, path, &gh.RepositoryContentGetOptions{Ref: sha})
	if err != nil {
		return nil, fail(err)
	}
	if content == nil || content.GetType() != "file" {
		return nil, sticky.Failure{Kind: sticky.Refused, What: path + " is no file there"}
	}
	body, err := content.GetContent()
	if err != nil {
		return nil, sticky.Failure{Kind: sticky.Refused, What: text(err.Error(), 200)}
	}
	if len(body) == 0 && content.GetSize() > 0 {
		return nil, sticky.Failure{Kind: sticky.Refused, What: path + " is too large for the API"}
	}
	return []byte(body), sticky.Failure{Kind: sticky.Answered}
}
