package source

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vexxy/action/internal/fault"
)

// noise is text that does not compress.
func noise(n int) string {
	var b strings.Builder
	x := uint64(1)
	for b.Len() < n {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		fmt.Fprintf(&b, "%016x", x)
	}
	return b.String()
}

// faults are what a hostile or broken registry does to a request that the
// handler would answer.
var faults = map[string]struct {
	do     func(w http.ResponseWriter, r *http.Request, inner http.Handler)
	code   fault.Code
	part   string
	layers bool // seen only when layers are read
}{
	"endless manifest": {func(w http.ResponseWriter, r *http.Request, inner http.Handler) {
		if strings.Contains(r.URL.Path, "/manifests/") {
			endless(w, r, `{"schemaVersion":2,"x":"`)
			return
		}
		inner.ServeHTTP(w, r)
	}, fault.Infra, "more than 8388608 bytes", false},
	"endless refusal": {func(w http.ResponseWriter, r *http.Request, inner http.Handler) {
		if strings.Contains(r.URL.Path, "/manifests/") {
			w.WriteHeader(http.StatusForbidden)
			endless(w, r, "no ")
			return
		}
		inner.ServeHTTP(w, r)
	}, fault.Infra, "docker login", false},
	"endless token": {func(w http.ResponseWriter, r *http.Request, inner http.Handler) {
		if strings.HasPrefix(r.URL.Path, "/v2/blobs/sha256:") {
			endless(w, r, `{"token":"`)
			return
		}
		w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm="http://%s/v2/blobs/sha256:0",service="x"`, r.Host))
		w.WriteHeader(http.StatusUnauthorized)
	}, fault.Infra, "more than 8388608 bytes", false},
	"401 for ever": {func(w http.ResponseWriter, r *http.Request, inner http.Handler) {
		if r.URL.Path == "/token" {
			fmt.Fprint(w, `{"token":"t"}`)
			return
		}
		w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm="http://%s/token",service="x"`, r.Host))
		w.WriteHeader(http.StatusUnauthorized)
	}, fault.Infra, "docker login", false},
	"redirect loop": {func(w http.ResponseWriter, r *http.Request, inner http.Handler) {
		http.Redirect(w, r, r.URL.Path, http.StatusFound)
	}, fault.Infra, "redirects", false},
	"silence": {func(w http.ResponseWriter, r *http.Request, inner http.Handler) {
		<-r.Context().Done()
	}, fault.Infra, "sent nothing for", false},
	"silence in a manifest": {func(w http.ResponseWriter, r *http.Request, inner http.Handler) {
		if !strings.Contains(r.URL.Path, "/manifests/") {
			inner.ServeHTTP(w, r)
			return
		}
		fmt.Fprint(w, "{")
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}, fault.Infra, "sent nothing for", false},
	"silence in a layer": {func(w http.ResponseWriter, r *http.Request, inner http.Handler) {
		rec := httptest.NewRecorder()
		inner.ServeHTTP(rec, r)
		if !strings.Contains(r.URL.Path, "/blobs/") || rec.Body.Len() < 4096 {
			copyTo(w, rec)
			return
		}
		rec.Header().Del("Content-Length")
		rec.Body.Truncate(2048)
		copyTo(w, rec)
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}, fault.Infra, "sent nothing for", true},
	"drops": {func(w http.ResponseWriter, r *http.Request, inner http.Handler) {
		panic(http.ErrAbortHandler)
	}, fault.Infra, "check the network", false},
	"429": {func(w http.ResponseWriter, r *http.Request, inner http.Handler) {
		http.Error(w, "slow down", http.StatusTooManyRequests)
	}, fault.Infra, "limits requests", false},
	"500": {func(w http.ResponseWriter, r *http.Request, inner http.Handler) {
		http.Error(w, "\x1b[31m::set-output\r\n\u202e", http.StatusInternalServerError)
	}, fault.Infra, "check the network", false},
	"not a manifest": {func(w http.ResponseWriter, r *http.Request, inner http.Handler) {
		if strings.Contains(r.URL.Path, "/manifests/") {
			fmt.Fprint(w, "<html>hello</html>")
			return
		}
		inner.ServeHTTP(w, r)
	}, fault.Usage, "not JSON", false},
	"manifest and index at once": {func(w http.ResponseWriter, r *http.Request, inner http.Handler) {
		if strings.Contains(r.URL.Path, "/manifests/") {
			fmt.Fprint(w, `{"schemaVersion":2,"manifests":[],"layers":[]}`)
			return
		}
		inner.ServeHTTP(w, r)
	}, fault.Usage, "neither clearly", false},
	"truncated layer": {func(w http.ResponseWriter, r *http.Request, inner http.Handler) {
		rec := httptest.NewRecorder()
		inner.ServeHTTP(rec, r)
		if strings.Contains(r.URL.Path, "/blobs/") && rec.Body.Len() > 4096 {
			rec.Header().Del("Content-Length")
			rec.Body.Truncate(2048)
		}
		copyTo(w, rec)
	}, fault.Infra, "", true},
	"changed layer": {func(w http.ResponseWriter, r *http.Request, inner http.Handler) {
		rec := httptest.NewRecorder()
		inner.ServeHTTP(rec, r)
		if b := rec.Body.Bytes(); strings.Contains(r.URL.Path, "/blobs/") && len(b) > 4096 {
			b[len(b)-1] ^= 1
		}
		copyTo(w, rec)
	}, fault.Integrity, "has the digest", true},
	"changed configuration": {func(w http.ResponseWriter, r *http.Request, inner http.Handler) {
		rec := httptest.NewRecorder()
		inner.ServeHTTP(rec, r)
		if b := rec.Body.Bytes(); strings.Contains(r.URL.Path, "/blobs/") && len(b) < 4096 {
			rec.Body = bytes.NewBuffer(bytes.ReplaceAll(b, []byte(here.Architecture), []byte(strings.Repeat("x", len(here.Architecture)))))
		}
		copyTo(w, rec)
	}, fault.Integrity, "configuration has the digest", false},
	"changed platform manifest": {func(w http.ResponseWriter, r *http.Request, inner http.Handler) {
		rec := httptest.NewRecorder()
		inner.ServeHTTP(rec, r)
		if strings.Contains(r.URL.Path, "/manifests/sha256:") && r.Method == http.MethodGet {
			rec.Body.WriteByte('\n')
			rec.Header().Del("Content-Length")
		}
		copyTo(w, rec)
	}, fault.Integrity, "the registry's manifest has the digest", false},
}

// endless writes without end, until the client has enough.
func endless(w io.Writer, r *http.Request, start string) {
	fmt.Fprint(w, start)
	chunk := bytes.Repeat([]byte("x"), 1<<20)
	for r.Context().Err() == nil {
		if _, err := w.Write(chunk); err != nil {
			return
		}
	}
}

func copyTo(w http.ResponseWriter, rec *httptest.ResponseRecorder) {
	for k, v := range rec.Header() {
		w.Header()[k] = v
	}
	w.WriteHeader(rec.Code)
	w.Write(rec.Body.Bytes())
}

func TestRegistryFaults(t *testing.T) {
	for name, f := range faults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var on atomic.Bool
			host := serve(t, func(inner http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if on.Load() {
						f.do(w, r, inner)
						return
					}
					inner.ServeHTTP(w, r)
				})
			})
			index := indexOf(t, here)
			push(t, host+"/app:1", index)
			push(t, host+"/app:single", imageOf(t, here, noise(1<<16)))
			ref := host + "/app:single"
			if strings.Contains(name, "platform") {
				ref = host + "/app:1"
			}
			on.Store(true)
			var o Options
			o.network.stall = 300 * time.Millisecond
			image, err := attempt(t, ref, o)
			if f.layers {
				if err != nil {
					t.Fatalf("before layers are read: %v", err)
				}
				err = readAll(image)
			}
			refused(t, err, f.code, f.part)
			if len(err.Error()) > 700 {
				t.Errorf("the error has %d bytes", len(err.Error()))
			}
		})
	}
}
