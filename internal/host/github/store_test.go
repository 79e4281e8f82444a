package github

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vexxy/action/internal/fault"
)

const (
	storeToken  = "canary-token-of-the-store"
	storeDigest = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
)

func signedBundle(payload string) []byte {
	return fmt.Appendf(nil, `{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","verificationMaterial":{},"dsseEnvelope":{"payload":%q,"payloadType":"application/vnd.in-toto+json","signatures":[{"sig":"c2ln"}]}}`, payload)
}

// storeTakes is how long a request may be.
const storeTakes = 16 << 20

// attestationStore is GitHub's store over HTTP.
type attestationStore struct {
	*httptest.Server
	mu      sync.Mutex
	bundles []json.RawMessage
	posts   int
	// spoil, where there is one, answers instead; shown changes the list.
	spoil func(w http.ResponseWriter, r *http.Request, post int) bool
	shown func(json.RawMessage) any
}

func newStore(t *testing.T) (*attestationStore, *API) {
	t.Helper()
	s := &attestationStore{}
	s.Server = httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(s.Close)
	api, err := NewAPI(func(name string) string { return map[string]string{"GITHUB_API_URL": s.URL}[name] }, storeToken)
	if err != nil {
		t.Fatal(err)
	}
	api.budget, api.request, api.backoff = 2*time.Second, time.Second, 5*time.Millisecond
	return s, api
}

func (s *attestationStore) serve(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.Header.Get("Authorization") != "Bearer "+storeToken {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	if r.Method == http.MethodPost {
		s.posts++
	}
	if s.spoil != nil && s.spoil(w, r, s.posts) {
		return
	}
	const base = "/repos/octo/app/attestations"
	switch {
	case r.Method == http.MethodPost && r.URL.Path == base:
		var in struct {
			Bundle json.RawMessage `json:"bundle"`
		}
		if err := json.NewDecoder(io.LimitReader(r.Body, storeTakes)).Decode(&in); err != nil || len(in.Bundle) == 0 {
			http.Error(w, `{"message":"Payload Too Large"}`, http.StatusRequestEntityTooLarge)
			return
		}
		s.bundles = append(s.bundles, in.Bundle)
		w.WriteHeader(http.StatusCreated)
		fmt.Fprintf(w, `{"id":%d}`, 100+len(s.bundles))
	case r.Method == http.MethodGet && r.URL.Path == base+"/"+storeDigest && len(s.bundles) > 0:
		list := []any{}
		for _, b := range s.page(w, r) {
			if s.shown != nil {
				list = append(list, s.shown(b))
			} else {
				list = append(list, map[string]any{"bundle": b, "repository_id": 1})
			}
		}
		json.NewEncoder(w).Encode(map[string]any{"attestations": list})
	default:
		http.Error(w, `{"message":"Not Found"}`, http.StatusNotFound)
	}
}

// page gives as many of the bundles as are asked for, from where that is.
func (s *attestationStore) page(w http.ResponseWriter, r *http.Request) []json.RawMessage {
	from, _ := strconv.Atoi(r.URL.Query().Get("after"))
	size, err := strconv.Atoi(r.URL.Query().Get("per_page"))
	if err != nil || size < 1 || size > 100 {
		size = 30
	}
	end := from + size
	if end >= len(s.bundles) {
		return s.bundles[min(from, len(s.bundles)):]
	}
	w.Header().Set("Link", fmt.Sprintf(`<http://%s%s?per_page=%d&after=%d>; rel="next"`, r.Host, r.URL.Path, size, end))
	return s.bundles[from:end]
}

// A bundle is stored once, and read back.
func TestStoreAttestation(t *testing.T) {
	s, api := newStore(t)
	for _, payload := range []string{"b25l", "dHdv"} {
		got, err := api.StoreAttestation(t.Context(), "octo", "app", storeDigest, signedBundle(payload))
		if err != nil || got.ID == 0 || got.Unread || got.URL != "" {
			t.Errorf("%+v, %v", got, err)
		}
		again, err := api.StoreAttestation(t.Context(), "octo", "app", storeDigest, signedBundle(payload))
		if err != nil || again.ID != 0 {
			t.Errorf("again: %+v, %v", again, err)
		}
	}
	if len(s.bundles) != 2 || string(s.bundles[0]) != string(signedBundle("b25l")) {
		t.Errorf("%d bundles: %s", len(s.bundles), s.bundles)
	}
	// A store that lists addresses alone takes it, and that is told.
	s.shown = func(json.RawMessage) any {
		return map[string]any{"bundle": nil, "bundle_url": "https://elsewhere.example/x"}
	}
	if got, err := api.StoreAttestation(t.Context(), "octo", "app", storeDigest, signedBundle("dGhyZWU=")); err != nil || !got.Unread || got.ID != 103 {
		t.Errorf("%+v, %v", got, err)
	}
	// One that gives back something else has not stored it.
	s.shown = func(json.RawMessage) any { return map[string]any{"bundle": json.RawMessage(signedBundle("b3RoZXI="))} }
	if got, err := api.StoreAttestation(t.Context(), "octo", "app", storeDigest, signedBundle("Zm91cg==")); fault.CodeOf(t.Context(), err) != fault.Attest || !strings.Contains(err.Error(), "does not give it back") {
		t.Errorf("%+v, %v", got, err)
	}
}

// A bundle whose answer got lost is not stored twice: the store forgets none.
func TestStoredAndNotAnswered(t *testing.T) {
	s, api := newStore(t)
	s.spoil = func(w http.ResponseWriter, r *http.Request, _ int) bool {
		if r.Method != http.MethodPost {
			return false
		}
		var in struct {
			Bundle json.RawMessage `json:"bundle"`
		}
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			t.Error(err)
		}
		s.bundles = append(s.bundles, in.Bundle)
		w.WriteHeader(http.StatusBadGateway)
		return true
	}
	got, err := api.StoreAttestation(t.Context(), "octo", "app", storeDigest, signedBundle("b25l"))
	if err != nil || got != (Stored{}) || s.posts != 1 || len(s.bundles) != 1 {
		t.Errorf("%+v, %v, %d requests, %d bundles", got, err, s.posts, len(s.bundles))
	}
}

// Whatever the store answers, there is an end, the code is that of attesting,
// and the hint says what to do.
func TestStoreThatFails(t *testing.T) {
	answer := func(status int, body string, header ...string) func(http.ResponseWriter, *http.Request, int) bool {
		return func(w http.ResponseWriter, r *http.Request, _ int) bool {
			if r.Method != http.MethodPost {
				return false
			}
			for i := 0; i+1 < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			w.WriteHeader(status)
			fmt.Fprint(w, body)
			return true
		}
	}
	const hostile = `{"message":"no \u001b[31m` + storeToken + `\n::error::x"}`
	for name, c := range map[string]struct {
		spoil func(http.ResponseWriter, *http.Request, int) bool
		hint  string // empty: it is stored
		posts int
	}{
		"401":             {answer(401, `{"message":"Bad credentials"}`), "not valid any more", 1},
		"403":             {answer(403, `{"message":"Resource not accessible by integration"}`), "attestations: write", 1},
		"404":             {answer(404, `{"message":"Not Found"}`), "attestations: write", 1},
		"413":             {answer(413, `{"message":"Payload Too Large"}`), "attestation-limit", 1},
		"422":             {answer(422, `{"message":"Validation Failed","errors":[{"message":"bundle is invalid"}]}`), "public instance", 1},
		"429 without end": {answer(429, "{}", "Retry-After", "3600"), "limits", 1},
		"429 for a moment": {func(w http.ResponseWriter, r *http.Request, post int) bool {
			return post == 1 && answer(429, "{}", "Retry-After", "1")(w, r, 0)
		}, "", 2},
		"503 for a moment": {func(w http.ResponseWriter, r *http.Request, post int) bool {
			return post < 3 && answer(503, "<html>")(w, r, 0)
		}, "", 3},
		"500 without end": {answer(500, "<html>"), "githubstatus", -1},
		"hostile":         {answer(400, hostile), "public instance", 1},
		"an odd answer":   {answer(201, "<html>"), "try again", -1},
		"reading is denied": {func(w http.ResponseWriter, r *http.Request, post int) bool {
			if r.Method == http.MethodGet {
				w.WriteHeader(http.StatusForbidden)
				return true
			}
			return false
		}, "attestations: write", 0},
		"an endless list": {func(w http.ResponseWriter, r *http.Request, post int) bool {
			if r.Method != http.MethodGet {
				return false
			}
			fmt.Fprint(w, `{"attestations":[`)
			for block := []byte(strings.Repeat(" ", 64<<10)); ; {
				if _, err := w.Write(block); err != nil {
					return true
				}
			}
		}, "try again", 0},
		"pages without end": {func(w http.ResponseWriter, r *http.Request, post int) bool {
			if r.Method != http.MethodGet || post > 0 {
				return false
			}
			w.Header().Set("Link", "<http://"+r.Host+r.URL.Path+`?after=x>; rel="next"`)
			fmt.Fprint(w, `{"attestations":[]}`)
			return true
		}, "", 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, api := newStore(t)
			s.spoil = c.spoil
			begin := time.Now()
			got, err := api.StoreAttestation(t.Context(), "octo", "app", storeDigest, signedBundle("b25l"))
			if c.hint == "" {
				if err != nil || got.ID == 0 {
					t.Errorf("%+v, %v", got, err)
				}
			} else if fault.CodeOf(t.Context(), err) != fault.Attest || !strings.Contains(fault.HintOf(err), c.hint) || got.ID != 0 {
				t.Errorf("%+v, %v (%s)", got, err, fault.HintOf(err))
			}
			if c.posts >= 0 && s.posts != c.posts {
				t.Errorf("%d requests, not %d", s.posts, c.posts)
			}
			if took := time.Since(begin); took > 30*time.Second {
				t.Errorf("it took %s", took)
			}
			if err != nil && strings.ContainsAny(err.Error(), "\x1b\n") {
				t.Errorf("the message is %q", err)
			}
		})
	}
	_, api := newStore(t)
	for _, bad := range []string{"", "{}", "[]", `{"dsseEnvelope":{"payload":"x","signatures":[]}}`} {
		if _, err := api.StoreAttestation(t.Context(), "octo", "app", storeDigest, []byte(bad)); err == nil {
			t.Errorf("%q is stored", bad)
		}
	}
}
