package app

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/vexxy/action/internal/config"
	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/host/github"
	"github.com/vexxy/action/internal/host/github/githubtest"
	"github.com/vexxy/action/internal/run"
)

func TestPublishOnAPullRequest(t *testing.T) {
	j := newJob(t, "pull_request", "", "")
	end := j.run(t)
	comments := j.api.Comments()
	if len(comments) != 1 || !strings.Contains(comments[0].Body, "vexxy: pass") || !strings.Contains(comments[0].Body, "[run 3, attempt 1](https://github.example/octo/app/actions/runs/99)") {
		t.Fatalf("comments: %+v\n%s", comments, j.read(t, j.log))
	}
	dir := filepath.Join(j.dir, "vexxy-results")
	want := map[string]string{
		"verdict": "pass", "exit-code": "0", "affected": "3", "not-affected": "3", "under-investigation": "0", "fixed": "0", "total": "6",
		"affected-critical": "0", "affected-high": "1", "affected-medium": "0", "affected-low": "0", "affected-negligible": "0", "affected-unknown": "2",
		"vex": dir + "/vex.openvex.json", "sbom": dir + "/sbom.cdx.json", "runtime-sbom": dir + "/sbom.runtime.cdx.json",
		"result": dir + "/result.json", "summary": dir + "/summary.md", "output-dir": dir, "sarif": dir + "/results.sarif",
		"digest": "sha256:fa01ef8365b9ffda3ec9cd1939afc5ecb4813682eb7974b838879b3cfada518a", "run-id": end.out.ID, "attestations": "",
		"comment-url": fmt.Sprintf("%s/octo/app/pull/7#issuecomment-%d", j.api.URL, comments[0].ID),
	}
	got := j.outputs(t)
	for name, value := range want {
		if got[name] != value {
			t.Errorf("output %s is %q, want %q", name, got[name], value)
		}
	}
	if len(got) != len(want) {
		t.Errorf("outputs: %v", got)
	}
	if page := j.read(t, j.page); !strings.Contains(page, "vexxy: pass") {
		t.Errorf("the job's page: %s", page)
	}
	log := j.read(t, j.log)
	if strings.Contains(log, "::error") || strings.Contains(log, "::warning") || !strings.Contains(log, "::add-mask::"+githubtest.Token) {
		t.Errorf("log:\n%s", log)
	}
	// The next build has another tag, and the same comment.
	j.environ = append(j.environ, "GITHUB_RUN_NUMBER=4", "INPUT_IMAGE=registry.example/app:next")
	j.run(t)
	if again := j.api.Comments(); len(again) != 1 || !strings.Contains(again[0].Body, "run 4") {
		t.Errorf("comments: %+v", again)
	}
}

// A pull request that loosens its policy is held to that of its base.
func TestPullRequestRaisesItsLimit(t *testing.T) {
	j := newJob(t, "pull_request", "max-affected: 0\n", "max-affected: 1000\ntest-command: curl https://evil.example\n")
	end := j.run(t)
	if end.code != fault.GateFailed || end.cfg.TestCommand != "" {
		t.Errorf("code %d, test command %q", end.code, end.cfg.TestCommand)
	}
	if got := j.outputs(t); got["verdict"] != "fail" || got["exit-code"] != "2" {
		t.Errorf("outputs: %v", got)
	}
	for where, text := range map[string]string{"page": j.read(t, j.page), "log": j.read(t, j.log), "comment": j.api.Comments()[0].Body} {
		if !strings.Contains(text, "as this pull request has it is ignored") {
			t.Errorf("the %s does not say what was ignored:\n%s", where, text)
		}
	}
	// On a push the same file is what holds.
	pushed := newJob(t, "push", "max-affected: 0\n", "max-affected: 1000\n")
	if end := pushed.run(t); end.code != fault.Pass {
		t.Errorf("on a push: code %d", end.code)
	}
}

// Where nobody may or need comment, no comment is tried.
func TestNoCommentIsTried(t *testing.T) {
	for _, c := range []struct{ event, more string }{
		{"fork", ""}, {"push", ""}, {"release", ""}, {"schedule", ""}, {"pull_request", "INPUT_COMMENT=never"},
	} {
		j := newJob(t, c.event, "", "", c.more)
		if why := newHost(j.streams(t)).unsigned(); (why != "") != (c.event == "fork") {
			t.Errorf("%s: not signed because %q", c.event, why)
		}
		end := j.run(t)
		if end.code != fault.Pass || j.outputs(t)["verdict"] != "pass" || j.outputs(t)["comment-url"] != "" {
			t.Errorf("%s: %+v", c.event, j.outputs(t))
		}
		if n := len(j.api.Requests("")); n != 0 {
			t.Errorf("%s: %d requests", c.event, n)
		}
		if text := j.read(t, filepath.Join(j.dir, "vexxy-results", run.CommentFile)); !strings.Contains(text, "vexxy: pass") {
			t.Errorf("%s: %s: %q", c.event, run.CommentFile, text)
		}
		if told := strings.Contains(j.read(t, j.log), "no comment"); told != (c.event == "fork") {
			t.Errorf("%s: that there is no comment is told: %v", c.event, told)
		}
		if !strings.Contains(j.read(t, j.page), "vexxy: pass") {
			t.Errorf("%s: the job's page says nothing", c.event)
		}
	}
}

// What cannot be published changes no verdict and is told once, with what to
// do.
func TestPublishingFails(t *testing.T) {
	j := newJob(t, "pull_request", "", "")
	j.api.Fail("LIST", githubtest.Fault{Status: 403, Body: `{"message":"Resource not accessible by integration"}`})
	end := j.run(t)
	log := j.read(t, j.log)
	if end.code != fault.Pass || j.outputs(t)["verdict"] != "pass" || strings.Count(log, "::warning") != 1 || !strings.Contains(log, "pull-requests: write") {
		t.Errorf("code %d, log:\n%s", end.code, log)
	}
	if text := j.read(t, filepath.Join(j.dir, "vexxy-results", run.CommentFile)); !strings.Contains(text, "vexxy: pass") {
		t.Errorf("%s: %s", run.CommentFile, text)
	}
	// Nowhere to write to.
	j = newJob(t, "push", "", "", "GITHUB_OUTPUT=", "GITHUB_STEP_SUMMARY=/")
	if end := j.run(t); end.code != fault.Pass || strings.Count(j.read(t, j.log), "::warning") != 2 {
		t.Errorf("code %d, log:\n%s", end.code, j.read(t, j.log))
	}
}

// A run that never begins has outputs too, and none that could pass.
func TestBadInputHasOutputs(t *testing.T) {
	for name, c := range map[string]struct {
		event, base string
		more        []string
		code        fault.Code
		says        string
	}{
		"input":    {"push", "", []string{"INPUT_DURATION=soon"}, fault.Usage, "duration"},
		"policy":   {"pull_request", "max-afected: 3\n", nil, fault.Usage, "did you mean max-affected?"},
		"no event": {"pull_request", "", []string{"GITHUB_EVENT_PATH="}, fault.Infra, "GITHUB_EVENT_PATH"},
		"no base":  {"pull_request", "", []string{"GITHUB_WORKSPACE=/nowhere"}, fault.Infra, "contents: read"},
	} {
		t.Run(name, func(t *testing.T) {
			j := newJob(t, c.event, c.base, "max-affected: 1000\n", c.more...)
			if name == "no base" {
				if err := os.RemoveAll(filepath.Join(j.dir, ".git")); err != nil {
					t.Fatal(err)
				}
			}
			code := Main([]string{"run"}, j.streams(t))
			log := j.read(t, j.log)
			if code != int(c.code) || !strings.Contains(log, "::error title=vexxy%3A error::") || !strings.Contains(log, c.says) {
				t.Errorf("code %d, log:\n%s", code, log)
			}
			got := j.outputs(t)
			if got["verdict"] != "error" || got["exit-code"] != fmt.Sprint(code) || got["affected"] != "" || got["result"] != "" {
				t.Errorf("outputs: %v", got)
			}
			if page := j.read(t, j.page); !strings.Contains(page, "vexxy: error") {
				t.Errorf("page: %s", page)
			}
			if len(j.api.Comments()) != 0 {
				t.Error("a run without inputs comments")
			}
		})
	}
}

// To ask for help is no run: nothing is published.
func TestHelpPublishesNothing(t *testing.T) {
	j := newJob(t, "push", "", "")
	code := Main([]string{"run", "--help"}, j.streams(t))
	if log := j.read(t, j.log); code != 0 || strings.Contains(log, "::error") || !strings.Contains(log, "--github-token") {
		t.Errorf("code %d, log:\n%s", code, log)
	}
	if _, err := os.Stat(j.output); err == nil {
		t.Error("there are outputs")
	}
}

// What runs beside the program gets neither secrets nor a way to command the
// runner.
func TestEnvironmentOfOthers(t *testing.T) {
	j := newJob(t, "push", "", "", "INPUT_ENV=PASSWORD=hunter2222", "VEXXY_GITHUB_TOKEN=x", "GITHUB_ENV=/x", "GITHUB_PATH=/x", "HOME=/root",
		"ACTIONS_RUNTIME_TOKEN=x", "ACTIONS_RUNTIME_URL=x", "ACTIONS_CACHE_URL=x", "ACTIONS_RESULTS_URL=x", "ACTIONS_ID_TOKEN_REQUEST_URL=x")
	h := newHost(j.streams(t))
	if err := h.usable(); err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	cfg, err := config.Load(nil, j.environ, h.readFile, config.Options{Ignore: noInputs})
	if err != nil {
		t.Fatal(err)
	}
	left := strings.Join(h.loaded(cfg), "\n") + "\n"
	for _, gone := range []string{"INPUT_", githubtest.Token, "hunter2222", "VEXXY_GITHUB_TOKEN", "GITHUB_ENV=", "GITHUB_PATH=", "GITHUB_OUTPUT=", "GITHUB_STEP_SUMMARY=", "ACTIONS_RUNTIME_", "ACTIONS_CACHE_URL", "ACTIONS_RESULTS_URL"} {
		if strings.Contains(left, gone) {
			t.Errorf("%s is left", gone)
		}
	}
	for _, kept := range []string{"HOME=/root\n", "GITHUB_REPOSITORY=octo/app\n", "ACTIONS_ID_TOKEN_REQUEST_URL=x\n"} {
		if !strings.Contains(left, kept) {
			t.Errorf("%s is gone", kept)
		}
	}
	if log := j.read(t, j.log); !strings.Contains(log, "::add-mask::hunter2222\n") {
		t.Errorf("log: %s", log)
	}
}

func TestRepository(t *testing.T) {
	for ref, want := range map[string]string{
		"nginx": "nginx", "nginx:1.27": "nginx", "localhost:5000/app": "localhost:5000/app", "localhost:5000/app:v1@sha256:ab": "localhost:5000/app",
		"docker-daemon:app:v1": "docker-daemon:app", "docker-daemon:app": "docker-daemon:app",
		"docker-archive:a:b.tar": "docker-archive:a:b.tar", "oci-dir:x": "oci-dir:x", "": "",
	} {
		if got := repository(ref); got != want {
			t.Errorf("%q is of %q, want %q", ref, got, want)
		}
	}
}

// Every output stands in action.yml, and nothing else does.
func TestOutputsAreThoseOfTheAction(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(sourceDir, "..", "..", "action.yml"))
	if err != nil {
		t.Fatal(err)
	}
	var meta struct {
		Outputs map[string]struct{ Description string }
	}
	if err := yaml.Unmarshal(text, &meta); err != nil {
		t.Fatal(err)
	}
	for _, o := range append(outputs(ending{}), github.Output{Name: "comment-url"}) {
		if meta.Outputs[o.Name].Description == "" {
			t.Errorf("action.yml has no output %s", o.Name)
		}
		delete(meta.Outputs, o.Name)
	}
	for name := range meta.Outputs {
		t.Errorf("action.yml has the output %s, which is never written", name)
	}
}
