// Package baseline holds what an earlier run said of an image, and compares a
// judgement with it: what is newly affected, what is gone, what has another
// status. An earlier result is hostile input. One that cannot be read, or that
// was made on insufficient evidence, makes nothing old: everything counts as
// new then, and Baseline.Problem says why.
package baseline

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/foreign"
	"github.com/vexxy/action/internal/inventory"
	"github.com/vexxy/action/internal/jsonlist"
	"github.com/vexxy/action/internal/judge"
)

// form is the version of the form in which a record keeps a baseline.
const form = 1

// Baseline is what an earlier run said of one image. All text in it is foreign.
type Baseline struct {
	// From is the path of the result as it was given.
	From string `json:"from"`
	// RunID, Version (of vexxy) and FinishedAt are the earlier run's.
	RunID      string    `json:"run_id,omitempty"`
	Version    string    `json:"vexxy_version,omitempty"`
	FinishedAt time.Time `json:"finished_at,omitzero"`
	// Requested, Repository, Digest and Platform name the image it was about.
	Requested  string `json:"requested,omitempty"`
	Repository string `json:"repository,omitempty"`
	Digest     string `json:"digest,omitempty"`
	Platform   string `json:"platform,omitempty"`
	// Problem is one bounded line that says why nothing can be compared with
	// it; empty when all can.
	Problem string `json:"problem,omitempty"`
	// Statements are what it said; none where there is a problem.
	Statements []Statement `json:"statements"`
}

// Usable reports whether a judgement can be compared with it.
func (b Baseline) Usable() bool { return b.Problem == "" }

// Statement is what an earlier run said of one vulnerability in one package.
type Statement struct {
	Vulnerability string             `json:"vulnerability"`
	Aliases       []string           `json:"aliases,omitempty"`
	PURL          string             `json:"purl,omitempty"`
	Package       string             `json:"package"`
	Version       string             `json:"version,omitempty"`
	Type          string             `json:"type,omitempty"`
	Severity      inventory.Severity `json:"severity,omitempty"`
	Status        judge.Status       `json:"status"`
}

// maxProblem is the greatest length of Baseline.Problem, in bytes.
const maxProblem = 500

// Unusable is a baseline with which nothing can be compared, as of a run that
// was given none. err says why; its hint is kept.
func Unusable(from string, err error) Baseline {
	why := err.Error()
	if hint := fault.HintOf(err); hint != "" {
		why += " (" + hint + ")"
	}
	return Baseline{From: from, Problem: foreign.Text(why).Line(maxProblem), Statements: []Statement{}}
}

// kept is a baseline in a record.
type kept struct {
	Form int `json:"form"`
	Baseline
}

// Encode gives the form in which a record keeps a baseline, so that its replay
// compares with the same: one statement to a line.
func Encode(b Baseline) ([]byte, error) {
	statements := b.Statements
	b.Statements = nil
	head, err := json.Marshal(kept{form, b})
	if err != nil {
		return nil, fmt.Errorf("encoding baseline: %w", err)
	}
	var out bytes.Buffer
	out.Write(bytes.TrimSuffix(head, []byte("null}"))) // the statements are last
	if err := jsonlist.Write(&out, statements); err != nil {
		return nil, fmt.Errorf("encoding baseline: %w", err)
	}
	out.WriteString("}\n")
	return out.Bytes(), nil
}

// Decode reads what Encode gave. What it cannot read is a baseline with a
// problem: a damaged one must make nothing old.
func Decode(data []byte) Baseline {
	var k struct {
		Form int `json:"form"`
		Baseline
		Statements statements `json:"statements"`
	}
	err := json.Unmarshal(data, &k)
	switch {
	case err != nil:
		return Unusable("", fmt.Errorf("reading the record's baseline: %w", err))
	case k.Form != form:
		return Unusable(k.From, fmt.Errorf("reading the record's baseline: its form is %d, this version reads %d", k.Form, form))
	}
	b := k.Baseline
	b.Statements = k.Statements
	if b.Statements == nil || !b.Usable() {
		b.Statements = []Statement{}
	}
	return b
}
