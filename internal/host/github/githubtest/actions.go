package githubtest

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/vexxy/action/internal/sticky/stickytest"
)

// Run is a run of a workflow.
type Run struct {
	ID, Number                    int64
	Event, Branch, Status, Commit string
	// Fork says that its head is in another repository.
	Fork bool
}

// Artifact is what a run has left: an archive.
type Artifact struct {
	ID, Run int64
	Name    string
	Expired bool
	Archive []byte
}

// Analysis is a SARIF log as code scanning has it.
type Analysis struct {
	Commit, Ref, SARIF string
}

type analysis struct {
	Commit string `json:"commit_sha"`
	Ref    string `json:"ref"`
	SARIF  string `json:"sarif"`
}

// Analyses gives what was uploaded to code scanning.
func (s *Server) Analyses() []Analysis {
	s.Lock()
	defer s.Unlock()
	return slices.Clone(s.analyses)
}

// runs lists runs as GitHub does: by branch and conclusion, whoever's branch it
// is, newest first.
func (s *Server) runs(r *http.Request) any {
	list := []any{}
	for _, run := range slices.Backward(s.Runs) {
		q := r.URL.Query()
		if q.Get("branch") != run.Branch || q.Get("status") != run.Status {
			continue
		}
		head := 1
		if run.Fork {
			head = 2
		}
		list = append(list, map[string]any{
			"id": run.ID, "run_number": run.Number, "event": run.Event, "head_branch": run.Branch, "head_sha": run.Commit,
			"status": "completed", "conclusion": run.Status, "created_at": time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC),
			"repository": map[string]int{"id": 1}, "head_repository": map[string]int{"id": head},
		})
	}
	return map[string]any{"total_count": len(list), "workflow_runs": list}
}

func (s *Server) artifacts(run string) any {
	list := []any{}
	for _, a := range s.Artifacts {
		if strconv.FormatInt(a.Run, 10) == run {
			list = append(list, map[string]any{"id": a.ID, "name": a.Name, "expired": a.Expired, "size_in_bytes": len(a.Archive)})
		}
	}
	return map[string]any{"total_count": len(list), "artifacts": list}
}

func method(r *http.Request) string { return r.Method }

// sentToken refuses the token, which is none of the archives' host's business.
func sentToken(r *http.Request) (int, any, bool) {
	return http.StatusBadRequest, message("there is a token"), r.Header.Get("Authorization") != ""
}

// archive is an artifact as its host gives it.
func (s *Server) archive(r *http.Request) (int, any) {
	for _, a := range s.Artifacts {
		if "/"+strconv.FormatInt(a.ID, 10) == r.URL.Path {
			return http.StatusOK, stickytest.Raw(a.Archive)
		}
	}
	return http.StatusNotFound, message("Not Found")
}

// scan takes an analysis.
func (s *Server) scan(in analysis) (int, any) {
	packed, err := base64.StdEncoding.DecodeString(in.SARIF)
	if err != nil {
		return http.StatusBadRequest, message("sarif is no base64")
	}
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return http.StatusBadRequest, message("sarif is not compressed")
	}
	log, err := io.ReadAll(r)
	if err != nil || len(in.Commit) != 40 || in.Ref == "" {
		return http.StatusUnprocessableEntity, message("Validation Failed")
	}
	s.analyses = append(s.analyses, Analysis{in.Commit, in.Ref, string(log)})
	return http.StatusAccepted, map[string]string{"id": fmt.Sprint(len(s.analyses)), "url": s.URL}
}
