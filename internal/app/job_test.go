package app

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vexxy/action/internal/config"
	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/host/github/githubtest"
	"github.com/vexxy/action/internal/record"
	"github.com/vexxy/action/internal/run"
	"github.com/vexxy/action/internal/triage"
)

// job is a GitHub job in a workspace of its own, with GitHub's API beside it.
type job struct {
	api               *githubtest.Server
	dir, base, head   string // workspace, the pull request's base and head commit
	environ           []string
	log, output, page string // files
}

// forkSHA is the commit that the run before a job for workflow_run was for.
const forkSHA = "4444444444444444444444444444444444444444"

// newJob makes the workspace: a checkout whose base has the one configuration
// and whose head has the other.
func newJob(t *testing.T, event, base, head string, environ ...string) *job {
	t.Helper()
	j := &job{api: githubtest.New(), dir: t.TempDir()}
	t.Cleanup(j.api.Close)
	git := func(args ...string) string {
		out, err := exec.Command("git", append([]string{"-C", j.dir, "-c", "user.name=t", "-c", "user.email=t@example"}, args...)...).CombinedOutput()
		if err != nil {
			t.Fatalf("git %v: %v: %s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	git("init", "-q")
	var commits []string
	for _, text := range []string{base, head} {
		write(t, filepath.Join(j.dir, config.DefaultFile), text)
		git("add", "-A")
		git("commit", "-q", "--allow-empty", "-m", "x")
		commits = append(commits, git("rev-parse", "HEAD"))
	}
	j.base, j.head = commits[0], commits[1]
	files := t.TempDir()
	j.log, j.output, j.page = filepath.Join(files, "log"), filepath.Join(files, "output"), filepath.Join(files, "summary")
	payload := filepath.Join(files, "event.json")
	switch event {
	case "pull_request", "fork":
		id := map[string]int{"pull_request": 1, "fork": 2}[event]
		write(t, payload, fmt.Sprintf(`{"pull_request":{"number":7,"head":{"sha":%q,"repo":{"id":%d}},"base":{"sha":%q,"ref":"main","repo":{"id":1}}}}`, commits[1], id, commits[0]))
		event = "pull_request"
	case "workflow_run": // the end of the run 55 for a pull request from a fork
		write(t, payload, fmt.Sprintf(`{"workflow_run":{"id":55,"run_number":12,"run_attempt":1,"event":"pull_request","head_sha":%q,"head_branch":"change",
			"head_repository":{"id":2,"owner":{"login":"mallory"}}}}`, forkSHA))
	default:
		write(t, payload, `{"ref":"refs/heads/main","repository":{"full_name":"octo/app"}}`)
	}
	j.environ = append([]string{
		"GITHUB_ACTIONS=true", "GITHUB_EVENT_NAME=" + event, "GITHUB_EVENT_PATH=" + payload, "GITHUB_REPOSITORY=octo/app",
		"GITHUB_WORKSPACE=" + j.dir, "GITHUB_API_URL=" + j.api.URL, "GITHUB_SERVER_URL=https://github.example", "GITHUB_RUN_ID=99", "GITHUB_SHA=" + commits[1],
		"GITHUB_RUN_NUMBER=3", "GITHUB_RUN_ATTEMPT=1", "GITHUB_JOB=scan", "GITHUB_WORKFLOW_REF=octo/app/.github/workflows/ci.yml@refs/pull/7/merge",
		"GITHUB_OUTPUT=" + j.output, "GITHUB_STEP_SUMMARY=" + j.page, "INPUT_GITHUB-TOKEN=" + githubtest.Token,
		"INPUT_IMAGE=registry.example/app:" + commits[1], "INPUT_COMMENT=", "INPUT_BINARY=/x", `INPUT_MATRIX={"a":1}`,
	}, environ...)
	t.Chdir(j.dir)
	return j
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// streams opens the job's log.
func (j *job) streams(t *testing.T) Streams {
	t.Helper()
	f, err := os.OpenFile(j.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return Streams{Out: f, Err: f, Environ: j.environ}
}

// run is a run whose engine is a record: its inputs, judgement, documents and
// publication are the program's own.
func (j *job) run(t *testing.T) ending {
	t.Helper()
	root, err := filepath.Abs(filepath.Join(sourceDir, "..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	h := newHost(j.streams(t))
	if err := h.usable(); err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	cfg, err := config.Load(nil, j.environ, h.readFile, config.Options{Ignore: noInputs})
	if err != nil {
		t.Fatalf("%v (%s)", err, fault.HintOf(err))
	}
	h.loaded(cfg)
	rec, err := record.Read(filepath.Join(root, "testdata", "runs", "go-app"))
	if err != nil {
		t.Fatal(err)
	}
	people, err := readPeople(cfg, h)
	if err != nil {
		t.Fatal(err)
	}
	if people != nil {
		data, err := triage.Encode(people)
		if err != nil {
			t.Fatal(err)
		}
		rec.Raw = map[string][]byte{record.RawTriage: data}
	}
	docs, err := run.Compose(t.Context(), rec, cfg.Policy())
	if err != nil {
		t.Fatal(err)
	}
	if err := run.MakeDir(cfg.OutputDir); err != nil {
		t.Fatal(err)
	}
	if err := docs.WriteTo(cfg.OutputDir); err != nil {
		t.Fatal(err)
	}
	d := docs.Image.Decision
	end := ending{cfg: cfg, code: d.Code, out: run.Outcome{
		ID: rec.Run.ID, Verdict: d.Verdict, Code: d.Code,
		Images: []run.ImageOutcome{{Requested: cfg.Images[0], Dir: cfg.OutputDir, Verdict: d.Verdict, Code: d.Code, Causes: d.Causes, Image: docs.Image}},
	}}
	h.publish(t.Context(), end)
	return end
}

// sourceDir is this package's folder, from before any test leaves it.
var sourceDir = func() string {
	dir, err := os.Getwd()
	if err != nil {
		panic(err)
	}
	return dir
}()

func (j *job) read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// outputs reads the step's outputs; the last of a name holds.
func (j *job) outputs(t *testing.T) map[string]string {
	t.Helper()
	got := map[string]string{}
	for rest := j.read(t, j.output); rest != ""; {
		head, body, _ := strings.Cut(rest, "\n")
		name, delimiter, ok := strings.Cut(head, "<<")
		value, after, found := strings.Cut(body, "\n"+delimiter+"\n")
		if !ok || !found {
			t.Fatalf("no output: %q", head)
		}
		got[name], rest = value, after
	}
	return got
}
