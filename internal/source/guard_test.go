package source

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/vexxy/action/internal/fault"
)

// world is a network in which every name leads to one server, at the addresses
// that names has for them.
type world struct {
	names  map[string]string
	server string // host:port

	mu     sync.Mutex
	dialed []string
}

func (w *world) network() network {
	return network{
		lookup: func(_ context.Context, host string) ([]netip.Addr, error) {
			var addrs []netip.Addr
			for _, a := range strings.Fields(w.names[host]) {
				addrs = append(addrs, netip.MustParseAddr(a))
			}
			if addrs == nil {
				return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
			}
			return addrs, nil
		},
		dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			w.mu.Lock()
			w.dialed = append(w.dialed, address)
			w.mu.Unlock()
			return (&net.Dialer{}).DialContext(ctx, network, w.server)
		},
	}
}

func (w *world) reached(address string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, d := range w.dialed {
		if strings.HasPrefix(d, address) {
			return true
		}
	}
	return false
}

// TestRealms lets registries in three zones point to token servers in all.
func TestRealms(t *testing.T) {
	w := &world{names: map[string]string{
		"public.example": "93.184.216.34 10.1.1.1", "lan.example": "10.0.0.7", "near.example": "127.0.0.1",
		"auth.public.example": "93.184.216.35", "auth.lan.example": "192.168.7.7", "auth.near.example": "127.0.0.9",
		"metadata.example": "169.254.169.254", "rebound.example": "::ffff:100.64.9.9",
	}}
	var realm atomic.Value
	host := serve(t, func(inner http.Handler) http.Handler {
		return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			switch {
			case strings.HasPrefix(r.URL.Path, "/token"):
				fmt.Fprint(rw, `{"token":"t"}`)
			case r.Header.Get("Authorization") == "Bearer t" || strings.HasPrefix(r.Host, "127.0.0.1"):
				inner.ServeHTTP(rw, r)
			default:
				rw.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm=%q,service="x"`, realm.Load()))
				rw.WriteHeader(http.StatusUnauthorized)
			}
		})
	})
	w.server = host
	push(t, host+"/app:1", imageOf(t, here, "x"))

	for _, c := range []struct {
		registry, realm, address string
		allowed                  bool
	}{
		{"public.example", "auth.public.example", "93.184.216.35", true},
		{"public.example", "public.example", "93.184.216.34", true},
		{"public.example", "auth.lan.example", "192.168.7.7", false},
		{"public.example", "auth.near.example", "127.0.0.9", false},
		{"public.example", "metadata.example", "169.254.169.254", false},
		{"public.example", "rebound.example", "[::ffff", false},
		{"public.example", "169.254.169.254", "169.254.169.254", false},
		{"public.example", "127.0.0.1:8080", "127.0.0.1:8080", false},
		{"public.example", "[::1]:80", "[::1]", false},
		{"public.example", "[fe80::1]", "[fe80::1]", false},
		{"public.example", "100.64.0.1", "100.64.0.1", false},
		{"public.example", "0.0.0.0:80", "0.0.0.0", false},
		{"public.example", "localhost", "127.0.0.1", false},
		{"lan.example", "auth.lan.example", "192.168.7.7", true},
		{"lan.example", "auth.public.example", "93.184.216.35", true},
		{"lan.example", "auth.near.example", "127.0.0.9", false},
		{"lan.example", "metadata.example", "169.254.169.254", false},
		{"near.example", "auth.near.example", "127.0.0.9", true},
		{"near.example", "metadata.example", "169.254.169.254", false},
	} {
		t.Run(c.registry+" to "+c.realm, func(t *testing.T) {
			w.dialed = nil
			realm.Store("http://" + c.realm + "/token")
			_, err := attempt(t, c.registry+"/app:1", Options{Insecure: []string{c.registry}, network: w.network()})
			if c.allowed {
				if err != nil || !w.reached(c.address) {
					t.Errorf("refused: %v; dialled %q", err, w.dialed)
				}
				return
			}
			refused(t, err, fault.Infra, "points to", "do not use this registry")
			if w.reached(c.address) {
				t.Errorf("dialled %q", w.dialed)
			}
		})
	}
}

// TestRedirectsOfBlobs lets a registry send layers elsewhere.
func TestRedirectsOfBlobs(t *testing.T) {
	w := &world{names: map[string]string{"public.example": "93.184.216.34", "cdn.example": "93.184.216.40", "evil.example": "10.0.0.1"}}
	var to atomic.Value
	to.Store("")
	host := serve(t, func(inner http.Handler) http.Handler {
		return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if to.Load() != "" && strings.Contains(r.URL.Path, "/blobs/") && r.Host == "public.example" {
				http.Redirect(rw, r, to.Load().(string)+r.URL.Path, http.StatusTemporaryRedirect)
				return
			}
			inner.ServeHTTP(rw, r)
		})
	})
	w.server = host
	// More than the bound of documents: a redirected layer is a layer still.
	push(t, host+"/app:1", imageOf(t, here, noise(maxDocument+1)))
	o := Options{Insecure: []string{"public.example"}, network: w.network()}
	to.Store("http://cdn.example")
	resolved(t, "public.example/app:1", o)
	if !w.reached("93.184.216.40") {
		t.Errorf("dialled %q", w.dialed)
	}
	to.Store("http://evil.example")
	_, err := attempt(t, "public.example/app:1", o)
	refused(t, err, fault.Infra, "points to evil.example (10.0.0.1)")
	if w.reached("10.0.0.1") {
		t.Errorf("dialled %q", w.dialed)
	}
	to.Store("http://public.example")
	_, err = attempt(t, "public.example/app:1", o)
	refused(t, err, fault.Infra, "redirects")
}

// TestTimeLimit ends a registry that keeps sending, slowly.
func TestTimeLimit(t *testing.T) {
	host := serve(t, func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/v2/" {
				return
			}
			tick := time.NewTicker(10 * time.Millisecond)
			defer tick.Stop()
			for {
				select {
				case <-tick.C:
					fmt.Fprint(w, " ")
					w.(http.Flusher).Flush()
				case <-r.Context().Done():
					return
				}
			}
		})
	})
	_, err := attempt(t, host+"/app:1", Options{Timeout: 300 * time.Millisecond})
	refused(t, err, fault.Infra, "did not serve it within 300ms")

	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(fault.Signal{Code: fault.Interrupted})
	_, err = Resolve(ctx, host+"/app:1", Options{Keychain: authn.NewMultiKeychain()})
	if got := fault.CodeOf(ctx, err); err == nil || got != fault.Interrupted {
		t.Errorf("interrupted, it ends with %d: %v", got, err)
	}
}

// TestCredentialsStayEncrypted refuses to send what belongs to an HTTPS
// registry in the clear.
func TestCredentialsStayEncrypted(t *testing.T) {
	registry, err := name.NewRegistry("registry.example")
	if err != nil {
		t.Fatal(err)
	}
	g := newGuard(registry, Options{}.defaults())
	req := httptest.NewRequest(http.MethodGet, "http://auth.example/token?scope=x", nil)
	req.SetBasicAuth("me", "canary")
	_, err = g.RoundTrip(req)
	refused(t, err, fault.Infra, "in the clear")
}

// TestProxy is dialled although it is near, but leads to nothing near.
func TestProxy(t *testing.T) {
	r := &reach{registry: "public.example", network: (&world{names: map[string]string{"public.example": "93.184.216.34"}}).network()}
	for _, s := range []string{"http://127.0.0.1/", "http://localhost:8080/", "http://x.localhost/", "http://[::1]/", "http://169.254.169.254/latest"} {
		u, err := url.Parse(s)
		if err != nil {
			t.Fatal(err)
		}
		refused(t, r.allowURL(t.Context(), u), fault.Infra, "points to")
	}
	if err := r.allowURL(t.Context(), &url.URL{Scheme: "https", Host: "cdn.example"}); err != nil {
		t.Error(err)
	}
	var dialed string
	r.network.dial = func(_ context.Context, _, address string) (net.Conn, error) {
		dialed = address
		return nil, io.EOF
	}
	r.proxies = map[string]bool{"127.0.0.1:3128": true}
	if _, err := r.dial(t.Context(), "tcp", "127.0.0.1:3128"); err != io.EOF || dialed != "127.0.0.1:3128" {
		t.Errorf("the proxy is not dialled: %q, %v", dialed, err)
	}
	dialed = ""
	if _, err := r.dial(t.Context(), "tcp", "127.0.0.1:80"); err == nil || err == io.EOF || dialed != "" {
		t.Errorf("dialled %q, %v", dialed, err)
	}
}

// TestVerified holds how content may end.
func TestVerified(t *testing.T) {
	right, _, err := v1.SHA256(strings.NewReader("abc"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		text string
		size int64
		code fault.Code
	}{
		{"abc", 3, fault.Pass}, {"abc", -1, fault.Pass},
		{"abd", 3, fault.Integrity}, {"abd", -1, fault.Integrity}, {"ab", -1, fault.Integrity},
		{"ab", 3, fault.Infra}, {"abcd", 3, fault.Integrity}, {"abcdefghijk", -1, fault.Usage},
	} {
		r, err := newVerified(io.NopCloser(strings.NewReader(c.text)), "it", right, c.size, 10, fault.Infra)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(r)
		if c.code == fault.Pass {
			if err != nil || string(got) != c.text {
				t.Errorf("%q of %d: %q, %v", c.text, c.size, got, err)
			}
			continue
		}
		refused(t, err, c.code)
		if _, again := r.Read(make([]byte, 1)); again != err {
			t.Errorf("%q of %d: after its error it reads on: %v", c.text, c.size, again)
		}
	}
	_, err = newVerified(io.NopCloser(strings.NewReader("")), "it", v1.Hash{Algorithm: "md5"}, 0, 0, fault.Infra)
	refused(t, err, fault.Usage, "SHA-256")
}
