package gitlab

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
	"github.com/vexxy/action/internal/host/gitlab/gitlabtest"
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

const baseSHA = "1111111111111111111111111111111111111111"

// apiFaults are the ways in which a request to GitLab's API goes wrong.
func apiFaults() map[string]gitlabtest.Fault {
	all := stickytest.Faults()
	maps.Copy(all, map[string]gitlabtest.Fault{
		"409":               {Status: 409, Body: `{"message":"409 Conflict"}`},
		"413":               {Status: 413},
		"400 too long":      {Status: 400, Body: `{"message":{"note":["is too long (maximum is 1000000 characters)"]}}`},
		"429 until it ends": {Status: 429, Header: map[string]string{"RateLimit-Remaining": "0", "RateLimit-Reset": fmt.Sprint(time.Now().Unix())}},
		"a loop":            {Status: 302, Header: map[string]string{"Location": "/api/v4/user"}},
	})
	return all
}

// TestFaultsOfTheAPI lets every request fail in every way, once and for good.
// Whatever happens: it ends in time, with the one note or an error that says
// what to do, with no note twice, and no foreign note touched.
func TestFaultsOfTheAPI(t *testing.T) {
	for name, f := range apiFaults() {
		for _, method := range []string{"USER", "LIST", "POST", "PUT", "FILE"} {
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
					s.Add(gitlabtest.Note{Author: 5, Body: "nice"})
					if method == "PUT" {
						slow := client(t, s, gitlabtest.Token)
						slow.budget = time.Minute
						post(t, slow, said(1, "before"))
					}
					s.Files[baseSHA+":p.yml"] = "base's"
					for range times {
						s.Fail(method, f)
					}
					start := time.Now()
					var err error
					if method == "FILE" {
						err = readsBase(t, a, name)
					} else {
						_, err = a.Post(t.Context(), merge, said(2, "after"))
						var bodies []string
						for _, one := range s.Notes() {
							bodies = append(bodies, one.Body)
						}
						stickytest.Held(t, bodies, len(s.Requests("DELETE")), method == "PUT", f, err)
					}
					if took := time.Since(start); times > 1 && took > 45*time.Second {
						t.Errorf("took %s", took)
					}
					if err != nil && (fault.CodeOf(context.Background(), err) == fault.Pass || strings.Contains(err.Error(), gitlabtest.Token) || strings.ContainsAny(err.Error(), "\n\x1b")) {
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

// readsBase reads the base's file: it is the base's, or what came in place of it
// with a status that it was answered, or there is an error.
func readsBase(t *testing.T, a *API, name string) error {
	t.Helper()
	data, err := a.file(t.Context(), 11, baseSHA, "p.yml")
	raw := map[string]string{"no JSON": "<html>", "other JSON": `[{"id":"x","body":{},"user":[],"author":[]}]`, "null": "null", "nothing": "", "a loop": `{"id":4242,"username":"project_11_bot"}` + "\n"}
	answered, isRaw := raw[name]
	if err == nil && string(data) != "base's" && !(isRaw && string(data) == answered) || err != nil && data != nil {
		t.Errorf("the base's file is %.100q, %v", data, err)
	}
	return err
}

// What a missing file is, the API's failures are not.
func TestMissingIsNotUnknown(t *testing.T) {
	for name, f := range apiFaults() {
		if f.Status == 200 && f.Hang == 0 && !f.Endless || name == "a loop" {
			continue // answered, with something
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, a := server(t)
			a.budget, a.request, a.backoff = 500*time.Millisecond, 100*time.Millisecond, 100*time.Millisecond
			for range 100 {
				s.Fail("FILE", f)
			}
			// There is no such commit, so nothing is known of its files.
			if err := readsBase(t, a, name); err == nil || errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%v", err)
			}
		})
	}
	s, a := server(t)
	s.Files[baseSHA+":other.yml"] = ""
	if _, err := a.file(t.Context(), 11, baseSHA, "dir/p.yml"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
	s.Files[baseSHA+":dir/p.yml"] = "in a folder"
	if data, err := a.file(t.Context(), 11, baseSHA, "dir/p.yml"); err != nil || string(data) != "in a folder" {
		t.Errorf("%q, %v", data, err)
	}
}
