package github

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/host/github/githubtest"
	"github.com/vexxy/action/internal/sticky"
)

// server starts GitHub's API and a client of it that does not wait for long.
func server(t *testing.T) (*githubtest.Server, *API) {
	t.Helper()
	s := githubtest.New()
	t.Cleanup(s.Close)
	return s, client(t, s, githubtest.Token)
}

func client(t *testing.T, s *githubtest.Server, token string) *API {
	t.Helper()
	a, err := NewAPI(env(map[string]string{"GITHUB_API_URL": s.URL, "GITHUB_GRAPHQL_URL": s.URL + "/graphql"}), token)
	if err != nil {
		t.Fatal(err)
	}
	a.budget, a.backoff, a.settle = 10*time.Second, time.Millisecond, 5*time.Millisecond
	return a
}

func says(text string) func(int, bool) []byte {
	return func(int, bool) []byte { return []byte(text) }
}

// said is the comment of run n that says text.
func said(n int64, text string) sticky.Comment {
	return sticky.Comment{Key: sticky.Digest("key"), State: sticky.Digest(text), Order: sticky.Order{Run: n, Attempt: 1, Started: 0}, When: sticky.Always, Affected: true, Body: says(text)}
}

func post(t *testing.T, a *API, c sticky.Comment) sticky.Posted {
	t.Helper()
	posted, err := a.Post(t.Context(), "octo", "app", 7, c)
	if err != nil {
		t.Fatalf("posting: %v (%s)", err, fault.HintOf(err))
	}
	return posted
}

// shows holds the comments' texts below their marks against what they should
// be.
func shows(t *testing.T, s *githubtest.Server, want ...string) {
	t.Helper()
	var got []string
	for _, c := range s.Comments() {
		_, rest, ok := sticky.ReadMark(c.Body)
		if !ok || c.Author != s.Viewer {
			rest = c.Author + ": " + c.Body
		}
		got = append(got, rest)
	}
	if strings.Join(got, "|") != strings.Join(want, "|") {
		t.Errorf("the comments are %q, want %q", got, want)
	}
}

func TestFirstCommentAndUpdate(t *testing.T) {
	s, a := server(t)
	s.Add("octocat", "nice")
	first := post(t, a, said(1, "one"))
	second := post(t, a, said(2, "two"))
	shows(t, s, "octocat: nice", "two")
	want := fmt.Sprintf("%s/octo/app/pull/7#issuecomment-%d", s.URL, s.Comments()[1].ID)
	if first != (sticky.Posted{URL: want, Did: "posted"}) || second != (sticky.Posted{URL: want, Did: "updated"}) {
		t.Errorf("%+v, then %+v", first, second)
	}
	if n := len(s.Requests("POST")); n != 1 {
		t.Errorf("%d POSTs", n)
	}
	if n := len(s.Requests("DELETE")); n != 0 {
		t.Errorf("%d comments were deleted", n)
	}
}

// An answer that is no list does not say that there is no comment.
func TestNoList(t *testing.T) {
	for _, body := range []string{"null", "", "{}"} {
		s, a := server(t)
		post(t, a, said(1, "one"))
		s.Fail("LIST", githubtest.Fault{Status: 200, Body: body})
		post(t, a, said(2, "two"))
		shows(t, s, "two")
		if n, m := len(s.Requests("POST")), len(s.Requests("DELETE")); n != 1 || m != 0 {
			t.Errorf("%q: %d POSTs, %d DELETEs", body, n, m)
		}
	}
}

// A comment far down a long conversation is found.
func TestUpdateInALongConversation(t *testing.T) {
	s, a := server(t)
	for i := range 250 {
		s.Add("octocat", fmt.Sprint(i))
	}
	post(t, a, said(1, "one"))
	post(t, a, said(2, "two"))
	all := s.Comments()
	if len(all) != 251 || !strings.HasSuffix(all[250].Body, "two") {
		t.Errorf("%d comments, the last is %q", len(all), all[250].Body)
	}
}

// The mark of somebody else, or in a quotation, is not ours.
func TestAuthorAndPlaceAreChecked(t *testing.T) {
	s, a := server(t)
	head := sticky.Mark{Key: sticky.Digest("key"), Order: sticky.Order{Run: 99, Attempt: 1, Started: 0}, State: sticky.Digest("x"), Affected: true}.String()
	s.Add("mallory", head+"all is well")
	s.Add("github-actions", head+"all is well")
	s.Add(s.Viewer, "> "+head+"quoted")
	s.Add(s.Viewer, "\n"+head+"late")
	post(t, a, said(1, "one"))
	all := s.Comments()
	if len(all) != 5 || !strings.HasSuffix(all[4].Body, "one") {
		t.Errorf("comments: %+v", all)
	}
	for i, text := range []string{"all is well", "all is well", "quoted", "late"} {
		if !strings.HasSuffix(all[i].Body, text) {
			t.Errorf("comment %d became %q", i, all[i].Body)
		}
	}
}

// The token of an app or a person finds that one's comments.
func TestAnotherAuthor(t *testing.T) {
	s, a := server(t)
	s.Viewer = "our-app[bot]"
	post(t, a, said(1, "one"))
	post(t, a, said(2, "two"))
	shows(t, s, "two")
}

func TestOlderRunNeverOverwrites(t *testing.T) {
	s, a := server(t)
	post(t, a, said(5, "five"))
	for _, older := range []sticky.Order{{Run: 4, Attempt: 9, Started: 9}, {Run: 5, Started: 9}} {
		c := said(0, "older")
		c.Order = older
		if got := post(t, a, c); got.Did != "left to a newer run" || got.URL == "" {
			t.Errorf("%v: %+v", older, got)
		}
	}
	again := said(5, "five again")
	again.Order.Attempt = 2
	post(t, a, again)
	shows(t, s, "five again")
}

func TestOnChange(t *testing.T) {
	s, a := server(t)
	c := said(1, "text of run 1")
	c.When, c.State = sticky.OnChange, sticky.Digest("3 affected")
	if got := post(t, a, c); got.Did != "posted" {
		t.Errorf("%+v", got)
	}
	c.Order.Run, c.Body = 2, says("text of run 2")
	if got := post(t, a, c); got.Did != "kept" {
		t.Errorf("%+v", got)
	}
	shows(t, s, "text of run 1")
	if m, _, _ := sticky.ReadMark(s.Comments()[0].Body); m.Order.Run != 2 {
		t.Errorf("the mark is of run %d: an older one could overwrite", m.Order.Run)
	}
	c.Order.Run, c.State, c.Body = 3, sticky.Digest("2 affected"), says("text of run 3")
	if got := post(t, a, c); got.Did != "updated" {
		t.Errorf("%+v", got)
	}
	shows(t, s, "text of run 3")
}

// Nothing affected begins no comment, and brings an old one up to date.
func TestOnAffected(t *testing.T) {
	s, a := server(t)
	clean := said(1, "clean")
	clean.When, clean.Affected = sticky.OnAffected, false
	if got := post(t, a, clean); got.Did != "not needed" {
		t.Errorf("%+v", got)
	}
	shows(t, s)
	bad := said(2, "bad")
	bad.When = sticky.OnAffected
	post(t, a, bad)
	clean.Order.Run = 3
	post(t, a, clean)
	shows(t, s, "clean")
}

// Legs of a matrix have a comment each.
func TestMatrixLegs(t *testing.T) {
	s, a := server(t)
	var all sync.WaitGroup
	for run := range int64(3) {
		for leg := range 4 {
			all.Go(func() {
				vars := env(map[string]string{"GITHUB_JOB": "scan", "INPUT_MATRIX": fmt.Sprintf(`{"image":"%d"}`, leg)})
				c := said(run, fmt.Sprintf("leg %d of run %d", leg, run))
				c.Key = sticky.Digest(Site(vars)...)
				if _, err := a.Post(t.Context(), "octo", "app", 7, c); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
	}
	got := map[string]bool{}
	for _, c := range s.Comments() {
		_, rest, _ := sticky.ReadMark(c.Body)
		got[rest] = true
	}
	if len(s.Comments()) != 4 || len(got) != 4 {
		t.Fatalf("comments: %+v", s.Comments())
	}
	for leg := range 4 {
		if !got[fmt.Sprintf("leg %d of run 2", leg)] {
			t.Errorf("leg %d is not at run 2: %v", leg, got)
		}
	}
}

// Jobs of one run that cannot be told apart, as the legs that call one reusable
// workflow, have a comment each all the same, and the same one in later runs.
func TestJobsOfOneRun(t *testing.T) {
	s, a := server(t)
	s.Latency = 2 * time.Millisecond
	a.settle = 50 * time.Millisecond
	ids := map[string]int64{}
	for run := range int64(4) {
		var all sync.WaitGroup
		for leg := range 4 {
			all.Go(func() {
				c := said(run, fmt.Sprintf("tag %d of run %d", leg, run))
				c.Own, c.Order.Started = sticky.Digest("key", fmt.Sprint(leg)), int64(leg)
				own := client(t, s, githubtest.Token)
				own.settle = a.settle
				if _, err := own.Post(t.Context(), "octo", "app", 7, c); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if len(s.Comments()) != 4 {
			t.Fatalf("run %d: %+v", run, s.Comments())
		}
		for leg := range 4 {
			want := fmt.Sprintf("tag %d of run %d", leg, run)
			i := slices.IndexFunc(s.Comments(), func(c githubtest.Comment) bool { return strings.HasSuffix(c.Body, want) })
			if i < 0 {
				t.Fatalf("nothing says %q: %+v", want, s.Comments())
			}
			who := fmt.Sprint(leg)
			if before, ok := ids[who]; ok && before != s.Comments()[i].ID {
				t.Errorf("run %d: leg %d has moved to another comment", run, leg)
			}
			ids[who] = s.Comments()[i].ID
		}
	}
	// One leg alone, with another tag each time, keeps its comment.
	alone, b := server(t)
	for run := range int64(3) {
		c := said(run, fmt.Sprint("run ", run))
		c.Own = sticky.Digest("key", fmt.Sprint(run))
		post(t, b, c)
	}
	shows(t, alone, "run 2")
}

// 16 runs at a time leave one comment, the newest run's, with a comment there
// before and without.
func TestConcurrentUpdates(t *testing.T) {
	for _, before := range []bool{false, true} {
		for round := range 5 {
			s, a := server(t)
			s.Latency = 4 * time.Millisecond
			a.settle = 200 * time.Millisecond
			if before {
				post(t, a, said(0, "before"))
			}
			var all sync.WaitGroup
			for run := range int64(16) {
				all.Go(func() {
					// Each is a process of its own.
					own := client(t, s, githubtest.Token)
					own.settle = a.settle
					if _, err := own.Post(t.Context(), "octo", "app", 7, said(run+1, fmt.Sprintf("run %d", run+1))); err != nil {
						t.Errorf("run %d: %v", run+1, err)
					}
				})
			}
			all.Wait()
			shows(t, s, "run 16")
			if t.Failed() {
				t.Fatalf("before %v, round %d", before, round)
			}
		}
	}
}

// The text knows when it takes the place of one that told of something
// affected.
func TestResolved(t *testing.T) {
	s, a := server(t)
	for i, affected := range []bool{false, true, true, false, false} {
		c := said(int64(i+1), "")
		c.Affected = affected
		c.Body = func(_ int, resolved bool) []byte { return fmt.Appendf(nil, "run %d, resolved %t", i+1, resolved) }
		post(t, a, c)
		shows(t, s, fmt.Sprintf("run %d, resolved %t", i+1, i == 3))
	}
}

// A run without a judgement resolves nothing, and lets nothing be forgotten.
func TestResolvedAfterAFailure(t *testing.T) {
	s, a := server(t)
	for i, c := range []struct{ affected, unjudged, resolved bool }{
		{false, true, false}, {false, false, false}, {true, false, false}, {false, true, false}, {false, true, false}, {false, false, true}, {false, true, false}, {false, false, false},
	} {
		one := said(int64(i+1), "")
		one.Affected, one.Unjudged = c.affected, c.unjudged
		one.Body = func(_ int, resolved bool) []byte { return fmt.Appendf(nil, "run %d, resolved %t", i+1, resolved) }
		post(t, a, one)
		shows(t, s, fmt.Sprintf("run %d, resolved %t", i+1, c.resolved))
	}
}

// Where nobody says whose token it is, the first answer does: one comment, and
// the one that was there before.
func TestAuthorIsNotKnownBefore(t *testing.T) {
	s, a := server(t)
	a.graphql, s.Viewer = "", "our-app[bot]"
	if got := post(t, a, said(1, "one")); got.Did != "posted" || got.URL == "" {
		t.Errorf("%+v", got)
	}
	shows(t, s, "one")
	post(t, a, said(2, "two"))
	shows(t, s, "two")
}

// A comment of ours that the API shows otherwise than we wrote it is not posted
// again.
func TestCommentIsNotRecognised(t *testing.T) {
	s, a := server(t)
	for range sticky.MaxRounds {
		s.Fail("LIST", githubtest.Fault{Status: 200, Body: "[]"})
		s.Fail("GET", githubtest.Fault{Status: 200, Body: `{"id":1001,"body":"changed","html_url":"https://github.example/c","user":{"login":"ghost"}}`})
	}
	if got := post(t, a, said(1, "one")); got != (sticky.Posted{URL: "https://github.example/c", Did: "posted"}) {
		t.Errorf("%+v", got)
	}
	shows(t, s, "one")
}

func TestNoAPI(t *testing.T) {
	for _, c := range []struct{ url, token string }{{"", "t"}, {"not a url", "t"}, {"ftp://x", "t"}, {"https://api.example", ""}} {
		if _, err := NewAPI(env(map[string]string{"GITHUB_API_URL": c.url}), c.token); err == nil || fault.HintOf(err) == "" {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

func TestCancelled(t *testing.T) {
	s, a := server(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("interrupted"))
	if _, err := a.Post(ctx, "octo", "app", 7, said(1, "x")); err == nil {
		t.Error("a cancelled run posts")
	}
	shows(t, s)
}
