package attest

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	prototrustroot "github.com/sigstore/protobuf-specs/gen/pb-go/trustroot/v1"
	"github.com/sigstore/rekor-tiles/v2/pkg/note"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore/pkg/cryptoutils"
)

// Fulcio itself certifies the job's identity, and Rekor itself, as its second
// version over tiles, keeps the entries: the programs that VEXXY_TEST_FULCIO and
// VEXXY_TEST_REKOR name. scripts/consumers/sigstore.sh builds and names them.
func TestRealServices(t *testing.T) {
	fulcio, rekor := os.Getenv("VEXXY_TEST_FULCIO"), os.Getenv("VEXXY_TEST_REKOR")
	if fulcio == "" || rekor == "" {
		t.Fatal("scripts/consumers/sigstore.sh runs this with Fulcio and Rekor; leave it out by -skip '^TestRealServices'")
	}
	const who = "ci@example.com"
	i, oidc := newInstance(t, true), newIssuer(t)
	dir := t.TempDir()
	now := func() (time.Time, time.Time) { return time.Now().Add(-time.Hour), time.Now().Add(time.Hour) }
	start, end := now()

	ports := freePorts(t, 6)
	write := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	config := write("fulcio.yaml", fmt.Appendf(nil, "oidc-issuers:\n  %s:\n    issuer-url: %s\n    client-id: sigstore\n    type: email\n", oidc.url, oidc.url))
	fulcioURL := "http://" + ports[0]
	serve(t, fulcioURL+"/api/v2/trustBundle", fulcio, "serve", "--ca", "ephemeralca", "--ct-log-url", "", "--config-path", config,
		"--host", "127.0.0.1", "--port", port(ports[0]), "--grpc-host", "127.0.0.1", "--grpc-port", port(ports[1]), "--metrics-port", port(ports[2]),
		"--legacy-unix-domain-socket", filepath.Join(dir, "fulcio.sock"))
	signerKey := newKey(t)
	rekorURL := "http://" + ports[3]
	serve(t, rekorURL+"/healthz", rekor, "serve", "--storage-dir", filepath.Join(dir, "log"), "--signer-filepath", signerKey, "--hostname", "127.0.0.1",
		"--http-port", port(ports[3]), "--grpc-port", port(ports[4]), "--http-metrics-port", port(ports[5]), "--checkpoint-interval", "1s", "--batch-max-age", "100ms")

	logKey := signer(t, signerKey).public
	_, logID, err := note.KeyHash("127.0.0.1", logKey)
	if err != nil {
		t.Fatal(err)
	}
	stamps, err := ReadTrustedRoot(i.TrustedRoot)
	if err != nil {
		t.Fatal(err)
	}
	tr, err := root.NewTrustedRoot(root.TrustedRootMediaType01, []root.CertificateAuthority{&root.FulcioCertificateAuthority{
		Root: bundleOf(t, fulcioURL), ValidityPeriodStart: start, ValidityPeriodEnd: end, URI: fulcioURL,
	}}, nil, stamps.TimestampingAuthorities(), map[string]*root.TransparencyLog{fmt.Sprintf("%x", logID): {
		BaseURL: rekorURL, ID: logID, HashFunc: crypto.SHA256, SignatureHashFunc: crypto.SHA256, PublicKey: logKey, ValidityPeriodStart: start, ValidityPeriodEnd: end,
	}})
	if err != nil {
		t.Fatal(err)
	}
	service := func(url string, version uint32) []root.Service {
		return []root.Service{{URL: url, MajorAPIVersion: version, ValidityPeriodStart: start, ValidityPeriodEnd: end, Operator: "test"}}
	}
	pick := root.ServiceConfiguration{Selector: prototrustroot.ServiceSelector_ANY}
	sc, err := root.NewSigningConfig(root.SigningConfigMediaType02, service(fulcioURL, 1), nil, service(rekorURL, 2), pick, service(i.Server.URL+"/tsa", 1), pick)
	if err != nil {
		t.Fatal(err)
	}
	trText, err1 := tr.MarshalJSON()
	scText, err2 := sc.MarshalJSON()
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	o := KeylessOptions{TrustedRoot: write("trusted_root.json", trText), SigningConfig: write("signing_config.json", scText), Getenv: func(name string) string {
		return map[string]string{varToken: oidc.token(t, map[string]any{"email": who, "email_verified": true})}[name]
	}}
	s, err := NewKeylessSigner(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}

	b := newBed(t, true, nil)
	out, err := quick(s, both...).Publish(t.Context(), b.subject, b.statements(t, "x"))
	if err != nil {
		t.Fatal(err)
	}
	// Entries of this log do not fit into cosign's older layout, and that is said.
	if len(out.Receipts) != 3 || len(out.Notes) != 1 || !strings.Contains(out.Notes[0], "older layout") {
		t.Errorf("%+v", out)
	}
	for n, r := range out.Receipts {
		if r.Signature.Identity != who || r.Signature.Issuer != oidc.url || r.Signature.LogIndex != int64(n) || time.Since(r.Signature.At) > 5*time.Minute {
			t.Errorf("signature is %+v", r.Signature)
		}
	}
	trust := Trust{Identity: who, Issuer: oidc.url, Root: tr}
	v, err := Verify(t.Context(), b.subject.Repository, b.subject.ManifestDigest, nil, Policy{Trust: trust, Now: evidenceOf(t, b).Window.End})
	if err != nil || !v.Verified {
		t.Errorf("%v, %v", v.Reasons, err)
	}
	for _, program := range filepath.SplitList(os.Getenv("VEXXY_TEST_COSIGN")) {
		for n, c := range Commands(out, "", o.TrustedRoot)[1:] {
			cosign(t, program, strings.Replace(c, "verify-attestation", "verify-attestation --insecure-ignore-sct", 1), out.Receipts[n].PredicateType)
		}
	}
	// A token for someone else's audience gets nothing.
	o.Getenv = func(name string) string {
		return map[string]string{varToken: oidc.token(t, map[string]any{"aud": "other"})}[name]
	}
	if s, err = NewKeylessSigner(t.Context(), o); err == nil {
		_, err = quick(s, LayoutBundle).Publish(t.Context(), b.subject, b.statements(t, "y"))
	}
	if err == nil || !strings.Contains(err.Error(), "status 4") {
		t.Errorf("a token for another audience: %v", err)
	}
}

// issuer is an OpenID Connect provider.
type issuer struct {
	url string
	key *rsa.PrivateKey
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	i := &issuer{}
	var err error
	if i.key, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		t.Fatal(err)
	}
	enc := base64.RawURLEncoding.EncodeToString
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if req.URL.Path == "/keys" {
			json.NewEncoder(w).Encode(map[string]any{"keys": []any{map[string]string{
				"kty": "RSA", "alg": "RS256", "use": "sig", "kid": "1", "n": enc(i.key.N.Bytes()), "e": enc(big.NewInt(int64(i.key.E)).Bytes()),
			}}})
			return
		}
		json.NewEncoder(w).Encode(map[string]any{"issuer": i.url, "jwks_uri": i.url + "/keys", "authorization_endpoint": i.url, "token_endpoint": i.url,
			"response_types_supported": []string{"id_token"}, "subject_types_supported": []string{"public"}, "id_token_signing_alg_values_supported": []string{"RS256"}})
	}))
	t.Cleanup(server.Close)
	i.url = server.URL
	return i
}

func (i *issuer) token(t *testing.T, more map[string]any) string {
	t.Helper()
	claims := map[string]any{"iss": i.url, "sub": "job", "aud": "sigstore", "iat": time.Now().Unix(), "exp": time.Now().Add(10 * time.Minute).Unix()}
	for k, v := range more {
		claims[k] = v
	}
	part := func(v any) string {
		data, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(data)
	}
	text := part(map[string]string{"alg": "RS256", "kid": "1", "typ": "JWT"}) + "." + part(claims)
	digest := sha256.Sum256([]byte(text))
	sig, err := rsa.SignPKCS1v15(rand.Reader, i.key, crypto.SHA256, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(sig)
}

// freePorts gives addresses at which nothing listens now.
func freePorts(t *testing.T, n int) []string {
	t.Helper()
	var all []string
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		all = append(all, l.Addr().String())
	}
	return all
}

func port(address string) string {
	_, p, _ := net.SplitHostPort(address)
	return p
}

// serve starts a server and waits until it answers.
func serve(t *testing.T, url, program string, args ...string) {
	t.Helper()
	var log bytes.Buffer
	cmd := exec.Command(program, args...)
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() { cmd.Process.Kill(); <-ended })
	for limit := time.After(time.Minute); ; {
		resp, err := http.Get(url)
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return
			}
		}
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("%s ended: %v\n%s", program, err, log.String())
		case <-limit:
			t.Fatalf("%s does not answer: %v", program, err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// bundleOf is Fulcio's root.
func bundleOf(t *testing.T, url string) *x509.Certificate {
	t.Helper()
	resp, err := http.Get(url + "/api/v2/trustBundle")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var b struct {
		Chains []struct {
			Certificates []string `json:"certificates"`
		} `json:"chains"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&b); err != nil || len(b.Chains) != 1 || len(b.Chains[0].Certificates) != 1 {
		t.Fatalf("%+v, %v", b, err)
	}
	certs, err := cryptoutils.UnmarshalCertificatesFromPEM([]byte(b.Chains[0].Certificates[0]))
	if err != nil || len(certs) != 1 {
		t.Fatal(err)
	}
	return certs[0]
}
