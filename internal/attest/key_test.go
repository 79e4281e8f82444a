package attest

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vexxy/action/internal/config"
	"github.com/vexxy/action/internal/fault"
)

// signsAndVerifies signs a statement with the key and verifies it with its
// public half alone.
func signsAndVerifies(t *testing.T, o KeyOptions) {
	t.Helper()
	if o.Getenv == nil {
		o.Getenv = os.Getenv
	}
	s, err := NewKeySigner(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.sign(t.Context(), statementsFor(t, "example.com/app", digestA)[0])
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "cosign.pub")
	if err := os.WriteFile(path, s.PublicKey(), 0o600); err != nil {
		t.Fatal(err)
	}
	public, err := LoadPublicKey(t.Context(), path, os.Getenv)
	if err != nil {
		t.Fatal(err)
	}
	if sig, err := (Trust{Key: public}).verify(got.bundle, digestA); err != nil || sig.Key != fingerprint(public) || sig.LogIndex != -1 {
		t.Errorf("%+v, %v", sig, err)
	}
	if _, err := (Trust{Key: public}).verify(got.bundle, "sha256:"+strings.Repeat("b", 64)); err == nil {
		t.Error("it verifies for another image")
	}
	other := signer(t, newKey(t))
	if _, err := (Trust{Key: other.public}).verify(got.bundle, digestA); err == nil {
		t.Error("it verifies with another key")
	}
	layer, err := got.layer("vexxy", nil)
	if err != nil {
		t.Fatal(err)
	}
	data, err := layer.Payload()
	if err != nil {
		t.Fatal(err)
	}
	legacy, err := fromLegacy(data, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (Trust{Key: public}).verify(legacy, digestA); err != nil {
		t.Errorf("cosign's older layout: %v", err)
	}
}

// Keys of every kind and form that is taken sign, and their public halves
// verify in both layouts.
func TestKeys(t *testing.T) {
	t.Run("as cosign writes them", func(t *testing.T) {
		signsAndVerifies(t, KeyOptions{Key: sealedKey(t), Password: config.NewSecret(canaryPassword)})
	})
	t.Run("in a variable", func(t *testing.T) {
		raw, err := os.ReadFile(newKey(t))
		if err != nil {
			t.Fatal(err)
		}
		signsAndVerifies(t, KeyOptions{Key: "env://SIGNING", Getenv: func(name string) string {
			if name != "SIGNING" {
				t.Errorf("the variable %s is read", name)
			}
			return string(raw)
		}})
	})
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	r, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	sec1, err := x509.MarshalECPrivateKey(ec)
	if err != nil {
		t.Fatal(err)
	}
	edDER, err := x509.MarshalPKCS8PrivateKey(ed)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, kind string
		der        []byte
	}{
		{"Ed25519", "PRIVATE KEY", edDER},
		{"RSA", "RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(r)},
		{"SEC 1", "EC PRIVATE KEY", sec1},
	} {
		t.Run(c.name, func(t *testing.T) { signsAndVerifies(t, KeyOptions{Key: writeKey(t, c.kind, c.der)}) })
	}
}

// Keys that cannot be used are faults of usage with a hint, and neither key nor
// password is in the message.
func TestKeysThatAreNone(t *testing.T) {
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(p384)
	if err != nil {
		t.Fatal(err)
	}
	sealed := sealedKey(t)
	for name, c := range map[string]struct{ key, hint string }{
		"no file":        {filepath.Join(t.TempDir(), "none"), "file"},
		"no variable":    {"env://NONE", "env://NAME"},
		"wrong password": {sealed, "PASSWORD"},
		"another curve":  {writeKey(t, "PRIVATE KEY", der), "P-256"},
		"a public key":   {writeKey(t, "PUBLIC KEY", der), "PEM"},
		"garbage":        {writeKey(t, "PRIVATE KEY", []byte("canary-garbage")), "PEM"},
		"no such system": {"nosuchkms://key", "sigstore-kms-nosuchkms"},
		"a folder":       {t.TempDir(), "file"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := NewKeySigner(t.Context(), KeyOptions{Key: c.key, Password: config.NewSecret("canary-wrong"), Getenv: func(string) string { return "" }})
			if fault.CodeOf(t.Context(), err) != fault.Usage || !strings.Contains(fault.HintOf(err), c.hint) {
				t.Fatalf("error is %v, hint %q", err, fault.HintOf(err))
			}
			if strings.Contains(err.Error()+fault.HintOf(err), "canary") {
				t.Errorf("a secret is in %v", err)
			}
		})
	}
}
