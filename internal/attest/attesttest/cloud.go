package attesttest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// Cloud answers in the place of a public cloud, by the names of its hosts: a
// proxy leads all that a process asks of them to it, and they have certificates
// of an authority of its own.
type Cloud struct {
	// Ref names the key that is kept there, Key is its private half.
	Ref string
	Key *ecdsa.PrivateKey
	// Hosts are those that are asked, and by whatever handler each answers.
	Hosts map[string]http.Handler
	// Environ is the environment of a process that may use the key.
	Environ []string
	// Refuse makes the system answer that it may not be used.
	Refuse bool

	t         testing.TB
	root      *x509.Certificate
	authority *ecdsa.PrivateKey
	mu        sync.Mutex
	asked     map[string]int
}

func newCloud(t testing.TB) *Cloud {
	t.Helper()
	c := &Cloud{t: t, Hosts: map[string]http.Handler{}, asked: map[string]int{}, Key: newKey(t), authority: newKey(t)}
	c.root = &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "cloud"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, c.root, c.root, c.authority.Public(), c.authority)
	if err != nil {
		t.Fatal(err)
	}
	bundle := filepath.Join(t.TempDir(), "authority.pem")
	if err := os.WriteFile(bundle, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(c.serve))
	server.EnableHTTP2 = true
	server.TLS = &tls.Config{GetCertificate: c.certify}
	server.StartTLS()
	t.Cleanup(server.Close)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		c.lead(w, req, server.Listener.Addr().String())
	}))
	t.Cleanup(proxy.Close)
	c.Environ = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "HTTPS_PROXY=" + proxy.URL, "HTTP_PROXY=" + proxy.URL, "SSL_CERT_FILE=" + bundle}
	return c
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// Asked gives how often something was asked for.
func (c *Cloud) Asked(what string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.asked[what]
}

func (c *Cloud) ask(what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked[what]++
}

func (c *Cloud) serve(w http.ResponseWriter, req *http.Request) {
	host, _, _ := strings.Cut(req.Host, ":")
	if h := c.Hosts[host]; h != nil {
		h.ServeHTTP(w, req)
		return
	}
	c.t.Errorf("the host %s is asked for %s", req.Host, req.URL)
	http.NotFound(w, req)
}

// certify makes a certificate for the host that is asked.
func (c *Cloud) certify(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), DNSNames: []string{hello.ServerName}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, c.root, c.authority.Public(), c.authority)
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: c.authority}, err
}

// lead is the proxy: it connects to the cloud, whatever host is asked for.
func (c *Cloud) lead(w http.ResponseWriter, req *http.Request, address string) {
	if req.Method != http.MethodConnect {
		http.Error(w, "there is nothing but the cloud", http.StatusForbidden)
		return
	}
	host, _, _ := strings.Cut(req.Host, ":")
	c.ask("CONNECT " + host)
	to, err := net.Dial("tcp", address)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer to.Close()
	from, buffered, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	defer from.Close()
	io.WriteString(from, "HTTP/1.1 200 Connection established\r\n\r\n")
	go func() {
		defer to.Close()
		io.Copy(to, buffered)
	}()
	io.Copy(from, to)
}
