package attesttest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/digitorus/timestamp"
	"github.com/go-openapi/runtime"
	prototrustroot "github.com/sigstore/protobuf-specs/gen/pb-go/trustroot/v1"
	"github.com/sigstore/rekor/pkg/generated/models"
	"github.com/sigstore/rekor/pkg/types"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/testing/ca"
	"github.com/sigstore/sigstore-go/pkg/tlog"
)

// What an Instance certifies, and what its CI host lets a job in by.
const (
	Identity    = "https://github.com/team/app/.github/workflows/ci.yml@refs/heads/main"
	Issuer      = "https://token.actions.githubusercontent.com"
	bearerToken = "canary-bearer-7d2e"
)

// Instance is a private sigstore instance over HTTP: a certificate authority, a
// log, a time-stamping authority, and a CI host that gives tokens. Certificates
// and entries are real; the log has one leaf, its keys are sigstore-go's
// virtual instance's.
type Instance struct {
	t      testing.TB
	Log    *ca.VirtualSigstore
	Fulcio struct {
		Root, Intermediate *x509.Certificate
		key                *ecdsa.PrivateKey
	}
	TSA struct {
		leaf *x509.Certificate
		key  *ecdsa.PrivateKey
	}
	Server *httptest.Server
	// SigningConfig and TrustedRoot are files.
	SigningConfig, TrustedRoot string
	// Identity and Issuer are what the authority certifies.
	Identity, Issuer string
	// Skew is how far the authority's clock is ahead, LogSkew the log's, StampSkew
	// the time-stamping authority's.
	Skew, LogSkew, StampSkew time.Duration
	// Life is how long its certificates are valid.
	Life time.Duration
	// Certified, where there is one, is the key that is certified instead of the
	// one that is asked for.
	Certified crypto.PublicKey
	// Expiry is the token's.
	Expiry time.Time
	// Spoil, where there is one, answers instead of the services.
	Spoil func(w http.ResponseWriter, req *http.Request) bool
	// Entry, where there is one, changes what the log stores.
	Entry func([]byte) []byte
	// Certificates, Tokens and Logged count what was asked for.
	Certificates, Tokens, Logged atomic.Int32
}

// NewInstance starts an instance, with a time-stamping authority or without.
func NewInstance(t testing.TB, withTSA bool) *Instance {
	t.Helper()
	i := &Instance{t: t, Identity: Identity, Issuer: Issuer, Expiry: time.Now().Add(time.Hour), Life: 10 * time.Minute}
	var err error
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	i.Log, err = ca.NewVirtualSigstore()
	must(err)
	rootCert, rootKey, err := ca.GenerateRootCa()
	must(err)
	i.Fulcio.Root = rootCert
	i.Fulcio.Intermediate, i.Fulcio.key, err = ca.GenerateFulcioIntermediate(rootCert, rootKey)
	must(err)
	tsaIntermediate, tsaIntermediateKey, err := ca.GenerateTSAIntermediate(rootCert, rootKey)
	must(err)
	i.TSA.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	i.TSA.leaf, err = ca.GenerateTSALeafCert(time.Now().Add(-time.Minute), i.TSA.key, tsaIntermediate, tsaIntermediateKey)
	must(err)

	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/v2/signingCert", i.certify)
	mux.HandleFunc("POST /api/v1/log/entries", i.record)
	mux.HandleFunc("POST /tsa", i.stamp)
	mux.HandleFunc("GET /token", i.giveToken)
	i.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if i.Spoil == nil || !i.Spoil(w, req) {
			mux.ServeHTTP(w, req)
		}
	}))
	t.Cleanup(i.Server.Close)

	start, end := time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	var tsas []root.TimestampingAuthority
	if withTSA {
		tsas = append(tsas, &root.SigstoreTimestampingAuthority{Root: rootCert, Intermediates: []*x509.Certificate{tsaIntermediate}, Leaf: i.TSA.leaf,
			ValidityPeriodStart: start, ValidityPeriodEnd: end, URI: i.Server.URL})
	}
	logs := i.Log.RekorLogs()
	for id, l := range logs { // the virtual one is not made for files
		l.ID, err = hex.DecodeString(id)
		must(err)
		l.BaseURL, l.HashFunc, l.SignatureHashFunc = i.Server.URL, crypto.SHA256, crypto.SHA256
		l.ValidityPeriodStart, l.ValidityPeriodEnd = start, end
	}
	tr, err := root.NewTrustedRoot(root.TrustedRootMediaType01, []root.CertificateAuthority{&root.FulcioCertificateAuthority{
		Root: rootCert, Intermediates: []*x509.Certificate{i.Fulcio.Intermediate}, ValidityPeriodStart: start, ValidityPeriodEnd: end, URI: i.Server.URL,
	}}, nil, tsas, logs)
	must(err)
	service := func(path string) []root.Service {
		return []root.Service{{URL: i.Server.URL + path, MajorAPIVersion: 1, ValidityPeriodStart: start, ValidityPeriodEnd: end, Operator: "test"}}
	}
	any := root.ServiceConfiguration{Selector: prototrustroot.ServiceSelector_ANY}
	var stamps []root.Service
	if withTSA {
		stamps = service("/tsa")
	}
	sc, err := root.NewSigningConfig(root.SigningConfigMediaType02, service(""), nil, service(""), any, stamps, any)
	must(err)
	dir := t.TempDir()
	write := func(name string, v json.Marshaler) string {
		data, err := v.MarshalJSON()
		must(err)
		path := filepath.Join(dir, name)
		must(os.WriteFile(path, data, 0o600))
		return path
	}
	i.TrustedRoot, i.SigningConfig = write("trusted_root.json", tr), write("signing_config.json", sc)
	return i
}

// Getenv is the environment of a job on GitHub.
func (i *Instance) Getenv(name string) string {
	return map[string]string{"ACTIONS_ID_TOKEN_REQUEST_URL": i.Server.URL + "/token?run=1", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": bearerToken}[name]
}

func (i *Instance) giveToken(w http.ResponseWriter, req *http.Request) {
	i.Tokens.Add(1)
	if req.Header.Get("Authorization") != "Bearer "+bearerToken || req.URL.Query().Get("audience") != "sigstore" || req.URL.Query().Get("run") != "1" {
		w.WriteHeader(http.StatusForbidden)
		return
	}
	json.NewEncoder(w).Encode(map[string]string{"value": i.Token()})
}

// Token is a job's identity token.
func (i *Instance) Token() string {
	part := func(v any) string {
		data, _ := json.Marshal(v)
		return base64.RawURLEncoding.EncodeToString(data)
	}
	return part(map[string]string{"alg": "none"}) + "." +
		part(map[string]any{"iss": Issuer, "sub": "repo:team/app:ref:refs/heads/main", "aud": "sigstore", "exp": i.Expiry.Unix()}) + ".canary-signature"
}

// certify is Fulcio: it checks the proof of possession and certifies the key.
func (i *Instance) certify(w http.ResponseWriter, req *http.Request) {
	i.Certificates.Add(1)
	var in struct {
		PublicKeyRequest struct {
			PublicKey struct {
				Content string `json:"content"`
			} `json:"publicKey"`
			Proof []byte `json:"proofOfPossession"`
		} `json:"publicKeyRequest"`
	}
	if req.Header.Get("Authorization") != "Bearer "+i.Token() || json.NewDecoder(req.Body).Decode(&in) != nil {
		http.Error(w, `{"code":16,"message":"There was an error processing the identity token"}`, http.StatusUnauthorized)
		return
	}
	block, _ := pem.Decode([]byte(in.PublicKeyRequest.PublicKey.Content))
	public, err := x509.ParsePKIXPublicKey(block.Bytes)
	digest := sha256.Sum256([]byte("repo:team/app:ref:refs/heads/main"))
	if err != nil || !ecdsa.VerifyASN1(public.(*ecdsa.PublicKey), digest[:], in.PublicKeyRequest.Proof) {
		http.Error(w, "no proof", http.StatusBadRequest)
		return
	}
	if i.Certified != nil {
		public = i.Certified
	}
	san, _ := url.Parse(i.Identity)
	value, _ := asn1.Marshal(i.Issuer)
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), URIs: []*url.URL{san}, NotBefore: time.Now().Add(i.Skew - time.Minute), NotAfter: time.Now().Add(i.Skew + i.Life),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning},
		ExtraExtensions: []pkix.Extension{ // the issuer in both of Fulcio's forms
			{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1, 1}, Value: []byte(i.Issuer)},
			{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1, 8}, Value: value},
		},
	}, i.Fulcio.Intermediate, public, i.Fulcio.key)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	json.NewEncoder(w).Encode(map[string]any{"signedCertificateEmbeddedSct": map[string]any{"chain": map[string]any{
		"certificates": []string{string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))},
	}}})
}

// record is Rekor: it checks and stores an entry, and proves that it did.
func (i *Instance) record(w http.ResponseWriter, req *http.Request) {
	i.Logged.Add(1)
	fail := func(err error) { http.Error(w, fmt.Sprintf(`{"code":400,"message":%q}`, err), http.StatusBadRequest) }
	proposed, err := models.UnmarshalProposedEntry(req.Body, runtime.JSONConsumer())
	if err != nil {
		fail(err)
		return
	}
	entry, err := types.CreateVersionedEntry(proposed)
	if err != nil {
		fail(err)
		return
	}
	body, err := types.CanonicalizeEntry(req.Context(), entry)
	if err != nil {
		fail(err)
		return
	}
	if i.Entry != nil {
		body = i.Entry(body)
	}
	id, err := i.Log.RekorLogID()
	if err != nil {
		fail(err)
		return
	}
	now, text := time.Now().Add(i.LogSkew).Unix(), base64.StdEncoding.EncodeToString(body)
	promise, err := i.Log.RekorSignPayload(tlog.RekorPayload{Body: text, IntegratedTime: now, LogIndex: 0, LogID: id})
	if err != nil {
		fail(err)
		return
	}
	proof, err := i.Log.GetInclusionProof(body)
	if err != nil {
		fail(err)
		return
	}
	leaf := sha256.Sum256(append([]byte{0}, body...))
	uuid := hex.EncodeToString(leaf[:])
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("ETag", uuid)
	w.Header().Set("Location", "/api/v1/log/entries/"+uuid)
	w.WriteHeader(http.StatusCreated)
	json.NewEncoder(w).Encode(map[string]any{uuid: map[string]any{
		"body": text, "integratedTime": now, "logID": id, "logIndex": 0,
		"verification": map[string]any{"signedEntryTimestamp": promise, "inclusionProof": proof},
	}})
}

// stamp is a time-stamping authority as RFC 3161 has it.
func (i *Instance) stamp(w http.ResponseWriter, req *http.Request) {
	raw, err := io.ReadAll(req.Body)
	if err != nil {
		return
	}
	ask, err := timestamp.ParseRequest(raw)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	answer, err := (&timestamp.Timestamp{
		HashAlgorithm: ask.HashAlgorithm, HashedMessage: ask.HashedMessage, Time: time.Now().Add(i.StampSkew), Nonce: ask.Nonce, Policy: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 2},
	}).CreateResponseWithOpts(i.TSA.leaf, i.TSA.key, crypto.SHA256)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.WriteHeader(http.StatusCreated)
	w.Write(answer)
}
