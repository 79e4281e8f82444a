package triage

import (
	"bytes"
	"encoding/json"
	"fmt"
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
