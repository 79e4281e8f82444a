// Package consume reads a finished OpenVEX document as the programs do that
// will be given it, and says which findings each of them would hide. A document
// that hides anything but the intended findings must not leave the run.
package consume

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/vexxy/action/internal/foreign"
	"github.com/vexxy/action/internal/judge"
	"github.com/vexxy/action/internal/record"
)

// Finding names one finding of the record.
type Finding struct {
	Vulnerability string `json:"vulnerability"`
	PackageID     string `json:"package_id"`
}

func (f Finding) compare(g Finding) int {
	if d := strings.Compare(f.Vulnerability, g.Vulnerability); d != 0 {
		return d
	}
	return strings.Compare(f.PackageID, g.PackageID)
}

// Reading is what one consumer makes of the document when it knows the image
// by one name.
type Reading struct {
	// Consumer is grype or trivy.
	Consumer string `json:"consumer"`
	// Image is the name under which it knows the image: a repository with a
	// digest, or local.
	Image string `json:"image"`
	// Suppressed are the findings that it hides, sorted.
	Suppressed []Finding `json:"suppressed"`
	// Missing are intended and shown, Extra hidden and not intended.
	Missing []Finding `json:"missing,omitempty"`
	Extra   []Finding `json:"extra,omitempty"`
}

// Result is what all consumers make of the document.
type Result struct {
	// OK says that every consumer hides exactly the intended findings.
	OK bool `json:"ok"`
	// Intended are the findings judged not_affected or fixed, sorted.
	Intended []Finding `json:"intended"`
	// Undecided are findings that no assessment, or more than one, speaks of.
	Undecided []Finding `json:"undecided,omitempty"`
	Readings  []Reading `json:"readings"`
}

// String says in one line what is wrong, or that nothing is.
func (r Result) String() string {
	if len(r.Undecided) > 0 {
		return fmt.Sprintf("%d findings without exactly one assessment, the first %s", len(r.Undecided), r.Undecided[0])
	}
	for _, x := range r.Readings {
		switch {
		case len(x.Extra) > 0:
			return fmt.Sprintf("%s, knowing the image as %s, would hide %d findings that are not cleared, the first %s",
				x.Consumer, foreign.Text(x.Image).Line(160), len(x.Extra), x.Extra[0])
		case len(x.Missing) > 0:
			return fmt.Sprintf("%s, knowing the image as %s, would show %d findings that are cleared, the first %s",
				x.Consumer, foreign.Text(x.Image).Line(160), len(x.Missing), x.Missing[0])
		}
	}
	return fmt.Sprintf("all consumers hide exactly the %d intended findings", len(r.Intended))
}

// String gives the finding as printable text.
func (f Finding) String() string {
	return foreign.Text(f.Vulnerability).Line(40) + " in " + foreign.Text(f.PackageID).Line(60)
}

// Check reads the document by the libraries of Grype and, as Trivy calls it,
// go-vex, once for each name under which they may know the image. An error
// means that the document could not be read at all.
func Check(ctx context.Context, document []byte, r record.Record, j judge.Judgement) (Result, error) {
	out := Result{Intended: []Finding{}}
	out.intend(r, j)
	readers := []struct {
		name string
		read func(context.Context, []byte, record.Record, image) ([]Finding, error)
	}{{"grype", grype}, {"trivy", trivy}}
	names := images(r.Subject)
	out.Readings = make([]Reading, len(names)*len(readers))
	g, ctx := errgroup.WithContext(ctx) // each walks the whole document for each finding
	for i, img := range names {
		for k, reader := range readers {
			g.Go(func() error {
				suppressed, err := reader.read(ctx, document, r, img)
				if err != nil {
					return fmt.Errorf("reading the document as %s does: %w", reader.name, err)
				}
				out.Readings[i*len(readers)+k] = compare(out.Intended, reader.name, img, suppressed)
				return nil
			})
		}
	}
	if err := g.Wait(); err != nil {
		return Result{}, err
	}
	out.OK = len(out.Undecided) == 0
	for _, x := range out.Readings {
		out.OK = out.OK && len(x.Missing) == 0 && len(x.Extra) == 0
	}
	return out, nil
}

// intend lists the findings that are to be hidden.
func (r *Result) intend(rec record.Record, j judge.Judgement) {
	verdicts := map[Finding][]judge.Status{}
	for i := range j.Assessments {
		a := &j.Assessments[i]
		for _, pkg := range a.PackageIDs {
			for _, id := range append([]string{a.Vulnerability}, a.Aliases...) {
				f := Finding{id, pkg}
				verdicts[f] = append(verdicts[f], a.Status)
			}
		}
	}
	for _, f := range all(rec) {
		switch v := verdicts[f]; {
		case len(v) != 1:
			r.Undecided = append(r.Undecided, f)
		case v[0] == judge.NotAffected || v[0] == judge.Fixed:
			r.Intended = append(r.Intended, f)
		}
	}
}

// all lists the record's findings, each once, sorted.
func all(r record.Record) []Finding {
	out := make([]Finding, len(r.Inventory.Findings))
	for i, f := range r.Inventory.Findings {
		out[i] = Finding{f.ID, f.PackageID}
	}
	slices.SortFunc(out, Finding.compare)
	return slices.Compact(out)
}

// compare sets what a consumer hides against what was intended.
func compare(intended []Finding, consumer string, img image, suppressed []Finding) Reading {
	slices.SortFunc(suppressed, Finding.compare)
	suppressed = slices.Compact(suppressed)
	return Reading{
		Consumer: consumer, Image: img.String(), Suppressed: suppressed,
		Missing: without(intended, suppressed), Extra: without(suppressed, intended),
	}
}

// without gives what is in a and not in b, both sorted.
func without(a, b []Finding) []Finding {
	var out []Finding
	for _, f := range a {
		if _, found := slices.BinarySearchFunc(b, f, Finding.compare); !found {
			out = append(out, f)
		}
	}
	return out
}
