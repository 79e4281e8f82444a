// Package stickytest is what servers that play a host's API have in common: they
// list what they are asked, take their time, and fail as they are told to.
package stickytest

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Request is one that came, and how it was answered.
type Request struct {
	// Method is the request's kind: see API.Kind.
	Method, Path string
	Status       int
	At           time.Time
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

// Raw is an answer that is no JSON, Redirect the address that one leads to.
type (
	Raw      string
	Redirect string
)

// API is the part of a server that fails. Its lock is held while it asks.
type API struct {
	sync.Mutex
	// Latency is the time that a request takes.
	Latency time.Duration
	// Kind names a request for Fail and Requests.
	Kind func(*http.Request) string
	// Stranger answers a request without the right token, of which Fail knows
	// nothing: it is false for all others.
	Stranger func(*http.Request) (status int, answer any, is bool)
	// Answer does what a request asks for.
	Answer func(*http.Request) (status int, answer any)

	faults   map[string][]Fault
	requests []Request
}

// Fail lets the next requests of a kind fail, one fault each.
func (a *API) Fail(kind string, faults ...Fault) {
	a.Lock()
	defer a.Unlock()
	if a.faults == nil {
		a.faults = map[string][]Fault{}
	}
	a.faults[kind] = append(a.faults[kind], faults...)
}

// Requests gives all requests so far, or those of one kind.
func (a *API) Requests(kind string) []Request {
	a.Lock()
	defer a.Unlock()
	var got []Request
	for _, r := range a.requests {
		if kind == "" || r.Method == kind {
			got = append(got, r)
		}
	}
	return got
}

// ServeHTTP answers a request.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// Only then is it noticed when the caller leaves.
	body, _ := io.ReadAll(io.LimitReader(r.Body, 8<<20))
	r.Body = io.NopCloser(bytes.NewReader(body))
	time.Sleep(a.Latency / 2)
	f, answer := a.guard(r)
	for name, value := range f.Header {
		w.Header().Set(name, value)
	}
	if f.Hang > 0 {
		select {
		case <-r.Context().Done():
		case <-time.After(f.Hang):
		}
	}
	time.Sleep(a.Latency / 2)
	if f.Drop {
		panic(http.ErrAbortHandler)
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(f.Status)
	switch answer := answer.(type) {
	case nil:
		_, _ = w.Write([]byte(f.Body))
	case Raw:
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

// guard keeps a list of the requests, and lets those fail that are to.
func (a *API) guard(r *http.Request) (f Fault, answer any) {
	a.Lock()
	defer a.Unlock()
	kind := a.Kind(r)
	defer func() { a.requests = append(a.requests, Request{kind, r.URL.RequestURI(), f.Status, time.Now()}) }()
	if status, answer, is := a.Stranger(r); is {
		return Fault{Status: status}, answer
	}
	if queue := a.faults[kind]; len(queue) > 0 {
		a.faults[kind] = queue[1:]
		if queue[0].Done {
			a.Answer(r)
		}
		return queue[0], nil
	}
	status, answer := a.Answer(r)
	if to, is := answer.(Redirect); is {
		return Fault{Status: status, Header: map[string]string{"Location": string(to)}}, nil
	}
	return Fault{Status: status}, answer
}

// Page gives the part of a list that a request asks for.
func Page(r *http.Request, all []any) []any {
	number := func(name string) (n int) {
		_ = json.Unmarshal([]byte(r.URL.Query().Get(name)), &n)
		return n
	}
	page, each := max(1, number("page")), min(100, max(1, number("per_page")))
	from := min(len(all), (page-1)*each)
	return all[from:min(len(all), from+each)]
}
