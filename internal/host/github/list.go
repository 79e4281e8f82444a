package github

import (
	"context"
	"fmt"

	gh "github.com/google/go-github/v60/github"

	"github.com/vexxy/action/internal/sticky"
)

// maxEntries is how many names of a folder the API gives at most
// (https://docs.github.com/rest/repos/contents).
const maxEntries = 1000

// folder names the files of a folder of a commit.
func (a *API) folder(ctx context.Context, e Event, sha, path string) ([]string, error) {
	return inCommit(ctx, a, e, sha, path, a.tryFolder)
}

func (a *API) tryFolder(ctx context.Context, e Event, sha, path string) ([]string, sticky.Failure) {
	ctx, cancel := a.once(ctx)
	defer cancel()
	file, entries, _, err := a.client.Repositories.GetContents(ctx, e.Owner, e.Repo, path, &gh.RepositoryContentGetOptions{Ref: sha})
	if err != nil {
		return nil, fail(err)
	}
	if file != nil {
		return nil, sticky.Failure{Kind: sticky.Missing, What: path + " is no folder there"}
	}
	if len(entries) >= maxEntries {
		return nil, sticky.Failure{Kind: sticky.Refused, What: fmt.Sprintf("%s has %d names or more there: GitHub gives no more", path, maxEntries)}
	}
	var names []string
	for _, entry := range entries {
		if entry.GetType() == "file" {
			names = append(names, entry.GetName())
		}
	}
	return names, sticky.Failure{Kind: sticky.Answered}
}
