package attest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	ggcrregistry "github.com/google/go-containerregistry/pkg/registry"
	"github.com/secure-systems-lab/go-securesystemslib/encrypted"

	"github.com/vexxy/action/internal/attest/attesttest"
	"github.com/vexxy/action/internal/config"
	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/subject"
)

const canaryPassword = "canary-password-5f1c"

// newKey writes a key that no password guards and gives its path.
func newKey(t testing.TB) string {
	t.Helper()
	return writeKey(t, "PRIVATE KEY", pkcs8(t))
}

// sealedKey writes a key as cosign does, guarded by canaryPassword.
func sealedKey(t testing.TB) string {
	t.Helper()
	sealed, err := encrypted.Encrypt(pkcs8(t), []byte(canaryPassword))
	if err != nil {
		t.Fatal(err)
	}
	return writeKey(t, "ENCRYPTED SIGSTORE PRIVATE KEY", sealed)
}

func pkcs8(t testing.TB) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func writeKey(t testing.TB, kind string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "cosign.key")
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: data}), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func signer(t testing.TB, path string) *Signer {
	t.Helper()
	s, err := NewKeySigner(t.Context(), KeyOptions{Key: path, Password: config.NewSecret(canaryPassword), Getenv: os.Getenv})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// bed is a registry of its own with one image.
type bed struct {
	handler    http.Handler
	server     *httptest.Server
	subject    subject.Subject
	repository name.Repository
}

// newBed starts a registry; around, where there is one, stands before it.
func newBed(t testing.TB, api bool, around func(http.Handler) http.Handler) *bed {
	t.Helper()
	b := &bed{handler: ggcrregistry.New(ggcrregistry.WithReferrersSupport(api), ggcrregistry.Logger(log.New(io.Discard, "", 0)))}
	h := b.handler
	if around != nil {
		h = around(h)
	}
	b.server = httptest.NewServer(h)
	t.Cleanup(b.server.Close)
	host := strings.TrimPrefix(b.server.URL, "http://")
	var err error
	if b.repository, err = name.NewRepository(host + "/team/app"); err != nil {
		t.Fatal(err)
	}
	direct := httptest.NewServer(b.handler) // the image is there before any fault
	defer direct.Close()
	_, digest := attesttest.Push(t, strings.TrimPrefix(direct.URL, "http://"))
	b.subject = subject.Subject{Requested: "app:v1", Source: subject.SourceRegistry, Repository: b.repository.Name(), ManifestDigest: digest}
	return b
}

func (b *bed) statements(t testing.TB, note string) []Statement {
	t.Helper()
	rec, j := recorded(t, b.subject.Repository, b.subject.ManifestDigest)
	rec.Run.ID = note
	all, err := Statements(rec, j, "pass", testDocuments, MaxStatement)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func (b *bed) survey(t testing.TB) shelf {
	t.Helper()
	r, err := openRegistry(t.Context(), b.subject.Repository, nil, fault.Infra, "pull")
	if err != nil {
		t.Fatal(err)
	}
	s, err := r.survey(t.Context(), b.subject.ManifestDigest)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func quick(s *Signer, layouts ...Layout) *Publisher {
	return NewPublisher(Options{Signer: s, Layouts: layouts, Version: "v1.2.3", settle: 20 * time.Millisecond})
}

var both = []Layout{LayoutBundle, LayoutLegacy}
