package gitlab

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	gl "gitlab.com/gitlab-org/api/client-go"

	"github.com/vexxy/action/internal/base"
	"github.com/vexxy/action/internal/sticky"
)

// NewBase reads the base of a merge request: from the checkout in the workspace
// where it has that commit, else by the API.
func NewBase(m Merge, workspace string, api func() (*API, error)) *base.Base {
	return base.New(base.Change{
		Name: "merge request", Base: m.BaseSHA, Head: m.HeadSHA,
		File: func(ctx context.Context, commit, path string) ([]byte, error) {
			a, err := api()
			if err != nil {
				return nil, err
			}
			return a.file(ctx, m.Project, commit, path)
		},
		Folder: func(ctx context.Context, commit, path string) ([]string, error) {
			a, err := api()
			if err != nil {
				return nil, err
			}
			return a.folder(ctx, m.Project, commit, path)
		},
		Fetch:   "let the job have the commit: set GIT_DEPTH to 0, or run `git fetch origin` for it before; or give gitlab-token a token that may read the repository",
		Outside: "a folder beside $CI_PROJECT_DIR",
	}, workspace)
}

// file reads a file of a commit. To a token that may not see it GitLab answers
// as to a file that is not there: which of both, the commit tells.
func (a *API) file(ctx context.Context, project int64, sha, path string) ([]byte, error) {
	var data []byte
	f := a.ask(ctx, func(once gl.RequestOptionFunc) (resp *gl.Response, err error) {
		data, resp, err = a.client.RepositoryFiles.GetRawFile(project, path, &gl.GetRawFileOptions{Ref: &sha}, once)
		return resp, err
	})
	switch {
	case f.Kind == sticky.Answered:
		return data, nil
	case f.Kind == sticky.Missing && a.hasCommit(ctx, project, sha):
		return nil, fmt.Errorf("%s: %w", path, fs.ErrNotExist)
	}
	return nil, errors.New(f.What)
}

func (a *API) hasCommit(ctx context.Context, project int64, sha string) bool {
	var got *gl.Commit
	known := a.ask(ctx, func(once gl.RequestOptionFunc) (resp *gl.Response, err error) {
		got, resp, err = a.client.Commits.GetCommit(project, sha, nil, once)
		return resp, err
	})
	return known.Kind == sticky.Answered && got != nil && got.ID == sha
}

// maxEntries is how many names of a folder GitLab gives on one page, and more
// are not read.
const maxEntries = 100

// folder names the files of a folder of a commit. As many as fill a page may not
// be all.
func (a *API) folder(ctx context.Context, project int64, sha, path string) ([]string, error) {
	var nodes []*gl.TreeNode
	f := a.ask(ctx, func(once gl.RequestOptionFunc) (resp *gl.Response, err error) {
		nodes, resp, err = a.client.Repositories.ListTree(project, &gl.ListTreeOptions{Path: &path, Ref: &sha, ListOptions: gl.ListOptions{PerPage: maxEntries}}, once)
		if err == nil && nodes == nil {
			err = errNoList
		}
		return resp, err
	})
	switch {
	case f.Kind == sticky.Answered && len(nodes) >= maxEntries:
		return nil, fmt.Errorf("%s has %d names or more there", path, maxEntries)
	case f.Kind == sticky.Answered && len(nodes) > 0:
		var names []string
		for _, n := range nodes {
			// A link is a blob too, of another mode.
			if n.Type == "blob" && strings.HasPrefix(n.Mode, "100") {
				names = append(names, n.Name)
			}
		}
		return names, nil
	case (f.Kind == sticky.Missing || f.Kind == sticky.Answered) && a.hasCommit(ctx, project, sha):
		return nil, fmt.Errorf("%s: %w", path, fs.ErrNotExist)
	}
	return nil, errors.New(f.What)
}
