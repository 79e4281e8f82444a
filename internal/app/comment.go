package app

import (
	"context"
	"fmt"

	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/foreign"
	"github.com/vexxy/action/internal/host/github"
	"github.com/vexxy/action/internal/run"
	"github.com/vexxy/action/internal/sticky"
)

// comment brings the pull request's comment up to date, and gives its URL. What
// cannot be posted is among the run's documents.
func (g *gitHub) comment(ctx context.Context, end ending) string {
	cancelled := end.code == fault.Interrupted || end.code == fault.Terminated
	follows := g.event.Trigger != nil && end.part == partPublish
	if g.event.Pull == nil && !follows || len(end.cfg.Images) == 0 || cancelled || end.cfg.Publication.Comment == string(sticky.Never) {
		return ""
	}
	none := func(why string) string {
		g.Annotate(github.Notice, "vexxy: no comment", why+"\nthe job's summary and "+run.CommentFile+" in "+end.cfg.OutputDir+" have the text")
		return ""
	}
	if !follows && g.event.Pull.Fork {
		return none("pull requests from forks have a token that can read alone")
	}
	token := end.cfg.Publication.GitHubToken.Reveal()
	if token == "" { // a program in a workflow, which may not want one
		return none("there is no token for it: pass ${{ github.token }} as github-token")
	}
	api, err := github.NewAPI(g.getenv, token)
	var pull int
	if err == nil {
		var why string
		if pull, why, err = g.pull(ctx, api); why != "" {
			return none(why)
		}
	}
	var posted sticky.Posted
	if err == nil {
		c := commentOf(end, github.Site(g.getenv), remark(end, g.foot(end)))
		c.Order = sticky.Order{Run: g.event.RunNumber, Attempt: g.event.RunAttempt, Started: g.begun.UnixNano()}
		if g.event.Trigger != nil { // as new as the run that it tells of
			c.Order = g.event.Trigger.Order(g.begun)
		}
		posted, err = api.Post(ctx, g.event.Owner, g.event.Repo, pull, c)
	}
	if err != nil {
		g.try("no comment", err)
		return ""
	}
	fmt.Fprintf(g.s.Out, "comment %s %s\n", posted.Did, foreign.Text(posted.URL).Line(500))
	return posted.URL
}

// pullRequest is what is known of the pull request that a run is about.
type pullRequest struct {
	number int
	why    string // why there is none
	err    error
}

// pull is the pull request to speak to; why says that there is none.
func (g *gitHub) pull(ctx context.Context, api *github.API) (number int, why string, err error) {
	switch {
	case g.event.Pull != nil:
		return g.event.Pull.Number, "", nil
	case g.found == nil:
		g.found = &pullRequest{}
		g.found.number, g.found.why, g.found.err = api.PullOf(ctx, g.event)
	}
	return g.found.number, g.found.why, g.found.err
}
