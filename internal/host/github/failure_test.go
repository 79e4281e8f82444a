package github

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/host/github/githubtest"
	"github.com/vexxy/action/internal/sticky"
)

// Failures that may pass are tried again, and a write whose answer got lost is
// not made twice.
func TestPassingFailures(t *testing.T) {
	for name, faults := range map[string]map[string][]githubtest.Fault{
		"5xx on looking":          {"LIST": {{Status: 500}, {Status: 502, Body: "<html>"}, {Status: 503}}},
		"5xx on posting":          {"POST": {{Status: 502}}},
		"5xx after posting":       {"POST": {{Status: 502, Done: true}}},
		"5xx on updating":         {"PATCH": {{Status: 500}}},
		"5xx after updating":      {"PATCH": {{Status: 504, Done: true}}},
		"429 with Retry-After":    {"LIST": {{Status: 429, Header: map[string]string{"Retry-After": "1"}}}},
		"secondary limit":         {"PATCH": {{Status: 403, Header: map[string]string{"Retry-After": "1"}, Body: `{"message":"You have exceeded a secondary rate limit.","documentation_url":"https://docs.github.com/rest/overview/rate-limits-for-the-rest-api#about-secondary-rate-limits"}`}}},
		"primary limit":           {"LIST": {{Status: 403, Header: map[string]string{"X-RateLimit-Remaining": "0", "X-RateLimit-Limit": "60", "X-RateLimit-Reset": fmt.Sprint(time.Now().Unix() + 1)}, Body: `{"message":"API rate limit exceeded"}`}}},
		"no JSON":                 {"LIST": {{Status: 200, Body: "<html>"}}},
		"who we are is not known": {"VIEWER": {{Status: 500}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, a := server(t)
			for method, queue := range faults {
				if method == "PATCH" {
					post(t, a, said(1, "before"))
				}
				s.Fail(method, queue...)
			}
			start := time.Now()
			post(t, a, said(2, "after"))
			shows(t, s, "after")
			waits := strings.Contains(name, "limit") || strings.Contains(name, "429")
			if took := time.Since(start); waits != (took >= time.Second) {
				t.Errorf("took %s", took)
			}
			if n := len(s.Requests("DELETE")); n != 0 {
				t.Errorf("%d comments were deleted", n)
			}
		})
	}
}

// GitHub takes the comment, and the answer never comes.
func TestCommitThenTimeOut(t *testing.T) {
	s, short := server(t)
	short.request = 150 * time.Millisecond
	s.Fail("POST", githubtest.Fault{Status: 201, Done: true, Hang: time.Minute})
	post(t, short, said(1, "once"))
	shows(t, s, "once")
	s.Fail("PATCH", githubtest.Fault{Status: 200, Done: true, Hang: time.Minute})
	post(t, short, said(2, "twice"))
	shows(t, s, "twice")
	if n := len(s.Requests("POST")); n != 1 {
		t.Errorf("%d comments were posted", n)
	}
}

// What does not pass ends at once, in one error that says what to do.
func TestStayingFailures(t *testing.T) {
	for _, c := range []struct {
		name   string
		method string
		fault  githubtest.Fault
		what   string
		hint   string
	}{
		{"403 on looking", "LIST", githubtest.Fault{Status: 403, Body: `{"message":"Resource not accessible by integration"}`}, "403 Resource not accessible", "pull-requests: write"},
		{"403 on posting", "POST", githubtest.Fault{Status: 403, Body: `{"message":"Resource not accessible by integration"}`}, "403 Resource not accessible", "pull-requests: write"},
		{"locked", "POST", githubtest.Fault{Status: 403, Body: `{"message":"Unable to create comment because issue is locked."}`}, "locked", "unlock"},
		{"401", "LIST", githubtest.Fault{Status: 401, Body: `{"message":"Bad credentials"}`}, "401 Bad credentials", "pull-requests: write"},
		{"404", "LIST", githubtest.Fault{Status: 404, Body: `{"message":"Not Found"}`}, "404 Not Found", "pull-requests: write"},
		{"422", "POST", githubtest.Fault{Status: 422, Body: `{"message":"Validation Failed"}`}, "422 Validation Failed", "comment.md"},
		{"429 for an hour", "LIST", githubtest.Fault{Status: 429, Header: map[string]string{"Retry-After": "3600"}}, "1h0m0s", "limits the requests"},
		{"secondary limit without a word", "LIST", githubtest.Fault{Status: 403, Body: `{"message":"You have exceeded a secondary rate limit"}`}, "1m0s", "limits the requests"},
		{"hostile message", "POST", githubtest.Fault{Status: 403, Body: `{"message":"x\n::error::y\u001b[2J"}`}, `403 x\x0a::error::y\x1b[2J`, "pull-requests: write"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, a := server(t)
			s.Fail(c.method, c.fault)
			start := time.Now()
			_, err := a.Post(t.Context(), "octo", "app", 7, said(1, "x"))
			if err == nil || !strings.Contains(err.Error(), c.what) || !strings.Contains(fault.HintOf(err), c.hint) {
				t.Errorf("%v (%s)", err, fault.HintOf(err))
			}
			if fault.CodeOf(context.Background(), err) != fault.Publish || time.Since(start) > 5*time.Second {
				t.Errorf("code %d after %s", fault.CodeOf(context.Background(), err), time.Since(start))
			}
			shows(t, s)
		})
	}
}

// A server that is down for good costs no more than the budget.
func TestBudget(t *testing.T) {
	s, a := server(t)
	a.budget = 300 * time.Millisecond
	for range 50 {
		s.Fail("LIST", githubtest.Fault{Status: 500})
	}
	start := time.Now()
	_, err := a.Post(t.Context(), "octo", "app", 7, said(1, "x"))
	if took := time.Since(start); err == nil || took > 5*time.Second {
		t.Errorf("%v after %s", err, took)
	}
	if n := len(s.Requests("LIST")); n < 3 || n > 12 {
		t.Errorf("%d tries", n)
	}
}

// A text that GitHub finds too long is asked for again, shorter.
func TestTooLong(t *testing.T) {
	s, a := server(t)
	var asked []int
	c := said(1, "")
	c.Body = func(limit int, _ bool) []byte {
		asked = append(asked, limit)
		return []byte(strings.Repeat("x", limit))
	}
	s.Fail("POST", githubtest.Fault{Status: 422, Body: `{"message":"Validation Failed","errors":[{"message":"Body is too long (maximum is 65536 characters)"}]}`})
	post(t, a, c)
	if len(asked) != 2 || asked[0] > MaxComment || asked[1] > MaxComment/2 {
		t.Errorf("asked for %v", asked)
	}
	if got := len(s.Comments()[0].Body); got != MaxComment/2 {
		t.Errorf("%d bytes", got)
	}
	// A body that ignores its limit is cut.
	c.Order.Run, c.Body = 2, says(strings.Repeat("äöü\n", 60_000))
	post(t, a, c)
	if got := s.Comments()[0].Body; len(got) > MaxComment || !strings.HasSuffix(got, sticky.CutNote) {
		t.Errorf("%d bytes", len(got))
	}
}

// The token is sent to the API's host and nowhere else.
func TestTokenStaysHome(t *testing.T) {
	got := make(chan string, 10)
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { got <- r.Header.Get("Authorization") }))
	defer other.Close()
	s, a := server(t)
	s.Fail("LIST", githubtest.Fault{Status: 302, Header: map[string]string{"Location": other.URL}})
	a.budget = 50 * time.Millisecond
	_, err := a.Post(t.Context(), "octo", "app", 7, said(1, "x"))
	if err != nil && strings.Contains(err.Error(), githubtest.Token) {
		t.Errorf("the error tells the token: %v", err)
	}
	select {
	case header := <-got:
		t.Errorf("another host got %q", header)
	default:
	}
}
