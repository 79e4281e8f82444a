package github

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/host/github/githubtest"
	"github.com/vexxy/action/internal/sticky/stickytest"
)

// TestMain lets more tests run side by side than there are processors: those of
// the API wait far more than they compute.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "32"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// apiFaults are the ways in which a request to GitHub's API goes wrong.
func apiFaults() map[string]githubtest.Fault {
	limit := func(reset int64) map[string]string {
		return map[string]string{"X-RateLimit-Limit": "5", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": fmt.Sprint(reset)}
	}
	now := time.Now().Unix()
	all := stickytest.Faults()
	maps.Copy(all, map[string]githubtest.Fault{
		"403 until the limit ends": {Status: 403, Header: limit(now), Body: `{"message":"API rate limit exceeded"}`},
		"403 for an hour":          {Status: 403, Header: limit(now + 3600), Body: `{"message":"API rate limit exceeded"}`},
		"secondary limit":          {Status: 403, Header: map[string]string{"Retry-After": "1"}, Body: `{"message":"You have exceeded a secondary rate limit"}`},
		"422 too long":             {Status: 422, Body: `{"message":"Validation Failed","errors":[{"message":"Body is too long"}]}`},
	})
	return all
}

// TestFaultsOfTheAPI lets every request fail in every way, once and for good.
// Whatever happens: it ends in time, with the one comment or an error that says
// what to do, with no comment twice, and no foreign comment touched.
func TestFaultsOfTheAPI(t *testing.T) {
	for name, f := range apiFaults() {
		for _, method := range []string{"LIST", "POST", "PATCH", "FILE"} {
			for _, times := range []int{1, 100} {
				t.Run(fmt.Sprint(method, " ", name, " x", times), func(t *testing.T) {
					t.Parallel()
					s, a := server(t)
					a.budget, a.request = 3*time.Second, 300*time.Millisecond
					if times == 1 { // which a busy machine must not make a failure
						a.budget = 30 * time.Second
					}
					if f.Endless {
						a.request = time.Second
					}
					s.Add("octocat", "nice")
					if method == "PATCH" { // by a client that waits for its answer
						post(t, client(t, s, githubtest.Token), said(1, "before"))
					}
					s.Files[baseSHA+":p.yml"] = "base's"
					for range times {
						s.Fail(method, f)
					}
					start := time.Now()
					var err error
					if method == "FILE" {
						err = readsBase(t, a)
					} else {
						_, err = a.Post(t.Context(), "octo", "app", 7, said(2, "after"))
						var bodies []string
						for _, one := range s.Comments() {
							bodies = append(bodies, one.Body)
						}
						stickytest.Held(t, bodies, len(s.Requests("DELETE")), method == "PATCH", f, err)
					}
					if took := time.Since(start); times > 1 && took > 10*time.Second {
						t.Errorf("took %s", took)
					}
					if err != nil && (fault.CodeOf(context.Background(), err) == fault.Pass || strings.Contains(err.Error(), githubtest.Token) || strings.ContainsAny(err.Error(), "\n\x1b")) {
						t.Errorf("error %q", err)
					}
					if passes := strings.Contains("500 502 503 504 408 429 a no", strings.Fields(name)[0]) && !strings.Contains(name, "loop") && name != "429 with nonsense"; times == 1 && passes && err != nil {
						t.Errorf("once is not tried again: %v", err)
					}
				})
			}
		}
	}
}

// readsBase reads the base's file: it is the base's, or there is an error that
// is not "there is none".
func readsBase(t *testing.T, a *API) error {
	e := Event{Owner: "octo", Repo: "app", Pull: &Pull{BaseSHA: baseSHA}}
	data, err := a.file(t.Context(), e, baseSHA, "p.yml")
	if err == nil && string(data) != "base's" || err != nil && data != nil {
		t.Errorf("the base's file is %q, %v", data, err)
	}
	return err
}

// What a missing file is, the API's failures are not.
func TestMissingIsNotUnknown(t *testing.T) {
	for name, f := range apiFaults() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, a := server(t)
			a.budget, a.request, a.backoff = 500*time.Millisecond, 100*time.Millisecond, 100*time.Millisecond
			for range 100 {
				s.Fail("FILE", f)
			}
			// There is no such commit, so nothing is known of its files.
			if err := readsBase(t, a); err == nil || errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%v", err)
			}
		})
	}
}
