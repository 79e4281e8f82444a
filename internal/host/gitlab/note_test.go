package gitlab

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/host/gitlab/gitlabtest"
	"github.com/vexxy/action/internal/sticky"
)

// env is a lookup in a map.
func env(vars map[string]string) func(string) string { return func(k string) string { return vars[k] } }

// server starts GitLab's API and a client of it that does not wait for long.
func server(t *testing.T) (*gitlabtest.Server, *API) {
	t.Helper()
	s := gitlabtest.New()
	t.Cleanup(s.Close)
	return s, client(t, s, gitlabtest.Token)
}

func client(t *testing.T, s *gitlabtest.Server, token string) *API {
	t.Helper()
	a, err := NewAPI(env(map[string]string{"CI_API_V4_URL": s.URL}), token)
	if err != nil {
		t.Fatal(err)
	}
	a.budget, a.backoff, a.settle = 10*time.Second, time.Millisecond, 5*time.Millisecond
	return a
}

var merge = Merge{Project: 11, IID: 7, URL: "https://gitlab.example/group/app/-/merge_requests/7"}

func says(text string) func(int, bool) []byte {
	return func(int, bool) []byte { return []byte(text) }
}

// said is the note of pipeline n that says text.
func said(n int64, text string) sticky.Comment {
	return sticky.Comment{Key: sticky.Digest("key"), State: sticky.Digest(text), Order: sticky.Order{Run: n, Attempt: 1}, When: sticky.Always, Affected: true, Body: says(text)}
}

func post(t *testing.T, a *API, c sticky.Comment) sticky.Posted {
	t.Helper()
	posted, err := a.Post(t.Context(), merge, c)
	if err != nil {
		t.Fatalf("posting: %v (%s)", err, fault.HintOf(err))
	}
	return posted
}

// shows holds the notes' texts below their marks against what they should be.
func shows(t *testing.T, s *gitlabtest.Server, want ...string) {
	t.Helper()
	var got []string
	for _, n := range s.Notes() {
		_, rest, ok := sticky.ReadMark(n.Body)
		if !ok || n.Author != gitlabtest.Bot {
			rest = fmt.Sprint(n.Author, ": ", n.Body)
		}
		got = append(got, rest)
	}
	if strings.Join(got, "|") != strings.Join(want, "|") {
		t.Errorf("the notes are %q, want %q", got, want)
	}
}

func TestFirstNoteAndUpdate(t *testing.T) {
	s, a := server(t)
	s.Add(gitlabtest.Note{Author: 5, Body: "nice"})
	first := post(t, a, said(1, "one"))
	second := post(t, a, said(2, "two"))
	shows(t, s, "5: nice", "two")
	want := fmt.Sprintf("%s#note_%d", merge.URL, s.Notes()[1].ID)
	if first != (sticky.Posted{URL: want, Did: "posted"}) || second != (sticky.Posted{URL: want, Did: "updated"}) {
		t.Errorf("%+v, then %+v", first, second)
	}
	if n, m := len(s.Requests("POST")), len(s.Requests("DELETE")); n != 1 || m != 0 {
		t.Errorf("%d POSTs, %d DELETEs", n, m)
	}
}

// An answer that is no list does not say that there is no note.
func TestNoList(t *testing.T) {
	for _, body := range []string{"null", "", "{}"} {
		s, a := server(t)
		post(t, a, said(1, "one"))
		s.Fail("LIST", gitlabtest.Fault{Status: 200, Body: body})
		post(t, a, said(2, "two"))
		shows(t, s, "two")
		if n, m := len(s.Requests("POST")), len(s.Requests("DELETE")); n != 1 || m != 0 {
			t.Errorf("%q: %d POSTs, %d DELETEs", body, n, m)
		}
	}
}

// A note far down a long conversation is found.
func TestUpdateInALongConversation(t *testing.T) {
	s, a := server(t)
	for i := range 95 {
		s.Add(gitlabtest.Note{Author: 5, Body: fmt.Sprint(i)})
	}
	post(t, a, said(1, "one"))
	post(t, a, said(2, "two"))
	all := s.Notes()
	if len(all) != 96 || !strings.HasSuffix(all[95].Body, "two") {
		t.Errorf("%d notes, the last is %q", len(all), all[95].Body)
	}
}

// The mark of somebody else, in a quotation or in a note of GitLab's own is not
// ours.
func TestAuthorAndPlaceAreChecked(t *testing.T) {
	s, a := server(t)
	head := sticky.Mark{Key: sticky.Digest("key"), Order: sticky.Order{Run: 99, Attempt: 1}, State: sticky.Digest("x"), Affected: true}.String()
	before := []gitlabtest.Note{
		{Author: 666, Body: head + "all is well"}, {Author: gitlabtest.Bot, Body: "> " + head + "quoted"},
		{Author: gitlabtest.Bot, Body: "\n" + head + "late"}, {Author: gitlabtest.Bot, Body: head + "system", System: true},
	}
	for _, n := range before {
		s.Add(n)
	}
	post(t, a, said(1, "one"))
	all := s.Notes()
	if len(all) != 5 || !strings.HasSuffix(all[4].Body, "one") {
		t.Errorf("notes: %+v", all)
	}
	for i, n := range before {
		if all[i].Body != n.Body {
			t.Errorf("note %d became %q", i, all[i].Body)
		}
	}
}

func TestOlderPipelineNeverOverwrites(t *testing.T) {
	s, a := server(t)
	post(t, a, said(5, "five"))
	for _, older := range []sticky.Order{{Run: 4, Attempt: 9, Started: 9}, {Run: 5, Started: 9}} {
		c := said(0, "older")
		c.Order = older
		if got := post(t, a, c); got.Did != "left to a newer run" || got.URL == "" {
			t.Errorf("%v: %+v", older, got)
		}
	}
	again := said(5, "five again") // the job was started again
	again.Order.Attempt = 2
	post(t, a, again)
	shows(t, s, "five again")
}

func TestWhen(t *testing.T) {
	s, a := server(t)
	c := said(1, "clean")
	c.When, c.Affected = sticky.OnAffected, false
	if got := post(t, a, c); got.Did != "not needed" || len(s.Notes()) != 0 {
		t.Errorf("%+v", got)
	}
	c = said(2, "text of pipeline 2")
	c.When, c.State = sticky.OnChange, sticky.Digest("3 affected")
	post(t, a, c)
	c.Order.Run, c.Body = 3, says("text of pipeline 3")
	if got := post(t, a, c); got.Did != "kept" {
		t.Errorf("%+v", got)
	}
	shows(t, s, "text of pipeline 2")
	c.Order.Run, c.State, c.Affected = 4, sticky.Digest("none"), false
	c.Body = func(_ int, resolved bool) []byte { return fmt.Appendf(nil, "resolved %t", resolved) }
	post(t, a, c)
	shows(t, s, "resolved true")
}

// Legs of a matrix have a note each.
func TestMatrixLegs(t *testing.T) {
	s, a := server(t)
	var all sync.WaitGroup
	for run := range int64(3) {
		for leg := range 4 {
			all.Go(func() {
				job, err := ReadJob(env(map[string]string{"CI_JOB_NAME": fmt.Sprintf("vexxy_container_scanning: [image-%d]", leg)}))
				if err != nil {
					t.Error(err)
				}
				c := said(run, fmt.Sprintf("leg %d of pipeline %d", leg, run))
				c.Key = sticky.Digest(job.Site()...)
				if _, err := a.Post(t.Context(), merge, c); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
	}
	got := map[string]bool{}
	for _, n := range s.Notes() {
		_, rest, _ := sticky.ReadMark(n.Body)
		got[rest] = true
	}
	if len(s.Notes()) != 4 || len(got) != 4 {
		t.Fatalf("notes: %+v", s.Notes())
	}
	for leg := range 4 {
		if !got[fmt.Sprintf("leg %d of pipeline 2", leg)] {
			t.Errorf("leg %d is not at pipeline 2: %v", leg, got)
		}
	}
}

// 16 pipelines at a time leave one note, the newest pipeline's, with a note
// there before and without.
func TestConcurrentUpdates(t *testing.T) {
	for _, before := range []bool{false, true} {
		for round := range 3 {
			s, a := server(t)
			s.Latency = 4 * time.Millisecond
			if before {
				post(t, a, said(0, "before"))
			}
			var all sync.WaitGroup
			for run := range int64(16) {
				all.Go(func() {
					own := client(t, s, gitlabtest.Token) // each is a process of its own
					own.settle = 300 * time.Millisecond
					if _, err := own.Post(t.Context(), merge, said(run+1, fmt.Sprintf("pipeline %d", run+1))); err != nil {
						t.Errorf("pipeline %d: %v", run+1, err)
					}
				})
			}
			all.Wait()
			shows(t, s, "pipeline 16")
			if t.Failed() {
				t.Fatalf("before %v, round %d", before, round)
			}
		}
	}
}

// GitLab takes the note, and the answer never comes.
func TestCommitThenTimeOut(t *testing.T) {
	s, short := server(t)
	short.request = 300 * time.Millisecond
	s.Fail("POST", gitlabtest.Fault{Status: 201, Done: true, Hang: time.Minute})
	post(t, short, said(1, "once"))
	shows(t, s, "once")
	s.Fail("PUT", gitlabtest.Fault{Status: 200, Done: true, Hang: time.Minute})
	post(t, short, said(2, "twice"))
	shows(t, s, "twice")
	if n := len(s.Requests("POST")); n != 1 {
		t.Errorf("%d notes were posted", n)
	}
}

// What does not pass ends at once, in one error that says what to do.
func TestStayingFailures(t *testing.T) {
	for _, c := range []struct {
		name, method string
		fault        gitlabtest.Fault
		what, hint   string
	}{
		{"401 for whoever it is", "USER", gitlabtest.Fault{Status: 401, Body: `{"message":"401 Unauthorized"}`}, "401", "not valid"},
		{"403 for its scope", "USER", gitlabtest.Fault{Status: 403, Body: `{"error":"insufficient_scope","error_description":"The request requires higher privileges than provided by the access token.","scope":"api read_api"}`}, "insufficient_scope", "scope api"},
		{"no user", "USER", gitlabtest.Fault{Status: 404, Body: `{"message":"404 User Not Found"}`}, "404", "scope api"},
		{"403 on looking", "LIST", gitlabtest.Fault{Status: 403, Body: `{"message":"403 Forbidden"}`}, "403 {message: 403 Forbidden}", "Reporter"},
		{"403 on posting", "POST", gitlabtest.Fault{Status: 403, Body: `{"message":"403 Forbidden"}`}, "403", "locked"},
		{"404", "LIST", gitlabtest.Fault{Status: 404, Body: `{"message":"404 Project Not Found"}`}, "404", "may not see"},
		{"422", "POST", gitlabtest.Fault{Status: 422, Body: `{"message":"spam"}`}, "422", "comment.md"},
		{"429 for an hour", "LIST", gitlabtest.Fault{Status: 429, Header: map[string]string{"Retry-After": "3600"}}, "1h0m0s", "limits the requests of this token: run fewer jobs at a time; publishing is tried again"},
		{"429 without a word", "POST", gitlabtest.Fault{Status: 429, Body: `{"message":{"error":"This endpoint has been requested too many times. Try again later."}}`}, "1m0s", "limits the requests"},
		{"hostile message", "POST", gitlabtest.Fault{Status: 403, Body: `{"message":"x\nsection_start:1:y\r\u001b[0K"}`}, `x\x0asection_start:1:y\x0d\x1b[0K`, "Reporter"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, a := server(t)
			s.Fail(c.method, c.fault)
			start := time.Now()
			_, err := a.Post(t.Context(), merge, said(1, "x"))
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

// A text that GitLab finds too long is asked for again, shorter; so is one that
// a server of one's own takes no more of.
func TestTooLong(t *testing.T) {
	for _, refusal := range []gitlabtest.Fault{
		{Status: 400, Body: `{"message":{"note":["is too long (maximum is 1000000 characters)"]}}`},
		{Status: 422, Body: `{"message":"Note is too long"}`}, {Status: 413, Body: "<html>"},
	} {
		s, a := server(t)
		var asked []int
		c := said(1, "")
		c.Body = func(limit int, _ bool) []byte {
			asked = append(asked, limit)
			return []byte(strings.Repeat("x", limit))
		}
		s.Fail("POST", refusal)
		post(t, a, c)
		if len(asked) != 2 || asked[0] > MaxNote || asked[1] > MaxNote/2 || len(s.Notes()[0].Body) != MaxNote/2 {
			t.Errorf("%d: asked for %v", refusal.Status, asked)
		}
		// A body that ignores its limit is cut.
		c.Order.Run, c.Body = 2, says(strings.Repeat("äöü\n", 900_000))
		post(t, a, c)
		if got := s.Notes()[0].Body; len(got) > MaxNote || !strings.HasSuffix(got, sticky.CutNote) {
			t.Errorf("%d bytes", len(got))
		}
	}
}

// The token is sent to the API's host and nowhere else.
func TestTokenStaysHome(t *testing.T) {
	got := make(chan string, 10)
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { got <- r.Header.Get("PRIVATE-TOKEN") }))
	defer other.Close()
	for _, method := range []string{"USER", "LIST"} {
		s, a := server(t)
		for range 20 {
			s.Fail(method, gitlabtest.Fault{Status: 302, Header: map[string]string{"Location": other.URL}})
		}
		a.budget = 50 * time.Millisecond
		_, err := a.Post(t.Context(), merge, said(1, "x"))
		if err == nil || strings.Contains(err.Error(), gitlabtest.Token) {
			t.Errorf("%s: %v", method, err)
		}
	}
	select {
	case header := <-got:
		t.Errorf("another host got %q", header)
	default:
	}
}

func TestNoAPI(t *testing.T) {
	for _, c := range []struct{ url, token, ca string }{
		{"", "t", ""}, {"not a url", "t", ""}, {"ftp://x", "t", ""}, {"https://gitlab.example/api/v4", "", ""},
		{"https://gitlab.example/api/v4", "t", "/etc/hostname"}, {"https://gitlab.example/api/v4", "t", "/nowhere"},
	} {
		if _, err := NewAPI(env(map[string]string{"CI_API_V4_URL": c.url, "CI_SERVER_TLS_CA_FILE": c.ca}), c.token); err == nil || fault.HintOf(err) == "" {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

func TestCancelled(t *testing.T) {
	s, a := server(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("interrupted"))
	if _, err := a.Post(ctx, merge, said(1, "x")); err == nil {
		t.Error("a cancelled run posts")
	}
	shows(t, s)
}
