// Package gitlabtest plays the part of GitLab's API that a run uses, over HTTP:
// the notes of merge requests, the files of commits and who asks. It keeps what
// is written, and fails as it is told to.
package gitlabtest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/vexxy/action/internal/sticky/stickytest"
)

// Token is the one that the server takes.
const Token = "glpat-of-the-tests"

// Bot is the number of the user whom the token belongs to.
const Bot = 4242

// MaxNote is how many characters GitLab takes for a note.
const MaxNote = 1_000_000

// Note is one note of a merge request.
type Note struct {
	ID, IID, Author int64
	Body            string
	System          bool
}

// Fault is a failure of one request.
type Fault = stickytest.Fault

// Server is the API of project 11 at /api/v4, whose merge request is 7. Its
// requests are of the kinds LIST, a GET of a merge request's notes, USER, one of
// the token's user, FILE, one of a file, and else of their methods.
type Server struct {
	stickytest.API
	URL string
	// Files are the contents of commits, by "COMMIT:PATH". There is a commit
	// where it has a file, be it of no name.
	Files map[string]string

	server *httptest.Server
	notes  []Note
	next   int64
}

// New starts a server. Close ends it.
func New() *Server {
	s := &Server{Files: map[string]string{}, next: 1000}
	s.API.Kind, s.API.Stranger, s.API.Answer = kind, stranger, s.answer
	s.server = httptest.NewServer(s)
	s.URL = s.server.URL + "/api/v4"
	return s
}

// Close ends the server and its connections.
func (s *Server) Close() {
	s.server.CloseClientConnections()
	s.server.Close()
}

// Add puts a note there, as somebody has written it.
func (s *Server) Add(n Note) Note {
	s.Lock()
	defer s.Unlock()
	return s.add(n)
}

func (s *Server) add(n Note) Note {
	s.next++
	n.ID, n.IID = s.next, 7
	s.notes = append(s.notes, n)
	return n
}

// Notes gives all notes, oldest first.
func (s *Server) Notes() []Note {
	s.Lock()
	defer s.Unlock()
	return slices.Clone(s.notes)
}

// parts are those of a request's path.
func parts(r *http.Request) (all []string) {
	for part := range strings.SplitSeq(strings.Trim(strings.TrimPrefix(r.URL.EscapedPath(), "/api/v4"), "/"), "/") {
		part, _ = url.PathUnescape(part)
		all = append(all, part)
	}
	return all
}

func kind(r *http.Request) string {
	switch parts := parts(r); {
	case r.Method != http.MethodGet:
	case parts[0] == "user":
		return "USER"
	case len(parts) == 5 && parts[4] == "notes":
		return "LIST"
	case len(parts) == 6 && parts[3] == "files":
		return "FILE"
	}
	return r.Method
}

func stranger(r *http.Request) (int, any, bool) {
	return http.StatusUnauthorized, message("401 Unauthorized"), r.Header.Get("PRIVATE-TOKEN") != Token
}

func message(text string) map[string]string { return map[string]string{"message": text} }

// answer does what a request asks for.
func (s *Server) answer(r *http.Request) (int, any) {
	parts := parts(r)
	missing := message("404 Not found")
	switch {
	case parts[0] == "user":
		return http.StatusOK, map[string]any{"id": Bot, "username": "project_11_bot"}
	case len(parts) < 5 || parts[0] != "projects" || parts[1] != "11":
		return http.StatusNotFound, missing
	case parts[2] == "repository" && parts[3] == "commits":
		for name := range s.Files {
			if strings.HasPrefix(name, parts[4]+":") {
				return http.StatusOK, map[string]string{"id": parts[4]}
			}
		}
		return http.StatusNotFound, missing
	case parts[2] == "repository" && parts[3] == "files" && len(parts) == 6 && parts[5] == "raw":
		text, ok := s.Files[r.URL.Query().Get("ref")+":"+parts[4]]
		if !ok {
			return http.StatusNotFound, missing
		}
		return http.StatusOK, stickytest.Raw(text)
	case parts[2] != "merge_requests" || parts[3] != "7" || parts[4] != "notes":
		return http.StatusNotFound, missing
	case len(parts) == 6:
		return s.one(r, parts[5])
	case r.Method == http.MethodPost:
		body, bad := written(r)
		if bad != nil {
			return http.StatusBadRequest, bad
		}
		return http.StatusCreated, shown(s.add(Note{Author: Bot, Body: body}))
	}
	return http.StatusOK, s.list(r)
}

// one answers a request for one note. What others wrote nobody changes.
func (s *Server) one(r *http.Request, id string) (int, any) {
	n, _ := strconv.ParseInt(id, 10, 64)
	i := slices.IndexFunc(s.notes, func(note Note) bool { return note.ID == n })
	switch {
	case i < 0:
		return http.StatusNotFound, message("404 Note Not Found")
	case r.Method != http.MethodGet && s.notes[i].Author != Bot:
		return http.StatusForbidden, message("403 Forbidden")
	case r.Method == http.MethodPut:
		body, bad := written(r)
		if bad != nil {
			return http.StatusBadRequest, bad
		}
		s.notes[i].Body = body
	case r.Method == http.MethodDelete:
		s.notes = slices.Delete(s.notes, i, i+1)
		return http.StatusNoContent, nil
	}
	return http.StatusOK, shown(s.notes[i])
}

// written reads the text of a note. GitLab says that it is too long with 400.
func written(r *http.Request) (body string, bad any) {
	var in struct{ Body string }
	_ = json.NewDecoder(r.Body).Decode(&in)
	if utf8.RuneCountInString(in.Body) > MaxNote {
		return "", map[string]any{"message": map[string][]string{"note": {fmt.Sprintf("is too long (maximum is %d characters)", MaxNote)}}}
	}
	return in.Body, nil
}

func (s *Server) list(r *http.Request) []any {
	q := r.URL.Query()
	all := []any{}
	for _, n := range s.notes {
		all = append(all, shown(n))
	}
	if q.Get("sort") != "asc" || q.Get("order_by") != "created_at" {
		slices.Reverse(all) // the newest first, where nobody says
	}
	return stickytest.Page(r, all)
}

func shown(n Note) any {
	return map[string]any{"id": n.ID, "body": n.Body, "system": n.System, "author": map[string]any{"id": n.Author, "username": fmt.Sprint("user-", n.Author)}}
}
