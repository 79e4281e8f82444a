// Package vexdoc writes a judgement as an OpenVEX document that the programs
// which read such documents match against exactly the findings meant.
package vexdoc

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/openvex/go-vex/pkg/vex"

	"github.com/vexxy/action/internal/foreign"
	"github.com/vexxy/action/internal/judge"
	"github.com/vexxy/action/internal/record"
)

// Author is the author of every document.
const Author = "vexxy"

// LocalRole is the author's role in documents on images that no registry
// published. Such a document names packages as products, not the image: it is
// for use beside that image alone and must never be attested or merged with
// others.
const LocalRole = "local image: package URLs as products, not for publication"

// ErrEmpty says that there is nothing to state: OpenVEX 0.2.0 asks for at
// least one statement, so that a record without findings has no document.
var ErrEmpty = errors.New("no finding to make a statement on")

// document is an OpenVEX 0.2.0 document
// (https://github.com/openvex/spec/blob/v0.2.0/OPENVEX-SPEC.md). go-vex's own
// type writes the same, several times slower.
type document struct {
	Context   string `json:"@context"`
	ID        string `json:"@id"`
	Author    string `json:"author"`
	Role      string `json:"role,omitempty"`
	Timestamp string `json:"timestamp"`
	Version   int    `json:"version"`
	Tooling   string `json:"tooling,omitempty"`
}

type statement struct {
	Vulnerability   vulnerability     `json:"vulnerability"`
	Timestamp       string            `json:"timestamp,omitempty"`
	Products        []product         `json:"products"`
	Status          vex.Status        `json:"status"`
	StatusNotes     string            `json:"status_notes,omitempty"`
	Justification   vex.Justification `json:"justification,omitempty"`
	ImpactStatement string            `json:"impact_statement,omitempty"`
	ActionStatement string            `json:"action_statement,omitempty"`
}

type vulnerability struct {
	Name    string   `json:"name"`
	Aliases []string `json:"aliases,omitempty"`
}

type product struct {
	ID            string      `json:"@id"`
	Subcomponents []component `json:"subcomponents,omitempty"`
}

type component struct {
	ID string `json:"@id"`
}

// Build writes the document, one statement a line. It depends on record and
// judgement alone: the time is that of the run's end.
func Build(r record.Record, j judge.Judgement) ([]byte, error) {
	if len(j.Assessments) == 0 {
		return nil, ErrEmpty
	}
	d := document{
		Context: vex.ContextLocator(), ID: documentID(r), Author: Author, Version: 1,
		Timestamp: stamp(r.Run.FinishedAt), Tooling: strings.TrimSpace("vexxy " + r.Run.Version),
	}
	if r.Subject.Local() {
		d.Role = LocalRole
	}
	products, err := Products(r.Subject)
	if err != nil {
		return nil, fmt.Errorf("naming products: %w", err)
	}
	w := writer{record: r, id: d.ID, products: products}
	return w.write(d, j.Assessments)
}

// documentID is an IRI made of the run and the image's digest.
func documentID(r record.Record) string {
	return "https://github.com/vexxy/action/vex/" + url.PathEscape(cmp.Or(r.Run.ID, "unnamed")) + "/" + url.PathEscape(cmp.Or(r.Subject.Digest(), "unknown"))
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

// writer turns assessments into statements.
type writer struct {
	record   record.Record
	id       string
	products []string // of the image; none for a local image
}

// group is one statement's worth of assessments.
type group struct {
	first *judge.Assessment
	parts []string // subcomponents
}

// write encodes header and statements.
func (w writer) write(d document, assessments []judge.Assessment) ([]byte, error) {
	groups, mixed := w.group(assessments)
	var out bytes.Buffer
	header, err := encode(d)
	if err != nil {
		return nil, err
	}
	out.Write(bytes.TrimSuffix(header, []byte("}")))
	out.WriteString(`,"statements":[`)
	for i, g := range groups {
		line, err := encode(w.statement(g, mixed[g.first.Vulnerability]))
		if err != nil {
			return nil, err
		}
		if i > 0 {
			out.WriteByte(',')
		}
		out.WriteByte('\n')
		out.Write(line)
	}
	out.WriteString("\n]}\n")
	return out.Bytes(), nil
}

// group joins the assessments that differ in their packages alone, and tells
// which vulnerabilities have more than one status.
func (w writer) group(assessments []judge.Assessment) ([]*group, map[string]bool) {
	type key struct {
		vulnerability, text string
		status              judge.Status
		grounds             grounds
	}
	var groups []*group
	byKey := map[key]*group{}
	status, mixed := map[string]judge.Status{}, map[string]bool{}
	for i := range assessments {
		a := &assessments[i]
		if s, known := status[a.Vulnerability]; known && s != a.Status {
			mixed[a.Vulnerability] = true
		}
		status[a.Vulnerability] = a.Status
		k := key{a.Vulnerability, a.Text, a.Status, groundsOf(a)}
		g := byKey[k]
		if g == nil {
			g = &group{first: a}
			byKey[k] = g
			groups = append(groups, g)
		}
		g.parts = append(g.parts, w.parts(a)...)
	}
	for _, g := range groups {
		slices.Sort(g.parts)
		g.parts = slices.Compact(g.parts)
	}
	slices.SortFunc(groups, func(a, b *group) int {
		return cmp.Or(
			strings.Compare(a.first.Vulnerability, b.first.Vulnerability),
			strings.Compare(string(a.first.Status), string(b.first.Status)),
			strings.Compare(a.parts[0], b.parts[0]),
		)
	})
	return groups, mixed
}

// parts names the packages of an assessment. One without package URL is named
// by an IRI of this document, which no consumer takes for anything else.
func (w writer) parts(a *judge.Assessment) []string {
	if a.PURL != "" {
		return a.SubcomponentPURLs
	}
	out := make([]string, len(a.PackageIDs))
	for i, id := range a.PackageIDs {
		out[i] = w.id + "#package-" + url.QueryEscape(id)
	}
	return out
}

// statement makes one statement of a group.
func (w writer) statement(g *group, mixed bool) statement {
	a := g.first
	s := statement{
		Vulnerability: vulnerability{Name: a.Vulnerability, Aliases: a.Aliases},
		Status:        vex.Status(a.Status),
	}
	// vexctl looks at the vulnerability alone and takes the oldest statement:
	// where one vulnerability has several statuses the worse is the older.
	age := time.Duration(0)
	switch a.Status {
	case judge.Affected:
		s.ActionStatement, age = a.Text, 2*time.Second
	case judge.NotAffected:
		g := groundsOf(a)
		s.StatusNotes, s.Justification, s.ImpactStatement = a.Text, g.justification, g.impact
	case judge.UnderInvestigation:
		s.StatusNotes, age = a.Text, time.Second
	default:
		s.StatusNotes = a.Text
	}
	if mixed && age > 0 {
		s.Timestamp = stamp(w.record.Run.FinishedAt.Add(-age))
	}
	components := make([]component, len(g.parts))
	for i, p := range g.parts {
		components[i].ID = p
	}
	if len(w.products) == 0 {
		for _, c := range components {
			s.Products = append(s.Products, product{ID: c.ID})
		}
		return s
	}
	for _, p := range w.products {
		s.Products = append(s.Products, product{ID: p, Subcomponents: components})
	}
	return s
}

// grounds are why something is not affected.
type grounds struct {
	justification vex.Justification
	impact        string
}

// groundsOf gives the evidence's grounds, or those of the person on whose word
// it is not affected.
func groundsOf(a *judge.Assessment) grounds {
	switch {
	case a.Status != judge.NotAffected:
		return grounds{}
	case a.Reason != judge.ReasonHuman || a.Human == nil:
		return grounds{justification: vex.VulnerableCodeNotInExecutePath}
	case a.Human.Justification != "":
		return grounds{justification: vex.Justification(a.Human.Justification)}
	}
	return grounds{impact: foreign.Text(a.Human.Impact).Line(480)}
}

// encode writes v as JSON without a line break and without HTML escapes.
func encode(v any) ([]byte, error) {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, fmt.Errorf("encoding statement: %w", err)
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
}
