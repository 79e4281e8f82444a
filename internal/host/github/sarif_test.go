package github

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/host/github/githubtest"
)

func analysis(log string) Analysis {
	return Analysis{Commit: headSHA, Ref: "refs/pull/7/head", SARIF: []byte(log)}
}

// What passes is tried again; the log arrives as it is.
func TestUpload(t *testing.T) {
	for name, faults := range map[string][]githubtest.Fault{
		"at once":         nil,
		"5xx":             {{Status: 500}, {Status: 502, Body: "<html>"}, {Status: 503}},
		"429":             {{Status: 429, Header: map[string]string{"Retry-After": "1"}}},
		"secondary limit": {{Status: 403, Header: map[string]string{"Retry-After": "1"}, Body: `{"message":"You have exceeded a secondary rate limit"}`}},
		"a lost answer":   {{Drop: true, Done: true}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, a := server(t)
			s.Fail("SARIF", faults...)
			if err := a.Upload(t.Context(), "octo", "app", analysis(`{"runs":[]}`)); err != nil {
				t.Fatal(err)
			}
			for _, got := range s.Analyses() {
				if got != (githubtest.Analysis{Commit: headSHA, Ref: "refs/pull/7/head", SARIF: `{"runs":[]}`}) {
					t.Errorf("uploaded %+v", got)
				}
			}
			if n := len(s.Analyses()); n < 1 || n > 2 {
				t.Errorf("%d analyses", n)
			}
		})
	}
}

// What does not pass ends in one error, which names the permission or what else
// would help.
func TestUploadFails(t *testing.T) {
	for name, c := range map[string]struct {
		fault githubtest.Fault
		says  string
		hint  string
	}{
		"no right":     {githubtest.Fault{Status: 403, Body: `{"message":"Resource not accessible by integration"}`}, "403 Resource not accessible", "add `security-events: write` to the job's permissions, in private"},
		"not bought":   {githubtest.Fault{Status: 403, Body: `{"message":"Advanced Security must be enabled for this repository to use code scanning."}`}, "403 Advanced Security", "private repositories need GitHub Code Security"},
		"turned off":   {githubtest.Fault{Status: 403, Body: `{"message":"Code scanning is not enabled for this repository."}`}, "not enabled", "turn on code scanning"},
		"not there":    {githubtest.Fault{Status: 404, Body: `{"message":"Not Found"}`}, "404 Not Found", "turn on code scanning"},
		"too large":    {githubtest.Fault{Status: 413}, "413", "too large"},
		"refused":      {githubtest.Fault{Status: 422, Body: `{"message":"Validation Failed"}`}, "422 Validation Failed", "results.sarif"},
		"for an hour":  {githubtest.Fault{Status: 429, Header: map[string]string{"Retry-After": "3600"}}, "1h0m0s", "limits the requests"},
		"bad token":    {githubtest.Fault{Status: 401, Body: `{"message":"Bad credentials"}`}, "401 Bad credentials", "security-events: write"},
		"hostile text": {githubtest.Fault{Status: 403, Body: `{"message":"x\n::error::y\u001b[2J"}`}, `403 x\x0a::error::y\x1b[2J`, "security-events: write"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, a := server(t)
			s.Fail("SARIF", c.fault)
			err := a.Upload(t.Context(), "octo", "app", analysis("{}"))
			if err == nil || !strings.Contains(err.Error(), c.says) || !strings.Contains(fault.HintOf(err), c.hint) || fault.CodeOf(t.Context(), err) != fault.Publish {
				t.Errorf("%v (%s)", err, fault.HintOf(err))
			}
			if n := len(s.Requests("SARIF")); n != 1 {
				t.Errorf("%d requests", n)
			}
		})
	}
}

// A server that stays down costs no more than the budget, and a log beyond the
// limit is never sent.
func TestUploadIsBounded(t *testing.T) {
	s, a := server(t)
	a.budget = 300 * time.Millisecond
	for range 50 {
		s.Fail("SARIF", githubtest.Fault{Status: 500})
	}
	if err := a.Upload(t.Context(), "octo", "app", analysis("{}")); err == nil || len(s.Requests("SARIF")) < 3 {
		t.Errorf("%v after %d requests", err, len(s.Requests("SARIF")))
	}
	noise := make([]byte, 11<<20)
	if _, err := rand.Read(noise); err != nil {
		t.Fatal(err)
	}
	s, a = server(t)
	err := a.Upload(t.Context(), "octo", "app", analysis(hex.EncodeToString(noise)))
	if err == nil || !strings.Contains(err.Error(), fmt.Sprint(maxAnalysis)) || len(s.Requests("")) != 0 {
		t.Errorf("%v, %d requests", err, len(s.Requests("")))
	}
}
