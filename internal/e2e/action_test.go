package e2e

import (
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

// actionWorkflow uses the action as a job on GitHub does, in two legs of a
// matrix that are alike but for their names.
const actionWorkflow = `on: [push, pull_request]
permissions:
  contents: read
  pull-requests: write
jobs:
  scan:
    runs-on: ubuntu-latest
    strategy:
      matrix:
        leg: [one, two]
    steps:
      - uses: actions/checkout@v4
      - uses: ./action
        id: vexxy
        continue-on-error: true
        with:
          binary: %s
          image: %s
          engine: embedded
          duration: 5s
          vulnerability-db: %s
          max-db-age: 0
          http-probe: /
          env: |
            CANARY=canary-secret-of-${{ matrix.leg }}
      - run: |
          {
            echo "outcome=${{ steps.vexxy.outcome }}"
            echo "verdict=${{ steps.vexxy.outputs.verdict }}"
            echo "exit-code=${{ steps.vexxy.outputs.exit-code }}"
            echo "affected=${{ steps.vexxy.outputs.affected }}"
            echo "comment-url=${{ steps.vexxy.outputs.comment-url }}"
            echo "vex=$(grep -c not_affected '${{ steps.vexxy.outputs.vex }}')"
          } > "%s/${{ matrix.leg }}"
`

// TestGitHubAction runs the action with a runner that does what GitHub's does
// (nektos/act), on this machine, with GitHub's API played by a server. A pull
// request loosens its policy: the verdict is the base's. Then it is merged, in
// words: the same comments say so.
func TestGitHubAction(t *testing.T) {
	db, err := database()
	if err != nil {
		t.Fatalf("building database: %v", err)
	}
	binary, err := os.Executable() // it is vexxy where the environment says so
	must(err)
	api := githubtest.New()
	defer api.Close()
	j := actionJob{api: api, dir: t.TempDir(), out: t.TempDir(), act: actRunner(t), cache: t.TempDir()}
	j.files(t, fmt.Sprintf(actionWorkflow, binary, push(t, "go-app"), db, j.out))
	base := j.commit(t, "max-affected: 0\n")
	head := j.commit(t, "max-affected: 1000\ntest-command: touch /tmp/never\n")

	log := j.run(t, 1, base, head)
	for _, leg := range []string{"one", "two"} {
		want := map[string]string{"outcome": "failure", "verdict": "fail", "exit-code": "2", "affected": "3"}
		j.holds(t, leg, want, log)
	}
	first := api.Comments()
	if len(first) != 2 {
		t.Fatalf("%d comments\n%s", len(first), log)
	}
	for _, c := range first {
		if !strings.Contains(c.Body, "vexxy: fail") || !strings.Contains(c.Body, "is ignored until it is merged") || strings.Contains(c.Body, "canary-secret") {
			t.Errorf("comment:\n%s", c.Body)
		}
	}
	for _, text := range []string{"::group::✓ observe", "::error title=vexxy", "is ignored until it is merged", "nothing to clean up"} {
		if strings.Count(log, text) < 2 {
			t.Errorf("the log lacks %q in a leg", text)
		}
	}
	if strings.Contains(log, "canary-secret") || strings.Contains(log, githubtest.Token) {
		t.Error("the log tells a secret")
	}

	log = j.run(t, 2, head, head)
	for _, leg := range []string{"one", "two"} {
		j.holds(t, leg, map[string]string{"outcome": "success", "verdict": "pass", "exit-code": "0", "affected": "3"}, log)
	}
	second := api.Comments()
	if len(second) != 2 || second[0].ID != first[0].ID || second[1].ID != first[1].ID {
		t.Fatalf("%d comments\n%s", len(second), log)
	}
	for _, c := range second {
		if !strings.Contains(c.Body, "vexxy: pass") || !strings.Contains(c.Body, "run 2") {
			t.Errorf("comment:\n%s", c.Body)
		}
	}
}

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
	api                  *githubtest.Server
	dir, out, act, cache string
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

// run runs the workflow for a pull request and gives the log.
func (j actionJob) run(t *testing.T, number int, base, head string) string {
	t.Helper()
	event := filepath.Join(t.TempDir(), "event.json")
	payload := fmt.Sprintf(`{"pull_request":{"number":7,"head":{"ref":"change","sha":%q,"repo":{"id":1}},"base":{"ref":"main","sha":%q,"repo":{"id":1}}}}`, head, base)
	must(os.WriteFile(event, []byte(payload), 0o644))
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, j.act, "pull_request", "-P", "ubuntu-latest=-self-hosted", "-e", event,
		"-s", "GITHUB_TOKEN="+githubtest.Token,
		"--env", "GITHUB_API_URL="+j.api.URL, "--env", "GITHUB_GRAPHQL_URL="+j.api.URL+"/graphql",
		"--env", fmt.Sprint("GITHUB_RUN_NUMBER=", number), "--env", asCommand+"=1", "--env", "VEXXY_STATE_DIR="+j.cache)
	cmd.Dir = j.dir
	cmd.Env = append(os.Environ(), "XDG_CACHE_HOME="+j.cache)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("act: %v\n%s", err, out)
	}
	return string(out)
}

// holds compares what the step after the action has seen of a leg.
func (j actionJob) holds(t *testing.T, leg string, want map[string]string, log string) {
	t.Helper()
	text := string(read(t, j.out, leg))
	for name, value := range want {
		if !strings.Contains(text, name+"="+value+"\n") {
			t.Errorf("leg %s: want %s=%s in\n%s\n%s", leg, name, value, text, log)
		}
	}
	if !regexp.MustCompile(`(?m)^comment-url=http://127\.0\.0\.1:\d+/octo/app/pull/7#issuecomment-\d+$`).MatchString(text) || !strings.Contains(text, "vex=3\n") {
		t.Errorf("leg %s has seen\n%s", leg, text)
	}
}
