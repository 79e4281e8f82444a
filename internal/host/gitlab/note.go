package gitlab

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"

	gl "gitlab.com/gitlab-org/api/client-go"

	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/sticky"
)

// MaxNote is the longest note, in characters
// (https://docs.gitlab.com/administration/instance_limits, size of comments).
const MaxNote = 1_000_000

// Post brings the note of this key on a merge request up to date: see
// sticky.Post. The author is known by the token alone, so it is asked first.
func (a *API) Post(ctx context.Context, m Merge, c sticky.Comment) (sticky.Posted, error) {
	started := time.Now()
	var me *gl.User
	f := a.ask(ctx, func(once gl.RequestOptionFunc) (resp *gl.Response, err error) {
		me, resp, err = a.client.Users.CurrentUser(once)
		if err == nil && (me == nil || me.ID <= 0) {
			err = fmt.Errorf("the answer names no user")
		}
		return resp, err
	})
	if f.Kind != sticky.Answered {
		return sticky.Posted{}, explain("asking whose gitlab-token it is", f)
	}
	posted, f := sticky.Post(ctx, &board{a, m}, c, sticky.Options{
		Author: strconv.FormatInt(me.ID, 10), Limit: MaxNote,
		Budget: a.budget - time.Since(started), Backoff: a.backoff, Settle: a.settle,
	})
	if f.Kind != sticky.Answered {
		return sticky.Posted{}, explain("writing the note", f)
	}
	return posted, nil
}

// board is the notes of one merge request.
type board struct {
	api   *API
	merge Merge
}

// entry reads a note. Authors are told apart by their numbers: a name may pass
// from one to another.
func (b *board) entry(n *gl.Note) sticky.Entry {
	if n == nil {
		return sticky.Entry{}
	}
	e := sticky.Entry{ID: n.ID, Body: n.Body}
	if n.Author.ID > 0 && !n.System {
		e.Author = strconv.FormatInt(n.Author.ID, 10)
	}
	if b.merge.URL != "" {
		e.URL = fmt.Sprintf("%s#note_%d", b.merge.URL, n.ID)
	}
	return e
}

func (b *board) List(ctx context.Context, page int) (list []sticky.Entry, more bool, f sticky.Failure) {
	once, cancel := b.api.once(ctx)
	defer cancel()
	o := &gl.ListMergeRequestNotesOptions{
		ListOptions: gl.ListOptions{PerPage: pageSize, Page: int64(page)},
		OrderBy:     gl.Ptr("created_at"), Sort: gl.Ptr("asc"),
	}
	all, resp, err := b.api.client.Notes.ListMergeRequestNotes(b.merge.Project, b.merge.IID, o, once)
	if err == nil && all == nil {
		err = errNoList
	}
	for _, n := range all {
		list = append(list, b.entry(n))
	}
	return list, len(all) == pageSize, fail(resp, err)
}

func (b *board) Get(ctx context.Context, id int64) (sticky.Entry, sticky.Failure) {
	once, cancel := b.api.once(ctx)
	defer cancel()
	n, resp, err := b.api.client.Notes.GetMergeRequestNote(b.merge.Project, b.merge.IID, id, once)
	return b.entry(n), fail(resp, err)
}

func (b *board) Create(ctx context.Context, body string) (sticky.Entry, sticky.Failure) {
	once, cancel := b.api.once(ctx)
	defer cancel()
	n, resp, err := b.api.client.Notes.CreateMergeRequestNote(b.merge.Project, b.merge.IID, &gl.CreateMergeRequestNoteOptions{Body: &body}, once)
	return b.entry(n), fail(resp, err)
}

func (b *board) Update(ctx context.Context, id int64, body string) sticky.Failure {
	once, cancel := b.api.once(ctx)
	defer cancel()
	_, resp, err := b.api.client.Notes.UpdateMergeRequestNote(b.merge.Project, b.merge.IID, id, &gl.UpdateMergeRequestNoteOptions{Body: &body}, once)
	return fail(resp, err)
}

func (b *board) Delete(ctx context.Context, id int64) sticky.Failure {
	once, cancel := b.api.once(ctx)
	defer cancel()
	f := fail(b.api.client.Notes.DeleteMergeRequestNote(b.merge.Project, b.merge.IID, id, once))
	if f.Kind == sticky.Missing {
		f.Kind = sticky.Answered
	}
	return f
}

// explain makes the one notice of a failure that stays, with what to do.
func explain(doing string, f sticky.Failure) error {
	hint := "publishing is tried again with the next run"
	switch f.Kind {
	case sticky.Denied:
		hint = tokenHint + "; a locked thread takes notes of members alone"
		if f.Status == http.StatusUnauthorized {
			hint = "gitlab-token is not valid, or not any more: " + tokenHint
		}
	case sticky.Missing:
		hint = tokenHint + "; GitLab also answers so to a token that may not see the project"
	case sticky.Limited:
		hint = "GitLab limits the requests of this token: run fewer jobs at a time; " + hint
	case sticky.TooLong, sticky.Refused:
		hint = "comment.md in the output directory has the text"
	}
	return fault.New(fault.Publish, hint, "%s: %s", doing, f.What)
}
