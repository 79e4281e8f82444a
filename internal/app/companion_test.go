package app

import (
	"strings"
	"testing"

	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/host/github/githubtest"
	"github.com/vexxy/action/internal/record"
)

// The companion of forks: a job that follows the run for a pull request from a
// fork finds the pull request by what GitHub says of that run.
func TestForkCompanion(t *testing.T) {
	triggered := record.Origin{Repository: "octo/app", Commit: forkSHA, Run: "55"}
	mine := githubtest.Head{Number: 7, SHA: forkSHA, Branch: "change", Owner: "mallory", Repo: 2}
	other := githubtest.Head{Number: 8, SHA: strings.Repeat("5", 40), Branch: "main", Owner: "octo", Repo: 1}
	moved, closed, deleted := mine, mine, mine
	moved.SHA, closed.Closed, deleted.Repo = strings.Repeat("6", 40), true, 0
	sameName := mine
	sameName.Number, sameName.Repo = 9, 3
	second := mine
	second.Number = 9
	for name, c := range map[string]struct {
		heads    []githubtest.Head
		of       record.Origin
		code     fault.Code
		comments int
		says     string
	}{
		"its pull request":          {[]githubtest.Head{other, mine}, triggered, fault.Pass, 1, "comment posted"},
		"a branch of the same name": {[]githubtest.Head{sameName, mine}, triggered, fault.Pass, 1, "comment posted"},
		"the head has moved on":     {[]githubtest.Head{other, moved}, triggered, fault.Pass, 0, "moved on to commit 666666666666"},
		"closed":                    {[]githubtest.Head{closed, other}, triggered, fault.Pass, 0, "there is no open pull request"},
		"the fork is gone":          {[]githubtest.Head{deleted, other}, triggered, fault.Pass, 0, "there is no open pull request"},
		"two of the same head":      {[]githubtest.Head{mine, second}, triggered, fault.Pass, 0, "7 and 9 have the same head"},
		"an artifact of another pull request": {[]githubtest.Head{other, mine}, record.Origin{Repository: "octo/app", Commit: other.SHA, Run: "54"},
			fault.Integrity, 0, "it is of run 54 at commit 555555555555"},
	} {
		t.Run(name, func(t *testing.T) {
			j := newJob(t, "workflow_run", "", "", "INPUT_IMAGE=")
			j.api.Heads, j.api.Pulls = c.heads, []int{7, 8, 9}
			dir := left(t, c.of, nil)
			code := j.main(t, "publish", dir)
			log := j.read(t, j.log)
			if code != c.code || !strings.Contains(log, c.says) {
				t.Errorf("code %d, log:\n%s", code, log)
			}
			comments := j.api.Comments()
			if len(comments) != c.comments {
				t.Fatalf("comments %+v", comments)
			}
			for _, c := range comments {
				if c.Pull != 7 || !strings.Contains(c.Body, "vexxy: pass") || !strings.Contains(c.Body, "as a job has recorded it that runs what the change brings") || !strings.Contains(c.Body, "commit 444444444444") || !strings.Contains(c.Body, "[run 12, attempt 1](https://github.example/octo/app/actions/runs/55)") {
					t.Errorf("comment %+v", c)
				}
			}
			for _, r := range j.api.Requests("PULLS") {
				if !strings.Contains(r.Path, "head=mallory%3Achange") {
					t.Errorf("asked for %s", r.Path)
				}
			}
		})
	}
}

// The comment is as new as the run that it tells of, not as the job that
// brings it: a slow job for an older run leaves a newer one's text alone.
func TestForkCompanionKeepsTheOrder(t *testing.T) {
	j := newJob(t, "workflow_run", "", "", "INPUT_IMAGE=", "GITHUB_RUN_NUMBER=3")
	j.api.Heads = []githubtest.Head{{Number: 7, SHA: forkSHA, Branch: "change", Owner: "mallory", Repo: 2}}
	dir := left(t, record.Origin{Repository: "octo/app", Commit: forkSHA, Run: "55"}, nil)
	if code := j.main(t, "publish", dir); code != fault.Pass {
		t.Fatalf("code %d\n%s", code, j.read(t, j.log))
	}
	// The same commit, an earlier run of it, a later job.
	j.environ = append(j.environ, "GITHUB_RUN_NUMBER=4")
	for i, kv := range j.environ {
		if path, found := strings.CutPrefix(kv, "GITHUB_EVENT_PATH="); found {
			older := strings.Replace(j.read(t, path), `"run_number":12`, `"run_number":11`, 1)
			write(t, path+".older", older)
			j.environ[i] = "GITHUB_EVENT_PATH=" + path + ".older"
		}
	}
	if code := j.main(t, "publish", dir); code != fault.Pass || !strings.Contains(j.read(t, j.log), "left to a newer run") {
		t.Errorf("code %d\n%s", code, j.read(t, j.log))
	}
	if all := j.api.Comments(); len(all) != 1 || !strings.Contains(all[0].Body, "run 12") {
		t.Errorf("comments %+v", all)
	}
}
