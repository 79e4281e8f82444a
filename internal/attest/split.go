package attest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"

	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/subject"
)

// An OpenVEX document that is too large for one statement is split by its own
// statements: each part is an OpenVEX document of its own, whose @id ends in
// #part-N-of-M, and the evidence lists them all with the digest of the whole.
// Nothing is lost, and what is said of one vulnerability stays together: a
// reader that takes one part for all suppresses less, never more. An SBOM has no
// such parts, and is left out instead.

// maxParts bounds the parts of one document: an image can bear maxAttestations
// of all kinds and layouts, those of earlier runs among them.
const maxParts = 100

// partID is the end of a part's @id.
var partID = regexp.MustCompile(`#part-[0-9]+-of-[0-9]+"`)

const statementsKey = `,"statements":[`

// parts makes the statements of a document, each within the limit; none where it
// is too large and has no parts.
func parts(d Document, s subject.Subject, limit int) ([]Statement, error) {
	whole, err := newStatement(d.Name, d.PredicateType, s, d.Data)
	if err != nil && !errors.Is(err, ErrTooLarge) {
		return nil, err
	}
	if err == nil && len(whole.Payload) <= limit {
		return []Statement{whole}, nil
	}
	if d.PredicateType != TypeOpenVEX {
		return nil, nil
	}
	head, all, err := openParts(d.Data)
	if err != nil {
		return nil, fmt.Errorf("splitting the %s document: %w", d.Name, err)
	}
	const around = 2048 // statement, subject, the part's number
	room := limit - len(head) - len(s.Repository) - around
	var groups [][]json.RawMessage
	left := 0
	for _, kin := range byVulnerability(all) {
		size := 0
		for _, one := range kin {
			size += len(one) + 1
		}
		if size > room {
			return nil, fault.New(fault.Attest, tooLargeHint, "splitting the %s document: what it states of one vulnerability has %d bytes, and %d fit: %w", d.Name, size, room, ErrTooLarge)
		}
		if len(groups) == 0 || size > left {
			groups, left = append(groups, nil), room
		}
		groups[len(groups)-1] = append(groups[len(groups)-1], kin...)
		left -= size
	}
	if len(groups) > maxParts {
		return nil, fault.New(fault.Attest, "allow larger parts with --attestation-limit", "splitting the %s document: it would have %d parts, at most %d are made: %w", d.Name, len(groups), maxParts, ErrTooLarge)
	}
	var out []Statement
	for i, g := range groups {
		id := fmt.Appendf(nil, `$1#part-%d-of-%d"`, i+1, len(groups))
		var doc bytes.Buffer
		doc.Write(documentID.ReplaceAll(head, id))
		doc.WriteString(statementsKey)
		for k, one := range g {
			if k > 0 {
				doc.WriteByte(',')
			}
			doc.Write(one)
		}
		doc.WriteString("]}")
		st, err := newStatement(fmt.Sprintf("%s-%d", d.Name, i+1), d.PredicateType, s, doc.Bytes())
		if err != nil {
			return nil, err
		}
		out = append(out, st)
	}
	return out, nil
}

// byVulnerability keeps together what neighbouring statements say of one
// vulnerability.
func byVulnerability(all []json.RawMessage) [][]json.RawMessage {
	var out [][]json.RawMessage
	last := ""
	for _, one := range all {
		var s struct {
			Vulnerability struct {
				Name string `json:"name"`
			} `json:"vulnerability"`
		}
		_ = json.Unmarshal(one, &s) // one without a name stands alone
		if name := s.Vulnerability.Name; len(out) > 0 && name != "" && name == last {
			out[len(out)-1] = append(out[len(out)-1], one)
		} else {
			out = append(out, []json.RawMessage{one})
		}
		last = s.Vulnerability.Name
	}
	return out
}

// documentID finds the @id in a document's head; no string in JSON holds a bare
// quotation mark, so that nothing within a text looks like it.
var documentID = regexp.MustCompile(`("@id":"[^"\\]*)"`)

// openParts takes a document apart: all before its statements, and these. They
// must be its last key, as in all of vexxy's documents.
func openParts(document []byte) (head []byte, all []json.RawMessage, err error) {
	compact, err := squeeze(document)
	if err != nil {
		return nil, nil, err
	}
	head, rest, found := bytes.Cut(compact, []byte(statementsKey))
	if !found || !bytes.HasSuffix(rest, []byte("]}")) || len(documentID.FindAll(head, 2)) != 1 {
		return nil, nil, errors.New("it is not written as vexxy writes OpenVEX")
	}
	if err := json.Unmarshal(slices.Concat([]byte("["), bytes.TrimSuffix(rest, []byte("}"))), &all); err != nil {
		return nil, nil, err
	}
	return head, all, nil
}

// join makes a document of its parts, in their order, byte for byte as it was
// before it was split.
func join(parts [][]byte, sha256 string) ([]byte, error) {
	var out bytes.Buffer
	for i, part := range parts {
		head, all, err := openParts(part)
		if err != nil {
			return nil, err
		}
		if i == 0 {
			out.Write(partID.ReplaceAll(head, []byte(`"`)))
			out.WriteString(statementsKey)
		}
		for k, one := range all {
			if i+k > 0 {
				out.WriteByte(',')
			}
			out.WriteByte('\n')
			out.Write(one)
		}
	}
	out.WriteString("\n]}\n")
	if sum(out.Bytes()) != sha256 {
		return nil, errors.New("its parts do not make the document that the evidence names")
	}
	return out.Bytes(), nil
}

// OpenVEX gives the OpenVEX document that the evidence names, whole though it
// be attested in parts; nil where the evidence names none, as of an image
// without findings. What it gives is what was signed, less insignificant space.
func (v *Verification) OpenVEX() ([]byte, error) {
	if v.Evidence == nil {
		return nil, errors.New("no evidence is attested")
	}
	var docs []EvidenceDocument
	for _, d := range v.Evidence.Documents {
		if d.PredicateType == TypeOpenVEX {
			docs = append(docs, d)
		}
	}
	if len(docs) == 0 {
		return nil, nil
	}
	slices.SortStableFunc(docs, func(a, b EvidenceDocument) int { return a.Part - b.Part })
	var found [][]byte
	for i, d := range docs {
		at := slices.IndexFunc(v.Attestations, d.is)
		if at < 0 {
			return nil, fmt.Errorf("%s is not attested", cut(d.Name))
		}
		if split := len(docs) > 1 || d.Parts > 0; split && (d.Part != i+1 || d.Parts != len(docs) || d.SHA256 != docs[0].SHA256) {
			return nil, fmt.Errorf("the evidence does not name all parts of %s", cut(d.Name))
		}
		found = append(found, v.Attestations[at].predicate)
	}
	if docs[0].Parts == 0 {
		return found[0], nil
	}
	return join(found, docs[0].SHA256)
}
