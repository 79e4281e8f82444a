package attest

import (
	"crypto"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/verify"
	"github.com/sigstore/sigstore/pkg/signature"
)

// Trust says whose signatures count: those of one key, or of one identity.
type Trust struct {
	// Key is a public key; nil for identities.
	Key crypto.PublicKey
	// Logged asks for an entry in a transparency log of a key's signature too.
	Logged bool
	// Identity and Issuer are what the certificate must say, exactly; the
	// patterns are regular expressions for the whole text. One of each pair is
	// set for keyless signatures.
	Identity, IdentityPattern string
	Issuer, IssuerPattern     string
	// Root holds the authorities and logs.
	Root root.TrustedMaterial
}

// Signature is one that was verified.
type Signature struct {
	// Key is the fingerprint of the key, SHA256:… of its DER form.
	Key string `json:"key,omitempty"`
	// Identity and Issuer are those of the certificate.
	Identity string `json:"identity,omitempty"`
	Issuer   string `json:"issuer,omitempty"`
	// At is the time by a log or an authority, zero where there is none.
	At time.Time `json:"at,omitzero"`
	// LogIndex is the entry's in the transparency log, -1 for none.
	LogIndex int64 `json:"log_index"`
	// Stamped says that the time is a time-stamping authority's alone, as the
	// log vouches for none.
	Stamped bool `json:"-"`
}

// material is the trusted root with one key added.
type material struct {
	root.TrustedMaterial
	key root.TimeConstrainedVerifier
}

func (m material) PublicKeyVerifier(string) (root.TimeConstrainedVerifier, error) {
	if m.key == nil {
		return nil, errors.New("no key is trusted")
	}
	return m.key, nil
}

// check reports policies that could never be met, or would trust anyone.
func (t Trust) check() error {
	switch {
	case t.Key != nil:
		if t.Logged && t.Root == nil {
			return errors.New("a log entry is asked for, and no root that names a log")
		}
		return nil
	case t.Root == nil:
		return errors.New("no trusted root is known")
	case t.Identity == "" && t.IdentityPattern == "" || t.Issuer == "" && t.IssuerPattern == "":
		return errors.New("identity and issuer are not both given")
	}
	return nil
}

// verify verifies a bundle about an image's digest: signature, certificate,
// log entry, time, identity, and that the digest is a subject of the statement.
func (t Trust) verify(b *bundle.Bundle, digest string) (Signature, error) {
	if err := t.check(); err != nil {
		return Signature{}, err
	}
	m := material{TrustedMaterial: t.Root}
	if t.Root == nil {
		m.TrustedMaterial = &root.BaseTrustedMaterial{}
	}
	raw, err := hex.DecodeString(strings.TrimPrefix(digest, "sha256:"))
	if err != nil {
		return Signature{}, fmt.Errorf("reading the digest: %w", err)
	}
	policy := []verify.PolicyOption{}
	if t.Key != nil {
		v, err := signature.LoadVerifier(t.Key, crypto.SHA256)
		if err != nil {
			return Signature{}, fmt.Errorf("reading the key: %w", err)
		}
		m.key = root.NewExpiringKey(v, time.Time{}, time.Time{})
		policy = append(policy, verify.WithKey())
	} else {
		id, err := t.identity()
		if err != nil {
			return Signature{}, err
		}
		policy = append(policy, verify.WithCertificateIdentity(id))
	}
	v, err := verify.NewVerifier(m, t.options()...)
	if err != nil {
		return Signature{}, fmt.Errorf("reading the policy: %w", err)
	}
	result, err := v.Verify(b, verify.NewPolicy(verify.WithArtifactDigest("sha256", raw), policy...))
	if err != nil {
		return Signature{}, err
	}
	return t.signature(b, result), nil
}

// options are the demands on log and time.
func (t Trust) options() []verify.VerifierOption {
	if t.Key != nil {
		if !t.Logged {
			return []verify.VerifierOption{verify.WithNoObserverTimestamps()}
		}
		return []verify.VerifierOption{verify.WithTransparencyLog(1), verify.WithNoObserverTimestamps()}
	}
	o := []verify.VerifierOption{verify.WithObserverTimestamps(1)}
	// A private instance may do without logs; then its root names none.
	if len(t.Root.RekorLogs()) > 0 {
		o = append(o, verify.WithTransparencyLog(1))
	}
	if len(t.Root.CTLogs()) > 0 {
		o = append(o, verify.WithSignedCertificateTimestamps(1))
	}
	return o
}

// identity makes the demand on the certificate. Patterns match the whole text.
func (t Trust) identity() (verify.CertificateIdentity, error) {
	whole := func(pattern string) string {
		if pattern == "" {
			return ""
		}
		return "^(?:" + pattern + ")$"
	}
	id, err := verify.NewShortCertificateIdentity(t.Issuer, whole(t.IssuerPattern), t.Identity, whole(t.IdentityPattern))
	if err != nil {
		return id, fmt.Errorf("reading the identity: %w", err)
	}
	return id, nil
}

func (t Trust) signature(b *bundle.Bundle, r *verify.VerificationResult) Signature {
	s := Signature{LogIndex: -1}
	if t.Key != nil {
		s.Key = fingerprint(t.Key)
	} else if r.Signature != nil && r.Signature.Certificate != nil {
		s.Identity, s.Issuer = r.Signature.Certificate.SubjectAlternativeName, r.Signature.Certificate.Issuer
	}
	for _, at := range r.VerifiedTimestamps {
		if s.At.IsZero() || at.Timestamp.Before(s.At) {
			s.At = at.Timestamp.UTC()
		}
	}
	if entries := b.GetVerificationMaterial().GetTlogEntries(); len(entries) > 0 && (t.Key == nil || t.Logged) {
		s.LogIndex = entries[0].GetLogIndex()
		s.Stamped = entries[0].GetInclusionPromise() == nil
	}
	return s
}

// own is the trust for what the same signer made before: of an identity that
// names a workflow at a branch, the same workflow at any.
func (t Trust) own() Trust {
	if t.Key == nil && t.Identity != "" {
		workflow, _, _ := strings.Cut(t.Identity, "@refs/")
		t.Identity, t.IdentityPattern = "", regexp.QuoteMeta(workflow)+"(@refs/.*)?"
	}
	return t
}
