package baseline

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	packageurl "github.com/package-url/packageurl-go"

	"github.com/vexxy/action/internal/jsonlist"
	"github.com/vexxy/action/internal/judge"
)

// Attested is what an earlier run attested to an image, once its signatures were
// verified. It is bounded and doubted all the same.
type Attested struct {
	// From is where it was found.
	From                         string
	RunID, Version               string
	FinishedAt                   time.Time
	Repository, Digest, Platform string
	// Sufficient says that the evidence was.
	Sufficient bool
	// Document is the run's OpenVEX document; nil for an image without findings.
	Document []byte
	// Spellings are package URLs in it under which no package of the image was
	// judged: other names of those that were.
	Spellings []string
}

// openVEX is what is read of the document.
type openVEX struct {
	Statements vexStatements `json:"statements"`
}

type (
	vexStatements []vexStatement
	vexProducts   []vexProduct
	vexParts      []vexPart
)

type vexStatement struct {
	Vulnerability struct {
		Name    string  `json:"name"`
		Aliases aliases `json:"aliases"`
	} `json:"vulnerability"`
	Products vexProducts `json:"products"`
	Status   string      `json:"status"`
}

type vexProduct struct {
	Subcomponents vexParts `json:"subcomponents"`
}

type vexPart struct {
	ID string `json:"@id"`
}

func (s *vexStatements) UnmarshalJSON(data []byte) error { return all(data, maxStatements, s) }
func (p *vexProducts) UnmarshalJSON(data []byte) error   { return all(data, maxAliases, p) }
func (p *vexParts) UnmarshalJSON(data []byte) error      { return all(data, maxStatements, p) }

func all[T any, L ~[]T](data []byte, max int, into *L) error {
	return jsonlist.Each(data, max, func(d *json.Decoder) error {
		var one T
		err := d.Decode(&one)
		*into = append(*into, one)
		return err
	})
}

// FromAttestation makes a baseline of an attested run.
func FromAttestation(a Attested) Baseline {
	b := Baseline{
		From: a.From, RunID: a.RunID, Version: a.Version, FinishedAt: a.FinishedAt,
		Repository: a.Repository, Digest: a.Digest, Platform: a.Platform, Statements: []Statement{},
	}
	if !a.Sufficient {
		b.Problem = "the earlier run's evidence was insufficient"
		return b
	}
	if a.Document == nil {
		return b
	}
	statements, err := a.statements()
	for _, s := range []string{a.RunID, a.Version, a.Repository, a.Digest, a.Platform} {
		if err == nil && len(s) > maxText {
			err = fmt.Errorf("a string in it has %d bytes, at most %d are allowed", len(s), maxText)
		}
	}
	if err != nil {
		return Unusable(a.From, fmt.Errorf("reading the attested OpenVEX document: %w", err))
	}
	b.Statements = statements
	return b
}

func (a Attested) statements() ([]Statement, error) {
	if len(a.Document) > maxResult {
		return nil, fmt.Errorf("it has %d bytes, at most %d are read", len(a.Document), maxResult)
	}
	var doc openVEX
	if err := json.Unmarshal(a.Document, &doc); err != nil {
		return nil, err
	}
	other := make(map[string]bool, len(a.Spellings))
	for _, s := range a.Spellings {
		other[s] = true
	}
	out := []Statement{}
	for i := range doc.Statements {
		s := &doc.Statements[i]
		if len(s.Products) == 0 {
			return nil, errors.New("a statement names no product")
		}
		// All products are the same image by several names.
		for _, part := range s.Products[0].Subcomponents {
			if other[part.ID] {
				continue
			}
			if len(out) == maxStatements {
				return nil, fmt.Errorf("it has more than %d statements on packages", maxStatements)
			}
			one := Statement{
				Vulnerability: s.Vulnerability.Name, Aliases: slices.Clone(s.Vulnerability.Aliases), PURL: part.ID,
				Package: part.ID, Status: judge.Status(s.Status),
			}
			if p, err := packageurl.FromString(part.ID); err == nil {
				one.Package, one.Version, one.Type = p.Name, p.Version, p.Type
			}
			if err := one.check(); err != nil {
				return nil, fmt.Errorf("statement %d: %w", i+1, err)
			}
			out = append(out, one)
		}
	}
	return out, nil
}
