// Package githubtest plays the part of GitHub's API that a run uses, over HTTP:
// the comments of pull requests, the files of commits and the name of whoever
// asks. It keeps what is written, and fails as it is told to.
package githubtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
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

// Server is the API of the repository octo/app.
type Server struct {
	URL string
	// Viewer is who the token belongs to.
	Viewer string
	// Files are the contents of commits, by "COMMIT:PATH". There is a commit
	// where it has a file, be it of no name.
	Files map[string]string
	// Pulls are the pull requests that there are.
	Pulls []int
	// Latency is the time that a request takes.
	Latency time.Duration

	server   *httptest.Server
	mu       sync.Mutex
	comments []Comment
	next     int64
	faults   map[string][]Fault
	requests []Request
}

// New starts a server with the pull request 7. Close ends it.
func New() *Server {
	s := &Server{Viewer: Bot, Files: map[string]string{}, Pulls: []int{7}, next: 1000, faults: map[string][]Fault{}}
	s.server = httptest.NewServer(s)
	s.URL = s.server.URL
	return s
}

// Close ends the server and its connections.
func (s *Server) Close() {
	s.server.CloseClientConnections()
	s.server.Close()
}

// Fail lets the next requests of a method fail, one fault each. The method
// LIST is a GET of a pull request's comments, FILE a GET of a file.
func (s *Server) Fail(method string, faults ...Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults[method] = append(s.faults[method], faults...)
}

// Add puts a comment there, as somebody else has written it.
func (s *Server) Add(author, body string) Comment {
	s.mu.Lock()
	defer s.mu.Unlock()
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
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.comments)
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
	body, _ := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	r.Body = io.NopCloser(bytes.NewReader(body))
	time.Sleep(s.Latency / 2)
	status, answer := s.guard(r)
	for name, value := range status.Header {
		w.Header().Set(name, value)
	}
	if status.Hang > 0 {
		select {
		case <-r.Context().Done():
		case <-time.After(status.Hang):
		}
	}
	time.Sleep(s.Latency / 2)
	if status.Drop {
		panic(http.ErrAbortHandler)
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status.Status)
	if answer != nil {
		_ = json.NewEncoder(w).Encode(answer)
	} else if status.Body != "" {
		_, _ = w.Write([]byte(status.Body))
	}
	if !status.Endless {
		return
	}
	for filler := []byte(strings.Repeat(" ", 1<<20)); ; {
		if _, err := w.Write(filler); err != nil {
			return
		}
	}
}

// guard keeps a list of the requests, and lets those fail that are to.
func (s *Server) guard(r *http.Request) (f Fault, answer any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	method := r.Method
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	switch {
	case method == http.MethodGet && len(parts) == 6 && parts[5] == "comments":
		method = "LIST"
	case method == http.MethodGet && len(parts) > 4 && parts[3] == "contents":
		method = "FILE"
	}
	defer func() { s.requests = append(s.requests, Request{method, r.URL.RequestURI(), f.Status}) }()
	if r.Header.Get("Authorization") != "Bearer "+Token {
		return Fault{Status: http.StatusUnauthorized}, message("Bad credentials")
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
	var in struct{ Body, Query string }
	_ = json.NewDecoder(r.Body).Decode(&in)
	missing := message("Not Found")
	if len(parts) == 1 && parts[0] == "graphql" {
		return http.StatusOK, map[string]any{"data": map[string]any{"viewer": map[string]string{"login": s.Viewer}}}
	}
	if len(parts) < 5 || strings.Join(parts[:3], "/") != "repos/octo/app" {
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
	page, _ := strconv.Atoi(r.URL.Query().Get("page"))
	each, _ := strconv.Atoi(r.URL.Query().Get("per_page"))
	page, each = max(1, page), min(100, max(1, each))
	all := []any{}
	for _, c := range s.comments {
		if c.Pull == pull {
			all = append(all, s.shown(c))
		}
	}
	from := min(len(all), (page-1)*each)
	return all[from:min(len(all), from+each)]
}

func (s *Server) shown(c Comment) any {
	return map[string]any{
		"id": c.ID, "body": c.Body, "user": map[string]string{"login": c.Author},
		"html_url": fmt.Sprintf("%s/octo/app/pull/%d#issuecomment-%d", s.URL, c.Pull, c.ID),
	}
}
