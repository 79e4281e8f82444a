package attesttest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

// VaultToken is what lets a client into a Vault.
const VaultToken = "canary-token-of-vault"

// Vault is HashiCorp Vault's transit engine over HTTP, as far as signing needs
// it (https://developer.hashicorp.com/vault/api-docs/secret/transit). It has one
// key, release, and signs with it.
type Vault struct {
	*httptest.Server
	// Key is what it signs with, Shown the public key that it gives.
	Key   crypto.Signer
	Shown crypto.PublicKey
	// Spoil, where there is one, answers instead.
	Spoil func(http.ResponseWriter, *http.Request) bool
	// Read and Signed count its answers.
	Read, Signed atomic.Int32
}

// NewVault starts a Vault, over TLS if it is to be secure.
func NewVault(t testing.TB, key crypto.Signer, secure bool) *Vault {
	t.Helper()
	v := &Vault{Key: key, Shown: key.Public()}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/transit/keys/release", v.read)
	mux.HandleFunc("PUT /v1/transit/sign/release", v.sign)
	mux.HandleFunc("PUT /v1/transit/sign/release/sha2-256", v.sign)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNotFound)
		io.WriteString(w, `{"errors":[]}`) // of what is not there it says no more
	})
	v.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		switch {
		case v.Spoil != nil && v.Spoil(w, req):
		case req.Header.Get("X-Vault-Token") != VaultToken:
			vaultError(w, http.StatusForbidden, "permission denied")
		default:
			mux.ServeHTTP(w, req)
		}
	}))
	if secure {
		v.StartTLS()
	} else {
		v.Start()
	}
	t.Cleanup(v.Close)
	return v
}

// Getenv is the environment of a job that may use it.
func (v *Vault) Getenv(name string) string {
	return map[string]string{"VAULT_ADDR": v.URL, "VAULT_TOKEN": VaultToken}[name]
}

func vaultError(w http.ResponseWriter, status int, text string) {
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(map[string]any{"errors": []string{text}})
}

func (v *Vault) read(w http.ResponseWriter, _ *http.Request) {
	v.Read.Add(1)
	kind, text := "", ""
	switch k := v.Shown.(type) {
	case ed25519.PublicKey:
		kind, text = "ed25519", base64.StdEncoding.EncodeToString(k)
	default:
		der, err := x509.MarshalPKIXPublicKey(k)
		if err != nil {
			vaultError(w, http.StatusInternalServerError, err.Error())
			return
		}
		kind, text = "P-256", string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	}
	answer(w, map[string]any{"data": map[string]any{
		"name": "release", "latest_version": 2, "min_decryption_version": 1,
		"keys": map[string]any{
			"1": map[string]any{"name": kind, "public_key": "an older one"},
			"2": map[string]any{"name": kind, "public_key": text, "creation_time": "2026-01-02T03:04:05Z"},
		},
	}})
}

func (v *Vault) sign(w http.ResponseWriter, req *http.Request) {
	v.Signed.Add(1)
	var in struct {
		Input     []byte `json:"input"`
		Prehashed bool   `json:"prehashed"`
		Version   string `json:"key_version"`
		Algorithm string `json:"signature_algorithm"`
	}
	if err := json.NewDecoder(io.LimitReader(req.Body, 1<<20)).Decode(&in); err != nil || in.Version != "0" && in.Version != "2" {
		vaultError(w, http.StatusBadRequest, "invalid request")
		return
	}
	var opts crypto.SignerOpts = crypto.Hash(0)
	switch v.Key.(type) {
	case *ecdsa.PrivateKey:
		opts = crypto.SHA256
	case *rsa.PrivateKey:
		if opts = crypto.SHA256; in.Algorithm != "pkcs1v15" {
			opts = &rsa.PSSOptions{Hash: crypto.SHA256, SaltLength: rsa.PSSSaltLengthAuto}
		}
	}
	if opts.HashFunc() != 0 && !in.Prehashed {
		s := sha256.Sum256(in.Input)
		in.Input = s[:]
	}
	sig, err := v.Key.Sign(rand.Reader, in.Input, opts)
	if err != nil || opts.HashFunc() != 0 && !strings.HasSuffix(req.URL.Path, "/sha2-256") {
		vaultError(w, http.StatusBadRequest, "invalid request")
		return
	}
	answer(w, map[string]any{"data": map[string]any{"key_version": 2, "signature": "vault:v2:" + base64.StdEncoding.EncodeToString(sig)}})
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(v)
}
