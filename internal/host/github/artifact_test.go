package github

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"

	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/host/github/githubtest"
)

// archive makes a zip of files, the names and contents in turn.
func archive(t *testing.T, files ...string) []byte {
	t.Helper()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for i := 0; i < len(files); i += 2 {
		f, err := w.Create(files[i])
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write([]byte(files[i+1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// onMain is an event on a pull request into main.
func onMain() Event {
	return Event{Owner: "octo", Repo: "app", RunID: 99, Workflow: "ci.yml", Branch: "main", Pull: &Pull{Number: 7}}
}

// The artifact is of the newest run of the repository's own code on the target
// branch that succeeded and kept it. A fork's branch of the same name is not
// that branch.
func TestLatestArtifact(t *testing.T) {
	s, a := server(t)
	s.Runs = []githubtest.Run{
		{ID: 10, Number: 1, Event: "push", Branch: "main", Status: "success", Commit: baseSHA},
		{ID: 11, Number: 2, Event: "push", Branch: "main", Status: "success", Commit: headSHA},
		{ID: 12, Number: 3, Event: "schedule", Branch: "main", Status: "success", Commit: headSHA}, // its artifact has expired
		{ID: 13, Number: 4, Event: "push", Branch: "main", Status: "failure", Commit: headSHA},
		{ID: 14, Number: 5, Event: "pull_request", Branch: "main", Status: "success", Commit: headSHA, Fork: true},
		{ID: 15, Number: 6, Event: "push", Branch: "main", Status: "success", Commit: headSHA, Fork: true},
		{ID: 16, Number: 7, Event: "pull_request", Branch: "main", Status: "success", Commit: headSHA},
		{ID: 17, Number: 8, Event: "push", Branch: "other", Status: "success", Commit: headSHA},
		{ID: 99, Number: 9, Event: "push", Branch: "main", Status: "success", Commit: headSHA}, // this one
	}
	for _, run := range s.Runs {
		s.Artifacts = append(s.Artifacts, githubtest.Artifact{ID: run.ID + 100, Run: run.ID, Name: "results", Expired: run.ID == 12,
			Archive: archive(t, "result.json", fmt.Sprint("of run ", run.ID), "../result.json", "out")})
	}
	dir := t.TempDir()
	got, err := a.LatestArtifact(t.Context(), onMain(), "results", dir)
	if err != nil {
		t.Fatal(err)
	}
	data, err := got.Read("result.json", 100)
	if string(data) != "of run 11" || err != nil {
		t.Errorf("%q, %v", data, err)
	}
	if got.From != "artifact results of run 2 (2026-03-01T12:00:00Z), commit "+headSHA[:12]+" of main" {
		t.Errorf("from %q", got.From)
	}
	if _, err := got.Read("result.json", 3); err == nil {
		t.Error("more than the limit is read")
	}
	if _, err := got.Read("record/run.json", 3); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	got.Close()
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("%v is left, %v", left, err)
	}
	if _, err := a.LatestArtifact(t.Context(), onMain(), "others", dir); !errors.Is(err, fs.ErrNotExist) || fault.HintOf(err) == "" {
		t.Errorf("%v (%s)", err, fault.HintOf(err))
	}
}

// Of failures, those that may pass are tried again, and the others say what to
// do. Nothing is left of any.
func TestArtifactFaults(t *testing.T) {
	for name, c := range map[string]struct {
		method string
		faults []githubtest.Fault
		says   string
		hint   string
	}{
		"5xx of the runs":      {"RUNS", []githubtest.Fault{{Status: 502}}, "", ""},
		"5xx of the artifacts": {"ARTIFACTS", []githubtest.Fault{{Status: 500}}, "", ""},
		"5xx of the address":   {"ZIP", []githubtest.Fault{{Status: 503}}, "", ""},
		"5xx of the archive":   {"STORAGE", []githubtest.Fault{{Status: 500}}, "", ""},
		"429":                  {"RUNS", []githubtest.Fault{{Status: 429, Header: map[string]string{"Retry-After": "1"}}}, "", ""},
		"403":                  {"RUNS", []githubtest.Fault{{Status: 403, Body: `{"message":"Resource not accessible by integration"}`}}, "403", "actions: read"},
		"404":                  {"RUNS", []githubtest.Fault{{Status: 404}}, "404", "actions: read"},
		"gone":                 {"ZIP", []githubtest.Fault{{Status: 410}}, "410", "actions: read"},
		"expired address":      {"STORAGE", []githubtest.Fault{{Status: 403}}, "403", "download it in a step before"},
		"elsewhere":            {"ZIP", []githubtest.Fault{{Status: 302, Header: map[string]string{"Location": "ftp://x/y"}}}, "not encrypted", "download it in a step before"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, a := server(t)
			s.Runs = []githubtest.Run{{ID: 10, Number: 1, Event: "push", Branch: "main", Status: "success", Commit: headSHA}}
			s.Artifacts = []githubtest.Artifact{{ID: 1, Run: 10, Name: "results", Archive: archive(t, "result.json", "x")}}
			if c.method == "STORAGE" {
				s.Storage.Fail("GET", c.faults...)
			} else {
				s.Fail(c.method, c.faults...)
			}
			dir := t.TempDir()
			got, err := a.LatestArtifact(t.Context(), onMain(), "results", dir)
			if c.says == "" {
				if err != nil {
					t.Fatal(err)
				}
				got.Close()
			} else if err == nil || !strings.Contains(err.Error(), c.says) || !strings.Contains(fault.HintOf(err), c.hint) {
				t.Errorf("%v (%s)", err, fault.HintOf(err))
			}
			if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
				t.Errorf("%v is left, %v", left, err)
			}
		})
	}
}

// A hostile archive costs an error.
func TestHostileArchives(t *testing.T) {
	var link bytes.Buffer
	w := zip.NewWriter(&link)
	h := &zip.FileHeader{Name: "result.json"}
	h.SetMode(fs.ModeSymlink | 0o777)
	f, err := w.CreateHeader(h)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write([]byte("/etc/passwd")); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	bomb := archive(t, "result.json", strings.Repeat("0", 64<<20))
	lying := bytes.Replace(bytes.Clone(bomb), []byte{0, 0, 0, 4}, []byte{9, 0, 0, 0}, -1) // the sizes, 64 MiB
	for name, data := range map[string][]byte{
		"no archive": []byte("hello"), "empty": {}, "cut": bomb[:len(bomb)/2], "a link": link.Bytes(), "a bomb": bomb, "a lying bomb": lying,
	} {
		s, a := server(t)
		s.Runs = []githubtest.Run{{ID: 10, Number: 1, Event: "push", Branch: "main", Status: "success", Commit: headSHA}}
		s.Artifacts = []githubtest.Artifact{{ID: 1, Run: 10, Name: "results", Archive: data}}
		dir := t.TempDir()
		got, err := a.LatestArtifact(t.Context(), onMain(), "results", dir)
		if err == nil {
			var text []byte
			if text, err = got.Read("result.json", 1<<20); len(text) > 1<<20+1 {
				t.Errorf("%s: %d bytes", name, len(text))
			}
			got.Close()
		}
		if err == nil {
			t.Errorf("%s: no error", name)
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
			t.Errorf("%s: %v is left, %v", name, left, err)
		}
	}
}
