package github

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const (
	baseSHA = "1111111111111111111111111111111111111111"
	headSHA = "2222222222222222222222222222222222222222"
)

// pullPayload is the part of GitHub's payload that matters, with a head in the
// repository of the given ID.
func pullPayload(headRepo string) string {
	return `{"action":"opened","number":7,"pull_request":{"number":7,"title":"::set-output name=x::y",
		"head":{"sha":"` + headSHA + `","repo":` + headRepo + `},
		"base":{"sha":"` + baseSHA + `","repo":{"id":1,"full_name":"octo/app"}}}}`
}

func eventEnv(t *testing.T, event, payload string) func(string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "event.json")
	if err := os.WriteFile(path, []byte(payload), 0o600); err != nil {
		t.Fatal(err)
	}
	return env(map[string]string{
		"GITHUB_EVENT_NAME": event, "GITHUB_EVENT_PATH": path, "GITHUB_REPOSITORY": "octo/app",
		"GITHUB_RUN_NUMBER": "12", "GITHUB_RUN_ATTEMPT": "2", "GITHUB_RUN_ID": "99", "GITHUB_SERVER_URL": "https://github.example/",
	})
}

func TestEvents(t *testing.T) {
	for _, c := range []struct {
		event, payload string
		pull, fork     bool
	}{
		{"pull_request", pullPayload(`{"id":1,"full_name":"octo/app"}`), true, false},
		{"pull_request", pullPayload(`{"id":2,"full_name":"octo/app"}`), true, true},
		{"pull_request", pullPayload(`{"full_name":"mallory/app"}`), true, true},
		{"pull_request", pullPayload(`null`), true, true},
		{"pull_request_target", pullPayload(`{"id":1}`), true, false},
		{"push", `{"ref":"refs/heads/main"}`, false, false},
		{"release", `{"release":{"tag_name":"v1"}}`, false, false},
		{"schedule", `{"schedule":"0 0 * * *"}`, false, false},
		{"push", `not JSON`, false, false},
	} {
		e, err := ReadEvent(eventEnv(t, c.event, c.payload))
		if err != nil {
			t.Errorf("%s: %v", c.event, err)
			continue
		}
		if e.Owner != "octo" || e.Repo != "app" || e.RunNumber != 12 || e.RunAttempt != 2 || e.RunURL != "https://github.example/octo/app/actions/runs/99" {
			t.Errorf("%s: %+v", c.event, e)
		}
		if (e.Pull != nil) != c.pull || c.pull && *e.Pull != (Pull{Number: 7, Fork: c.fork, BaseSHA: baseSHA, HeadSHA: headSHA, BaseBranch: e.Branch}) {
			t.Errorf("%s %s: pull request %+v", c.event, c.payload, e.Pull)
		}
	}
}

// A payload that is not what GitHub sends is an error on a pull request's
// event, and never a guess.
func TestHostilePayloads(t *testing.T) {
	good := pullPayload(`{"id":1}`)
	for _, payload := range []string{
		"", "{", "[]", "null", `{"pull_request":null}`, `{"pull_request":[]}`,
		strings.ReplaceAll(good, `"number":7`, `"number":-7`),
		strings.ReplaceAll(good, `"number":7`, `"number":1e99`),
		strings.ReplaceAll(good, `"number":7`, `"number":"7/../8"`),
		strings.ReplaceAll(good, baseSHA, "--output=/etc/passwd"),
		strings.ReplaceAll(good, baseSHA, "main"),
		strings.ReplaceAll(good, headSHA, headSHA+"\\n"),
		strings.Repeat(`{"a":`, 100_000),
		strings.Repeat(" ", maxEvent) + good,
	} {
		if e, err := ReadEvent(eventEnv(t, "pull_request", payload)); err == nil {
			t.Errorf("%.60q gives %+v", payload, e.Pull)
		}
	}
	for _, repository := range []string{"", "octo", "octo/", "octo/..", "octo/a/b", "octo/a?b", "../x"} {
		e, err := ReadEvent(env(map[string]string{"GITHUB_REPOSITORY": repository}))
		if err != nil || e.Owner != "" || e.Repo != "" {
			t.Errorf("repository %q: %+v, %v", repository, e, err)
		}
	}
}

func FuzzPayload(f *testing.F) {
	f.Add([]byte(pullPayload(`{"id":1}`)))
	f.Add([]byte(pullPayload(`null`)))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := parsePull(data)
		if err == nil && (p.Number <= 0 || !commit.MatchString(p.BaseSHA) || !commit.MatchString(p.HeadSHA)) {
			t.Errorf("%q gives %+v", data, p)
		}
	})
}

// The branch to compare with is the one that the change goes to.
func TestBranchAndWorkflow(t *testing.T) {
	pull := strings.Replace(pullPayload(`{"id":1}`), `"base":{`, `"base":{"ref":"stable",`, 1)
	for _, c := range []struct{ event, payload, ref, branch string }{
		{"pull_request", pull, "refs/pull/7/merge", "stable"},
		{"push", `{"repository":{"default_branch":"main"}}`, "refs/heads/next", "next"},
		{"push", `{"repository":{"default_branch":"main"}}`, "refs/tags/v1", "main"},
		{"schedule", `{"repository":{"default_branch":"main"}}`, "refs/heads/main", "main"},
		{"release", `{"repository":null}`, "refs/tags/v1", ""},
		{"release", `{"repository":{"default_branch":7}}`, "refs/tags/v1", ""},
	} {
		plain := eventEnv(t, c.event, c.payload)
		more := map[string]string{"GITHUB_REF": c.ref, "GITHUB_SHA": headSHA, "GITHUB_WORKFLOW_REF": "octo/app/.github/workflows/ci.yml@" + c.ref}
		e, err := ReadEvent(func(name string) string {
			if more[name] != "" {
				return more[name]
			}
			return plain(name)
		})
		if err != nil || e.Branch != c.branch || e.Workflow != "ci.yml" || e.Ref != c.ref || e.Commit != headSHA || e.RunID != 99 {
			t.Errorf("%s of %s: %+v, %v", c.event, c.ref, e, err)
		}
	}
	for _, ref := range []string{"", "x", "octo/app/.github/workflows/../../x@y", "octo/app/.github/workflows/a/b@y", "octo/app/.github/workflows/..@y"} {
		if got := workflowFile(ref); got != "" {
			t.Errorf("%q is of %q", ref, got)
		}
	}
}
