package github

import (
	"strings"
	"testing"
	"time"

	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/host/github/githubtest"
)

func runPayload(headRepo string) string {
	return `{"action":"completed","repository":{"default_branch":"main"},"workflow_run":{"id":55,"run_number":12,"run_attempt":2,"workflow_id":3,"event":"pull_request",
		"head_sha":"` + headSHA + `","head_branch":"change","head_repository":` + headRepo + `,"pull_requests":[{"number":666}]}}`
}

const forkHead = `{"id":2,"full_name":"mallory/app","owner":{"login":"mallory"}}`

func TestTrigger(t *testing.T) {
	e, err := ReadEvent(eventEnv(t, "workflow_run", runPayload(forkHead)))
	want := Trigger{ID: 55, Number: 12, Attempt: 2, Workflow: 3, Event: "pull_request", HeadSHA: headSHA, HeadBranch: "change", HeadOwner: "mallory", HeadRepo: 2,
		URL: "https://github.example/octo/app/actions/runs/55"}
	if err != nil || e.Pull != nil || e.Trigger == nil || *e.Trigger != want || e.Branch != "main" {
		t.Errorf("%+v, %v", e, err)
	}
	// The same event of another name has none.
	if e, err := ReadEvent(eventEnv(t, "push", runPayload(forkHead))); err != nil || e.Trigger != nil {
		t.Errorf("%+v, %v", e, err)
	}
	good := runPayload(forkHead)
	for _, payload := range []string{
		"", "{", "null", `{"workflow_run":null}`, `{"workflow_run":[]}`,
		strings.ReplaceAll(good, `"id":55`, `"id":-1`), strings.ReplaceAll(good, `"id":55`, `"id":"55/../56"`),
		strings.ReplaceAll(good, headSHA, "main"), strings.ReplaceAll(good, `"change"`, `"`+strings.Repeat("x", maxBranch+1)+`"`),
		strings.Repeat(`{"a":`, 100_000),
	} {
		if e, err := ReadEvent(eventEnv(t, "workflow_run", payload)); err == nil {
			t.Errorf("%.60q gives %+v", payload, e.Trigger)
		}
	}
}

func FuzzTrigger(f *testing.F) {
	f.Add([]byte(runPayload(forkHead)))
	f.Add([]byte(runPayload(`null`)))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := parseTrigger(data)
		if err == nil && (got.ID <= 0 || !commit.MatchString(got.HeadSHA) || got.HeadOwner != "" && !isName(got.HeadOwner)) {
			t.Errorf("%q gives %+v", data, got)
		}
	})
}

// Whatever becomes of the request, there is the right number, a word why there
// is none, or an error that says what to do.
func TestPullOf(t *testing.T) {
	e := Event{Owner: "octo", Repo: "app", Trigger: &Trigger{Event: "pull_request", HeadSHA: headSHA, HeadBranch: "change", HeadOwner: "mallory", HeadRepo: 2}}
	for name, f := range apiFaults() {
		for _, times := range []int{1, 100} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				s, a := server(t)
				a.budget, a.request = 2*time.Second, 300*time.Millisecond
				s.Heads = []githubtest.Head{{Number: 7, SHA: headSHA, Branch: "change", Owner: "mallory", Repo: 2}}
				for range times {
					s.Fail("PULLS", f)
				}
				number, why, err := a.PullOf(t.Context(), e)
				switch {
				case err != nil && (number != 0 || fault.HintOf(err) == "" || strings.ContainsAny(err.Error(), "\n\x1b") || strings.Contains(err.Error(), githubtest.Token)):
					t.Errorf("%d, %q (%s)", number, err, fault.HintOf(err))
				case err == nil && number == 0 && why == "":
					t.Error("neither a number nor a word")
				case number != 0 && number != 7:
					t.Errorf("number %d", number)
				}
			})
		}
	}
	for name, change := range map[string]func(*Trigger){
		"a push":             func(t *Trigger) { t.Event = "push" },
		"the fork is gone":   func(t *Trigger) { t.HeadOwner = "" },
		"there is no branch": func(t *Trigger) { t.HeadBranch = "" },
	} {
		s, a := server(t)
		other := *e.Trigger
		change(&other)
		if number, why, err := a.PullOf(t.Context(), Event{Owner: "octo", Repo: "app", Trigger: &other}); number != 0 || why == "" || err != nil || len(s.Requests("")) != 0 {
			t.Errorf("%s: %d, %q, %v", name, number, why, err)
		}
	}
}
