package attest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/vexxy/action/internal/fault"
)

// Keyless signing, with and without a time-stamping authority, into every kind
// of registry: one token and one certificate serve all statements, the log has
// an entry for each, and identity and issuer verify in both layouts.
func TestKeyless(t *testing.T) {
	for _, tsa := range []bool{false, true} {
		t.Run(fmt.Sprintf("tsa=%t", tsa), func(t *testing.T) {
			i, b := newInstance(t, tsa), newBed(t, !tsa, nil)
			out, err := quick(i.signer(t), both...).Publish(t.Context(), b.subject, b.statements(t, "x"))
			if err != nil {
				t.Fatal(err)
			}
			if len(out.Receipts) != 6 || i.Tokens.Load() != 1 || i.Certificates.Load() != 1 || i.Logged.Load() != 3 {
				t.Errorf("%d receipts, %d tokens, %d certificates, %d entries", len(out.Receipts), i.Tokens.Load(), i.Certificates.Load(), i.Logged.Load())
			}
			for _, r := range out.Receipts {
				if r.Signature.Identity != testIdentity || r.Signature.Issuer != testIssuer || r.Signature.LogIndex != 0 || time.Since(r.Signature.At) > time.Minute || r.Signature.Key != "" {
					t.Errorf("signature is %+v", r.Signature)
				}
			}
			// The same again is not logged again.
			out, err = quick(i.signer(t), both...).Publish(t.Context(), b.subject, b.statements(t, "x"))
			if err != nil || out.Receipts[0].Outcome != Unchanged || i.Logged.Load() != 3 {
				t.Errorf("%+v, %v, %d entries", out.Receipts, err, i.Logged.Load())
			}
			// The same workflow at another branch takes the older one's place.
			i.Identity = strings.Replace(testIdentity, "main", "next", 1)
			if _, err = quick(i.signer(t), both...).Publish(t.Context(), b.subject, b.statements(t, "x")); err != nil {
				t.Fatal(err)
			}
			if n := len(b.survey(t).found); n != 6 {
				t.Errorf("%d attestations", n)
			}
			// Another workflow does not.
			i.Identity = strings.Replace(testIdentity, "ci.yml", "other.yml", 1)
			if _, err = quick(i.signer(t), both...).Publish(t.Context(), b.subject, b.statements(t, "x")); err != nil {
				t.Fatal(err)
			}
			if n := len(b.survey(t).found); n != 12 {
				t.Errorf("%d attestations", n)
			}
		})
	}
}

// A key's signature can be logged and stamped by a private instance too.
func TestKeyWithLog(t *testing.T) {
	i, b := newInstance(t, true), newBed(t, true, nil)
	s, err := NewKeySigner(t.Context(), KeyOptions{Key: newKey(t), SigningConfig: i.SigningConfig, TrustedRoot: i.TrustedRoot})
	if err != nil {
		t.Fatal(err)
	}
	out, err := quick(s, both...).Publish(t.Context(), b.subject, b.statements(t, "x"))
	if err != nil || len(out.Receipts) != 6 || out.Receipts[0].Signature.LogIndex != 0 || i.Logged.Load() != 3 {
		t.Fatalf("%+v, %v", out.Receipts, err)
	}
	// Without its entry the signature does not do.
	p := Policy{Trust: s.Trust(), Now: time.Now()}
	if v, err := Verify(t.Context(), b.subject.Repository, b.subject.ManifestDigest, nil, p); err != nil || !v.Verified {
		t.Errorf("%v, %v", v.Reasons, err)
	}
	other := signer(t, newKey(t))
	if _, err := quick(other, both...).Publish(t.Context(), b.subject, b.statements(t, "x")); err != nil {
		t.Fatal(err)
	}
	p.Trust.Key = other.public
	if v, err := Verify(t.Context(), b.subject.Repository, b.subject.ManifestDigest, nil, p); err != nil || v.Verified {
		t.Errorf("verified without a log entry, %v", err)
	}
}

// Whatever is wrong with the services, nothing is attached, the code says whose
// fault it is, the end comes soon, and no secret is printed.
func TestSigningServicesThatFail(t *testing.T) {
	answer := func(path string, status int, body string) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, req *http.Request) bool {
			if !strings.HasPrefix(req.URL.Path, path) {
				return false
			}
			w.WriteHeader(status)
			fmt.Fprint(w, body)
			return true
		}
	}
	other := newInstance(t, true)
	for name, c := range map[string]struct {
		prepare func(i instance)
		code    fault.Code
		part    string
	}{
		"certificate authority down":   {func(i instance) { i.Spoil = answer("/api/v2", 503, "canary-in-body\x1b[31m") }, fault.Attest, "503"},
		"certificate authority no":     {func(i instance) { i.Spoil = answer("/api/v2", 403, "no") }, fault.Attest, "403"},
		"no certificate":               {func(i instance) { i.Spoil = answer("/api/v2", 200, "{}") }, fault.Attest, "certificates"},
		"certificate of another's":     {func(i instance) { i.Fulcio = other.Fulcio }, fault.Attest, "certificate"},
		"certificate on another's key": {func(i instance) { i.Certified = newP256(t).Public() }, fault.Attest, ""},
		"another issuer":               {func(i instance) { i.Issuer = "https://example.com" }, fault.Integrity, "example.com"},
		"log down":                     {func(i instance) { i.Spoil = answer("/api/v1", 500, "{}") }, fault.Attest, "500"},
		"log says nonsense":            {func(i instance) { i.Spoil = answer("/api/v1", 201, "{}") }, fault.Attest, ""},
		"log of another's":             {func(i instance) { i.Log = other.Log }, fault.Attest, ""},
		"wrong entry": {func(i instance) {
			i.Entry = func(body []byte) []byte {
				var e map[string]any
				json.Unmarshal(body, &e)
				sigs := e["spec"].(map[string]any)["signatures"].([]any)
				sigs[0].(map[string]any)["signature"] = "MEUCIQDcanary0000000000000000000000000000000000000000000000000000000000000000000000000000000000="
				out, _ := json.Marshal(e)
				return out
			}
		}, fault.Attest, ""},
		"clocks apart":                {func(i instance) { i.Skew = time.Hour }, fault.Attest, ""},
		"clocks apart, the other way": {func(i instance) { i.Skew = -time.Hour }, fault.Attest, ""},
		"log's clock ahead":           {func(i instance) { i.LogSkew = time.Hour }, fault.Attest, ""},
		"log's clock behind":          {func(i instance) { i.LogSkew = -time.Hour }, fault.Attest, ""},
		"stamps down":                 {func(i instance) { i.Spoil = answer("/tsa", 503, "canary-in-body") }, fault.Attest, "503"},
		"stamps refused":              {func(i instance) { i.Spoil = answer("/tsa", 403, "no") }, fault.Attest, "403"},
		"stamps of nonsense":          {func(i instance) { i.Spoil = answer("/tsa", 201, "<html>canary-in-body") }, fault.Attest, ""},
		"stamps of another's":         {func(i instance) { i.TSA = other.TSA }, fault.Attest, ""},
		"stamps ahead":                {func(i instance) { i.StampSkew = time.Hour }, fault.Attest, ""},
		"stamps behind":               {func(i instance) { i.StampSkew = -time.Hour }, fault.Attest, ""},
		"endless stamps":              {func(i instance) { i.Spoil = endless("/tsa") }, fault.Attest, ""},
		"no token":                    {func(i instance) { i.Spoil = answer("/token", 403, "canary") }, fault.Attest, "403"},
		"empty token":                 {func(i instance) { i.Spoil = answer("/token", 200, "{}") }, fault.Attest, "token"},
		"expired token":               {func(i instance) { i.Expiry = time.Now().Add(-time.Minute) }, fault.Attest, "expired"},
		"endless token":               {func(i instance) { i.Spoil = endless("/token") }, fault.Attest, "token"},
		"endless log":                 {func(i instance) { i.Spoil = endless("/api/v1") }, fault.Attest, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i, b := newInstance(t, strings.Contains(name, "stamps")), newBed(t, true, nil)
			s := i.signer(t)
			c.prepare(i)
			begin := time.Now()
			out, err := quick(s, both...).Publish(t.Context(), b.subject, b.statements(t, "x"))
			if fault.CodeOf(t.Context(), err) != c.code || !strings.Contains(err.Error(), c.part) || fault.HintOf(err) == "" {
				t.Errorf("code %d: %v, hint %q", fault.CodeOf(t.Context(), err), err, fault.HintOf(err))
			}
			if len(out.Receipts) != 0 || len(b.survey(t).found) != 0 {
				t.Errorf("attested all the same: %+v", out.Receipts)
			}
			if took := time.Since(begin); took > 90*time.Second {
				t.Errorf("it took %s", took)
			}
			if err != nil {
				noCanary(t, strings.ReplaceAll(err.Error(), "canary-in-body", ""), fault.HintOf(err))
				if strings.ContainsAny(err.Error(), "\x1b\n") {
					t.Errorf("the message is not one line: %q", err)
				}
			}
		})
	}
}

// endless answers without end, as fast as it is read.
func endless(path string) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, req *http.Request) bool {
		if !strings.Contains(req.URL.Path, path) {
			return false
		}
		w.WriteHeader(http.StatusOK)
		for block := bytes.Repeat([]byte(" "), 64<<10); ; {
			if _, err := w.Write(block); err != nil {
				return true
			}
		}
	}
}

// A job without an identity is told before it runs anything.
func TestNoIdentity(t *testing.T) {
	_, err := NewKeylessSigner(t.Context(), KeylessOptions{Getenv: func(string) string { return "" }})
	if fault.CodeOf(t.Context(), err) != fault.Usage || !strings.Contains(fault.HintOf(err), "id-token: write") {
		t.Errorf("%v, %q", err, fault.HintOf(err))
	}
}

// GitLab gives the token itself.
func TestTokenOfGitLab(t *testing.T) {
	i := newInstance(t, false)
	got, err := fetchToken(t.Context(), func(name string) string { return map[string]string{varToken: i.Token() + "\n"}[name] })
	if err != nil || got != i.Token() || i.Tokens.Load() != 0 {
		t.Errorf("%q, %v", got, err)
	}
}

// A service that does not answer keeps nothing: the run's own end comes first.
func TestSlowServices(t *testing.T) {
	for _, path := range []string{"/token", "/api/v2", "/api/v1", "/tsa"} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			i, b := newInstance(t, true), newBed(t, true, nil)
			end := make(chan struct{})
			t.Cleanup(func() { close(end) })
			i.Spoil = func(w http.ResponseWriter, req *http.Request) bool {
				if strings.HasPrefix(req.URL.Path, path) {
					<-end
					return true
				}
				return false
			}
			ctx, cancel := context.WithTimeoutCause(t.Context(), 500*time.Millisecond, fault.ErrDeadline)
			defer cancel()
			begin := time.Now()
			out, err := quick(i.signer(t), both...).Publish(ctx, b.subject, b.statements(t, "x"))
			if fault.CodeOf(ctx, err) != fault.Deadline || len(out.Receipts) != 0 || time.Since(begin) > 25*time.Second {
				t.Errorf("%v after %s, %v", err, time.Since(begin), out.Receipts)
			}
		})
	}
}
