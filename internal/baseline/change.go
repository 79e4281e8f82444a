package baseline

import (
	"cmp"
	"slices"
	"strings"

	"github.com/vexxy/action/internal/inventory"
	"github.com/vexxy/action/internal/judge"
)

// Class says how a finding stands to the baseline. Each finding, which is a
// vulnerability in a package whatever its version, has exactly one.
type Class string

// The classes, weightiest first.
const (
	NewlyAffected Class = "newly_affected" // affected now, and was not
	NewlyFixed    Class = "newly_fixed"    // in the baseline, and gone or fixed now
	Changed       Class = "changed"        // another status that is neither
	Added         Class = "added"          // not in the baseline, and not affected
	Unchanged     Class = "unchanged"      // the same status
)

// classes lists the classes in their order.
var classes = []Class{NewlyAffected, NewlyFixed, Changed, Added, Unchanged}

// Change is a judgement held against a baseline.
type Change struct {
	// Baseline is what it was held against, without its statements.
	Baseline Baseline
	// Counts are the findings by class. They add up to all findings of both.
	Counts map[Class]int
	// Before counts the baseline's vulnerabilities by their worst status over
	// all packages; all zero where it is not usable.
	Before map[judge.Status]int
	// Items are all findings but the unchanged ones, by class, severity,
	// vulnerability and package.
	Items []Item

	was map[subjectKey]judge.Status // of the present findings, in the baseline
}

// Item is one finding that is not as it was.
type Item struct {
	Class Class
	// Before and Now are the statuses; empty where the finding was not, or is
	// no longer, there.
	Before, Now judge.Status
	// Vulnerability, Package, Version and Severity are the present ones, or
	// the baseline's where the finding is gone. They are foreign text.
	Vulnerability, Package, Version string
	Severity                        inventory.Severity
	// Assessment is the present finding's worst assessment; nil where it is gone.
	Assessment *judge.Assessment
}

// Compare holds a judgement against a baseline. Nothing was affected before
// where the baseline is not usable.
func Compare(b Baseline, j judge.Judgement) *Change {
	if !b.Usable() {
		b.Statements = nil
	}
	c := &Change{
		Counts: map[Class]int{}, Before: totals(b.Statements), was: map[subjectKey]judge.Status{},
	}
	for _, class := range classes {
		c.Counts[class] = 0
	}
	old := newArchive(b.Statements)
	for _, f := range group(j.Assessments) {
		before := old.take(f)
		c.was[f.key] = before
		c.add(Item{
			Class: classify(before, f.worst.Status), Before: before, Now: f.worst.Status,
			Vulnerability: f.worst.Vulnerability, Package: f.worst.PackageName, Version: f.worst.PackageVersion,
			Severity: f.worst.Severity, Assessment: f.worst,
		})
	}
	for _, s := range old.left() {
		c.add(Item{
			Class: classify(s.Status, ""), Before: s.Status,
			Vulnerability: s.Vulnerability, Package: s.Package, Version: s.Version, Severity: s.Severity,
		})
	}
	slices.SortStableFunc(c.Items, func(x, y Item) int {
		return cmp.Or(
			slices.Index(classes, x.Class)-slices.Index(classes, y.Class), severityRank(x.Severity)-severityRank(y.Severity),
			strings.Compare(x.Vulnerability, y.Vulnerability), strings.Compare(x.Package, y.Package), strings.Compare(x.Version, y.Version),
		)
	})
	b.Statements = nil
	c.Baseline = b
	return c
}

// New reports whether an assessment is none of those that were affected before
// already. Everything is new to a nil Change.
func (c *Change) New(a *judge.Assessment) bool {
	return c.Was(a) != judge.Affected
}

// Was gives the status that an assessment's finding had in the baseline; empty
// where it was not there, or nobody knows.
func (c *Change) Was(a *judge.Assessment) judge.Status {
	if c == nil {
		return ""
	}
	return c.was[subjectKey{a.Vulnerability, PackageKey(a.PURL, a.PackageType, a.PackageName)}]
}

// Of gives the items of a class, in their order.
func (c *Change) Of(class Class) []Item {
	var some []Item
	for _, item := range c.Items {
		if item.Class == class {
			some = append(some, item)
		}
	}
	return some
}

func (c *Change) add(item Item) {
	c.Counts[item.Class]++
	if item.Class != Unchanged {
		c.Items = append(c.Items, item)
	}
}

// classify gives the class of a finding by its two statuses; an empty one says
// that it is not there.
func classify(before, now judge.Status) Class {
	switch {
	case now == judge.Affected && before != judge.Affected:
		return NewlyAffected
	case now == before, before == judge.Fixed && now == "":
		return Unchanged
	case before == "":
		return Added
	case now == "" || now == judge.Fixed:
		return NewlyFixed
	}
	return Changed
}

// rank orders statuses, worst first.
var rank = map[judge.Status]int{judge.Affected: 0, judge.UnderInvestigation: 1, judge.NotAffected: 2, judge.Fixed: 3}

func severityRank(s inventory.Severity) int {
	if i := slices.Index(inventory.Severities, s); i >= 0 {
		return i
	}
	return len(inventory.Severities) - 1
}

// totals counts vulnerabilities by their worst status.
func totals(all []Statement) map[judge.Status]int {
	worst := map[string]judge.Status{}
	for i := range all {
		s := &all[i]
		if have, known := worst[s.Vulnerability]; !known || rank[s.Status] < rank[have] {
			worst[s.Vulnerability] = s.Status
		}
	}
	counts := map[judge.Status]int{judge.Affected: 0, judge.UnderInvestigation: 0, judge.NotAffected: 0, judge.Fixed: 0}
	for _, status := range worst {
		counts[status]++
	}
	return counts
}
