package e2e

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

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
	j := newActionJob(t, api.URL)
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

// run runs the workflow for a pull request and gives the log.
func (j actionJob) run(t *testing.T, number int, base, head string) string {
	t.Helper()
	out, err := j.runner(t, "pull_request", pullOf(base, head, 1), number)
	if err != nil {
		t.Fatalf("act: %v\n%s", err, out)
	}
	return out
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
