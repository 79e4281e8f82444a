package triage

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/vexxy/action/internal/jsonlist"
)

// form is the version of the form in which a record keeps a set.
const form = 1

type kept struct {
	Form   int    `json:"form"`
	MaxAge string `json:"max_age"`
}

// Encode gives the form in which a record keeps a set, so that its replay
// judges by the same: one document to a line.
func Encode(s *Set) ([]byte, error) {
	head, err := json.Marshal(kept{form, s.MaxAge.String()})
	if err != nil {
		return nil, fmt.Errorf("encoding VEX: %w", err)
	}
	var out bytes.Buffer
	out.Write(bytes.TrimSuffix(head, []byte("}")))
	out.WriteString(`,"documents":`)
	if err := jsonlist.Write(&out, s.Documents); err != nil {
		return nil, fmt.Errorf("encoding VEX: %w", err)
	}
	out.WriteString("}\n")
	return out.Bytes(), nil
}

// What a record keeps is read as a document is: item by item, within bounds.
type (
	keptDocuments []keptDocument
	keptDocument  struct {
		Document
		Statements keptStatements `json:"statements"`
	}
	keptStatements []keptStatement
	keptStatement  struct {
		Statement
		Vulnerability names        `json:"vulnerability"`
		Products      keptProducts `json:"products"`
	}
	keptProducts []keptProduct
	keptProduct  struct {
		keptComponent
		Subcomponents keptComponents `json:"subcomponents"`
	}
	keptComponents []keptComponent
	keptComponent  struct {
		IDs    names `json:"ids"`
		Hashes names `json:"hashes"`
	}
)

func (l *keptDocuments) UnmarshalJSON(data []byte) error  { return items(data, 2*maxKept, l) }
func (l *keptStatements) UnmarshalJSON(data []byte) error { return items(data, maxStatements, l) }
func (l *keptProducts) UnmarshalJSON(data []byte) error   { return items(data, maxProducts, l) }
func (l *keptComponents) UnmarshalJSON(data []byte) error { return items(data, maxParts, l) }

func (k *keptComponent) component() Component {
	return Component{usable(k.IDs...), usable(k.Hashes...)}
}

// document leaves out what parse would.
func (k *keptDocument) document() (Document, error) {
	d := k.Document
	d.Statements = []Statement{}
	for i := range k.Statements {
		one := &k.Statements[i]
		s := one.Statement
		s.Vulnerability, s.Products = usable(one.Vulnerability...), nil
		for _, p := range one.Products {
			product := Product{Component: p.component()}
			for _, sub := range p.Subcomponents {
				product.Subcomponents = append(product.Subcomponents, sub.component())
			}
			s.Products = append(s.Products, product)
		}
		if !known(s) {
			d.Unread++
			continue
		}
		for _, text := range []*string{&s.Impact, &s.Action, &s.Notes, &s.Void} {
			*text = recut(*text)
		}
		d.Statements = append(d.Statements, s)
	}
	for _, text := range []*string{&d.Source, &d.ID, &d.Author, &d.Role, &d.Problem} {
		*text = recut(*text)
	}
	return d, bounded(&d)
}

// recut bounds a text that was cut before.
func recut(s string) string {
	if len(s) <= maxText+len("…") {
		return s
	}
	return cut(s)
}

// Decode reads what Encode gave. What it cannot read is a set of one document
// with a problem: a damaged one must clear nothing, and not be passed over.
func Decode(data []byte) *Set {
	var k struct {
		kept
		Documents keptDocuments `json:"documents"`
	}
	age, err := time.Duration(0), json.Unmarshal(data, &k)
	if err == nil && k.Form != form {
		err = fmt.Errorf("its form is %d, this version reads %d", k.Form, form)
	}
	if err == nil {
		age, err = time.ParseDuration(k.MaxAge)
	}
	s := &Set{MaxAge: age}
	for i := 0; err == nil && i < len(k.Documents); i++ {
		var d Document
		if d, err = k.Documents[i].document(); err == nil {
			s.Documents = append(s.Documents, d)
		}
	}
	if err == nil {
		err = s.fits()
	}
	if err != nil {
		return Unusable("record", fmt.Errorf("reading the record's VEX: %w", err))
	}
	return s
}

// fits sees that neither what is a job's own nor what is of another's record
// is more than is looked for: each by itself, so that neither takes the place
// of the other.
func (s *Set) fits() error {
	var n, all [2]int
	for i := range s.Documents {
		side := 0
		if s.Documents[i].Foreign {
			side = 1
		}
		n[side], all[side] = n[side]+1, all[side]+pairs(&s.Documents[i])
	}
	if max(n[0], n[1]) > maxKept || max(all[0], all[1]) > maxPairs {
		return tooMuch("it has more documents or names than are looked for")
	}
	return nil
}

// Unusable is a set that says nothing but why.
func Unusable(source string, err error) *Set {
	return &Set{Documents: []Document{{Source: source, Problem: problem(err), Statements: []Statement{}}}}
}

// Raising gives the statements that make a finding worse, and none that clears
// one, as another job's record's: what a set may still say whose keeper is not
// trusted.
func (s *Set) Raising() *Set {
	if s == nil {
		return nil
	}
	out := &Set{MaxAge: s.MaxAge}
	for _, d := range s.Documents {
		d.Foreign = true
		d.Statements = slices.DeleteFunc(slices.Clone(d.Statements), func(one Statement) bool { return !one.Status.raises() })
		out.Documents = append(out.Documents, d)
	}
	if err := out.fits(); err != nil {
		out = Unusable("record", err)
		out.Documents[0].Foreign = true
	}
	return out
}

// With adds another set's documents, but for those that it has by the same path
// and could read. The bound on the age is its own; either may be nil.
func (s *Set) With(other *Set) *Set {
	if s == nil || other == nil {
		return cmp.Or(s, other)
	}
	out := &Set{MaxAge: s.MaxAge, Documents: slices.Clone(s.Documents)}
	for _, d := range other.Documents {
		if !slices.ContainsFunc(s.Documents, func(own Document) bool { return own.Source == d.Source && own.Problem == "" }) {
			out.Documents = append(out.Documents, d)
		}
	}
	return out
}

// Current voids what clears nothing at a time that the set's keeper knows: a
// record's own time is its maker's word.
func (s *Set) Current(now time.Time) *Set {
	if s == nil {
		return nil
	}
	out := &Set{MaxAge: s.MaxAge}
	for _, d := range s.Documents {
		d.Statements = slices.Clone(d.Statements)
		for i := range d.Statements {
			d.Statements[i].Void = s.void(&d.Statements[i], now)
		}
		out.Documents = append(out.Documents, d)
	}
	return out
}
