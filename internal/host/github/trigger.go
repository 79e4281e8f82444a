package github

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	gh "github.com/google/go-github/v60/github"

	"github.com/vexxy/action/internal/sticky"
)

// Trigger is a run of another workflow, by the end of which the job was
// started. Of a run for a fork's pull request, only the payload's own fields are
// GitHub's word: what the run has left behind is anybody's.
type Trigger struct {
	// ID names the run, Number and Attempt order those of its workflow.
	ID, Number, Attempt int64
	// Workflow names its workflow.
	Workflow int64
	// Event started it, such as pull_request.
	Event string
	// HeadSHA is the commit that it ran for, HeadBranch its branch in the
	// repository HeadRepo of HeadOwner.
	HeadSHA, HeadBranch, HeadOwner string
	HeadRepo                       int64
	// URL leads to the run's page, empty where it is not known.
	URL string
}

// triggered is the part of workflow_run's payload that is read
// (https://docs.github.com/webhooks/webhook-events-and-payloads#workflow_run).
type triggered struct {
	Run *struct {
		ID         int64  `json:"id"`
		Number     int64  `json:"run_number"`
		Attempt    int64  `json:"run_attempt"`
		Workflow   int64  `json:"workflow_id"`
		Event      string `json:"event"`
		HeadSHA    string `json:"head_sha"`
		HeadBranch string `json:"head_branch"`
		HeadRepo   *struct {
			ID    int64 `json:"id"`
			Owner struct {
				Login string `json:"login"`
			} `json:"owner"`
		} `json:"head_repository"`
	} `json:"workflow_run"`
}

// maxBranch is more than git takes for the name of a branch.
const maxBranch = 1024

func parseTrigger(data []byte) (*Trigger, error) {
	var p triggered
	if err := json.Unmarshal(data, &p); err != nil {
		return nil, fmt.Errorf("its payload is no JSON: %s", text(err.Error(), 200))
	}
	r := p.Run
	switch {
	case r == nil:
		return nil, errors.New("its payload has no run")
	case r.ID <= 0:
		return nil, errors.New("its run has no ID")
	case !commit.MatchString(r.HeadSHA):
		return nil, errors.New("its run has no commit")
	case len(r.HeadBranch) > maxBranch:
		return nil, fmt.Errorf("its branch has a name of more than %d bytes", maxBranch)
	}
	t := &Trigger{ID: r.ID, Number: r.Number, Attempt: r.Attempt, Workflow: r.Workflow, Event: r.Event, HeadSHA: r.HeadSHA, HeadBranch: r.HeadBranch}
	// The repository of a head is null once its fork was deleted.
	if r.HeadRepo != nil && isName(r.HeadRepo.Owner.Login) {
		t.HeadOwner, t.HeadRepo = r.HeadRepo.Owner.Login, r.HeadRepo.ID
	}
	return t, nil
}

// Order is how new the run is among its workflow's.
func (t *Trigger) Order(started time.Time) sticky.Order {
	return sticky.Order{Run: t.Number, Attempt: t.Attempt, Started: started.UnixNano()}
}

// PullOf finds the pull request that the event's trigger ran for, by what
// GitHub says of the run and of its pull requests, and nothing else. Without an
// error and a number, why says that there is none to speak to: it is closed, its
// head has moved on, or it cannot be told from another.
func (a *API) PullOf(ctx context.Context, e Event) (number int, why string, err error) {
	t := e.Trigger
	switch {
	case t.Event != "pull_request":
		return 0, "the run that this one follows was not for a pull request", nil
	case t.HeadOwner == "" || t.HeadBranch == "":
		return 0, "the fork of this pull request is gone", nil
	}
	var list []*gh.PullRequest
	f := a.patiently(ctx, func(ctx context.Context) (f sticky.Failure) {
		list, f = a.openPulls(ctx, e)
		return f
	})
	if f.Kind != sticky.Answered {
		return 0, "", explain("looking for the pull request", f, commentPermission)
	}
	number, why = t.choose(list)
	return number, why, nil
}

func (a *API) openPulls(ctx context.Context, e Event) ([]*gh.PullRequest, sticky.Failure) {
	ctx, cancel := a.once(ctx)
	defer cancel()
	list, _, err := a.client.PullRequests.List(ctx, e.Owner, e.Repo, &gh.PullRequestListOptions{
		State: "open", Head: e.Trigger.HeadOwner + ":" + e.Trigger.HeadBranch, ListOptions: gh.ListOptions{PerPage: 100},
	})
	return list, fail(err)
}

// choose picks the one pull request of the run's head. GitHub's filter by head
// is not relied upon: a server without it lists all.
func (t *Trigger) choose(list []*gh.PullRequest) (number int, why string) {
	moved := ""
	for _, pull := range list {
		head := pull.GetHead()
		if pull.GetState() != "open" || pull.GetNumber() <= 0 || head.GetRef() != t.HeadBranch || head.GetRepo().GetID() != t.HeadRepo {
			continue
		}
		switch {
		case head.GetSHA() != t.HeadSHA:
			moved = head.GetSHA()
		case number != 0:
			return 0, fmt.Sprintf("the pull requests %d and %d have the same head", number, pull.GetNumber())
		default:
			number = pull.GetNumber()
		}
	}
	switch {
	case number != 0:
		return number, ""
	case moved != "":
		return 0, fmt.Sprintf("the pull request has moved on to commit %.12s, and its comment belongs to that one's run", text(moved, 64))
	}
	return 0, "there is no open pull request with the head of the run that this one follows"
}
