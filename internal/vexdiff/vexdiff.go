// Package vexdiff compares our judgement with the OpenVEX document that
// Kubescape made of the same workload, statement by statement, and says why
// they differ. It decides nothing: Kubescape's document is evidence of what
// Kubescape thinks, and hostile input like all that came out of a cluster.
package vexdiff

import (
	"cmp"
	"slices"
	"strings"

	"github.com/vexxy/action/internal/evidence"
	"github.com/vexxy/action/internal/foreign"
	"github.com/vexxy/action/internal/inventory"
	"github.com/vexxy/action/internal/judge"
	"github.com/vexxy/action/internal/record"
)

// Comparison is what came of comparing one record's judgement with Kubescape's
// own document.
type Comparison struct {
	// Missing says in words why there is nothing to compare with; empty when
	// there is.
	Missing string
	// Statements counts theirs, Unread those of them that name no package or no
	// vulnerability, Swapped those with the identifier in the name's place,
	// Repeated those that speak again of a pair that another one spoke of.
	// Truncated says that there were more than were read.
	Statements, Unread, Swapped, Repeated int
	Truncated                             bool
	// Compared counts the pairs of vulnerability and package that either side
	// has, Same those of one status on both, Clears those that they call not
	// affected and that were seen in use.
	Compared, Same, Clears int
	// Tallies count the differences by reason, the worst reason first.
	Tallies []Tally
	// Differences are all pairs that are not the same: those that they clear
	// wrongly first, then by reason and in the order of our assessments.
	Differences []Difference
}

// Tally is the number of differences for one reason.
type Tally struct {
	Reason Reason `json:"reason"`
	// Meaning is the reason in a sentence.
	Meaning string `json:"meaning"`
	Count   int    `json:"count"`
	// Clears counts those of them that Kubescape calls not affected though they
	// were seen in use.
	Clears int `json:"clears"`
}

// Difference is one pair of vulnerability and package.
type Difference struct {
	Vulnerability string             `json:"vulnerability"`
	PURL          string             `json:"purl"`
	Package       string             `json:"package,omitempty"`
	Version       string             `json:"version,omitempty"`
	Severity      inventory.Severity `json:"severity,omitempty"`
	// Theirs are the statuses of their statements on the pair, sorted and
	// joined by a plus; empty when they have none. Ours is empty likewise.
	Theirs string       `json:"theirs"`
	Ours   judge.Status `json:"ours"`
	Reason Reason       `json:"reason"`
	// Clears says that they call it not affected and it was seen in use.
	Clears bool `json:"clears,omitempty"`
	// Detail is what the reason says of this pair, one bounded line.
	Detail string `json:"detail,omitempty"`
}

// Compare compares a judgement with the document in its record. It gives nil
// for a record of an engine without Kubescape.
func Compare(r record.Record, j judge.Judgement) *Comparison {
	k := r.Evidence.Kubescape
	if k == nil {
		return nil
	}
	raw := r.Raw[record.RawVEX]
	if len(raw) == 0 {
		why := "Kubescape made no OpenVEX document"
		if k.Scan != "" {
			why += ": " + foreign.Text(k.Scan).Line(300)
		}
		return &Comparison{Missing: why}
	}
	b := bench{record: r, judgement: j, out: &Comparison{}}
	b.index()
	if err := b.read(raw); err != nil {
		return &Comparison{Missing: "Kubescape's OpenVEX document cannot be read: " + foreign.Text(err.Error()).Line(300)}
	}
	b.compare()
	return b.out
}

// bench is the state of one comparison.
type bench struct {
	record    record.Record
	judgement judge.Judgement
	out       *Comparison

	names        map[string]string // identifier → the name of our vulnerability
	ours         map[pair]int      // index into the assessments
	packages     map[string]*inventory.Package
	disagreement map[string]*judge.Disagreement
	observed     map[string]bool
	failed       string // the checks that do not hold

	theirs    map[int]*claim  // on one of our assessments
	strangers map[pair]*claim // on none of them
}

// pair is one vulnerability in one package URL.
type pair struct{ vulnerability, purl string }

// claim is what they say of a pair.
type claim struct {
	statuses   []string // sorted, each once
	statements int
	swapped    bool // one that clears has its identifiers swapped
}

// index files our side under all the names that theirs may use.
func (b *bench) index() {
	all := b.judgement.Assessments
	b.names, b.ours = make(map[string]string, len(all)), make(map[pair]int, len(all))
	for i := range all {
		b.names[all[i].Vulnerability] = all[i].Vulnerability
	}
	for i := range all {
		a := &all[i]
		for _, alias := range a.Aliases {
			if _, taken := b.names[alias]; !taken {
				b.names[alias] = a.Vulnerability
			}
		}
		for _, purl := range a.SubcomponentPURLs {
			p := pair{a.Vulnerability, purl}
			if _, taken := b.ours[p]; !taken || purl == a.PURL {
				b.ours[p] = i
			}
		}
	}
	b.packages = make(map[string]*inventory.Package, len(b.record.Inventory.Packages))
	for i := range b.record.Inventory.Packages {
		b.packages[b.record.Inventory.Packages[i].ID] = &b.record.Inventory.Packages[i]
	}
	b.disagreement = map[string]*judge.Disagreement{}
	for i := range b.judgement.Disagreements {
		if d := &b.judgement.Disagreements[i]; d.SeenBy == evidence.WitnessSensor {
			b.disagreement[d.PackageID] = d
		}
	}
	b.observed = map[string]bool{}
	for _, id := range b.judgement.Observed {
		b.observed[id] = true
	}
	var failed []string
	for _, c := range b.judgement.Checks {
		if c.Applies && !c.OK {
			failed = append(failed, c.ID)
		}
	}
	b.failed = strings.Join(failed, ", ")
	b.theirs, b.strangers = map[int]*claim{}, map[pair]*claim{}
}

// compare goes over both sides.
func (b *bench) compare() {
	for i := range b.judgement.Assessments {
		b.one(&b.judgement.Assessments[i], b.theirs[i])
	}
	for p, c := range b.strangers {
		b.add(Difference{
			Vulnerability: p.vulnerability, PURL: p.purl, Theirs: c.text(), Reason: OursMissing,
		})
	}
	b.out.Compared = b.out.Same + len(b.out.Differences)
	order := map[pair]int{}
	for i, a := range b.judgement.Assessments {
		order[pair{a.Vulnerability, a.PURL}] = i
	}
	slices.SortStableFunc(b.out.Differences, func(x, y Difference) int {
		return cmp.Or(
			boolRank(y.Clears)-boolRank(x.Clears), x.Reason.rank()-y.Reason.rank(),
			order[pair{x.Vulnerability, x.PURL}]-order[pair{y.Vulnerability, y.PURL}],
			strings.Compare(x.Vulnerability, y.Vulnerability), strings.Compare(x.PURL, y.PURL), strings.Compare(x.Package, y.Package),
		)
	})
	for _, reason := range reasons {
		t := Tally{Reason: reason, Meaning: reason.Meaning()}
		for i := range b.out.Differences {
			if d := &b.out.Differences[i]; d.Reason == reason {
				t.Count++
				t.Clears += boolRank(d.Clears)
			}
		}
		if b.out.Clears += t.Clears; t.Count > 0 {
			b.out.Tallies = append(b.out.Tallies, t)
		}
	}
}

func boolRank(b bool) int {
	if b {
		return 1
	}
	return 0
}

// one compares an assessment with what they say of it.
func (b *bench) one(a *judge.Assessment, c *claim) {
	if c != nil && len(c.statuses) == 1 && c.statuses[0] == string(a.Status) {
		b.out.Same++
		return
	}
	d := Difference{
		Vulnerability: a.Vulnerability, PURL: a.PURL, Package: a.PackageName, Version: a.PackageVersion,
		Severity: a.Severity, Theirs: c.text(), Ours: a.Status,
	}
	d.Reason, d.Detail = b.why(a, c)
	d.Detail = foreign.Text(d.Detail).Line(300)
	d.Clears = c != nil && a.Status == judge.Affected && slices.Contains(c.statuses, string(judge.NotAffected))
	b.add(d)
}

func (b *bench) add(d Difference) { b.out.Differences = append(b.out.Differences, d) }

func (c *claim) text() string {
	if c == nil {
		return ""
	}
	return strings.Join(c.statuses, "+")
}
