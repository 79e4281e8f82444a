package source

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/vexxy/action/internal/fault"
)

// maxRefusal bounds the body of an answer that is an error, in bytes.
const maxRefusal = 64 << 10

// guard carries the requests that reading one registry leads to, and bounds
// what comes back: the sizes of all but layers, the time without a byte, the
// digests of manifests, the hosts that a registry may point to.
type guard struct {
	registry name.Registry
	base     http.RoundTripper
	reach    *reach
	stall    time.Duration
}

func newGuard(registry name.Registry, o Options) *guard {
	reach := &reach{registry: registry.RegistryStr(), network: o.network}
	g := &guard{registry: registry, base: o.Transport, reach: reach, stall: o.network.stall}
	if g.base == nil {
		g.base = reach.transport()
	}
	return g
}

// RoundTrip implements http.RoundTripper.
func (g *guard) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := g.allow(req); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancelCause(req.Context())
	watch := &stalled{after: g.stall, cancel: cancel}
	watch.timer = time.AfterFunc(g.stall, watch.expire)
	resp, err := g.base.RoundTrip(req.WithContext(ctx))
	if err != nil {
		watch.timer.Stop()
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		cancel(nil)
		return nil, err
	}
	watch.inner, watch.cause = resp.Body, func() error { return context.Cause(ctx) }
	resp.Body = watch
	switch {
	case resp.StatusCode >= 300:
		resp.Body = body{io.LimitReader(watch, maxRefusal), watch}
	case !g.isBlob(req):
		resp.Body = body{&capped{watch, maxDocument}, watch}
	}
	if want, is := g.manifestDigest(req); is && resp.StatusCode == http.StatusOK && req.Method == http.MethodGet {
		return resp, verifyBody(resp, want)
	}
	return resp, nil
}

// allow refuses requests that a registry has no business to lead to.
func (g *guard) allow(req *http.Request) error {
	if req.Header.Get("Authorization") != "" && req.URL.Scheme != "https" && g.registry.Scheme() == "https" {
		return fault.New(fault.Infra, "do not use this registry before you know why", "registry %s asks for credentials to be sent in the clear", g.registry)
	}
	return g.reach.allowURL(req.Context(), req.URL)
}

// first is the request that a chain of redirects began with.
func first(req *http.Request) *http.Request {
	for req.Response != nil && req.Response.Request != nil {
		req = req.Response.Request
	}
	return req
}

// isBlob reports whether the request is, or was redirected from, one for a
// blob: those have sizes that are checked elsewhere. Requests for tokens carry
// a query or a body, wherever they go.
func (g *guard) isBlob(req *http.Request) bool {
	r := first(req)
	return r.Method == http.MethodGet && r.URL.Host == g.registry.RegistryStr() && r.URL.RawQuery == "" &&
		strings.HasPrefix(r.URL.Path, "/v2/") && strings.Contains(r.URL.Path, "/blobs/sha256:")
}

var manifestPath = regexp.MustCompile(`^/v2/.+/manifests/(sha256:[0-9a-f]{64})$`)

// manifestDigest gives the digest of the manifest that the request is for.
func (g *guard) manifestDigest(req *http.Request) (digest string, is bool) {
	r := first(req)
	m := manifestPath.FindStringSubmatch(r.URL.Path)
	if m == nil || r.URL.Host != g.registry.RegistryStr() {
		return "", false
	}
	return m[1], true
}

// verifyBody reads the body whole and puts it back, if its digest is right.
func verifyBody(resp *http.Response, want string) error {
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	got, _, err := v1.SHA256(bytes.NewReader(raw))
	if err != nil {
		return err
	}
	if got.String() != want {
		return fault.New(fault.Integrity, "find out who changed it before you trust it", "the registry's manifest has the digest %s, not %s", got, want)
	}
	resp.Body = io.NopCloser(bytes.NewReader(raw))
	return nil
}

// body is a bounded view of an answer's body.
type body struct {
	io.Reader
	io.Closer
}

// capped fails once more than left bytes were read.
type capped struct {
	inner io.Reader
	left  int64
}

func (c *capped) Read(p []byte) (int, error) {
	n, err := c.inner.Read(p)
	if c.left -= int64(n); c.left < 0 {
		return 0, fault.New(fault.Infra, "do not use this registry before you know why", "the registry's answer has more than %d bytes", maxDocument)
	}
	return n, err
}

// stalled is a body that is given up when no byte of it came for a while.
type stalled struct {
	inner  io.ReadCloser
	cause  func() error // why the request was given up, nil while it was not
	cancel context.CancelCauseFunc
	timer  *time.Timer
	after  time.Duration
}

func (s *stalled) expire() { s.cancel(fmt.Errorf("the registry sent nothing for %s", s.after)) }

func (s *stalled) Read(p []byte) (int, error) {
	n, err := s.inner.Read(p)
	if err == nil {
		s.timer.Reset(s.after)
		return n, nil
	}
	s.timer.Stop()
	if cause := s.cause(); cause != nil && !errors.Is(err, io.EOF) {
		err = cause
	}
	return n, err
}

func (s *stalled) Close() error {
	s.timer.Stop()
	err := s.inner.Close()
	s.cancel(nil)
	return err
}
