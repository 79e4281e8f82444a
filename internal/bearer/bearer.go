// Package bearer is the way to a CI host's API with a token: the token goes to
// that host and nowhere else, answers are bounded, and a refusal says how long
// to wait.
package bearer

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/vexxy/action/internal/foreign"
)

// Address reads an API's address; it is nil where there is none.
func Address(s string) *url.URL {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil
	}
	return u
}

// Client makes a client of the API at base, whose every request has header set
// to value. A redirect to another host is an error, and so is an answer of more
// than max bytes.
func Client(base *url.URL, header, value string, max int64, next http.RoundTripper) *http.Client {
	return &http.Client{
		Transport: &transport{base, header, value, max, next},
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			if r.URL.Host != base.Host || r.URL.Scheme != base.Scheme || len(via) > 5 {
				return errors.New("it leads elsewhere")
			}
			return nil
		},
	}
}

type transport struct {
	base          *url.URL
	header, value string
	max           int64
	next          http.RoundTripper
}

func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Host != t.base.Host || r.URL.Scheme != t.base.Scheme {
		return nil, fmt.Errorf("%s is not the API's host", foreign.Text(r.URL.Host).Line(200))
	}
	r = r.Clone(r.Context())
	r.Header.Set(t.header, t.value)
	resp, err := t.next.RoundTrip(r)
	if err == nil {
		resp.Body = &body{resp.Body, t.max}
	}
	return resp, err
}

// body is an answer that ends in an error where it goes on after left bytes: what
// is cut short is never taken for the whole.
type body struct {
	io.ReadCloser
	left int64
}

// ErrTooLong is the error of reading an answer beyond its bound.
var ErrTooLong = errors.New("the answer is too long")

func (b *body) Read(p []byte) (int, error) {
	if b.left < 0 {
		return 0, ErrTooLong
	}
	n, err := b.ReadCloser.Read(p[:min(int64(len(p)), b.left+1)])
	if b.left -= int64(n); b.left < 0 {
		return n - 1, ErrTooLong
	}
	return n, err
}

// Asked is how long a response asks to wait, 0 where it does not: by
// Retry-After, or until the limit is set anew that prefix names, in the
// headers PREFIXRemaining and PREFIXReset.
func Asked(h http.Header, prefix string) time.Duration {
	if seconds, err := strconv.Atoi(h.Get("Retry-After")); err == nil && seconds >= 0 {
		return time.Duration(max(1, min(seconds, 24*60*60))) * time.Second
	}
	if h.Get(prefix+"Remaining") == "0" {
		if at, err := strconv.ParseInt(h.Get(prefix+"Reset"), 10, 64); err == nil {
			return max(time.Second, min(24*time.Hour, time.Until(time.Unix(at+1, 0))))
		}
	}
	return 0
}

// Link gives a URL that an API has told if it is one, empty if not.
func Link(s string) string {
	u := Address(s)
	if u == nil || len(s) > 2000 {
		return ""
	}
	return u.String()
}
