package attest

import (
	"encoding/json"
	"testing"

	"github.com/sigstore/sigstore-go/pkg/bundle"
)

// FuzzAttestation reads any bytes as a bundle and as an envelope of cosign's
// older layout, with any annotations. Nothing panics, and nothing that was not
// signed verifies.
func FuzzAttestation(f *testing.F) {
	s := signer(f, newKey(f))
	good, err := s.sign(f.Context(), statementsFor(f, "example.com/app", digestA)[0])
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good.data, "", "")
	f.Add(good.envelope, `{"SignedEntryTimestamp":"","Payload":{"body":"e30=","logID":"00"}}`, "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n")
	f.Add([]byte(`{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","dsseEnvelope":{},"verificationMaterial":{"publicKey":{}}}`), "{}", "x")
	trust := s.Trust()
	f.Fuzz(func(t *testing.T, data []byte, entry, certificate string) {
		check := func(b *bundle.Bundle, err error) {
			if err != nil || b.GetDsseEnvelope() == nil {
				return
			}
			got := found{bundle: b}.open(digestA)
			if _, err := trust.verify(b, digestA); err == nil && got.err == nil && string(got.payload) != string(good.Payload) {
				t.Errorf("verified, and was not signed: %q", got.payload)
			}
		}
		var b bundle.Bundle
		check(&b, b.UnmarshalJSON(data))
		check(fromLegacy(data, map[string]string{"dev.sigstore.cosign/bundle": entry, "dev.sigstore.cosign/certificate": certificate, "dev.sigstore.cosign/rfc3161timestamp": entry}))
	})
}

// FuzzStatement reads any bytes as the payload that was signed, and as evidence.
func FuzzStatement(f *testing.F) {
	for _, s := range statementsFor(f, "example.com/app", digestA) {
		f.Add(s.Payload)
	}
	f.Add([]byte(`{"_type":"https://in-toto.io/Statement/v1","subject":null,"predicateType":"x","predicate":{}}`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		h, err := readStatement(payload, digestA)
		if err != nil {
			return
		}
		if !json.Valid(h.Predicate) || h.PredicateType == "" {
			t.Errorf("%q is read as %+v", payload, h)
		}
		if e, err := readEvidence(h.Predicate); err == nil && (e.Tool.Name != Tool || e.Window.End.Before(e.Window.Start)) {
			t.Errorf("evidence is %+v", e)
		}
	})
}
