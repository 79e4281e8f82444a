// Package sarif writes a judged image as SARIF 2.1.0
// (https://docs.oasis-open.org/sarif/sarif/v2.1.0/): what is affected alone,
// for GitHub's code scanning, which shows whatever it is given as an open
// alert, and the whole with suppressions, for everybody else. Pure.
package sarif

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/vexxy/action/internal/foreign"
	"github.com/vexxy/action/internal/inventory"
	"github.com/vexxy/action/internal/jsonlist"
	"github.com/vexxy/action/internal/judge"
	"github.com/vexxy/action/internal/report"
)

// The limits of code scanning
// (https://docs.github.com/code-security/code-scanning, SARIF support).
const (
	// Shown is how many results of a run it shows; it warns of more.
	Shown = 5_000
	// Accepted is how many results of a run it takes.
	Accepted = 25_000
	// MaxCompressed is the largest file that it takes, compressed by gzip, in
	// bytes.
	MaxCompressed = 10_000_000
)

// Options are what a host knows.
type Options struct {
	// Dockerfile is the file within the repository to which all results are
	// anchored, with forward slashes; "Dockerfile" when it is empty, absolute
	// or leads out.
	Dockerfile string
	// Open takes in what is under investigation, as notes, also where the
	// evidence is sufficient.
	Open bool
}

// Document is a SARIF file.
type Document struct {
	Data []byte
	// Results is how many it has, Left how many were left out to keep the
	// limits. The file says so itself.
	Results, Left int
}

// Affected gives the file to upload: what is affected, and what is under
// investigation with Options.Open or where the evidence is insufficient; the
// worst Shown of it. Code scanning closes an alert that a later file lacks, and
// evidence that cannot tell closes none.
func Affected(img report.Image, o Options) (Document, error) {
	statuses := []judge.Status{judge.Affected}
	if o.Open || !img.Judgement.Sufficient {
		statuses = append(statuses, judge.UnderInvestigation)
	}
	return fit(img, o, Shown, false, statuses)
}

// Complete gives the file with all findings: what is not affected or fixed is
// suppressed with its reason, what is under investigation is under review.
func Complete(img report.Image, o Options) (Document, error) {
	return fit(img, o, Accepted, true, []judge.Status{judge.Affected, judge.UnderInvestigation, judge.NotAffected, judge.Fixed})
}

// fit writes as many results as the limits allow, the worst first.
func fit(img report.Image, o Options, most int, suppress bool, statuses []judge.Status) (Document, error) {
	var all []*judge.Assessment
	for _, status := range statuses {
		for i := range img.Judgement.Assessments {
			if a := &img.Judgement.Assessments[i]; a.Status == status {
				all = append(all, a)
			}
		}
	}
	for n := min(most, len(all)); ; n /= 2 {
		data, err := write(img, o, all[:n], len(all)-n, suppress)
		if err != nil {
			return Document{}, fmt.Errorf("writing SARIF: %w", err)
		}
		small, err := compressible(data)
		if err != nil {
			return Document{}, fmt.Errorf("compressing SARIF: %w", err)
		}
		if small || n == 0 {
			return Document{data, n, len(all) - n}, nil
		}
	}
}

// compressible reports whether a file keeps MaxCompressed.
func compressible(data []byte) (bool, error) {
	if len(data) < MaxCompressed*9/10 {
		return true, nil
	}
	var out counter
	z := gzip.NewWriter(&out)
	if _, err := z.Write(data); err != nil {
		return false, err
	}
	err := z.Close()
	return out <= MaxCompressed, err
}

type counter int

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

// write writes the file with a rule and a result to a line.
func write(img report.Image, o Options, all []*judge.Assessment, left int, suppress bool) ([]byte, error) {
	w := writer{img: img, o: o, suppress: suppress, ruleIndex: map[string]int{}, seen: map[string]int{}}
	for _, a := range all {
		w.add(a)
	}
	notes := notifications(img, len(all), left)
	head, err := json.MarshalIndent(w.run(notes), "    ", "  ")
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	out.Grow(len(head) + 500*len(w.rules) + 1000*len(w.results))
	out.WriteString("{\n  \"$schema\": \"https://json.schemastore.org/sarif-2.1.0.json\",\n  \"version\": \"2.1.0\",\n  \"runs\": [\n    ")
	before, after, ok := bytes.Cut(head, []byte(rulesHere))
	if !ok {
		return nil, fmt.Errorf("the run has no place for rules")
	}
	out.Write(before)
	if err := lines(&out, "rules", w.rules); err != nil {
		return nil, err
	}
	before, after, ok = bytes.Cut(after, []byte(resultsHere))
	if !ok {
		return nil, fmt.Errorf("the run has no place for results")
	}
	out.Write(before)
	if err := lines(&out, "results", w.results); err != nil {
		return nil, err
	}
	out.Write(after)
	out.WriteString("\n  ]\n}\n")
	return foreign.JSON(out.Bytes()), nil
}

// here stands in the run where a list goes; rulesHere and resultsHere are
// where it stands, key and value: no text within JSON has quotation marks of
// its own, so that nothing foreign looks like them.
const (
	here        = "here"
	rulesHere   = `"rules": "here"`
	resultsHere = `"results": "here"`
)

// lines writes a key with a list, an item to a line.
func lines[T any](out *bytes.Buffer, key string, items []T) error {
	fmt.Fprintf(out, "%q: ", key)
	return jsonlist.Write(out, items)
}

// severe reports whether the severity of a is worse than that of b.
func severe(a, b *judge.Assessment) bool { return severityRank(a) < severityRank(b) }

func severityRank(a *judge.Assessment) int {
	if i := slices.Index(inventory.Severities, a.Severity); i >= 0 {
		return i
	}
	return len(inventory.Severities)
}
