package attest

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/vexxy/action/internal/attest/attesttest"
	"github.com/vexxy/action/internal/fault"
)

const vaultKey = "hashivault://release"

func newP256(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// Keys of every kind that stay in a Vault sign, and verify both by a file with
// the public key and by the key's name.
func TestKeysInAVault(t *testing.T) {
	r, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, key := range map[string]crypto.Signer{"ECDSA": newP256(t), "RSA": r, "Ed25519": ed} {
		t.Run(name, func(t *testing.T) {
			v := attesttest.NewVault(t, key, false)
			signsAndVerifies(t, KeyOptions{Key: vaultKey, Getenv: v.Getenv})
			if v.Signed.Load() != 2 { // the attempt, and the statement
				t.Errorf("%d signatures", v.Signed.Load())
			}
			public, err := LoadPublicKey(t.Context(), vaultKey, v.Getenv)
			if err != nil || fingerprint(public) != fingerprint(key.Public()) || v.Signed.Load() != 2 {
				t.Errorf("%v, %v, %d signatures", public, err, v.Signed.Load())
			}
		})
	}
}

// What a Vault's key signed is attested, logged where a log takes part, and
// verified by the key's name; nothing that is sent anywhere holds the token.
func TestVaultAttests(t *testing.T) {
	v := attesttest.NewVault(t, newP256(t), true)
	ca := writeKey(t, "CERTIFICATE", v.Certificate().Raw)
	t.Setenv("VAULT_CACERT", ca)
	i, b := newInstance(t, false), newBed(t, true, nil)
	var seen strings.Builder
	i.Spoil = func(_ http.ResponseWriter, req *http.Request) bool {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			t.Error(err)
		}
		req.Body = io.NopCloser(strings.NewReader(string(body)))
		fmt.Fprintln(&seen, req.URL, req.Header, string(body))
		return false
	}
	s, err := NewKeySigner(t.Context(), KeyOptions{Key: vaultKey, Getenv: v.Getenv, SigningConfig: i.SigningConfig, TrustedRoot: i.TrustedRoot})
	if err != nil {
		t.Fatal(err)
	}
	out, err := quick(s, both...).Publish(t.Context(), b.subject, b.statements(t, "x"))
	if err != nil || len(out.Receipts) != 6 || out.Receipts[0].Signature.LogIndex != 0 || i.Logged.Load() != 3 {
		t.Fatalf("%+v, %v", out.Receipts, err)
	}
	public, err := LoadPublicKey(t.Context(), vaultKey, v.Getenv)
	if err != nil {
		t.Fatal(err)
	}
	if got := verified(t, b, s, func(p *Policy) { p.Trust = Trust{Key: public} }); !got.Verified {
		t.Errorf("%v", got.Reasons)
	}
	if seen.Len() < 3000 {
		t.Errorf("the log was sent %d bytes", seen.Len())
	}
	noCanary(t, seen.String(), fmt.Sprintf("%+v", out), strings.Join(Commands(out, "key.pub", ""), "\n"))
	for _, bundle := range out.Bundles {
		noCanary(t, string(bundle))
	}
	// Another Vault's key of the same name is not trusted.
	other := attesttest.NewVault(t, newP256(t), false)
	if public, err = LoadPublicKey(t.Context(), vaultKey, other.Getenv); err != nil {
		t.Fatal(err)
	}
	if got := verified(t, b, s, func(p *Policy) { p.Trust = Trust{Key: public} }); got.Verified || len(got.Others) != 6 {
		t.Errorf("verified by another's key: %+v", got)
	}
}

// Whatever a Vault answers, there is an end, the code says whose fault it is,
// and no message holds the token, though the Vault quotes it.
func TestVaultsThatFail(t *testing.T) {
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	reading := func(req *http.Request) bool { return req.Method == http.MethodGet }
	signing := func(req *http.Request) bool { return req.Method == http.MethodPut }
	says := func(which func(*http.Request) bool, status int, body string) func(*testing.T, *attesttest.Vault) {
		return func(_ *testing.T, v *attesttest.Vault) {
			v.Spoil = func(w http.ResponseWriter, req *http.Request) bool {
				if !which(req) {
					return false
				}
				w.WriteHeader(status)
				io.WriteString(w, strings.ReplaceAll(body, "TOKEN", attesttest.VaultToken))
				return true
			}
		}
	}
	keys := func(text string) string { return `{"data":{"latest_version":1,"keys":{"1":` + text + `}}}` }
	hang := func(which func(*http.Request) bool) func(*testing.T, *attesttest.Vault) {
		return func(t *testing.T, v *attesttest.Vault) {
			end := make(chan struct{})
			t.Cleanup(func() { close(end) })
			v.Spoil = func(_ http.ResponseWriter, req *http.Request) bool {
				if which(req) {
					<-end
				}
				return which(req)
			}
		}
	}
	const access = "VAULT_TOKEN"
	for name, c := range map[string]struct {
		spoil      func(*testing.T, *attesttest.Vault)
		code       fault.Code
		part, hint string
	}{
		"down":           {func(_ *testing.T, v *attesttest.Vault) { v.Close() }, fault.Attest, "refused", access},
		"reading denied": {says(reading, 403, `{"errors":["no \u001b[31mTOKEN\n::error::"]}`), fault.Attest, "status 403", access},
		"signing denied": {says(signing, 403, `{"errors":["no TOKEN"]}`), fault.Attest, "status 403", access},
		"no such key":    {says(reading, 404, `{"errors":[]}`), fault.Usage, "nothing by this name", access},
		"no such engine": {says(reading, 404, `{"errors":["no handler for route TOKEN"]}`), fault.Usage, "nothing by this name", access},
		"sealed":         {says(reading, 503, `{"errors":["Vault is sealed"]}`), fault.Attest, "status 503", "unwell"},
		"busy":           {says(reading, 429, "TOKEN"), fault.Attest, "status 429", "wait"},
		"busy for hours": {func(_ *testing.T, v *attesttest.Vault) { v.Spoil = busy }, fault.Attest, "status 503", "unwell"},
		"leads elsewhere": {func(_ *testing.T, v *attesttest.Vault) {
			v.Spoil = func(w http.ResponseWriter, _ *http.Request) bool {
				w.Header().Set("Location", "http://127.0.0.1:1/"+attesttest.VaultToken)
				w.WriteHeader(http.StatusTemporaryRedirect)
				return true
			}
		}, fault.Attest, "127.0.0.1:1/REDACTED", access},
		"slow to read":             {hang(reading), fault.Attest, "not answered within", access},
		"slow to sign":             {hang(signing), fault.Attest, "not answered within", access},
		"no JSON":                  {says(reading, 200, "<html>TOKEN\x1b[31m"), fault.Attest, "", access},
		"nothing":                  {says(reading, 200, ""), fault.Usage, "nothing by this name", access},
		"null":                     {says(reading, 200, "null"), fault.Attest, "", access},
		"no data":                  {says(reading, 200, "{}"), fault.Attest, "", access},
		"data of another kind":     {says(reading, 200, `{"data":[1]}`), fault.Attest, "", access},
		"no keys":                  {says(reading, 200, `{"data":{"latest_version":1,"keys":{}}}`), fault.Attest, "", access},
		"a symmetric key":          {says(reading, 200, keys("1721000000")), fault.Attest, "", access},
		"a key without its text":   {says(reading, 200, keys("{}")), fault.Attest, "", access},
		"a key that is none":       {says(reading, 200, keys(`{"public_key":"TOKEN"}`)), fault.Attest, "", access},
		"a short Ed25519 key":      {says(reading, 200, keys(`{"name":"ed25519","public_key":"AAAA"}`)), fault.Attest, "", access},
		"another curve":            {func(_ *testing.T, v *attesttest.Vault) { v.Key, v.Shown = p384, p384.Public() }, fault.Usage, "this kind", "P-256"},
		"another key than it says": {func(_ *testing.T, v *attesttest.Vault) { v.Key = newP256(t) }, fault.Usage, "does not verify", "P-256"},
		"no signature":             {says(signing, 200, "{}"), fault.Attest, "", access},
		"null for a signature":     {says(signing, 204, ""), fault.Attest, "makes no sense", access},
		"a signature that is none": {says(signing, 200, `{"data":{"signature":"vault:v1:\u001b[31mTOKEN"}}`), fault.Attest, "", access},
		"a number for a signature": {says(signing, 200, `{"data":{"signature":7}}`), fault.Attest, "", access},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := attesttest.NewVault(t, newP256(t), false)
			c.spoil(t, v)
			begin := time.Now()
			const limit = 8 * time.Second // the client tries thrice, a second or more apart
			_, err := NewKeySigner(t.Context(), KeyOptions{Key: vaultKey, Getenv: v.Getenv, limit: limit})
			if err == nil {
				t.Fatal("the key is opened")
			}
			if fault.CodeOf(t.Context(), err) != c.code || !strings.Contains(err.Error(), c.part) || !strings.Contains(fault.HintOf(err), c.hint) || !strings.Contains(err.Error(), vaultKey) {
				t.Errorf("code %d: %v, hint %q", fault.CodeOf(t.Context(), err), err, fault.HintOf(err))
			}
			if took := time.Since(begin); took > 3*limit {
				t.Errorf("it took %s", took)
			}
			noCanary(t, err.Error(), fault.HintOf(err))
			if strings.ContainsAny(err.Error(), "\x1b\n") || len(err.Error()) > 1000 {
				t.Errorf("the message is %q", err)
			}
			// Who verifies is told the same, with the code of what is out of reach.
			v.Spoil, v.Shown = nil, v.Key.Public()
			if c.spoil(t, v); c.code == fault.Attest && !strings.HasPrefix(name, "slow") && !strings.HasPrefix(name, "busy") {
				if _, err := LoadPublicKey(t.Context(), vaultKey, v.Getenv); err != nil && fault.CodeOf(t.Context(), err) != fault.Infra {
					t.Errorf("reading: code %d: %v", fault.CodeOf(t.Context(), err), err)
				}
			}
		})
	}
}

// busy is a Vault that asks for an hour's patience.
func busy(w http.ResponseWriter, _ *http.Request) bool {
	w.Header().Set("Retry-After", "3600")
	w.WriteHeader(http.StatusServiceUnavailable)
	return true
}

// A Vault that fails between two statements leaves what is attested so far, and
// the next run finishes it.
func TestVaultFailsBetweenStatements(t *testing.T) {
	v, b := attesttest.NewVault(t, newP256(t), false), newBed(t, true, nil)
	s, err := NewKeySigner(t.Context(), KeyOptions{Key: vaultKey, Getenv: v.Getenv, limit: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	v.Spoil = func(w http.ResponseWriter, _ *http.Request) bool {
		if v.Signed.Load() < 3 {
			return false
		}
		w.WriteHeader(http.StatusForbidden)
		return true
	}
	out, err := quick(s, both...).Publish(t.Context(), b.subject, b.statements(t, "x"))
	if fault.CodeOf(t.Context(), err) != fault.Attest || !strings.Contains(err.Error(), "signing the sbom statement") || !strings.Contains(err.Error(), "403") || len(out.Receipts) != 0 {
		t.Errorf("%+v, %v", out.Receipts, err)
	}
	v.Spoil = nil
	if out, err = quick(s, both...).Publish(t.Context(), b.subject, b.statements(t, "x")); err != nil || len(out.Receipts) != 6 {
		t.Errorf("%+v, %v", out.Receipts, err)
	}
	// The run's own end comes before a slow Vault's.
	end := make(chan struct{})
	t.Cleanup(func() { close(end) })
	v.Spoil = func(http.ResponseWriter, *http.Request) bool { <-end; return true }
	ctx, cancel := context.WithTimeoutCause(t.Context(), 300*time.Millisecond, fault.ErrDeadline)
	defer cancel()
	begin := time.Now()
	if _, err = quick(s, both...).Publish(ctx, b.subject, b.statements(t, "y")); fault.CodeOf(ctx, err) != fault.Deadline || time.Since(begin) > 4*time.Second {
		t.Errorf("%v after %s", err, time.Since(begin))
	}
	// A key that was changed since is found out before anything is attached.
	v.Spoil, v.Key = nil, newP256(t)
	if _, err = quick(s, both...).Publish(t.Context(), b.subject, b.statements(t, "z")); fault.CodeOf(t.Context(), err) != fault.Integrity || len(b.survey(t).found) != 6 {
		t.Errorf("another key: %v", err)
	}
}

// A Vault whose certificate nobody vouches for is given no token.
func TestVaultWithAWrongCertificate(t *testing.T) {
	v := attesttest.NewVault(t, newP256(t), true)
	asked := false
	v.Spoil = func(http.ResponseWriter, *http.Request) bool { asked = true; return false }
	_, err := NewKeySigner(t.Context(), KeyOptions{Key: vaultKey, Getenv: v.Getenv, limit: 8 * time.Second})
	if fault.CodeOf(t.Context(), err) != fault.Attest || !strings.Contains(err.Error(), "certificate") || asked {
		t.Errorf("%v, asked %t", err, asked)
	}
}

// Names that are no keys of their system are faults of usage that say how one
// is written, and nothing is asked.
func TestNamesOfManagedKeys(t *testing.T) {
	for ref, hint := range map[string]string{
		"hashivault://":                              "hashivault://KEY",
		"hashivault:///release":                      "hashivault://KEY",
		"hashivault://a/b":                           "hashivault://KEY",
		"hashivault://../sys/seal":                   "hashivault://KEY",
		"hashivault://a?x=1":                         "hashivault://KEY",
		"hashivault://a\n::error::":                  "hashivault://KEY",
		"awskms://":                                  "awskms://[ENDPOINT]",
		"awskms:///release":                          "awskms://[ENDPOINT]",
		"awskms://alias/release":                     "awskms://[ENDPOINT]",
		"azurekms://team":                            "azurekms://VAULT",
		"azurekms://a/b/c/d":                         "azurekms://VAULT",
		"gcpkms://release":                           "gcpkms://projects",
		"gcpkms://projects/p/locations/l/keyRings/r": "gcpkms://projects",
		"hashivault:/release":                        "name a file", // as it is written
		"nosuchkms://key":                            "sigstore-kms-nosuchkms",
	} {
		getenv := func(name string) string {
			t.Errorf("%s: %s is read", ref, name)
			return ""
		}
		if strings.HasPrefix(ref, "nosuch") || !strings.Contains(ref, "://") {
			getenv = func(string) string { return "" }
		}
		_, err := NewKeySigner(t.Context(), KeyOptions{Key: ref, Getenv: getenv})
		_, other := LoadPublicKey(t.Context(), ref, getenv)
		for _, err := range []error{err, other} {
			if fault.CodeOf(t.Context(), err) != fault.Usage || !strings.Contains(fault.HintOf(err), hint) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%q: %v, hint %q", ref, err, fault.HintOf(err))
			}
		}
	}
	_, err := NewKeySigner(t.Context(), KeyOptions{Key: vaultKey, Getenv: func(string) string { return "" }})
	if fault.CodeOf(t.Context(), err) != fault.Usage || !strings.Contains(err.Error(), "VAULT_ADDR is not set") {
		t.Errorf("%v", err)
	}
}
