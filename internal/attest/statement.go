package attest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/subject"
)

// The types of in-toto's two layers: the statement, and the envelope's payload
// (https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md).
const (
	statementType = "https://in-toto.io/Statement/v1"
	payloadType   = "application/vnd.in-toto+json"
)

// Statement is what is signed: a predicate about one image's manifest.
type Statement struct {
	// Name is short and stands in file names: evidence, openvex, sbom.
	Name          string
	PredicateType string
	// Predicate is the predicate as it stands in Payload: JSON without
	// insignificant space.
	Predicate []byte
	// Payload is the whole in-toto statement, the bytes that are signed.
	Payload []byte
}

// resource is an in-toto resource descriptor, as far as images need it.
type resource struct {
	Name   string            `json:"name"`
	Digest map[string]string `json:"digest"`
}

// newStatement wraps a predicate. The subject is the manifest of the platform
// that was observed.
func newStatement(name, predicateType string, s subject.Subject, predicate []byte) (Statement, error) {
	hex, found := strings.CutPrefix(s.ManifestDigest, "sha256:")
	if !found || s.Repository == "" {
		return Statement{}, ErrLocal
	}
	compact, err := squeeze(predicate)
	if err != nil {
		return Statement{}, fmt.Errorf("reading the %s predicate: %w", name, err)
	}
	head, err := json.Marshal(struct {
		Type          string     `json:"_type"`
		Subject       []resource `json:"subject"`
		PredicateType string     `json:"predicateType"`
	}{statementType, []resource{{s.Repository, map[string]string{"sha256": hex}}}, predicateType})
	if err != nil {
		return Statement{}, fmt.Errorf("encoding the %s statement: %w", name, err)
	}
	var payload bytes.Buffer
	payload.Write(bytes.TrimSuffix(head, []byte("}")))
	payload.WriteString(`,"predicate":`)
	payload.Write(compact)
	payload.WriteString("}")
	if payload.Len() > MaxStatement {
		return Statement{}, fault.New(fault.Attest, tooLargeHint, "the %s statement has %d bytes, more than %d: %w", name, payload.Len(), MaxStatement, ErrTooLarge)
	}
	return Statement{Name: name, PredicateType: predicateType, Predicate: compact, Payload: payload.Bytes()}, nil
}

// ErrLocal says that no registry published the image: there is no manifest to
// attest to.
var ErrLocal = fault.New(fault.Usage, "push the image and name it by its registry, or leave attest off",
	"the image was never pushed: there is no digest to attest to")

// squeeze takes insignificant space out of a JSON object.
func squeeze(document []byte) ([]byte, error) {
	var out bytes.Buffer
	if err := json.Compact(&out, document); err != nil {
		return nil, err
	}
	if out.Len() == 0 || out.Bytes()[0] != '{' {
		return nil, fmt.Errorf("it is no JSON object")
	}
	return out.Bytes(), nil
}

// sum is the SHA-256 of data in hexadecimal digits.
func sum(data []byte) string {
	s := sha256.Sum256(data)
	return hex.EncodeToString(s[:])
}

// header is the part of a statement that is looked at before its predicate.
type header struct {
	Type          string          `json:"_type"`
	Subject       []resource      `json:"subject"`
	PredicateType string          `json:"predicateType"`
	Predicate     json.RawMessage `json:"predicate"`
}

// readStatement takes a signed payload apart. It must be an in-toto statement
// with the digest among its subjects.
func readStatement(payload []byte, digest string) (header, error) {
	var h header
	if len(payload) > MaxStatement {
		return h, fmt.Errorf("the statement has more than %d bytes", MaxStatement)
	}
	if err := json.Unmarshal(payload, &h); err != nil {
		return h, fmt.Errorf("reading the statement: %w", err)
	}
	if h.Type != statementType && h.Type != "https://in-toto.io/Statement/v0.1" {
		return h, fmt.Errorf("%.80q is no type of statement", h.Type)
	}
	if len(h.Predicate) == 0 || h.Predicate[0] != '{' || h.PredicateType == "" {
		return h, fmt.Errorf("the statement has no predicate")
	}
	want := strings.TrimPrefix(digest, "sha256:")
	for _, s := range h.Subject {
		if s.Digest["sha256"] == want {
			return h, nil
		}
	}
	return h, fmt.Errorf("the statement is not about %s", digest)
}
