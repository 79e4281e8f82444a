package e2e

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/vexxy/action/internal/host/github/githubtest"
)

// inputs are a leg's, faults those of each kind of request.
type (
	inputs = map[string]string
	faults = map[string][]githubtest.Fault
)

// turn is one run of a leg: what GitHub's API does, and what comes of it.
type turn struct {
	with   inputs
	faults faults
	did    string // what the log says of the comment; empty where there is none
	note   string // the one annotation beside those of the verdict
	says   string // words of the comment
}

// apiCase is a leg that runs twice: first its gate fails, then it passes.
type apiCase struct {
	leg    string
	server string // the leg whose server it shares; empty for its own
	turns  [2]turn
}

const (
	noComment  = "warning: vexxy: no comment: commenting: "
	permission = "\nadd `pull-requests: write` to the job's permissions"
	readsAlone = permission + "; requests of Dependabot and of forks have a token that can read alone"
	unseen     = permission + ": GitHub also answers so to a token that may not see it"
	fewer      = "\nGitHub limits the requests of this token: run fewer jobs at a time"
	inFile     = "\ncomment.md in the output directory has the text"
	nextRun    = "\npublishing is tried again with the next run"
	expired    = "\ngithub-token is not valid any more: pass ${{ github.token }}, with `pull-requests: write` in the job's permissions"
	locked     = "\nunlock the conversation of the pull request, or set comment to never"
	anHour     = "; waiting 1h0m0s more is beyond what is left for it"

	forbidden = "Resource not accessible by integration"
	secondary = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."
)

// down is how often a server is asked that is down for good: then 63 s of 2 min
// have gone, and 64 s are not left.
const down = 7

var posted, updated = turn{did: "posted"}, turn{did: "updated"}

// apiCases are all that GitHub's API does to the comment, and all that the input
// comment makes of one. quiet is a folder with results in which nothing is
// affected.
func apiCases(quiet string) []apiCase {
	tooLong := githubtest.Fault{Status: 422, Body: `{"message":"Validation Failed","errors":[{"resource":"IssueComment","code":"unprocessable","field":"data","message":"Body is too long (maximum is 65536 characters)"}]}`}
	return []apiCase{
		{leg: "first", turns: [2]turn{updated, updated}}, // a run of its own has posted it
		{leg: "always", turns: [2]turn{posted, updated}},
		{leg: "on-change-none", turns: [2]turn{
			{did: "posted", with: inputs{"comment": "on-change"}},
			{did: "kept", with: inputs{"comment": "on-change", "max-affected": "0"}, says: "run 2, attempt 1"},
		}},
		{leg: "on-change", turns: [2]turn{
			{did: "posted", with: inputs{"comment": "on-change"}},
			{did: "updated", with: inputs{"comment": "on-change"}},
		}},
		{leg: "on-affected", turns: [2]turn{
			{did: "posted", with: inputs{"comment": "on-affected"}},
			{did: "updated", with: inputs{"comment": "on-affected", "from": quiet}, says: "resolved, nothing is affected any more"},
		}},
		{leg: "on-affected-none", turns: [2]turn{
			{did: "not needed", with: inputs{"comment": "on-affected", "from": quiet}},
			{did: "posted", with: inputs{"comment": "on-affected"}},
		}},
		{leg: "never", turns: [2]turn{{with: inputs{"comment": "never"}}, {with: inputs{"comment": "never"}}}},
		{leg: "leg-1", turns: [2]turn{posted, updated}},
		{leg: "leg-2", server: "leg-1", turns: [2]turn{posted, updated}},

		refused("403-on-looking", "LIST", answer(403, forbidden), "403 "+forbidden+readsAlone),
		refused("403-on-posting", "POST", answer(403, forbidden), "403 "+forbidden+readsAlone),
		{leg: "403-on-updating", turns: [2]turn{posted, {faults: faults{"PATCH": {answer(403, forbidden)}}, note: noComment + "403 " + forbidden + readsAlone}}},
		refused("locked", "POST", answer(403, "Unable to create comment because issue is locked."), "403 Unable to create comment because issue is locked."+locked),
		refused("401", "LIST", answer(401, "Bad credentials"), "401 Bad credentials"+expired),
		refused("404", "LIST", answer(404, "Not Found"), "404 Not Found"+unseen),
		refused("422", "POST", answer(422, "Validation Failed"), "422 Validation Failed"+inFile),
		refused("hostile", "LIST", answer(403, "x\n##[error]y\x1b[2J"), `403 x\x0a#\x23[error]y\x1b[2J`+readsAlone),
		{leg: "422-too-long", turns: [2]turn{
			{did: "posted", faults: faults{"POST": slices.Repeat([]githubtest.Fault{tooLong}, 4)}},
			{did: "updated", faults: faults{"PATCH": slices.Repeat([]githubtest.Fault{tooLong}, 4)}},
		}},
		survived("429", retryAfter(429, "1", "API rate limit exceeded")),
		survived("secondary-limit", retryAfter(403, "1", secondary)),
		refused("429-for-an-hour", "LIST", retryAfter(429, "3600", "API rate limit exceeded"), "429 API rate limit exceeded"+anHour+fewer),
		refused("secondary-limit-for-an-hour", "POST", retryAfter(403, "3600", secondary), "403 "+secondary+anHour+fewer),
		survived("5xx", answer(500, "oops"), githubtest.Fault{Status: 502, Body: "<html>"}, retryAfter(503, "1", "wait")),
		{leg: "down", turns: [2]turn{{
			faults: faults{"LIST": slices.Repeat([]githubtest.Fault{answer(500, "oops")}, down)},
			note:   noComment + "500 oops; waiting 1m4s more is beyond what is left for it" + nextRun,
		}, posted}},
		survived("lost", githubtest.Fault{Drop: true}),
		survived("no-json", githubtest.Fault{Status: 200, Body: "<html>"}),
		doneThen("done-then-504", githubtest.Fault{Status: 504}),
		doneThen("done-then-lost", githubtest.Fault{Drop: true}),
		doneThen("done-then-silence", githubtest.Fault{Status: 200, Hang: time.Minute}),
		{leg: "whose-token", turns: [2]turn{
			{did: "posted", faults: faults{"VIEWER": {answer(500, "oops")}}},
			{did: "updated", faults: faults{"VIEWER": {{Drop: true}}}},
		}},
	}
}

// survived is what hits looking, posting and updating alike, and no comment is
// lost or twice.
func survived(leg string, f ...githubtest.Fault) apiCase {
	return apiCase{leg: leg, turns: [2]turn{
		{did: "posted", faults: faults{"LIST": f, "POST": f}},
		{did: "updated", faults: faults{"LIST": f, "PATCH": f}},
	}}
}

// doneThen is what GitHub has done before its answer was lost: it is not done
// again.
func doneThen(leg string, f githubtest.Fault) apiCase {
	f.Done = true
	return apiCase{leg: leg, turns: [2]turn{
		{did: "posted", faults: faults{"POST": {f}}},
		{did: "updated", faults: faults{"PATCH": {f}}},
	}}
}

// refused is what one annotation tells. The next run is as if it had never been.
func refused(leg, kind string, f githubtest.Fault, note string) apiCase {
	return apiCase{leg: leg, turns: [2]turn{{faults: faults{kind: {f}}, note: noComment + note}, posted}}
}

func answer(status int, text string) githubtest.Fault {
	return githubtest.Fault{Status: status, Body: string(must1(json.Marshal(map[string]string{"message": text})))}
}

func retryAfter(status int, seconds, text string) githubtest.Fault {
	f := answer(status, text)
	f.Header = map[string]string{"Retry-After": seconds}
	return f
}
