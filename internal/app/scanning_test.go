package app

import (
	"archive/zip"
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/host/github/githubtest"
	"github.com/vexxy/action/internal/record"
	"github.com/vexxy/action/internal/run"
)

// What is affected, and nothing else, goes to code scanning, on the commit and
// the ref that the run is about.
func TestUploadToCodeScanning(t *testing.T) {
	for event, ref := range map[string]string{"pull_request": "refs/pull/7/head", "push": "refs/heads/main", "workflow_run": "refs/pull/7/head"} {
		t.Run(event, func(t *testing.T) {
			j := newJob(t, event, "", "", "INPUT_UPLOAD-SARIF=true", "INPUT_COMMENT=never", "GITHUB_REF=refs/heads/main")
			j.api.Heads = []githubtest.Head{{Number: 7, SHA: forkSHA, Branch: "change", Owner: "mallory", Repo: 2}}
			commit := j.head
			if event == "workflow_run" {
				commit = forkSHA
				j.environ = append(j.environ, "INPUT_IMAGE=")
				if code := j.main(t, "publish", left(t, record.Origin{Repository: "octo/app", Commit: forkSHA, Run: "55"}, nil)); code != fault.Pass {
					t.Errorf("code %d", code)
				}
			} else if end := j.run(t); end.code != fault.Pass {
				t.Errorf("code %d", end.code)
			}
			got := j.api.Analyses()
			if len(got) != 1 || got[0].Commit != commit || got[0].Ref != ref || got[0].SARIF != j.read(t, filepath.Join(j.dir, "vexxy-results", run.SARIFFile)) {
				t.Errorf("analyses %+v\n%s", got, j.read(t, j.log))
			}
			if log := j.read(t, j.log); !strings.Contains(log, "uploaded to code scanning: 1 of 1 images") || strings.Contains(log, "::warning") {
				t.Errorf("log:\n%s", log)
			}
		})
	}
}

// Without the right for it, or on a fork's pull request, there is one notice, and
// the verdict is what it was.
func TestNoUpload(t *testing.T) {
	for name, c := range map[string]struct {
		event, more string
		says        string
		requests    int
	}{
		"no right":  {"pull_request", "", "::warning title=vexxy%3A no upload::uploading SARIF: 403 Resource not accessible by integration%0Aadd `security-events: write`", 1},
		"a fork":    {"fork", "", "::notice title=vexxy%3A no upload::pull requests from forks", 0},
		"no token":  {"push", "INPUT_GITHUB-TOKEN=", "there is no token", 0},
		"not asked": {"push", "INPUT_UPLOAD-SARIF=false", "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			j := newJob(t, c.event, "", "", "INPUT_UPLOAD-SARIF=true", "INPUT_COMMENT=never", c.more)
			j.api.Fail("SARIF", githubtest.Fault{Status: 403, Body: `{"message":"Resource not accessible by integration"}`})
			end := j.run(t)
			log := j.read(t, j.log)
			if end.code != fault.Pass || j.outputs(t)["verdict"] != "pass" || !strings.Contains(log, c.says) || strings.Count(log, "no upload") > 1 || strings.Contains(log, "no upload") != (c.says != "") {
				t.Errorf("code %d, log:\n%s", end.code, log)
			}
			if n := len(j.api.Requests("SARIF")); n != c.requests {
				t.Errorf("%d requests", n)
			}
		})
	}
}

// A baseline out of an artifact makes old what its run has said already; what it
// was is told. Without one everything is new, with one notice.
func TestBaselineFromAnArtifact(t *testing.T) {
	old := left(t, record.Origin{}, nil)
	var archive bytes.Buffer
	w := zip.NewWriter(&archive)
	f, err := w.Create(run.ResultFile)
	if err != nil {
		t.Fatal(err)
	}
	j := newJob(t, "pull_request", "", "")
	if _, err := f.Write([]byte(j.read(t, filepath.Join(old, run.ResultFile)))); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		artifact string
		archive  []byte
		code     fault.Code
		says     string
	}{
		"there":     {"results", archive.Bytes(), fault.Pass, "baseline: artifact results of run 8 ("},
		"not there": {"others", archive.Bytes(), fault.GateFailed, "everything counts as new: looking for artifact \"results\": no successful run on main has it"},
		"broken":    {"results", []byte("no archive"), fault.GateFailed, "everything counts as new: reading artifact"},
	} {
		t.Run(name, func(t *testing.T) {
			j := newJob(t, "pull_request", "", "", "INPUT_COMMENT=never", "INPUT_MAX-AFFECTED=0", "INPUT_FAIL-ON=new", "INPUT_BASELINE=artifact:results")
			j.environ = append(j.environ, "INPUT_IMAGE=")
			j.api.Runs = []githubtest.Run{{ID: 40, Number: 8, Event: "push", Branch: "main", Status: "success", Commit: j.base}}
			j.api.Artifacts = []githubtest.Artifact{{ID: 1, Run: 40, Name: c.artifact, Archive: c.archive}}
			code := j.main(t, "publish", left(t, j.own(), nil))
			log := j.read(t, j.log)
			if code != c.code || !strings.Contains(log, c.says) {
				t.Errorf("code %d, log:\n%s", code, log)
			}
			if page := j.read(t, j.page); strings.Contains(page, "everything counts as new") != (c.code != fault.Pass) {
				t.Errorf("page %s", page)
			}
		})
	}
	// Elsewhere there are no artifacts.
	t.Chdir(t.TempDir())
	if code, _, errs := vexxy(t, "publish", "--max-affected", "0", "--fail-on", "new", "--baseline", "artifact:x", old); code != int(fault.GateFailed) || !strings.Contains(errs, "only a job on GitHub has artifacts") {
		t.Errorf("code %d, %s", code, errs)
	}
}
