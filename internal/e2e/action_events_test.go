package e2e

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vexxy/action/internal/host/github/githubtest"
)

// forked runs the action for a pull request from a fork, which runs fully and
// comments nothing, and then the run that follows it, which brings the comment.
func (b *actionBed) forked(t *testing.T) {
	t.Helper()
	api := b.api("fork")
	seen := b.play(t, "pull_request", pullOf(b.commitSHA, b.commitSHA, forkRepo), 1, legInputs{"fork": {
		"image": push(t, "go-app"), "vulnerability-db": must1(database()), "duration": "5s", "http-probe": "/", "max-affected": "0",
	}}, "")["fork"]
	want := []string{
		"error: vexxy: fail: " + push(t, "go-app") + ": 3 affected vulnerabilities, 0 allowed",
		"notice: vexxy: no comment: pull requests from forks have a token that can read alone\nthe job's summary and comment.md in vexxy-results have the text",
	}
	if !seen.ended([3]string{"failure", "fail", "2"}) || seen.Outputs["comment-url"] != "" || !slices.Equal(seen.notes, want) {
		t.Errorf("from a fork: %s, %v, %q\n%s", seen.Outcome, seen.Outputs, seen.notes, seen.log)
	}
	if n := len(api.Requests("")); n != 0 || !strings.Contains(seen.summary, "vexxy: fail") {
		t.Errorf("from a fork: %d requests, summary %s", n, seen.summary)
	}

	payload := fmt.Sprintf(`{"workflow_run":{"id":%s,"run_number":1,"run_attempt":1,"event":"pull_request","head_sha":%q,"head_branch":"change","head_repository":{"id":%d,"full_name":"mallory/app","owner":{"login":"mallory"}}}}`,
		bedRun, b.commitSHA, forkRepo)
	api.Heads = []githubtest.Head{{Number: 7, SHA: b.commitSHA, Branch: "change", Owner: "mallory", Repo: forkRepo}}
	follows := b.play(t, "workflow_run", payload, 9, legInputs{"fork": {
		"mode": "publish", "from": filepath.Join(seen.dir, results), "max-affected": "0", "warn-only": "true",
	}}, "/*.md")["fork"]
	comments := api.Comments()
	if follows.Outcome != "success" || len(comments) != 2 || !strings.Contains(comments[1].Body, "vexxy: fail") || !strings.Contains(comments[1].Body, "[run 1, attempt 1]") {
		t.Errorf("after a fork's run: %s, %+v\n%s", follows.Outcome, comments, follows.log)
	}
}

// events publishes for events that have no pull request: the summary is written,
// the exit code keeps its meaning, and the API is not asked for anything.
func (b *actionBed) events(t *testing.T, dir string) {
	for event, payload := range map[string]string{
		"push":     `{"ref":"refs/heads/main"}`,
		"release":  `{"action":"published","release":{"tag_name":"v1.2.3"}}`,
		"schedule": `{"schedule":"0 4 * * *"}`,
	} {
		t.Run(event, func(t *testing.T) {
			t.Parallel()
			legs := legInputs{}
			for leg, limit := range map[string]string{event + "-fail": "0", event + "-pass": "1000"} {
				legs[leg] = map[string]string{"mode": "publish", "from": filepath.Join(dir, results), "max-affected": limit}
			}
			for leg, s := range b.play(t, event, payload, 1, legs, "/*.md") {
				want := wantOf(legs[leg])
				if !s.ended(want) || s.Outputs["comment-url"] != "" {
					t.Errorf("%s: %s, %v\n%s", leg, s.Outcome, s.Outputs, s.log)
				}
				if !strings.Contains(s.summary, "vexxy: "+want[1]) || strings.Contains(s.log, "comment ") {
					t.Errorf("%s: summary %s\n%s", leg, s.summary, s.log)
				}
				if api := b.api(leg); len(api.Requests("")) != 0 || len(api.Comments()) != 1 {
					t.Errorf("%s: %+v", leg, api.Requests(""))
				}
			}
		})
	}
}

// raceLeg is the leg that many runs have at once.
const raceLeg = "race"

const racers = 16

// race lets runs of 16 numbers bring the same comment up to date at the same
// moment: none of them sees one before all have come.
func (b *actionBed) race(t *testing.T, dir string) {
	api := b.api(raceLeg)
	var all sync.WaitGroup
	for i := range racers {
		all.Go(func() {
			all, err := b.tryPlay(t, "pull_request", pullOf(b.commitSHA, b.commitSHA, 1), 101+i, legInputs{raceLeg: {
				"mode": "publish", "from": filepath.Join(dir, results), "max-affected": "0",
			}}, "/*.md")
			if err != nil {
				t.Error(err)
				return
			}
			seen := all[raceLeg]
			if !seen.ended([3]string{"failure", "fail", "2"}) || len(seen.notes) != 1 {
				t.Errorf("run %d: %s, %v, %q\n%s", 101+i, seen.Outcome, seen.Outputs, seen.notes, seen.log)
			}
		})
	}
	all.Wait()
	comments := api.Comments()
	if len(comments) != 2 || comments[0].Body != "nice" || !strings.Contains(comments[1].Body, fmt.Sprintf("[run %d, attempt 1]", 100+racers)) {
		t.Errorf("the comments are %+v", comments)
	}
	if n := len(api.Requests("POST")); n < 2 {
		t.Errorf("%d comments were posted: nobody raced", n)
	}
}

// crowd holds everybody until all have come.
type crowd struct {
	mu    sync.Mutex
	there map[string]bool
	all   chan struct{}
}

func newCrowd() *crowd { return &crowd{there: map[string]bool{}, all: make(chan struct{})} }

// joined reports whether all racers are there. It waits for them as long as a
// request may take, so that who is told no asks again.
func (c *crowd) joined(who string) bool {
	c.mu.Lock()
	if !c.there[who] {
		if c.there[who] = true; len(c.there) == racers {
			close(c.all)
		}
	}
	c.mu.Unlock()
	select {
	case <-c.all:
		return true
	case <-time.After(10 * time.Second):
		return false
	}
}
