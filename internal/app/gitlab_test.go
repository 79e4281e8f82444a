package app

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/vexxy/action/internal/config"
	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/foreign/foreigntest"
	"github.com/vexxy/action/internal/host/gitlab/gitlabtest"
	"github.com/vexxy/action/internal/run"
	"github.com/vexxy/action/internal/sticky"
)

// pipeline is a GitLab job in a project's folder of its own, with GitLab's API
// beside it.
type pipeline struct {
	api     *gitlabtest.Server
	dir     string
	environ []string
	log     string // file
}

// newPipeline makes the project's folder: a checkout whose base has the one
// configuration and whose head has the other. event is a source of pipelines,
// fork, or tag.
func newPipeline(t *testing.T, event, base, head string, environ ...string) *pipeline {
	t.Helper()
	p := &pipeline{api: gitlabtest.New(), dir: t.TempDir(), log: filepath.Join(t.TempDir(), "log")}
	t.Cleanup(p.api.Close)
	git := func(args ...string) string {
		out, err := exec.Command("git", append([]string{"-C", p.dir, "-c", "user.name=t", "-c", "user.email=t@example"}, args...)...).CombinedOutput()
		if err != nil {
			t.Fatalf("git %v: %v: %s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	git("init", "-q")
	var commits []string
	for _, text := range []string{base, head} {
		write(t, filepath.Join(p.dir, config.DefaultFile), text)
		git("add", "-A")
		git("commit", "-q", "--allow-empty", "-m", "x")
		commits = append(commits, git("rev-parse", "HEAD"))
	}
	p.environ = []string{
		"GITLAB_CI=true", "CI_API_V4_URL=" + p.api.URL, "CI_PROJECT_DIR=" + p.dir, "CI_PIPELINE_ID=100", "CI_JOB_ID=1000",
		"CI_JOB_NAME=vexxy_container_scanning", "CI_JOB_URL=https://gitlab.example/group/app/-/jobs/1000", "CI_COMMIT_SHA=" + commits[1],
		"CI_JOB_TOKEN=job-token-of-the-job", "DOCKER_HOST=unix:///var/run/docker.sock",
		"VEXXY_IMAGE=registry.example/app:" + commits[1], "VEXXY_COMMENT=", "VEXXY_GITLAB_TOKEN=" + gitlabtest.Token,
	}
	switch source := "11"; event {
	case "fork":
		source = "12"
		fallthrough
	case "merge_request_event":
		p.environ = append(p.environ, "CI_PIPELINE_SOURCE=merge_request_event", "CI_MERGE_REQUEST_IID=7", "CI_MERGE_REQUEST_PROJECT_ID=11",
			"CI_MERGE_REQUEST_SOURCE_PROJECT_ID="+source, "CI_MERGE_REQUEST_DIFF_BASE_SHA="+commits[0], "CI_MERGE_REQUEST_PROJECT_URL=https://gitlab.example/group/app")
	case "tag":
		p.environ = append(p.environ, "CI_PIPELINE_SOURCE=push", "CI_COMMIT_TAG=v1")
	default:
		p.environ = append(p.environ, "CI_PIPELINE_SOURCE="+event)
	}
	p.environ = append(p.environ, environ...)
	t.Chdir(p.dir)
	return p
}

func (p *pipeline) streams(t *testing.T) Streams {
	t.Helper()
	j := &job{log: p.log, environ: p.environ}
	return j.streams(t)
}

// run is a run whose engine is a record.
func (p *pipeline) run(t *testing.T) ending {
	t.Helper()
	j := &job{log: p.log, environ: p.environ}
	return j.run(t)
}

func (p *pipeline) read(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(p.dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func (p *pipeline) logged(t *testing.T) string {
	t.Helper()
	return (&job{}).read(t, p.log)
}

// variables reads the dotenv report.
func (p *pipeline) variables(t *testing.T) map[string]string {
	t.Helper()
	got := map[string]string{}
	for line := range strings.Lines(p.read(t, dotenvFile)) {
		name, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		if !ok {
			t.Fatalf("no variable: %q", line)
		}
		got[name] = value
	}
	return got
}

func TestPublishOnAMergeRequest(t *testing.T) {
	p := newPipeline(t, "merge_request_event", "", "")
	end := p.run(t)
	notes := p.api.Notes()
	if len(notes) != 1 || !strings.Contains(notes[0].Body, "vexxy: pass") || !strings.Contains(notes[0].Body, "[job 1000, pipeline 100](https://gitlab.example/group/app/-/jobs/1000)") {
		t.Fatalf("notes: %+v\n%s", notes, p.logged(t))
	}
	want := map[string]string{
		"VEX_VERDICT": "pass", "VEX_EXIT_CODE": "0", "VEX_AFFECTED": "3", "VEX_NOT_AFFECTED": "3", "VEX_UNDER_INVESTIGATION": "0", "VEX_FIXED": "0", "VEX_TOTAL": "6",
		"VEX_AFFECTED_CRITICAL": "0", "VEX_AFFECTED_HIGH": "1", "VEX_AFFECTED_MEDIUM": "0", "VEX_AFFECTED_LOW": "0",
		"VEX_VEX": "vexxy-results/vex.openvex.json", "VEX_SBOM": "vexxy-results/sbom.cdx.json", "VEX_RUNTIME_SBOM": "vexxy-results/sbom.runtime.cdx.json",
		"VEX_RESULT": "vexxy-results/result.json", "VEX_OUTPUT_DIR": "vexxy-results", "VEX_RUN_ID": end.out.ID,
		"VEX_DIGEST":   "sha256:fa01ef8365b9ffda3ec9cd1939afc5ecb4813682eb7974b838879b3cfada518a",
		"VEX_NOTE_URL": fmt.Sprintf("https://gitlab.example/group/app/-/merge_requests/7#note_%d", notes[0].ID),
	}
	got := p.variables(t)
	for name, value := range want {
		if got[name] != value {
			t.Errorf("%s is %q, want %q", name, got[name], value)
		}
	}
	if len(got) != len(want) || len(got) > 20 {
		t.Errorf("variables: %v", got)
	}
	var scan struct{ Vulnerabilities []struct{ Severity string } }
	var bom struct {
		Metadata struct {
			Properties []struct{ Name, Value string }
		}
	}
	for name, into := range map[string]any{scanFile: &scan, bomFile: &bom} {
		if err := json.Unmarshal([]byte(p.read(t, name)), into); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(scan.Vulnerabilities) != 3 || len(bom.Metadata.Properties) < 5 || bom.Metadata.Properties[0].Name != "gitlab:meta:schema_version" {
		t.Errorf("scan %+v, SBOM %+v", scan, bom)
	}
	log := p.logged(t)
	if strings.Contains(log, "warning:") || strings.Contains(log, "error:") || !strings.Contains(log, "note posted https://") || strings.Contains(log, gitlabtest.Token) {
		t.Errorf("log:\n%s", log)
	}
	// The next build has another tag, and the same note.
	p.environ = append(p.environ, "CI_PIPELINE_ID=101", "VEXXY_IMAGE=registry.example/app:next")
	p.run(t)
	if again := p.api.Notes(); len(again) != 1 || !strings.Contains(again[0].Body, "pipeline 101") {
		t.Errorf("notes: %+v", again)
	}
	// A leg of a matrix has its own.
	p.environ = append(p.environ, "CI_JOB_NAME=vexxy_container_scanning: [arm64]")
	p.run(t)
	if again := p.api.Notes(); len(again) != 2 {
		t.Errorf("notes: %+v", again)
	}
}

// A merge request that loosens its policy is held to that of its base, and what
// it brings along for a report is none.
func TestMergeRequestRaisesItsLimit(t *testing.T) {
	p := newPipeline(t, "merge_request_event", "max-affected: 0\n", "max-affected: 1000\ntest-command: curl https://evil.example\n")
	outside := filepath.Join(t.TempDir(), "outside")
	write(t, outside, "untouched")
	for _, name := range []string{scanFile, "gl-sbom-vexxy-9.cdx.json"} {
		write(t, filepath.Join(p.dir, name), "forged")
	}
	if err := os.Symlink(outside, filepath.Join(p.dir, dotenvFile)); err != nil {
		t.Fatal(err)
	}
	end := p.run(t)
	if end.code != fault.GateFailed || end.cfg.TestCommand != "" {
		t.Errorf("code %d, test command %q", end.code, end.cfg.TestCommand)
	}
	if got := p.variables(t); got["VEX_VERDICT"] != "fail" || got["VEX_EXIT_CODE"] != "2" {
		t.Errorf("variables: %v", got)
	}
	for where, text := range map[string]string{"log": p.logged(t), "note": p.api.Notes()[0].Body} {
		if !strings.Contains(text, "as this merge request has it is ignored") {
			t.Errorf("the %s does not say what was ignored:\n%s", where, text)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(p.dir, "gl-sbom-vexxy-*")); len(left) > 0 || strings.Contains(p.read(t, scanFile), "forged") {
		t.Errorf("what was there before is there still: %q", left)
	}
	if text, _ := os.ReadFile(outside); string(text) != "untouched" {
		t.Errorf("a link was followed: %q", text)
	}
	// On a push the same file is what holds.
	pushed := newPipeline(t, "push", "max-affected: 0\n", "max-affected: 1000\n")
	if end := pushed.run(t); end.code != fault.Pass {
		t.Errorf("on a push: code %d", end.code)
	}
}

// Where nobody may or need write one, no note is tried, and what is missing is
// said once.
func TestNoNoteIsTried(t *testing.T) {
	for _, c := range []struct{ event, more, says string }{
		{"fork", "", "comes from a fork"}, {"push", "", ""}, {"tag", "", ""}, {"schedule", "", ""}, {"merge_request_event", "VEXXY_COMMENT=never", ""},
		{"merge_request_event", "VEXXY_GITLAB_TOKEN=", "add the input gitlab-token"}, {"web", "VEXXY_GITLAB_TOKEN=", ""},
	} {
		p := newPipeline(t, c.event, "", "", c.more)
		if why := newHost(p.streams(t)).unsigned(); (why != "") != (c.event == "fork") {
			t.Errorf("%s: not signed because %q", c.event, why)
		}
		end := p.run(t)
		got := p.variables(t)
		if end.code != fault.Pass || got["VEX_VERDICT"] != "pass" || got["VEX_NOTE_URL"] != "" {
			t.Errorf("%s: %v", c.event, got)
		}
		if n := len(p.api.Requests("")); n != 0 {
			t.Errorf("%s: %d requests", c.event, n)
		}
		if text := p.read(t, "vexxy-results/"+run.CommentFile); !strings.Contains(text, "vexxy: pass") {
			t.Errorf("%s: %s: %q", c.event, run.CommentFile, text)
		}
		log := p.logged(t)
		if told := strings.Count(log, "no note on the merge request"); told > 1 || (told == 1) != (c.says != "") || !strings.Contains(log, c.says) {
			t.Errorf("%s %s: log:\n%s", c.event, c.more, log)
		}
	}
}

// What cannot be published changes no verdict and is told once, with what to
// do.
func TestNotePublishingFails(t *testing.T) {
	p := newPipeline(t, "merge_request_event", "", "")
	p.api.Fail("LIST", gitlabtest.Fault{Status: 403, Body: `{"message":"403 Forbidden"}`})
	end := p.run(t)
	log := p.logged(t)
	if end.code != fault.Pass || p.variables(t)["VEX_VERDICT"] != "pass" || strings.Count(log, "warning:") != 1 || !strings.Contains(log, "scope api") {
		t.Errorf("code %d, log:\n%s", end.code, log)
	}
	// Nowhere to write to.
	p = newPipeline(t, "push", "", "", "CI_PROJECT_DIR=/proc/nowhere")
	if end := p.run(t); end.code != fault.Pass || strings.Count(p.logged(t), "warning:") != 2 {
		t.Errorf("code %d, log:\n%s", end.code, p.logged(t))
	}
}

// A run that never begins has a dotenv report too, with none that could pass.
func TestBadInputHasVariables(t *testing.T) {
	for name, c := range map[string]struct {
		event, base string
		more        []string
		code        fault.Code
		says        string
	}{
		"input":    {"push", "", []string{"VEXXY_DURATION=soon"}, fault.Usage, "duration"},
		"policy":   {"merge_request_event", "max-afected: 3\n", nil, fault.Usage, "did you mean max-affected?"},
		"no event": {"merge_request_event", "", []string{"CI_MERGE_REQUEST_IID="}, fault.Infra, "predefined variables"},
		"no base":  {"merge_request_event", "", []string{"VEXXY_GITLAB_TOKEN="}, fault.Infra, "GIT_DEPTH"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPipeline(t, c.event, c.base, "max-affected: 1000\n", c.more...)
			if name == "no base" {
				if err := os.RemoveAll(filepath.Join(p.dir, ".git")); err != nil {
					t.Fatal(err)
				}
			}
			code := Main([]string{"run"}, p.streams(t))
			log := p.logged(t)
			if code != int(c.code) || !strings.Contains(log, "error: ") || !strings.Contains(log, c.says) {
				t.Errorf("code %d, log:\n%s", code, log)
			}
			got := p.variables(t)
			if got["VEX_VERDICT"] != "error" || got["VEX_EXIT_CODE"] != fmt.Sprint(code) || got["VEX_AFFECTED"] != "" || got["VEX_RESULT"] != "" {
				t.Errorf("variables: %v", got)
			}
			if _, err := os.Stat(filepath.Join(p.dir, scanFile)); err == nil || len(p.api.Notes()) != 0 {
				t.Error("a run without inputs reports")
			}
		})
	}
}

// What runs beside the program gets no secret of the job, by whatever variable
// it came.
func TestEnvironmentOfOthersInAPipeline(t *testing.T) {
	p := newPipeline(t, "push", "", "", "MY_TOKEN="+gitlabtest.Token, "VEXXY_ENV=PASSWORD=hunter2222", "DB_PASSWORD=hunter2222", "CI_REGISTRY_PASSWORD=x", "CI_DEPLOY_PASSWORD=x",
		"CI_REPOSITORY_URL=https://gitlab-ci-token:x@gitlab.example/a", "HOME=/root", "SIGSTORE_ID_TOKEN=x", "DOCKER_AUTH_CONFIG={}")
	h := newHost(p.streams(t))
	if err := h.usable(); err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	cfg, err := config.Load(nil, p.environ, h.readFile, config.Options{Ignore: noInputs})
	if err != nil {
		t.Fatal(err)
	}
	left := h.loaded(cfg)
	text := strings.Join(left, "\n") + "\n"
	for _, gone := range []string{gitlabtest.Token, "job-token-of-the-job", "hunter2222", "CI_REGISTRY_PASSWORD", "CI_DEPLOY_PASSWORD", "CI_REPOSITORY_URL", "DOCKER_AUTH_CONFIG"} {
		if strings.Contains(text, gone) {
			t.Errorf("%s is left", gone)
		}
	}
	for _, kept := range []string{"HOME=/root\n", "CI_COMMIT_SHA=", "SIGSTORE_ID_TOKEN=x\n"} {
		if !strings.Contains(text, kept) {
			t.Errorf("%s is gone", kept)
		}
	}
	if slices.Contains(withoutSecrets(cfg, left), "SIGSTORE_ID_TOKEN=x") {
		t.Error("the test command gets the identity token")
	}
	if log := p.logged(t); strings.Contains(log, "hunter2222") || strings.Contains(log, gitlabtest.Token) {
		t.Errorf("log: %s", log)
	}
}

// Nothing that the image or an error says leaves its variable or its line of
// the note, where GitLab would take it for a quick action.
func TestHostileEndingInAPipeline(t *testing.T) {
	corpus := foreigntest.Corpus()
	corpus["quick action"] = "/merge\n/approve"
	p := newPipeline(t, "merge_request_event", "", "")
	for what, hostile := range corpus {
		write(t, p.log, "")
		h := newHost(p.streams(t))
		end := ending{cfg: config.Config{Images: []string{hostile}, OutputDir: p.dir}, code: fault.Infra, err: fault.New(fault.Infra, hostile, "%s", hostile)}
		end.cfg.Publication.Comment, end.out.ID = string(sticky.Never), hostile
		h.publish(t.Context(), end)
		h.Close()
		if got := p.variables(t); got["VEX_VERDICT"] != "error" || len(got) != 19 {
			t.Errorf("%s: %v", what, got)
		}
		for line := range strings.Lines(string(remark(end, h.(*gitLab).foot())(1_000_000, true))) {
			if strings.HasPrefix(strings.TrimLeft(line, " >"), "/") {
				t.Errorf("%s: the note has the line %q", what, line)
			}
		}
		if log := p.logged(t); strings.ContainsAny(strings.ReplaceAll(log, "\n", ""), "\r\x1b\x00") {
			t.Errorf("%s: the log holds control characters: %q", what, log)
		}
	}
}
