package triage

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"time"
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
	out.WriteString(`,"documents":[`)
	for i := range s.Documents {
		line, err := json.Marshal(&s.Documents[i])
		if err != nil {
			return nil, fmt.Errorf("encoding VEX: %w", err)
		}
		if i > 0 {
			out.WriteByte(',')
		}
		out.WriteByte('\n')
		out.Write(line)
	}
	out.WriteString("]}\n")
	return out.Bytes(), nil
}

// Decode reads what Encode gave. What it cannot read is a set of one document
// with a problem: a damaged one must clear nothing, and not be passed over.
func Decode(data []byte) *Set {
	var k struct {
		kept
		Documents []Document `json:"documents"`
	}
	age, err := time.Duration(0), json.Unmarshal(data, &k)
	if err == nil && k.Form != form {
		err = fmt.Errorf("its form is %d, this version reads %d", k.Form, form)
	}
	if err == nil {
		age, err = time.ParseDuration(k.MaxAge)
	}
	if err != nil {
		return Unusable("record", fmt.Errorf("reading the record's VEX: %w", err))
	}
	return &Set{MaxAge: age, Documents: k.Documents}
}

// Unusable is a set that says nothing but why.
func Unusable(source string, err error) *Set {
	return &Set{Documents: []Document{{Source: source, Problem: problem(err), Statements: []Statement{}}}}
}

// Raising gives the statements that make a finding worse, and none that clears
// one: what a set may still say whose keeper is not trusted.
func (s *Set) Raising() *Set {
	if s == nil {
		return nil
	}
	out := &Set{MaxAge: s.MaxAge}
	for _, d := range s.Documents {
		d.Statements = slices.DeleteFunc(slices.Clone(d.Statements), func(one Statement) bool { return one.Status.clears() })
		out.Documents = append(out.Documents, d)
	}
	return out
}

// With adds another set's documents, but for those that it has by the same
// path. The bound on the age is its own; either may be nil.
func (s *Set) With(other *Set) *Set {
	if s == nil || other == nil {
		return cmp.Or(s, other)
	}
	out := &Set{MaxAge: s.MaxAge, Documents: slices.Clone(s.Documents)}
	for _, d := range other.Documents {
		if !slices.ContainsFunc(s.Documents, func(own Document) bool { return own.Source == d.Source }) {
			out.Documents = append(out.Documents, d)
		}
	}
	return out
}
