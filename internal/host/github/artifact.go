package github

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	gh "github.com/google/go-github/v60/github"

	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/sticky"
)

// Artifact is an artifact of an earlier run, downloaded. Nothing in it is
// trusted but that it is of that run. Close removes it.
type Artifact struct {
	// From says in words which artifact of which run it is.
	From string

	file *os.File
	zip  *zip.Reader
}

// maxArtifact bounds an artifact's archive, in bytes.
const maxArtifact = 256 << 20

// maxRuns bounds how many runs are asked for the artifact.
const maxRuns = 10

// ownEvents start runs of the repository's own code. A run for a pull request
// is the request's, and its branch has whatever name its author gave it: main,
// for instance.
var ownEvents = []string{"push", "schedule", "workflow_dispatch", "release"}

// LatestArtifact downloads the artifact of a name from the latest successful run
// of the event's own workflow on its target branch that has one: of a pull
// request the branch that it is to be merged into. dir is for the download.
// Without one the error wraps fs.ErrNotExist.
func (a *API) LatestArtifact(ctx context.Context, e Event, name, dir string) (*Artifact, error) {
	if e.Branch == "" || e.Workflow == "" && e.Trigger == nil {
		return nil, fault.New(fault.Infra, "it is set by GitHub's runner", "looking for artifact %q: the event names no branch and workflow", text(name, 100))
	}
	var got *Artifact
	var err error
	f := a.patiently(ctx, func(ctx context.Context) (f sticky.Failure) {
		got, f, err = a.latest(ctx, e, name, dir)
		return f
	})
	if f.Kind != sticky.Answered {
		return nil, explainArtifact(fmt.Sprintf("looking for artifact %q on %s", text(name, 100), text(e.Branch, 100)), f)
	}
	return got, err
}

// explainArtifact makes the one notice of an artifact that cannot be had.
func explainArtifact(doing string, f sticky.Failure) error {
	hint := "download it in a step before (actions/download-artifact), and name its result.json"
	switch f.Kind {
	case sticky.Denied, sticky.Missing:
		hint = "add `actions: read` to the job's permissions"
	case sticky.Passing, sticky.Limited:
		hint = "it is tried again with the next run"
	}
	return fault.New(fault.Infra, hint, "%s: %s", doing, f.What)
}

func (a *API) latest(ctx context.Context, e Event, name, dir string) (*Artifact, sticky.Failure, error) {
	runs, f := a.runs(ctx, e)
	if f.Kind != sticky.Answered {
		return nil, f, nil
	}
	for _, run := range runs[:min(len(runs), maxRuns)] {
		id, f := a.artifactOf(ctx, e, run.GetID(), name)
		if f.Kind != sticky.Answered {
			return nil, f, nil
		}
		if id == 0 {
			continue
		}
		got := &Artifact{From: fmt.Sprintf("artifact %s of run %d (%s), commit %.12s of %s", text(name, 100), run.GetRunNumber(), run.GetCreatedAt().UTC().Format(time.RFC3339), text(run.GetHeadSHA(), 64), text(e.Branch, 200))}
		f, err := a.download(ctx, e, id, dir, got)
		if err != nil || f.Kind != sticky.Answered {
			return nil, f, err
		}
		return got, f, nil
	}
	return nil, sticky.Failure{Kind: sticky.Answered}, fault.New(fault.Infra, "it is there once a run on that branch has succeeded and kept it (actions/upload-artifact)",
		"looking for artifact %q: no successful run on %s has it: %w", text(name, 100), text(e.Branch, 100), fs.ErrNotExist)
}

// runs lists the successful runs of the repository's own code on the branch,
// newest first.
func (a *API) runs(ctx context.Context, e Event) ([]*gh.WorkflowRun, sticky.Failure) {
	ctx, cancel := a.once(ctx)
	defer cancel()
	o := &gh.ListWorkflowRunsOptions{Branch: e.Branch, Status: "success", ExcludePullRequests: true, ListOptions: gh.ListOptions{PerPage: 100}}
	var list *gh.WorkflowRuns
	var err error
	if e.Trigger != nil {
		list, _, err = a.client.Actions.ListWorkflowRunsByID(ctx, e.Owner, e.Repo, e.Trigger.Workflow, o)
	} else {
		list, _, err = a.client.Actions.ListWorkflowRunsByFileName(ctx, e.Owner, e.Repo, e.Workflow, o)
	}
	if err != nil {
		return nil, fail(err)
	}
	var own []*gh.WorkflowRun
	for _, run := range list.WorkflowRuns {
		if run != nil && slices.Contains(ownEvents, run.GetEvent()) && run.GetConclusion() == "success" && run.GetHeadBranch() == e.Branch && run.GetID() != e.RunID &&
			run.GetHeadRepository().GetID() != 0 && run.GetHeadRepository().GetID() == run.GetRepository().GetID() {
			own = append(own, run)
		}
	}
	slices.SortStableFunc(own, func(x, y *gh.WorkflowRun) int { return y.GetRunNumber() - x.GetRunNumber() })
	return own, sticky.Failure{Kind: sticky.Answered}
}

// artifactOf gives the ID of a run's artifact, 0 for none.
func (a *API) artifactOf(ctx context.Context, e Event, run int64, name string) (int64, sticky.Failure) {
	ctx, cancel := a.once(ctx)
	defer cancel()
	list, _, err := a.client.Actions.ListWorkflowRunArtifacts(ctx, e.Owner, e.Repo, run, &gh.ListOptions{PerPage: 100})
	if err != nil {
		return 0, fail(err)
	}
	for _, one := range list.Artifacts {
		if one.GetName() == name && !one.GetExpired() {
			return one.GetID(), sticky.Failure{Kind: sticky.Answered}
		}
	}
	return 0, sticky.Failure{Kind: sticky.Answered}
}

// download fetches an archive from where the API sends us, without the token.
func (a *API) download(ctx context.Context, e Event, id int64, dir string, got *Artifact) (sticky.Failure, error) {
	one, cancel := a.once(ctx)
	defer cancel()
	at, resp, err := a.client.Actions.DownloadArtifact(one, e.Owner, e.Repo, id, 0)
	if err != nil {
		if resp != nil && resp.Response != nil {
			err = &gh.ErrorResponse{Response: resp.Response}
		}
		return fail(err), nil
	}
	if at.Scheme != "https" && at.Scheme != a.client.BaseURL.Scheme {
		return sticky.Failure{Kind: sticky.Refused, What: "the archive is at an address that is not encrypted"}, nil
	}
	f, err := os.CreateTemp(dir, "vexxy-artifact-")
	if err != nil {
		return sticky.Failure{Kind: sticky.Answered}, fault.New(fault.Infra, "check the space of the temporary directory", "downloading artifact: %w", err)
	}
	got.file = f
	failed := fetch(ctx, at, f)
	if failed.Kind != sticky.Answered {
		got.Close()
		return failed, nil
	}
	info, err := f.Stat()
	if err == nil {
		got.zip, err = zip.NewReader(f, info.Size())
	}
	if err != nil {
		got.Close()
		return sticky.Failure{Kind: sticky.Answered}, fault.New(fault.Infra, "", "reading artifact: %w", err)
	}
	return failed, nil
}

func fetch(ctx context.Context, at *url.URL, to io.Writer) sticky.Failure {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), nil)
	if err != nil {
		return sticky.Failure{Kind: sticky.Refused, What: "the archive has no address"}
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return errors.New("it leads elsewhere") }}
	resp, err := client.Do(r)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err // without the address, which is signed
		}
		return sticky.Failure{Kind: sticky.Passing, What: text(err.Error(), 200)}
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode >= 500:
		return sticky.Failure{Kind: sticky.Passing, Status: resp.StatusCode, What: resp.Status}
	case resp.StatusCode != http.StatusOK:
		return sticky.Failure{Kind: sticky.Refused, Status: resp.StatusCode, What: "the archive: " + text(resp.Status, 100)}
	}
	n, err := io.Copy(to, io.LimitReader(resp.Body, maxArtifact+1))
	switch {
	case err != nil:
		return sticky.Failure{Kind: sticky.Passing, What: text(err.Error(), 200)}
	case n > maxArtifact:
		return sticky.Failure{Kind: sticky.Refused, What: fmt.Sprintf("the archive has more than %d bytes", maxArtifact)}
	}
	return sticky.Failure{Kind: sticky.Answered}
}

// Read gives a file of the artifact, of at most max bytes; no other is looked
// at. Without it the error wraps fs.ErrNotExist.
func (a *Artifact) Read(name string, max int64) ([]byte, error) {
	for _, f := range a.zip.File {
		if f.Name != strings.ReplaceAll(name, string(os.PathSeparator), "/") {
			continue
		}
		switch {
		case !f.Mode().IsRegular():
			return nil, fmt.Errorf("%s of the artifact is no regular file", name)
		case f.UncompressedSize64 > uint64(max):
			return nil, fmt.Errorf("%s has %d bytes, at most %d are allowed", name, f.UncompressedSize64, max)
		}
		r, err := f.Open()
		if err != nil {
			return nil, err
		}
		defer r.Close()
		data, err := io.ReadAll(io.LimitReader(r, max+1))
		if err == nil && int64(len(data)) > max {
			err = fmt.Errorf("%s is longer than %d bytes", name, max)
		}
		return data, err
	}
	return nil, fmt.Errorf("the artifact has no %s: %w", name, fs.ErrNotExist)
}

// Close removes the download.
func (a *Artifact) Close() {
	if a.file != nil {
		_ = a.file.Close()
		_ = os.Remove(a.file.Name())
	}
}
