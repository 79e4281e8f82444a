package github

import (
	"context"

	gh "github.com/google/go-github/v60/github"

	"github.com/vexxy/action/internal/sticky"
)

// folder names the files of a folder of a commit.
func (a *API) folder(ctx context.Context, e Event, sha, path string) ([]string, error) {
	return inCommit(ctx, a, e, sha, path, a.tryFolder)
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
