package attest

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/foreign"
)

// verifyTimeout bounds the reading and verifying of one image's attestations.
const verifyTimeout = 3 * time.Minute

// clockSkew is how far in the future a window may end.
const clockSkew = 10 * time.Minute

// Policy says what an image's attestations must hold up to.
type Policy struct {
	Trust Trust
	// MinWindow is the shortest time in which the workload must have been
	// watched, MaxAge the longest since; 0 for either is any.
	MinWindow, MaxAge time.Duration
	// Inconclusive takes evidence that says of itself that it is insufficient.
	Inconclusive bool
	// Now is the time of the verification.
	Now time.Time
}

// Check reports policies that no attestation could meet, or any.
func (p Policy) Check() error {
	if err := p.Trust.check(); err != nil {
		return fault.New(fault.Usage, "give --key, or --identity and --issuer", "reading the policy: %w", err)
	}
	if p.Trust.Key == nil {
		if _, err := p.Trust.identity(); err != nil {
			return fault.New(fault.Usage, "write regular expressions as Go's package regexp has them", "reading the policy: %s", bounded(err.Error()))
		}
	}
	return nil
}

// Verification is what was found at an image, and whether it meets the policy.
type Verification struct {
	// Image is REPOSITORY@DIGEST.
	Image    string `json:"image"`
	Verified bool   `json:"verified"`
	// Reasons say why it is not verified; empty when it is.
	Reasons []string `json:"reasons"`
	// Attestations are those whose signatures verify, sorted by type; of OpenVEX
	// documents and SBOMs, those that Evidence names.
	Attestations []Verified `json:"attestations"`
	// Others are those that do not count.
	Others []Other `json:"others"`
	// Evidence is the newest evidence among the verified; nil for none.
	Evidence *Evidence `json:"evidence"`
	// Joined is the OpenVEX document whole, where it is attested in parts.
	Joined json.RawMessage `json:"openvex,omitempty"`
}

//go:embed schema/verification.schema.json
var verificationSchema []byte

// VerificationSchema gives the JSON Schema (draft 2020-12) of what JSON writes.
func VerificationSchema() []byte { return slices.Clone(verificationSchema) }

// JSON writes the verification for programs. schema_version grows when a field
// goes or changes its meaning; new fields do not change it.
func (v Verification) JSON() ([]byte, error) {
	data, err := json.MarshalIndent(struct {
		SchemaVersion int `json:"schema_version"`
		Verification
	}{1, v}, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encoding the verification: %w", err)
	}
	return foreign.JSON(append(data, '\n')), nil
}

// Verified is one statement with a signature that counts.
type Verified struct {
	PredicateType string `json:"predicate_type"`
	PayloadSHA256 string `json:"payload_sha256"`
	// Layouts are those in which it was found, References the manifests.
	Layouts    []Layout  `json:"layouts"`
	References []string  `json:"references"`
	Signature  Signature `json:"signature"`
	// Statement is the signed in-toto statement.
	Statement json.RawMessage `json:"statement"`

	predicate []byte
}

// Other is an attestation that does not count: unreadable, of another image,
// not by whom the policy trusts, or of an older run. All but the reason is what it says of itself.
type Other struct {
	Reference     string `json:"reference"`
	Layout        Layout `json:"layout"`
	PredicateType string `json:"predicate_type,omitempty"`
	Why           string `json:"why"`
}

// Verify reads the attestations of an image's manifest and holds them to the
// policy. An attestation that does not count is no error: anyone who may push
// can add some. The error is a fault of infrastructure for a registry that
// cannot be used, of usage for a policy that says nothing.
func Verify(ctx context.Context, repository, digest string, keys authn.Keychain, p Policy) (Verification, error) {
	if err := p.Check(); err != nil {
		return Verification{}, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, verifyTimeout, fmt.Errorf("not verified after %s", verifyTimeout))
	defer cancel()
	r, err := openRegistry(ctx, repository, keys, fault.Infra, "pull")
	if err != nil {
		return Verification{}, err
	}
	s, err := r.survey(ctx, digest)
	if err != nil {
		return Verification{}, err
	}
	v := Verification{Image: r.repo.Name() + "@" + digest, Reasons: []string{}, Attestations: []Verified{}, Others: []Other{}}
	for _, f := range s.found {
		v.take(f, r.repo.Name(), digest, p.Trust)
	}
	slices.SortStableFunc(v.Attestations, func(a, b Verified) int { return strings.Compare(a.PredicateType, b.PredicateType) })
	v.judge(p)
	return v, nil
}

// take verifies one attestation.
func (v *Verification) take(f found, repository, digest string, t Trust) {
	var sig Signature
	err := f.err
	if err == nil {
		sig, err = t.verify(f.bundle, digest)
	}
	if err != nil {
		v.Others = append(v.Others, Other{f.reference(repository), f.layout, cut(f.header.PredicateType), bounded(err.Error())})
		return
	}
	payload := sum(f.payload)
	for i := range v.Attestations {
		if a := &v.Attestations[i]; a.PayloadSHA256 == payload { // the other layout
			a.Layouts, a.References = append(a.Layouts, f.layout), append(a.References, f.reference(repository))
			return
		}
	}
	v.Attestations = append(v.Attestations, Verified{
		f.header.PredicateType, payload, []Layout{f.layout}, []string{f.reference(repository)}, sig, f.payload, f.header.Predicate,
	})
}

// judge holds what was verified to the policy.
func (v *Verification) judge(p Policy) {
	no := func(format string, args ...any) { v.Reasons = append(v.Reasons, fmt.Sprintf(format, args...)) }
	defer func() { v.Verified = len(v.Reasons) == 0 }()
	var broken error
	for _, a := range v.Attestations {
		if a.PredicateType != TypeEvidence {
			continue
		}
		e, err := readEvidence(a.predicate)
		if err != nil {
			broken = err
		} else if v.Evidence == nil || e.Window.End.After(v.Evidence.Window.End) {
			v.Evidence = &e
		}
	}
	if v.Evidence == nil {
		switch {
		case broken != nil:
			no("%s", bounded(broken.Error()))
		case len(v.Others) > 0:
			no("no evidence is attested by whom the policy trusts; %d attestations are by others or damaged", len(v.Others))
		default:
			no("no evidence is attested")
		}
		return
	}
	v.setAside()
	e := v.Evidence
	_, digest, _ := strings.Cut(v.Image, "@")
	if e.Image.ManifestDigest != digest {
		no("the evidence is about %s", cut(e.Image.ManifestDigest))
	}
	if e.Inconclusive && !p.Inconclusive {
		no("the evidence says of itself that it is inconclusive")
	}
	if length := e.Window.End.Sub(e.Window.Start); length < p.MinWindow {
		no("the workload was watched for %s, less than %s", length.Round(time.Second/10), p.MinWindow)
	}
	if age := p.Now.Sub(e.Window.End); p.MaxAge > 0 && age > p.MaxAge {
		no("the workload was watched %s ago, longer than %s", age.Round(time.Second), p.MaxAge)
	} else if age < -clockSkew {
		no("the workload was watched in the future, at %s", e.Window.End.UTC().Format(time.RFC3339))
	}
	for _, d := range e.Documents {
		if !slices.ContainsFunc(v.Attestations, d.is) {
			no("%s, on which the evidence was given, is not attested: %s", cut(d.Name), cut(d.PredicateType))
			return
		}
	}
	doc, err := v.OpenVEX()
	if err != nil {
		no("reading %s: %s", TypeOpenVEX, bounded(err.Error()))
	} else if slices.ContainsFunc(e.Documents, func(d EvidenceDocument) bool { return d.Parts > 0 }) {
		v.Joined = doc
	}
}

// setAside moves the documents that the newest evidence does not name to what
// does not count: a registry that deletes nothing keeps those of older runs
// beside the new ones, with signatures that are as good.
func (v *Verification) setAside() {
	v.Attestations = slices.DeleteFunc(v.Attestations, func(a Verified) bool {
		switch a.PredicateType {
		case TypeOpenVEX, TypeCycloneDX, TypeSPDX:
		default:
			return false
		}
		if slices.ContainsFunc(v.Evidence.Documents, func(d EvidenceDocument) bool { return d.is(a) }) {
			return false
		}
		for i, ref := range a.References {
			v.Others = append(v.Others, Other{ref, a.Layouts[i], a.PredicateType, "the newest evidence does not name it: it is of an older run, or not of a run"})
		}
		return true
	})
}

// is reports whether a statement holds the document.
func (d EvidenceDocument) is(a Verified) bool {
	return a.PredicateType == d.PredicateType && sum(a.predicate) == d.PredicateSHA256
}
