package attest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/foreign"
	"github.com/vexxy/action/internal/judge"
	"github.com/vexxy/action/internal/record"
)

// The predicate types. Those of the SBOMs are what cosign writes for its types
// cyclonedx and spdxjson (https://github.com/in-toto/attestation, predicates).
const (
	TypeOpenVEX   = "https://openvex.dev/ns/v0.2.0"
	TypeCycloneDX = "https://cyclonedx.org/bom"
	TypeSPDX      = "https://spdx.dev/Document"
	// TypeEvidence is vexxy's own: see Evidence and EvidenceSchema.
	TypeEvidence = "https://github.com/vexxy/action/evidence/v1"
)

// Document is one of a run's documents, to be attested as it is.
type Document struct {
	// Name is the statement's short name, File the document's file name.
	Name, File    string
	PredicateType string
	Data          []byte
}

// Statements makes what is to be signed of one image's run: its documents, and
// the evidence that they rest on, which names the others by their digests and
// comes first. None is larger than limit: an OpenVEX document is split into
// parts, named NAME-1 and so on, and another document left out. The bytes depend
// on the arguments alone.
func Statements(rec record.Record, j judge.Judgement, verdict string, docs []Document, limit int) ([]Statement, error) {
	var others []Statement
	e := newEvidence(rec, j, verdict)
	for _, d := range docs {
		all, err := parts(d, rec.Subject, min(limit, MaxStatement))
		if err != nil {
			return nil, err
		}
		for i, s := range all {
			named := EvidenceDocument{Name: d.File, PredicateType: d.PredicateType, SHA256: sum(d.Data), PredicateSHA256: sum(s.Predicate)}
			if len(all) > 1 {
				named.Part, named.Parts = i+1, len(all)
			}
			e.Documents = append(e.Documents, named)
		}
		others = append(others, all...)
	}
	slices.SortStableFunc(e.Documents, func(a, b EvidenceDocument) int { return strings.Compare(a.Name, b.Name) })
	data, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("encoding the evidence: %w", err)
	}
	own, err := newStatement("evidence", TypeEvidence, rec.Subject, foreign.JSON(data))
	if err != nil {
		return nil, err
	}
	if len(own.Payload) > limit {
		return nil, fault.New(fault.Attest, tooLargeHint, "writing the evidence: it has %d bytes, at most %d are sent: %w", len(own.Payload), limit, ErrTooLarge)
	}
	return append([]Statement{own}, others...), nil
}
