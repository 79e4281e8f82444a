package app

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/vexxy/action/internal/config"
	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/host/github"
	"github.com/vexxy/action/internal/record"
	"github.com/vexxy/action/internal/report"
	"github.com/vexxy/action/internal/sticky"
)

// gitHub is the host of a job on GitHub.
type gitHub struct {
	*github.Host
	checkout
	s      Streams
	getenv func(string) string
	event  github.Event
	failed error // why the event could not be read
	begun  time.Time
	found  *pullRequest // what pull has found
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

// loaded masks the secrets. What holds them, and the files by which a step
// commands the runner, are not for what runs beside the program.
func (g *gitHub) loaded(cfg config.Config) []string {
	for _, secret := range cfg.Secrets() {
		g.Mask(secret.Reveal())
	}
	for _, line := range g.ignored() {
		g.Annotate(github.Warning, "vexxy: configuration of the base", line)
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

// origins are this run and, where it follows another one, that.
func (g *gitHub) origins() ([]record.Origin, error) {
	e := g.event
	if e.Repo == "" || e.RunID <= 0 || e.Commit == "" {
		return nil, fault.New(fault.Infra, "run it in a job whose GITHUB_REPOSITORY, GITHUB_RUN_ID and GITHUB_SHA are GitHub's own", "reading what this job is for: the environment does not tell")
	}
	of := func(id int64, commit string) record.Origin {
		return record.Origin{Repository: e.Owner + "/" + e.Repo, Commit: commit, Run: strconv.FormatInt(id, 10)}
	}
	all := []record.Origin{of(e.RunID, e.Commit)}
	if e.Trigger != nil {
		all = append(all, of(e.Trigger.ID, e.Trigger.HeadSHA))
	}
	return all, nil
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
	if end.part == partAttest {
		return // what was found is told by the job that publishes
	}
	g.try("the job's summary", g.Summarise(g.body(end)))
	if url := g.comment(ctx, end); url != "" {
		g.try("the output comment-url", g.SetOutputs([]github.Output{{Name: "comment-url", Value: url}}))
	}
	g.upload(ctx, end)
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
func (g *gitHub) foot(end ending) string {
	var links []string
	number, attempt, url := g.event.RunNumber, g.event.RunAttempt, g.event.RunURL
	switch t := g.event.Trigger; {
	case g.event.Pull != nil:
		links = append(links, "commit "+g.event.Pull.HeadSHA[:12])
	case t != nil && end.part == partPublish:
		links = append(links, "as a job has recorded it that runs what the change brings", "commit "+t.HeadSHA[:12])
		number, attempt, url = t.Number, t.Attempt, t.URL
	}
	if url != "" {
		links = append(links, fmt.Sprintf("[run %d, attempt %d](%s)", number, attempt, url))
	}
	return foot(g.base, links)
}

// body renders the job's page.
func (g *gitHub) body(end ending) github.Body {
	foot := g.foot(end)
	return func(limit int) []byte {
		left := limit - len(foot)
		return append(sticky.Cut(summary(end, left), left), foot...)
	}
}
