package triage

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/vexxy/action/internal/foreign"
	"github.com/vexxy/action/internal/jsonlist"
)

// The bounds of what is read.
const (
	MaxFile       = 8 << 20 // bytes of one document
	maxFiles      = 200
	maxTotal      = 24 << 20  // bytes of all documents
	maxStatements = 20_000    // of one document
	maxProducts   = 2000      // of one statement
	maxParts      = 5000      // subcomponents of one product
	maxNames      = 100       // identifiers and hashes of one thing
	maxComponents = 200_000   // of one document, over all statements
	maxPairs      = 2_000_000 // of a vulnerability and a product or subcomponent, over all documents
	maxIgnored    = 20        // documents that are told to be ignored, one by one
	maxKept       = 1000      // documents that a record keeps of one side
	maxName       = 4096      // bytes of an identifier; a longer one names nothing
	maxText       = 2000      // bytes of a text; more is cut
)

// tooMuch is an error on what has more than is read: none of it counts, though it
// could be understood.
type tooMuch string

func (e tooMuch) Error() string { return string(e) }

// wire is a document as it is written.
type wire struct {
	Context    string         `json:"@context"`
	ID         string         `json:"@id"`
	Author     string         `json:"author"`
	Role       string         `json:"role"`
	Timestamp  string         `json:"timestamp"`
	Tooling    string         `json:"tooling"`
	Statements wireStatements `json:"statements"`
}

type wireStatement struct {
	Vulnerability wireVulnerability `json:"vulnerability"`
	Products      wireProducts      `json:"products"`
	Status        string            `json:"status"`
	Justification string            `json:"justification"`
	Impact        string            `json:"impact_statement"`
	Action        string            `json:"action_statement"`
	Notes         string            `json:"status_notes"`
	Timestamp     string            `json:"timestamp"`
	LastUpdated   string            `json:"last_updated"`
}

type wireProduct struct {
	wireComponent
	Subcomponents wireComponents `json:"subcomponents"`
}

type wireComponent struct {
	ID          string            `json:"@id"`
	Identifiers map[string]string `json:"identifiers"`
	Hashes      map[string]string `json:"hashes"`
}

// Lists are read item by item, so that a small text cannot fill the memory
// with empty items.
type (
	wireStatements []wireStatement
	wireProducts   []wireProduct
	wireComponents []wireComponent
	names          []string
)

func (l *wireStatements) UnmarshalJSON(data []byte) error { return items(data, maxStatements, l) }
func (l *wireProducts) UnmarshalJSON(data []byte) error   { return items(data, maxProducts, l) }
func (l *wireComponents) UnmarshalJSON(data []byte) error { return items(data, maxParts, l) }
func (l *names) UnmarshalJSON(data []byte) error          { return items(data, maxNames, l) }

// items reads a JSON list of at most max items.
func items[T any, L ~[]T](data []byte, max int, into *L) error {
	err := jsonlist.Each(data, max, func(d *json.Decoder) error {
		var one T
		err := d.Decode(&one)
		*into = append(*into, one)
		return err
	})
	if errors.Is(err, jsonlist.ErrTooMany) {
		return tooMuch(err.Error())
	}
	return err
}

// wireVulnerability is an object, or the plain name of OpenVEX 0.0.
type wireVulnerability struct{ ids []string }

func (v *wireVulnerability) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] == '"' {
		var name string
		if err := json.Unmarshal(data, &name); err != nil {
			return err
		}
		v.ids = usable(name)
		return nil
	}
	var o struct {
		ID      string `json:"@id"`
		Name    string `json:"name"`
		Aliases names  `json:"aliases"`
	}
	if err := json.Unmarshal(data, &o); err != nil {
		return err
	}
	v.ids = usable(append([]string{o.Name, o.ID}, o.Aliases...)...)
	return nil
}

// usable leaves out what is empty or too long to name anything, and what is
// there already.
func usable(all ...string) []string {
	var out []string
	for _, s := range all {
		if s != "" && len(s) <= maxName && !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// own is the name by which vexxy signs its documents: those are a program's
// word, not a person's, wherever they lie.
const own = "vexxy"

// parse reads a document. What of it cannot be read is an error, what cannot be
// understood is counted.
func parse(source string, data []byte) (Document, error) {
	d := Document{Source: source, Statements: []Statement{}}
	if len(data) > MaxFile {
		return d, tooMuch(fmt.Sprintf("it has %d bytes, at most %d are read", len(data), MaxFile))
	}
	var w wire
	if err := json.Unmarshal(data, &w); err != nil {
		return d, fmt.Errorf("decoding it: %w", err)
	}
	if !strings.HasPrefix(w.Context, "https://openvex.dev/ns") {
		return d, errors.New("it is no OpenVEX document: its @context is not https://openvex.dev/ns")
	}
	d.ID, d.Author, d.Role = cut(w.ID), cut(w.Author), cut(w.Role)
	if w.Author == own || w.Tooling == own || strings.HasPrefix(w.Tooling, own+" ") {
		d.Problem = "vexxy has made it: a program's statements are not a person's"
		return d, nil
	}
	if strings.TrimSpace(w.Author) == "" {
		return d, errors.New("it names no author")
	}
	for i := range w.Statements {
		s := w.Statements[i].statement(w.Timestamp)
		if len(s.Vulnerability) == 0 || len(s.Products) == 0 || !known(s) {
			d.Unread++
			continue
		}
		d.Statements = append(d.Statements, s)
	}
	return d, bounded(&d)
}

// bounded sees that a document names no more than is looked for.
func bounded(d *Document) error {
	components := 0
	for i := range d.Statements {
		components += d.Statements[i].components()
	}
	if components > maxComponents {
		return tooMuch(fmt.Sprintf("its statements name more than %d products and subcomponents", maxComponents))
	}
	return nil
}

func (s *Statement) components() int {
	n := 0
	for i := range s.Products {
		n += 1 + len(s.Products[i].Subcomponents)
	}
	return n
}

// pairs counts what a document has to be looked up by: its statements'
// vulnerabilities with what each names.
func pairs(d *Document) int {
	n := 0
	for i := range d.Statements {
		s := &d.Statements[i]
		names := 0
		for k := range s.Products {
			names += len(s.Products[k].IDs)
			for j := range s.Products[k].Subcomponents {
				names += len(s.Products[k].Subcomponents[j].IDs)
			}
		}
		n += len(s.Vulnerability) * names
	}
	return n
}

// known reports whether a statement says something that OpenVEX lets it say.
func known(s Statement) bool {
	if _, is := rank[s.Status]; !is {
		return false
	}
	switch {
	case s.Justification != "" && !slices.Contains(Justifications, s.Justification):
		return false
	case s.Status == NotAffected:
		return s.Justification != "" || s.Impact != ""
	}
	return true
}

func (w *wireStatement) statement(documentTime string) Statement {
	s := Statement{
		Vulnerability: w.Vulnerability.ids, Status: Status(w.Status), Justification: w.Justification,
		Impact: cut(w.Impact), Action: cut(w.Action), Notes: cut(w.Notes),
	}
	if s.Status != NotAffected { // the grounds of nothing else
		s.Justification, s.Impact = "", ""
	}
	for _, at := range []string{w.LastUpdated, w.Timestamp, documentTime} {
		if t, err := time.Parse(time.RFC3339, at); err == nil {
			s.At = t.UTC()
			break
		}
	}
	for i := range w.Products {
		p := Product{Component: w.Products[i].component()}
		for k := range w.Products[i].Subcomponents {
			p.Subcomponents = append(p.Subcomponents, w.Products[i].Subcomponents[k].component())
		}
		if len(p.IDs)+len(p.Hashes) > 0 {
			s.Products = append(s.Products, p)
		}
	}
	return s
}

func (w *wireComponent) component() Component {
	c := Component{IDs: usable(w.ID)}
	add := func(to *[]string, from map[string]string) {
		for _, name := range slices.Sorted(maps.Keys(from)) {
			if s := usable(from[name]); len(*to) < maxNames && len(s) > 0 && !slices.Contains(*to, s[0]) {
				*to = append(*to, s[0])
			}
		}
	}
	add(&c.IDs, w.Identifiers)
	add(&c.Hashes, w.Hashes)
	return c
}

// cut bounds a text for the record.
func cut(s string) string {
	if len(s) <= maxText {
		return s
	}
	return strings.ToValidUTF8(s[:maxText], "") + "…"
}

// problem is an error as a line in a record.
func problem(err error) string { return foreign.Text(err.Error()).Line(500) }
