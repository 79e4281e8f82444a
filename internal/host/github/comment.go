package github

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	gh "github.com/google/go-github/v60/github"

	"github.com/vexxy/action/internal/bearer"
	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/sticky"
)

// MaxComment is the longest comment, in characters
// (https://docs.github.com/rest/issues/comments).
const MaxComment = 65536

// commentPermission is what a job must have to comment.
const commentPermission = "pull-requests: write"

// Post brings the comment of this key on a pull request up to date: see
// sticky.Post.
func (a *API) Post(ctx context.Context, owner, repo string, pull int, c sticky.Comment) (sticky.Posted, error) {
	started := time.Now()
	author := a.login(ctx)
	posted, f := sticky.Post(ctx, &board{a, owner, repo, pull}, c, sticky.Options{
		Author: author, Limit: MaxComment, Budget: a.budget - time.Since(started), Backoff: a.backoff, Settle: a.settle,
	})
	if f.Kind != sticky.Answered {
		return sticky.Posted{}, explain("commenting", f, commentPermission)
	}
	return posted, nil
}

// board is the comments of one pull request.
type board struct {
	api         *API
	owner, repo string
	pull        int
}

func entry(c *gh.IssueComment) sticky.Entry {
	return sticky.Entry{ID: c.GetID(), Author: c.GetUser().GetLogin(), URL: bearer.Link(c.GetHTMLURL()), Body: c.GetBody()}
}

func (b *board) List(ctx context.Context, page int) (list []sticky.Entry, more bool, f sticky.Failure) {
	o := &gh.IssueListCommentsOptions{ListOptions: gh.ListOptions{PerPage: 100, Page: page}}
	ctx, cancel := b.api.once(ctx)
	defer cancel()
	all, _, err := b.api.client.Issues.ListComments(ctx, b.owner, b.repo, b.pull, o)
	if err == nil && all == nil { // null, or nothing: an empty list is another
		err = errors.New("the answer is no list")
	}
	for _, c := range all {
		list = append(list, entry(c))
	}
	return list, len(all) == o.PerPage, fail(err)
}

func (b *board) Get(ctx context.Context, id int64) (sticky.Entry, sticky.Failure) {
	ctx, cancel := b.api.once(ctx)
	defer cancel()
	c, _, err := b.api.client.Issues.GetComment(ctx, b.owner, b.repo, id)
	return entry(c), fail(err)
}

func (b *board) Create(ctx context.Context, body string) (sticky.Entry, sticky.Failure) {
	ctx, cancel := b.api.once(ctx)
	defer cancel()
	c, _, err := b.api.client.Issues.CreateComment(ctx, b.owner, b.repo, b.pull, &gh.IssueComment{Body: &body})
	return entry(c), fail(err)
}

func (b *board) Update(ctx context.Context, id int64, body string) sticky.Failure {
	ctx, cancel := b.api.once(ctx)
	defer cancel()
	_, _, err := b.api.client.Issues.EditComment(ctx, b.owner, b.repo, id, &gh.IssueComment{Body: &body})
	return fail(err)
}

func (b *board) Delete(ctx context.Context, id int64) sticky.Failure {
	ctx, cancel := b.api.once(ctx)
	defer cancel()
	resp, err := b.api.client.Issues.DeleteComment(ctx, b.owner, b.repo, id)
	if resp != nil && resp.StatusCode == http.StatusNotFound {
		err = nil
	}
	return fail(err)
}

// Site is what tells one use of the action from another in the same
// repository: workflow, job, step and the leg of a matrix. A workflow's name
// may be changed, its file stays.
func Site(getenv func(string) string) []string {
	workflow, _, _ := strings.Cut(getenv("GITHUB_WORKFLOW_REF"), "@")
	if workflow == "" {
		workflow = getenv("GITHUB_WORKFLOW")
	}
	return []string{workflow, getenv("GITHUB_JOB"), getenv("GITHUB_ACTION"), getenv("INPUT_MATRIX")}
}

// explain makes the one notice of a failure that stays, with what to do.
func explain(doing string, f sticky.Failure, permission string) error {
	hint := "publishing is tried again with the next run"
	switch f.Kind {
	case sticky.Denied:
		hint = "add `" + permission + "` to the job's permissions; requests of Dependabot and of forks have a token that can read alone"
		if strings.Contains(strings.ToLower(f.What), "locked") {
			hint = "unlock the conversation of the pull request, or set comment to never"
		}
		if f.Status == http.StatusUnauthorized {
			hint = "github-token is not valid any more: pass ${{ github.token }}, with `" + permission + "` in the job's permissions"
		}
	case sticky.Missing:
		hint = "add `" + permission + "` to the job's permissions: GitHub also answers so to a token that may not see it"
	case sticky.Limited:
		hint = "GitHub limits the requests of this token: run fewer jobs at a time"
	case sticky.TooLong, sticky.Refused:
		hint = "comment.md in the output directory has the text"
	}
	return fault.New(fault.Publish, hint, "%s: %s", doing, f.What)
}
