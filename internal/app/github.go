package app

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/vexxy/action/internal/base"
	"github.com/vexxy/action/internal/config"
	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/foreign"
	"github.com/vexxy/action/internal/host/github"
	"github.com/vexxy/action/internal/report"
	"github.com/vexxy/action/internal/run"
	"github.com/vexxy/action/internal/sticky"
)

// gitHub is the host of a job on GitHub.
type gitHub struct {
	*github.Host
	s      Streams
	getenv func(string) string
	event  github.Event
	failed error      // why the event could not be read
	base   *base.Base // of a pull request
	begun  time.Time
}

func newGitHub(s Streams, getenv func(string) string) *gitHub {
	g := &gitHub{Host: github.New(s.Out, getenv), s: s, getenv: getenv, begun: time.Now()}
	var err error
	if g.event, err = github.ReadEvent(getenv); err != nil {
		g.failed = fault.New(fault.Infra, "run it in a job whose GITHUB_EVENT_PATH is GitHub's own", "%w", err)
	}
	if g.event.Pull != nil {
		g.base = github.NewBase(g.event, getenv("GITHUB_WORKSPACE"), func() (*github.API, error) { return github.NewAPI(getenv, g.token()) })
	}
	return g
}

func (g *gitHub) usable() error { return g.failed }

// token is the one to ask for the configuration with, before the inputs are
// known.
func (g *gitHub) token() string {
	for _, name := range []string{"INPUT_GITHUB-TOKEN", "INPUT_GITHUB_TOKEN", "VEXXY_GITHUB_TOKEN"} {
		if token := strings.TrimSpace(g.getenv(name)); token != "" {
			return token
		}
	}
	return ""
}

// readFile reads the configuration: of a pull request as it is in the base
// commit, so that no request loosens the policy that it is held to, nor brings
// commands of its own.
func (g *gitHub) readFile(path string) ([]byte, error) {
	if g.base == nil {
		return os.ReadFile(path)
	}
	return g.base.ReadFile(path)
}

// instead guards the baseline and people's statements: a pull request that
// brought its own would say itself what of it is new, and what is not affected.
func (g *gitHub) instead(path string, max int64) ([]byte, bool, error) {
	if g.base == nil {
		return nil, false, nil
	}
	return g.base.Instead(path, max)
}

func (g *gitHub) list(dir string) ([]string, error) { return listed(dir, g.base) }

// loaded masks the secrets. What holds them, and the files by which a step
// commands the runner, are not for what runs beside the program.
func (g *gitHub) loaded(cfg config.Config) []string {
	for _, secret := range cfg.Secrets() {
		g.Mask(secret.Reveal())
	}
	if g.base != nil {
		for _, line := range g.base.Ignored() {
			g.Annotate(github.Warning, "vexxy: configuration of the base", line)
		}
	}
	return slices.DeleteFunc(slices.Clone(g.s.Environ), func(kv string) bool {
		name, _, _ := strings.Cut(kv, "=")
		if !private(name) {
			return false
		}
		_ = os.Unsetenv(name) // for what inherits it from here
		return true
	})
}

func private(name string) bool {
	switch name {
	case "VEXXY_GITHUB_TOKEN", "VEXXY_ENV", "GITHUB_OUTPUT", "GITHUB_ENV", "GITHUB_PATH", "GITHUB_STATE", "GITHUB_STEP_SUMMARY":
		return true
	// The runner's own services: artifacts, caches. Those of the identity token,
	// ACTIONS_ID_TOKEN_REQUEST_…, are needed to attest, and go by withoutSecrets.
	case "ACTIONS_RUNTIME_TOKEN", "ACTIONS_RUNTIME_URL", "ACTIONS_CACHE_URL", "ACTIONS_RESULTS_URL":
		return true
	}
	return strings.HasPrefix(name, "INPUT_")
}

// unsigned is of pull requests from forks, whose jobs get no identity token.
func (g *gitHub) unsigned() string {
	if g.event.Pull != nil && g.event.Pull.Fork {
		return "pull requests from forks have no identity to sign with"
	}
	return ""
}

// store is GitHub's store of the job's repository.
func (g *gitHub) store(cfg config.Config) (store, error) {
	if g.event.Owner == "" {
		return nil, fault.New(fault.Usage, "it is set by GitHub's runner", "reading GITHUB_REPOSITORY: it names no repository")
	}
	api, err := github.NewAPI(g.getenv, cfg.Publication.GitHubToken.Reveal())
	if err != nil {
		return nil, fault.New(fault.Usage, fault.HintOf(err), "%w", err)
	}
	return func(ctx context.Context, digest string, bundle []byte) (github.Stored, error) {
		return api.StoreAttestation(ctx, g.event.Owner, g.event.Repo, digest, bundle)
	}, nil
}

// publish tells the log, the outputs, the job's page and the pull request.
func (g *gitHub) publish(ctx context.Context, end ending) {
	g.Foreign(func(w io.Writer) {
		show(w, end.out, report.TableOptions{Width: 120})
		complain(w, end.out)
	})
	g.annotate(end)
	g.try("outputs", g.SetOutputs(outputs(end)))
	g.try("the job's summary", g.Summarise(g.body(end)))
	if url := g.comment(ctx, end); url != "" {
		g.try("the output comment-url", g.SetOutputs([]github.Output{{Name: "comment-url", Value: url}}))
	}
}

// try says what could not be published.
func (g *gitHub) try(what string, err error) {
	if err != nil {
		g.Annotate(github.Warning, "vexxy: "+what, errorText(err))
	}
}

// annotate puts what speaks against passing onto the job's page.
func (g *gitHub) annotate(end ending) {
	if end.err != nil {
		g.Annotate(github.Error, fmt.Sprintf("vexxy: %s", verdict(end)), errorText(end.err))
	}
	level := github.Error
	if end.code == fault.Pass { // warn-only, on-inconclusive
		level = github.Warning
	}
	for _, image := range end.out.Images {
		if all := image.Image.Judgement.Contradictions(); len(all) > 0 {
			g.Annotate(github.Error, "vexxy: contradiction: "+image.Requested, contradictions(all))
		}
	}
	for _, image := range end.out.Images {
		title := fmt.Sprintf("vexxy: %s: %s", image.Verdict, image.Requested)
		switch {
		case image.Err != nil && end.err == nil:
			g.Annotate(level, title, errorText(image.Err))
		case image.Err == nil && len(image.Causes) > 0:
			g.Annotate(level, title, strings.Join(image.Causes, "\n"))
		}
	}
}

// foot is what stands below all that is said of a run: what was ignored, and
// the run's own link.
func (g *gitHub) foot() string {
	var links []string
	if g.event.Pull != nil {
		links = append(links, "commit "+g.event.Pull.HeadSHA[:12])
	}
	if g.event.RunURL != "" {
		links = append(links, fmt.Sprintf("[run %d, attempt %d](%s)", g.event.RunNumber, g.event.RunAttempt, g.event.RunURL))
	}
	return foot(g.base, links)
}

// body renders the job's page.
func (g *gitHub) body(end ending) github.Body {
	foot := g.foot()
	return func(limit int) []byte {
		left := limit - len(foot)
		return append(sticky.Cut(summary(end, left), left), foot...)
	}
}

// comment brings the pull request's comment up to date, and gives its URL. What
// cannot be posted is among the run's documents.
func (g *gitHub) comment(ctx context.Context, end ending) string {
	cancelled := end.code == fault.Interrupted || end.code == fault.Terminated
	if g.event.Pull == nil || len(end.cfg.Images) == 0 || cancelled || end.cfg.Publication.Comment == string(sticky.Never) {
		return ""
	}
	none := func(why string) string {
		g.Annotate(github.Notice, "vexxy: no comment", why+"\nthe job's summary and "+run.CommentFile+" in "+end.cfg.OutputDir+" have the text")
		return ""
	}
	if g.event.Pull.Fork {
		return none("pull requests from forks have a token that can read alone")
	}
	token := end.cfg.Publication.GitHubToken.Reveal()
	if token == "" { // a program in a workflow, which may not want one
		return none("there is no token for it: pass ${{ github.token }} as github-token")
	}
	c := commentOf(end, github.Site(g.getenv), remark(end, g.foot()))
	c.Order = sticky.Order{Run: g.event.RunNumber, Attempt: g.event.RunAttempt, Started: g.begun.UnixNano()}
	api, err := github.NewAPI(g.getenv, token)
	var posted sticky.Posted
	if err == nil {
		posted, err = api.Post(ctx, g.event.Owner, g.event.Repo, g.event.Pull.Number, c)
	}
	if err != nil {
		g.try("no comment", err)
		return ""
	}
	fmt.Fprintf(g.s.Out, "comment %s %s\n", posted.Did, foreign.Text(posted.URL).Line(500))
	return posted.URL
}
