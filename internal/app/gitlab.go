package app

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/vexxy/action/internal/baseline"
	"github.com/vexxy/action/internal/config"
	"github.com/vexxy/action/internal/doctor"
	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/host/gitlab"
	"github.com/vexxy/action/internal/record"
	"github.com/vexxy/action/internal/report"
	"github.com/vexxy/action/internal/run"
	"github.com/vexxy/action/internal/sticky"
)

// gitLab is the host of a job in a GitLab pipeline.
type gitLab struct {
	*gitlab.Host
	checkout
	s      Streams
	getenv func(string) string
	job    gitlab.Job
	failed error // why the job could not be read
	begun  time.Time
}

func newGitLab(s Streams, getenv func(string) string) *gitLab {
	g := &gitLab{Host: gitlab.New(s.Out), s: s, getenv: getenv, begun: time.Now()}
	var err error
	if g.job, err = gitlab.ReadJob(getenv); err != nil {
		g.failed = fault.New(fault.Infra, "leave GitLab's predefined variables as they are", "%w", err)
	}
	if m := g.job.Merge; m != nil {
		g.base = gitlab.NewBase(*m, getenv("CI_PROJECT_DIR"), func() (*gitlab.API, error) {
			return gitlab.NewAPI(getenv, strings.TrimSpace(getenv("VEXXY_GITLAB_TOKEN"))) // the inputs are not known yet
		})
	}
	return g
}

// usable also takes away the reports that lie where this run's are taken from:
// an earlier run's, or what a merge request has brought along.
func (g *gitLab) usable() error {
	if err := clearReports(g.projectDir()); err != nil {
		return fault.New(fault.Infra, "check the rights of the project's folder", "removing earlier reports: %w", err)
	}
	return g.failed
}

// origins is this pipeline, at the commit of the merge request's head or the
// job's own.
func (g *gitLab) origins() ([]record.Origin, error) {
	o := record.Origin{Repository: g.getenv("CI_PROJECT_PATH"), Commit: g.getenv("CI_COMMIT_SHA"), Run: g.getenv("CI_PIPELINE_ID")}
	if m := g.job.Merge; m != nil {
		o.Commit = m.HeadSHA
	}
	if o.Repository == "" || o.Commit == "" || o.Run == "" {
		return nil, fault.New(fault.Infra, "leave GitLab's predefined variables as they are", "reading what this job is for: CI_PROJECT_PATH, CI_COMMIT_SHA or CI_PIPELINE_ID is not set")
	}
	return []record.Origin{o}, nil
}

// artifact is not for GitLab, whose jobs name the artifacts they want.
func (g *gitLab) artifact(context.Context, string, config.Secret) (string, baseline.Reader, func(), error) {
	return "", nil, nil, fault.New(fault.Usage, "let the job download it (needs: project), and name its result.json", "only a job on GitHub takes a baseline from an artifact")
}

// store is none: GitLab has no store of attestations beside the registry.
func (g *gitLab) store(config.Config) (store, error) { return (&terminal{}).store(config.Config{}) }

// loaded says what this job lacks, and takes the job's secrets away from what
// runs beside the program: GitLab cannot mask them from here.
func (g *gitLab) loaded(cfg config.Config) []string {
	for _, line := range g.ignored() {
		g.Remark(gitlab.Warning, "configuration of the target branch", line)
	}
	for _, f := range doctor.GitLab(g.getenv, "/") {
		if !f.OK {
			g.Remark(gitlab.Warning, f.Name+": "+f.Detail, f.Remedy)
		}
	}
	secrets := cfg.Secrets()
	return slices.DeleteFunc(slices.Clone(g.s.Environ), func(kv string) bool {
		name, value, _ := strings.Cut(kv, "=")
		if !gitlabSecret(name) && !isSecret(name, value, secrets) {
			return false
		}
		_ = os.Unsetenv(name) // for what inherits it from here
		return true
	})
}

// gitlabSecret reports whether a variable holds a token or a password of the
// job (https://docs.gitlab.com/ci/variables/predefined_variables). That of the
// identity, SIGSTORE_ID_TOKEN, is needed to attest, and goes by withoutSecrets.
func gitlabSecret(name string) bool {
	switch name {
	case "VEXXY_GITLAB_TOKEN", "VEXXY_GITHUB_TOKEN", "VEXXY_ENV",
		"CI_JOB_TOKEN", "CI_JOB_JWT", "CI_JOB_JWT_V1", "CI_JOB_JWT_V2", "CI_REPOSITORY_URL",
		"CI_REGISTRY_PASSWORD", "CI_DEPLOY_PASSWORD", "CI_DEPENDENCY_PROXY_PASSWORD", "DOCKER_AUTH_CONFIG":
		return true
	}
	return false
}

// unsigned is of merge requests from forks: what runs for them is nobody's to
// vouch for.
func (g *gitLab) unsigned() string {
	if m := g.job.Merge; m != nil && m.Fork {
		return "merge requests from forks are not signed for"
	}
	return ""
}

func (g *gitLab) projectDir() string {
	if dir := g.getenv("CI_PROJECT_DIR"); dir != "" {
		return dir
	}
	return "."
}

// publish tells the log, the job's reports and the merge request. The dotenv
// report is written before the note and again with its address: a job that is
// killed in between has its verdict.
func (g *gitLab) publish(ctx context.Context, end ending) {
	g.Write(func(w io.Writer) {
		show(w, end.out, report.TableOptions{Width: 120})
		complain(w, end.out)
	})
	for _, image := range end.out.Images {
		if all := image.Image.Judgement.Contradictions(); len(all) > 0 {
			g.Remark(gitlab.Error, "contradiction: "+image.Requested, contradictions(all))
		}
	}
	if end.part == partAttest {
		g.dotenv(end, "")
		return // what was found is told by the job that publishes
	}
	g.try("no security reports", writeReports(g.projectDir(), end))
	g.dotenv(end, "")
	if url := g.note(ctx, end); url != "" {
		g.dotenv(end, url)
	}
}

// try says what could not be published.
func (g *gitLab) try(what string, err error) {
	if err != nil {
		g.Remark(gitlab.Warning, what, errorText(err))
	}
}

func (g *gitLab) dotenv(end ending, note string) {
	data, left, err := gitlab.Dotenv(append(variables(end, g.projectDir()), gitlab.Output{Name: "VEX_NOTE_URL", Value: note}))
	if err == nil {
		err = run.WriteFile(reportPath(g.projectDir(), dotenvFile), data)
	}
	if len(left) > 0 && note == "" {
		g.Remark(gitlab.Notice, dotenvFile, strings.Join(left, ", ")+" left empty: too long for a dotenv report, or of characters that it does not take; result.json has the values")
	}
	g.try("no dotenv report", err)
}

// note brings the merge request's note up to date, and gives its URL. What
// cannot be posted is among the run's documents.
func (g *gitLab) note(ctx context.Context, end ending) string {
	m := g.job.Merge
	cancelled := end.code == fault.Interrupted || end.code == fault.Terminated
	if m == nil || len(end.cfg.Images) == 0 || cancelled || end.cfg.Publication.Comment == string(sticky.Never) {
		return ""
	}
	none := func(why string) string {
		g.Remark(gitlab.Notice, "no note on the merge request", why+"\n"+run.CommentFile+" in "+end.cfg.OutputDir+" has the text")
		return ""
	}
	if m.Fork {
		return none("it comes from a fork, whose jobs are given no token")
	}
	token := end.cfg.Publication.GitLabToken.Reveal()
	if token == "" {
		return none("CI_JOB_TOKEN may not write one: add the input gitlab-token, a project access token with the scope api and the role Reporter, from a masked variable")
	}
	c := commentOf(end, g.job.Site(), remark(end, g.foot()))
	c.Own = "" // the job's name already tells the legs of a matrix apart
	c.Order = sticky.Order{Run: g.job.Pipeline, Attempt: g.job.ID, Started: g.begun.UnixNano()}
	api, err := gitlab.NewAPI(g.getenv, token)
	var posted sticky.Posted
	if err == nil {
		posted, err = api.Post(ctx, *m, c)
	}
	if err != nil {
		g.try("no note on the merge request", err)
		return ""
	}
	g.Write(func(w io.Writer) { fmt.Fprintf(w, "note %s %s\n", posted.Did, posted.URL) })
	return posted.URL
}

// foot is what stands below all that is said of a run.
func (g *gitLab) foot() string {
	var links []string
	if m := g.job.Merge; m != nil {
		links = append(links, "commit "+m.HeadSHA[:12])
	}
	if g.job.URL != "" {
		links = append(links, fmt.Sprintf("[job %d, pipeline %d](%s)", g.job.ID, g.job.Pipeline, g.job.URL))
	}
	return foot(g.base, links)
}
