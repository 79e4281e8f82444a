// Package gitlabtest plays the part of GitLab's API that a run uses, over HTTP:
// the notes of merge requests, the files of commits and who asks. It keeps what
// is written, and fails as it is told to.
package gitlabtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
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

// Request is one that came, and how it was answered.
type Request struct {
	Method, Path string
	Status       int
}

// Fault is a failure of one request.
type Fault struct {
	Status int
	Header map[string]string
	Body   string
	// Done lets the request take effect before it fails.
	Done bool
	// Hang holds the answer back for so long; the caller is likely gone then.
	Hang time.Duration
	// Drop ends the connection instead of an answer.
	Drop bool
	// Endless adds to the body for as long as anybody reads.
	Endless bool
}

// Server is the API of project 11 at /api/v4, whose merge request is 7.
type Server struct {
	URL string
	// Files are the contents of commits, by "COMMIT:PATH". There is a commit
	// where it has a file, be it of no name.
	Files map[string]string
	// Latency is the time that a request takes.
	Latency time.Duration

	server   *httptest.Server
	mu       sync.Mutex
	notes    []Note
	next     int64
	faults   map[string][]Fault
	requests []Request
}

// New starts a server. Close ends it.
func New() *Server {
	s := &Server{Files: map[string]string{}, next: 1000, faults: map[string][]Fault{}}
	s.server = httptest.NewServer(s)
	s.URL = s.server.URL + "/api/v4"
	return s
}

// Close ends the server and its connections.
func (s *Server) Close() {
	s.server.CloseClientConnections()
	s.server.Close()
}

// Fail lets the next requests of a method fail, one fault each. The method
// LIST is a GET of a merge request's notes, USER one of the token's user, FILE
// one of a file.
func (s *Server) Fail(method string, faults ...Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults[method] = append(s.faults[method], faults...)
}

// Add puts a note there, as somebody has written it.
func (s *Server) Add(n Note) Note {
	s.mu.Lock()
	defer s.mu.Unlock()
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
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.notes)
}

// Requests gives all requests so far, or those of one method.
func (s *Server) Requests(method string) []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	var got []Request
	for _, r := range s.requests {
		if method == "" || r.Method == method {
			got = append(got, r)
		}
	}
	return got
}

// ServeHTTP answers a request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// Only then is it noticed when the caller leaves.
	body, _ := io.ReadAll(io.LimitReader(r.Body, 8<<20))
	r.Body = io.NopCloser(bytes.NewReader(body))
	time.Sleep(s.Latency / 2)
	f, answer := s.guard(r)
	for name, value := range f.Header {
		w.Header().Set(name, value)
	}
	if f.Hang > 0 {
		select {
		case <-r.Context().Done():
		case <-time.After(f.Hang):
		}
	}
	time.Sleep(s.Latency / 2)
	if f.Drop {
		panic(http.ErrAbortHandler)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(f.Status)
	switch answer := answer.(type) {
	case nil:
		_, _ = w.Write([]byte(f.Body))
	case raw:
		_, _ = w.Write([]byte(answer))
	default:
		_ = json.NewEncoder(w).Encode(answer)
	}
	if !f.Endless {
		return
	}
	for filler := []byte(strings.Repeat(" ", 1<<20)); ; {
		if _, err := w.Write(filler); err != nil {
			return
		}
	}
}

// raw is an answer that is no JSON.
type raw string

// guard keeps a list of the requests, and lets those fail that are to.
func (s *Server) guard(r *http.Request) (f Fault, answer any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var parts []string
	for part := range strings.SplitSeq(strings.Trim(strings.TrimPrefix(r.URL.EscapedPath(), "/api/v4"), "/"), "/") {
		part, _ = url.PathUnescape(part)
		parts = append(parts, part)
	}
	method := r.Method
	if method == http.MethodGet {
		switch {
		case parts[0] == "user":
			method = "USER"
		case len(parts) == 5 && parts[4] == "notes":
			method = "LIST"
		case len(parts) == 6 && parts[3] == "files":
			method = "FILE"
		}
	}
	defer func() { s.requests = append(s.requests, Request{method, r.URL.RequestURI(), f.Status}) }()
	if r.Header.Get("PRIVATE-TOKEN") != Token {
		return Fault{Status: http.StatusUnauthorized}, message("401 Unauthorized")
	}
	if queue := s.faults[method]; len(queue) > 0 {
		s.faults[method] = queue[1:]
		if queue[0].Done {
			s.answer(r, parts)
		}
		return queue[0], nil
	}
	status, answer := s.answer(r, parts)
	return Fault{Status: status}, answer
}

func message(text string) map[string]string { return map[string]string{"message": text} }

// answer does what a request asks for.
func (s *Server) answer(r *http.Request, parts []string) (int, any) {
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
		return http.StatusOK, raw(text)
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
	page, _ := strconv.Atoi(q.Get("page"))
	each, _ := strconv.Atoi(q.Get("per_page"))
	page, each = max(1, page), min(100, max(1, each))
	all := []any{}
	for _, n := range s.notes {
		all = append(all, shown(n))
	}
	if q.Get("sort") != "asc" || q.Get("order_by") != "created_at" {
		slices.Reverse(all) // the newest first, where nobody says
	}
	from := min(len(all), (page-1)*each)
	return all[from:min(len(all), from+each)]
}

func shown(n Note) any {
	return map[string]any{"id": n.ID, "body": n.Body, "system": n.System, "author": map[string]any{"id": n.Author, "username": fmt.Sprint("user-", n.Author)}}
}
