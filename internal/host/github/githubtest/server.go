// Package githubtest plays the part of GitHub's API that a run uses, over HTTP:
// pull requests and their comments, the files of commits, runs with their
// artifacts, code scanning, and the name of whoever asks. It keeps what is
// written, and fails as it is told to.
package githubtest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/vexxy/action/internal/sticky/stickytest"
)

// Token is the one that the server takes.
const Token = "ghs_of-the-tests"

// Bot is who the token belongs to, unless the server is told otherwise.
const Bot = "github-actions[bot]"

// maxBody is how many characters GitHub takes for a comment.
const maxBody = 65536

// Comment is one comment of a pull request.
type Comment struct {
	ID     int64
	Pull   int
	Author string
	Body   string
}

// Fault is a failure of one request.
type Fault = stickytest.Fault

// Server is the API of the repository octo/app. Its requests are of the kinds
// LIST, a GET of a pull request's comments, FILE, one of a file, PULLS, one of
// the pull requests, RUNS and ARTIFACTS, those of their lists, ZIP, one of an
// artifact's address, SARIF, the upload of an analysis, VIEWER, that of whose token
// it is, and else of their methods.
type Server struct {
	stickytest.API
	URL string
	// Viewer is who the token belongs to.
	Viewer string
	// Files are the contents of commits, by "COMMIT:PATH". There is a commit
	// where it has a file, be it of no name.
	Files map[string]string
	// Pulls are the pull requests that there are.
	Pulls []int
	// Heads are the pull requests as their list shows them.
	Heads []Head
	// Runs and Artifacts are those of all workflows.
	Runs      []Run
	Artifacts []Artifact
	// Storage is the host that keeps the archives of artifacts.
	Storage stickytest.API

	server   *httptest.Server
	storage  *httptest.Server
	analyses []Analysis
	comments []Comment
	next     int64
}

// New starts a server with the pull request 7. Close ends it.
func New() *Server {
	s := &Server{Viewer: Bot, Files: map[string]string{}, Pulls: []int{7}, next: 1000}
	s.API.Kind, s.API.Stranger, s.API.Answer = kind, stranger, s.answer
	s.Storage.Kind, s.Storage.Stranger, s.Storage.Answer = method, sentToken, s.archive
	s.server, s.storage = httptest.NewServer(s), httptest.NewServer(&s.Storage)
	s.URL = s.server.URL
	return s
}

// Close ends the server and its connections.
func (s *Server) Close() {
	s.server.CloseClientConnections()
	s.server.Close()
	s.storage.Close()
}

// Add puts a comment there, as somebody else has written it.
func (s *Server) Add(author, body string) Comment {
	s.Lock()
	defer s.Unlock()
	return s.add(s.Pulls[0], author, body)
}

func (s *Server) add(pull int, author, body string) Comment {
	s.next++
	c := Comment{s.next, pull, author, body}
	s.comments = append(s.comments, c)
	return c
}

// Comments gives all comments, oldest first.
func (s *Server) Comments() []Comment {
	s.Lock()
	defer s.Unlock()
	return slices.Clone(s.comments)
}

// parts are those of a request's path.
func parts(r *http.Request) []string { return strings.Split(strings.Trim(r.URL.Path, "/"), "/") }

func kind(r *http.Request) string {
	parts := parts(r)
	is := func(n int, at int, word string) bool { return len(parts) == n && parts[at] == word }
	switch {
	case r.Method == http.MethodPost && is(1, 0, "graphql"):
		return "VIEWER"
	case r.Method == http.MethodPost && is(5, 4, "sarifs"):
		return "SARIF"
	case r.Method != http.MethodGet:
	case is(6, 5, "comments"):
		return "LIST"
	case len(parts) > 4 && parts[3] == "contents":
		return "FILE"
	case is(4, 3, "pulls"):
		return "PULLS"
	case is(7, 6, "runs"):
		return "RUNS"
	case is(7, 6, "artifacts"):
		return "ARTIFACTS"
	case is(7, 6, "zip"):
		return "ZIP"
	}
	return r.Method
}

func stranger(r *http.Request) (int, any, bool) {
	return http.StatusUnauthorized, message("Bad credentials"), r.Header.Get("Authorization") != "Bearer "+Token
}

func message(text string) map[string]string { return map[string]string{"message": text} }

// answer does what a request asks for.
func (s *Server) answer(r *http.Request) (int, any) {
	parts := parts(r)
	var in struct {
		Body, Query string
		analysis
	}
	_ = json.NewDecoder(r.Body).Decode(&in)
	missing := message("Not Found")
	if len(parts) == 1 && parts[0] == "graphql" {
		return http.StatusOK, map[string]any{"data": map[string]any{"viewer": map[string]string{"login": s.Viewer}}}
	}
	if len(parts) < 4 || strings.Join(parts[:3], "/") != "repos/octo/app" {
		return http.StatusNotFound, missing
	}
	switch kind(r) {
	case "PULLS":
		return http.StatusOK, s.pulls(r)
	case "SARIF":
		return s.scan(in.analysis)
	case "RUNS":
		return http.StatusOK, s.runs(r)
	case "ARTIFACTS":
		return http.StatusOK, s.artifacts(parts[5])
	case "ZIP":
		return http.StatusFound, stickytest.Redirect(s.storage.URL + "/" + parts[5] + "?signature=x")
	}
	if len(parts) < 5 {
		return http.StatusNotFound, missing
	}
	if parts[3] == "git" && len(parts) == 6 && parts[4] == "commits" {
		for name := range s.Files {
			if strings.HasPrefix(name, parts[5]+":") {
				return http.StatusOK, map[string]string{"sha": parts[5]}
			}
		}
		return http.StatusNotFound, missing
	}
	if parts[3] == "contents" {
		text, ok := s.Files[r.URL.Query().Get("ref")+":"+strings.Join(parts[4:], "/")]
		if !ok {
			return http.StatusNotFound, missing
		}
		return http.StatusOK, map[string]any{"type": "file", "encoding": "", "content": text, "size": len(text)}
	}
	if utf8.RuneCountInString(in.Body) > maxBody {
		return http.StatusUnprocessableEntity, map[string]any{
			"message": "Validation Failed",
			"errors":  []map[string]string{{"resource": "IssueComment", "code": "unprocessable", "field": "data", "message": fmt.Sprintf("Body is too long (maximum is %d characters)", maxBody)}},
		}
	}
	last, _ := strconv.ParseInt(parts[len(parts)-1], 10, 64)
	pull, _ := strconv.Atoi(parts[4])
	switch {
	case len(parts) == 6 && parts[5] == "comments" && slices.Contains(s.Pulls, pull):
		if r.Method == http.MethodPost {
			return http.StatusCreated, s.shown(s.add(pull, s.Viewer, in.Body))
		}
		return http.StatusOK, s.list(r, pull)
	case len(parts) == 6 && parts[4] == "comments":
		i := slices.IndexFunc(s.comments, func(c Comment) bool { return c.ID == last })
		if i < 0 {
			return http.StatusNotFound, missing
		}
		switch r.Method {
		case http.MethodPatch:
			s.comments[i].Body = in.Body
		case http.MethodDelete:
			s.comments = slices.Delete(s.comments, i, i+1)
			return http.StatusNoContent, nil
		}
		return http.StatusOK, s.shown(s.comments[i])
	}
	return http.StatusNotFound, missing
}

func (s *Server) list(r *http.Request, pull int) []any {
	all := []any{}
	for _, c := range s.comments {
		if c.Pull == pull {
			all = append(all, s.shown(c))
		}
	}
	return stickytest.Page(r, all)
}

func (s *Server) shown(c Comment) any {
	return map[string]any{
		"id": c.ID, "body": c.Body, "user": map[string]string{"login": c.Author},
		"html_url": fmt.Sprintf("%s/octo/app/pull/%d#issuecomment-%d", s.URL, c.Pull, c.ID),
	}
}
