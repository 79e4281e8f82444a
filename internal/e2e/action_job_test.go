package e2e

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/vexxy/action/internal/host/github/githubtest"
)

// actRunner builds the runner that scripts/act pins.
func actRunner(t *testing.T) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join(root, ".cache", "bin", "act"))
	must(err)
	cmd := exec.Command("go", "build", "-o", path, "tool")
	cmd.Dir = filepath.Join(root, "scripts", "act")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building act: %v\n%s", err, out)
	}
	return path
}

// actionJob is a repository with a workflow, and what runs it.
type actionJob struct {
	url                  string // of GitHub's API
	dir, out, act, cache string
}

func newActionJob(t *testing.T, url string) actionJob {
	t.Helper()
	j := actionJob{url: url, dir: t.TempDir(), out: t.TempDir(), act: actRunner(t), cache: t.TempDir()}
	must(os.WriteFile(filepath.Join(j.cache, "linger.js"), fmt.Appendf(nil, linger, j.cache), 0o644))
	return j
}

// linger keeps a step that fails from ending before its log was read: the runner
// closes its terminal with all that it has not come to yet. The step says its
// last words, and ends once transcript has heard them.
const linger = `const fs = require('fs');
process.on('exit', (code) => {
  if (!code) return;
  fs.writeSync(1, 'last words of ' + process.pid + '\n');
  for (let i = 0; i < 1200 && !fs.existsSync('%s/heard-' + process.pid); i++) {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50);
  }
});
`

var lastWords = regexp.MustCompile(`last words of (\d+)`)

// transcript is what the runner prints.
type transcript struct {
	log  bytes.Buffer
	dir  string
	line int // where the last one begins
}

func (s *transcript) Write(p []byte) (int, error) {
	s.log.Write(p)
	whole := bytes.LastIndexByte(s.log.Bytes(), '\n') + 1
	for _, m := range lastWords.FindAllSubmatch(s.log.Bytes()[s.line:whole], -1) {
		must(os.WriteFile(filepath.Join(s.dir, "heard-"+string(m[1])), nil, 0o644))
	}
	s.line = whole
	return len(p), nil
}

// files puts the workflow into the repository, and the action as it is.
func (j actionJob) files(t *testing.T, workflow string) {
	t.Helper()
	must(os.MkdirAll(filepath.Join(j.dir, ".github", "workflows"), 0o755))
	must(os.WriteFile(filepath.Join(j.dir, ".github", "workflows", "scan.yml"), []byte(workflow), 0o644))
	must(os.CopyFS(filepath.Join(j.dir, "action", "scripts", "action"), os.DirFS(filepath.Join(root, "scripts", "action"))))
	text, err := os.ReadFile(filepath.Join(root, "action.yml"))
	must(err)
	must(os.WriteFile(filepath.Join(j.dir, "action", "action.yml"), text, 0o644))
	j.git(t, "init", "-q", "-b", "main")
	j.git(t, "remote", "add", "origin", "https://github.com/octo/app")
}

func (j actionJob) git(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command("git", append([]string{"-C", j.dir, "-c", "user.name=t", "-c", "user.email=t@example"}, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("git %v: %v: %s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func (j actionJob) commit(t *testing.T, configuration string) string {
	t.Helper()
	must(os.WriteFile(filepath.Join(j.dir, ".vexxy.yml"), []byte(configuration), 0o644))
	j.git(t, "add", "-A")
	j.git(t, "commit", "-q", "-m", "x")
	return j.git(t, "rev-parse", "HEAD")
}

// forkRepo is the ID of the repository that a pull request from a fork is of.
const forkRepo = 2

// pullOf is the payload of an event about the pull request 7, whose head is in
// the repository of an ID: 1 is the workflow's own.
func pullOf(base, head string, repo int) string {
	name := "octo/app"
	if repo == forkRepo {
		name = "mallory/app"
	}
	return fmt.Sprintf(`{"pull_request":{"number":7,"head":{"ref":"change","sha":%q,"repo":{"id":%d,"full_name":%q}},"base":{"ref":"main","sha":%q,"repo":{"id":1,"full_name":"octo/app"}}}}`, head, repo, name, base)
}

// runner runs a workflow for an event, as the run of a number, and gives what
// the runner prints. An error is of a job that failed.
func (j actionJob) runner(t *testing.T, event, payload string, number int, more ...string) (string, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "event.json")
	must(os.WriteFile(path, []byte(payload), 0o644))
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	args := append([]string{event, "-e", path, "-P", "ubuntu-latest=-self-hosted", "-s", "GITHUB_TOKEN=" + githubtest.Token,
		"--env", "GITHUB_API_URL=" + j.url, "--env", "GITHUB_GRAPHQL_URL=" + j.url + "/graphql",
		"--env", fmt.Sprint("GITHUB_RUN_NUMBER=", number), "--env", asCommand + "=1", "--env", "VEXXY_STATE_DIR=" + j.cache}, more...)
	cmd := exec.CommandContext(ctx, j.act, args...)
	cmd.Dir = j.dir
	cmd.Env = append(os.Environ(), "XDG_CACHE_HOME="+j.cache, "NODE_OPTIONS=--require="+filepath.Join(j.cache, "linger.js"))
	out := &transcript{dir: j.cache}
	cmd.Stdout, cmd.Stderr = out, out
	err := cmd.Run()
	return out.log.String(), err
}
