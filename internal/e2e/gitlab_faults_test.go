package e2e

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vexxy/action/internal/host/gitlab/gitlabtest"
	"github.com/vexxy/action/internal/sticky"
)

// What a user is told where there is no note, and what to do about it.
const (
	noNote      = "warning: no note on the merge request"
	noteFile    = "  comment.md in the output directory has the text"
	noteNextRun = "  publishing is tried again with the next run"
	noteToken   = "give gitlab-token a project or group access token with the scope api and the role Reporter or higher, in a masked variable: CI_JOB_TOKEN may not write notes"
	noteLimited = "  GitLab limits the requests of this token: run fewer jobs at a time; publishing is tried again with the next run"
)

// noteFault is what goes wrong with the next requests of a kind.
func noteFault(kind string, all ...gitlabtest.Fault) map[string][]gitlabtest.Fault {
	return map[string][]gitlabtest.Fault{kind: all}
}

func noteRefusal(status int, body string) gitlabtest.Fault {
	return gitlabtest.Fault{Status: status, Body: body}
}

func noteWait(status int, headers ...string) gitlabtest.Fault {
	f := gitlabtest.Fault{Status: status, Header: map[string]string{}}
	for i := 0; i < len(headers); i += 2 {
		f.Header[headers[i]] = headers[i+1]
	}
	return f
}

// noteForGood is a fault that does not pass while anybody asks.
func noteForGood(f gitlabtest.Fault) []gitlabtest.Fault {
	return slices.Repeat([]gitlabtest.Fault{f}, 100)
}

// noteless is a use whose first note is not to be, for one reason.
func noteless(name, wrote string, faults map[string][]gitlabtest.Fault, why, what string) *noteUse {
	return &noteUse{name: name, runs: []noteRun{{faults: faults, wrote: wrote, notice: []string{noNote, "  " + why, what}}}}
}

// noted is a use whose note is posted and updated, through faults.
func noted(name, wrote string, faults map[string][]gitlabtest.Fault, again string, later map[string][]gitlabtest.Fault) *noteUse {
	return &noteUse{name: name, runs: []noteRun{
		{faults: faults, did: "posted", wrote: wrote, tells: 101},
		{faults: later, did: "updated", wrote: again, tells: 102},
	}}
}

// Answers that come too late or never, of requests that were done all the same.
var (
	noteLost     = gitlabtest.Fault{Status: 504, Body: "<html><h1>Gateway time-out</h1>", Done: true}
	noteDropped  = gitlabtest.Fault{Drop: true, Done: true}
	noteLate     = gitlabtest.Fault{Status: 201, Done: true, Hang: time.Minute}
	noteNonsense = gitlabtest.Fault{Status: 200, Body: "<html>", Done: true}
)

// gitlabFaults are uses whose API fails. Those that wait longest are first.
// Nobody listens at the address closed, and other is another host's.
func gitlabFaults(closed, other string) []*noteUse {
	down := noteless("down", "", noteFault("USER", noteForGood(noteRefusal(500, `{"message":"oops"}`))...),
		"asking whose gitlab-token it is: 500 {message: oops}; waiting 1m4s more is beyond what is left for it", noteNextRun)
	readOnly := noteless("read-only", strings.TrimSpace(strings.Repeat("POST ", 7)), noteFault("POST", noteForGood(noteRefusal(503, ""))...),
		"writing the note: 503 Service Unavailable; waiting 1m4s more is beyond what is left for it", noteNextRun)
	unreachable := noteless("unreachable", "", nil,
		fmt.Sprintf(`asking whose gitlab-token it is: Get "%s/user": dial tcp %s: connect: connection refused; waiting 1m4s more is beyond what is left for it`, closed, strings.Split(closed, "/")[2]), noteNextRun)
	unreachable.runs[0].variables = gitlabVars{"CI_API_V4_URL": closed}

	stale := noteless("stale", "", nil, "asking whose gitlab-token it is: 401 {message: 401 Unauthorized}", "  gitlab-token is not valid, or not any more: "+noteToken)
	stale.inputs = gitlabVars{"gitlab-token": "$STALE_TOKEN"}

	tooLong := func(n int) []gitlabtest.Fault {
		refusals := []gitlabtest.Fault{noteRefusal(400, `{"message":{"note":["is too long (maximum is 1000000 characters)"]}}`), noteRefusal(413, "<html>"), noteRefusal(422, `{"message":"Note is too long"}`)}
		return slices.Concat(refusals, refusals, refusals)[:n]
	}
	long := noted("long", strings.TrimSpace(strings.Repeat("POST ", 10)), noteFault("POST", tooLong(9)...), "PUT PUT PUT", noteFault("PUT", tooLong(2)...))
	long.runs[0].more = func(t *testing.T, u *noteUse) {
		if body := u.api.Notes()[1].Body; len(body) > gitlabtest.MaxNote>>9 || !strings.Contains(body, "vexxy: fail") {
			t.Errorf("the note is not reduced: %d characters: %s", len(body), body)
		}
	}

	slow := noted("slow", "POST POST", map[string][]gitlabtest.Fault{
		"USER": {noteWait(429, "Retry-After", "1")}, "LIST": {noteWait(429, "RateLimit-Remaining", "0", "RateLimit-Reset", "1")}, "POST": {noteWait(429, "Retry-After", "3")},
	}, "PUT PUT", noteFault("PUT", noteWait(503, "Retry-After", "3")))
	for i, kind := range []string{"POST", "PUT"} {
		slow.runs[i].more = func(t *testing.T, u *noteUse) {
			if all := u.api.Requests(kind); len(all) != 2 || all[1].At.Sub(all[0].At) < 3*time.Second {
				t.Errorf("it did not wait: %+v", all)
			}
		}
	}

	denied := noted("denied", "POST", nil, "PUT", noteFault("PUT", noteRefusal(403, `{"message":"403 Forbidden"}`)))
	denied.runs[1] = noteRun{faults: denied.runs[1].faults, wrote: "PUT", tells: 101,
		notice: []string{noNote, "  writing the note: 403 {message: 403 Forbidden}", "  " + noteToken + "; a locked thread takes notes of members alone"}}

	elsewhere := noted("elsewhere", "POST POST", map[string][]gitlabtest.Fault{
		"USER": {noteWait(302, "Location", other)}, "LIST": {noteWait(302, "Location", "/api/v4/user")}, "POST": {noteWait(307, "Location", other)},
	}, "PUT PUT", noteFault("PUT", noteWait(302, "Location", "/api/v4/user")))

	wordless := noted("wordless", "POST", noteFault("LIST", noteRefusal(429, "")), "", nil) // it waits for a minute
	wordless.runs = wordless.runs[:1]

	return []*noteUse{
		down, readOnly, unreachable, wordless,
		noted("late", "POST", noteFault("POST", noteLate), "PUT", noteFault("PUT", noteLate)),
		noted("lost", "POST", noteFault("POST", noteLost), "PUT", noteFault("PUT", noteLost)),
		noted("dropped", "POST POST", noteFault("POST", gitlabtest.Fault{Drop: true}, noteDropped), "PUT PUT", noteFault("PUT", gitlabtest.Fault{Drop: true}, noteDropped)),
		noted("passing", "POST POST", map[string][]gitlabtest.Fault{
			"USER": {noteRefusal(502, "<html>")}, "LIST": {noteRefusal(500, ""), noteRefusal(408, "")}, "POST": {noteRefusal(503, "")},
		}, "PUT PUT", noteFault("PUT", noteRefusal(500, `{"message":"oops"}`))),
		noted("nonsense", "POST", map[string][]gitlabtest.Fault{
			"USER": {noteNonsense, noteRefusal(200, "null")}, "LIST": {noteRefusal(200, `[{"id":"x","body":{},"author":[]}]`), {Status: 200, Body: "[", Endless: true}}, "POST": {noteNonsense},
		}, "PUT", noteFault("PUT", noteNonsense)),
		elsewhere, slow, long, denied, stale,
		noteless("scope", "", noteFault("USER", noteRefusal(403, `{"error":"insufficient_scope","error_description":"The request requires higher privileges than provided by the access token.","scope":"api read_api"}`)),
			"asking whose gitlab-token it is: 403 {error: insufficient_scope}, {error_description: The request requires higher privileges than provided by the access token.}, {scope: api read_api}", "  "+noteToken+"; a locked thread takes notes of members alone"),
		noteless("role", "POST", noteFault("POST", noteRefusal(403, `{"message":"x\nsection_start:1:y\r\u001b[0K::stop"}`)),
			`writing the note: 403 {message: x\x0asection_start:1:y\x0d\x1b[0K::stop}`, "  "+noteToken+"; a locked thread takes notes of members alone"),
		noteless("missing", "", noteFault("LIST", noteRefusal(404, `{"message":"404 Project Not Found"}`)),
			"writing the note: 404 Not Found", "  "+noteToken+"; GitLab also answers so to a token that may not see the project"),
		noteless("gone", "", noteFault("LIST", noteRefusal(410, `{"message":"410 Gone"}`)),
			"writing the note: 410 {message: 410 Gone}", "  "+noteToken+"; GitLab also answers so to a token that may not see the project"),
		noteless("refused", "POST", noteFault("POST", noteRefusal(422, `{"message":"spam"}`)), "writing the note: 422 {message: spam}", noteFile),
		noteless("hour", "POST", noteFault("POST", noteWait(429, "Retry-After", "3600")), "writing the note: 429 Too Many Requests; waiting 1h0m0s more is beyond what is left for it", noteLimited),
		noteless("reset", "", noteFault("LIST", noteWait(429, "RateLimit-Remaining", "0", "RateLimit-Reset", fmt.Sprint(time.Now().Add(72*time.Hour).Unix()))),
			"writing the note: 429 Too Many Requests; waiting 24h0m0s more is beyond what is left for it", noteLimited),
	}
}

// gitlabPipelines are uses in pipelines of all kinds, with notes of all modes.
// merge are the variables of a merge request's; of the image used something is
// affected, of the image none nothing.
func gitlabPipelines(merge gitlabVars, used, none string) []*noteUse {
	with := func(more gitlabVars) gitlabVars {
		all := maps.Clone(merge)
		maps.Copy(all, more)
		return all
	}
	only := func(name string, variables gitlabVars, run noteRun) *noteUse {
		return &noteUse{name: name, variables: variables, runs: []noteRun{run}}
	}
	branch := gitlabVars{"CI_PIPELINE_SOURCE": "push", "CI_COMMIT_BRANCH": "main"}
	fetched := with(gitlabVars{"CI_MERGE_REQUEST_DIFF_BASE_SHA": strings.Repeat("1", 40)})
	plain := noted("plain", "POST", nil, "PUT", nil)
	plain.runs = append(plain.runs, noteRun{before: noteDeleted, did: "posted", wrote: "POST", tells: 103})
	return []*noteUse{
		plain,
		{name: "legs", leg: "LEG", values: []string{"a", "b", "c"}, runs: []noteRun{{did: "posted", wrote: "POST POST POST", tells: 101}, {did: "updated", wrote: "PUT PUT PUT", tells: 102}}},
		// The text stays; only the mark says that the newer pipeline was there.
		{name: "on-change", inputs: gitlabVars{"comment": "on-change"}, runs: []noteRun{
			{did: "posted", wrote: "POST", tells: 101}, {did: "updated", wrote: "PUT", tells: 102}, {did: "kept", wrote: "PUT", tells: 102, more: noteMarked(103)},
		}},
		{name: "on-affected", inputs: gitlabVars{"comment": "on-affected"}, runs: []noteRun{
			{inputs: gitlabVars{"image": none}, verdict: "inconclusive", did: "not needed"},
			{inputs: gitlabVars{"image": used}, did: "posted", wrote: "POST", tells: 102},
			{inputs: gitlabVars{"image": none}, verdict: "inconclusive", did: "updated", wrote: "PUT", tells: 103},
		}},
		{name: "older", runs: []noteRun{
			{variables: gitlabVars{pipelineID: "901"}, did: "posted", wrote: "POST", tells: 901}, {did: "left to a newer run", tells: 901},
		}},
		only("never", nil, noteRun{inputs: gitlabVars{"comment": "never"}}),
		only("tokenless", nil, noteRun{inputs: gitlabVars{"gitlab-token": ""}, notice: []string{
			"notice: no note on the merge request",
			"  CI_JOB_TOKEN may not write one: add the input gitlab-token, a project access token with the scope api and the role Reporter, from a masked variable",
			"  comment.md in vexxy-results has the text"}}),
		only("fork", with(gitlabVars{"CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "12"}), noteRun{notice: []string{
			"notice: no note on the merge request", "  it comes from a fork, whose jobs are given no token", "  comment.md in vexxy-results has the text"}}),
		only("branch", branch, noteRun{}),
		only("release", gitlabVars{"CI_PIPELINE_SOURCE": "push", "CI_COMMIT_BRANCH": "", "CI_COMMIT_TAG": "v1"}, noteRun{inputs: gitlabVars{"max-affected": "1000"}, verdict: "pass"}),
		only("nightly", gitlabVars{"CI_PIPELINE_SOURCE": "schedule", "CI_COMMIT_BRANCH": "main"}, noteRun{}),
		// The checkout does not have the base commit, so that the API tells of its policy.
		only("base", fetched, noteRun{inputs: gitlabVars{"max-affected": ""}, did: "posted", wrote: "POST", tells: 101, notice: []string{
			"warning: configuration of the target branch", "  .vexxy.yml as this merge request has it is ignored until it is merged: the one of the base commit 111111111111 holds",
		}, faults: noteFault("FILE", noteRefusal(500, ""), noteWait(429, "Retry-After", "1"))}),
		only("baseless", fetched, noteRun{inputs: gitlabVars{"max-affected": ""}, verdict: "error", faults: noteFault("FILE", noteRefusal(403, `{"message":"403 Forbidden"}`)), notice: []string{
			"error: reading configuration file: reading .vexxy.yml of the base commit 111111111111: the checkout does not have it: 403 {message: 403 Forbidden}",
			"hint: let the job have the commit: set GIT_DEPTH to 0, or run `git fetch origin` for it before; or give gitlab-token a token that may read the repository"}}),
	}
}

// noteMarked says that the note's mark is of a pipeline.
func noteMarked(pipeline int64) func(*testing.T, *noteUse) {
	return func(t *testing.T, u *noteUse) {
		if mark, _, _ := sticky.ReadMark(u.api.Notes()[1].Body); mark.Order.Run != pipeline {
			t.Errorf("the note is marked as of %+v, want pipeline %d", mark.Order, pipeline)
		}
	}
}

// noteDeleted lets somebody delete the note.
func noteDeleted(t *testing.T, u *noteUse) {
	r := must1(http.NewRequestWithContext(t.Context(), http.MethodDelete, fmt.Sprint(u.url, "/projects/11/merge_requests/7/notes/", u.api.Notes()[1].ID), nil))
	r.Header.Set("PRIVATE-TOKEN", gitlabtest.Token)
	must1(http.DefaultClient.Do(r)).Body.Close()
}

// TestGitLabFaults runs the component against all that GitLab's API may do, in
// three pipelines of many jobs, of which each has an API of its own. Exit codes,
// dotenv reports and reports are those of the evidence whatever the API does,
// and the log says once what has become of the note.
func TestGitLabFaults(t *testing.T) {
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("another host is asked for %s, with the token %q", r.URL, r.Header.Get("PRIVATE-TOKEN"))
	}))
	defer other.Close()
	used := push(t, "go-app")

	g := newGitLabJob(t)
	g.git(t, "config", "protocol.https.allow", "never") // there is no such server
	commit := g.commit(t, "max-affected: 1000\n")
	merge := gitlabVars{"CI_COMMIT_BRANCH": ""}
	for _, variable := range gitlabMerge(commit) {
		name, value, _ := strings.Cut(variable, "=")
		merge[name] = value
	}
	// Of many pipelines at a time no more is wanted than their notes.
	nowhere := strings.TrimPrefix(closed.URL, "http://")
	refused := fmt.Sprintf("%s/v2/\": dial tcp %s: connect: connection refused", nowhere, nowhere)
	many := &noteUse{name: "many", inputs: gitlabVars{"image": nowhere + "/app:v1"}, leg: pipelineID, runs: []noteRun{{}, {}, {
		verdict: "error", did: anyOf, wrote: anyOf, tells: 216, notice: []string{
			fmt.Sprintf(`error: resolving "%s/app:v1": Get "https://%s; Get "http://%s`, nowhere, refused, refused), "hint: check the network and the registry, then try again",
		},
		more: func(t *testing.T, u *noteUse) {
			noteMarked(216)(t, u)
			t.Logf("the pipelines wrote %s", notesWritten(u.api, u.asked))
		},
	}}}
	for i := range 16 {
		many.values = append(many.values, fmt.Sprint(201+i))
	}
	many.front = notesAtOnce(len(many.values))
	open := &noteUse{name: "open", variables: gitlabVars{"CI_PIPELINE_SOURCE": "push", "CI_COMMIT_BRANCH": "change", "CI_OPEN_MERGE_REQUESTS": "group/app!7"}, runs: []noteRun{{}}}
	uses := append(gitlabFaults(closed.URL+"/api/v4", other.URL), gitlabPipelines(merge, pushAs(t, "go-app", "on-affected"), pushAs(t, "scratch-static", "on-affected"))...)

	for _, u := range append(uses, many, open) {
		u.start(t)
		u.api.Files[strings.Repeat("1", 40)+":.vexxy.yml"] = "max-affected: 0\n"
	}
	inputs := gitlabVars{
		"version": "none", "image": used, "engine": "embedded", "duration": "5s", "http-probe": "/", "vulnerability-db": must1(database()), "max-db-age": "0",
		"env": "CANARY=$CANARY", "gitlab-token": "$NOTE_TOKEN",
	}
	numbers := gitlabVars{}
	for i, p := range []struct {
		uses        []*noteUse
		maxAffected string
		verdict     string
		concurrency int
	}{
		{append(slices.Clone(uses), open), "0", "fail", 3}, {uses, "1000", "pass", 3}, {append(slices.Clone(uses), many), "1000", "pass", 20},
	} {
		p.uses = slices.DeleteFunc(slices.Clone(p.uses), func(u *noteUse) bool { return i >= len(u.runs) })
		for _, u := range p.uses {
			u.begin(t, u.runs[i])
		}
		inputs["max-affected"] = p.maxAffected
		g.pipeline(gitlabFile(p.uses, i, inputs, merge))
		begun := time.Now()
		log, _ := g.run(t, nil, fmt.Sprint("--concurrency=", p.concurrency), "--shell-isolation", "--no-artifacts-to-source", "--no-json-schema-validation")
		end := pipelineEnd{gitlabExitCodes(log), p.verdict, numbers}
		t.Logf("pipeline %d: %d jobs, %s", firstPipeline+i, len(end.codes), time.Since(begun).Round(time.Second))
		for _, u := range p.uses {
			if u != open {
				t.Run(fmt.Sprint(u.name, " ", firstPipeline+i), func(t *testing.T) { u.check(t, g, u.runs[i], end) })
			}
		}
		if _, ran := end.codes[open.job()]; ran {
			t.Error("a push to a branch of an open merge request has a second job")
		}
	}
}
