package vexdiff

import (
	"slices"

	"github.com/vexxy/action/internal/judge"
)

// Reason is why the two sides differ on a pair.
type Reason string

// The reasons. The first eight can stand where Kubescape clears what was seen
// in use.
const (
	Swapped       Reason = "identifiers-swapped"
	Contradiction Reason = "two-statements"
	Open          Reason = "open"
	Mapping       Reason = "mapping"
	Interpreter   Reason = "interpreter"
	Wildcard      Reason = "wildcard"
	NoFiles       Reason = "no-files"
	Source        Reason = "source"
	Unmatched     Reason = "unmatched"
	Wider         Reason = "relevancy-wider"
	Insufficient  Reason = "insufficient"
	Undecided     Reason = "undecided"
	Fixed         Reason = "fixed"
	OtherStatus   Reason = "other-status"
	TheirsMissing Reason = "theirs-missing"
	OursMissing   Reason = "ours-missing"
)

// reasons are all of them, worst first.
var reasons = []Reason{
	Open, Unmatched, Mapping, Interpreter, Wildcard, NoFiles, Source, Swapped, Contradiction, Wider,
	Insufficient, Undecided, Fixed, OtherStatus, TheirsMissing, OursMissing,
}

func (r Reason) rank() int { return slices.Index(reasons, r) }

// Meaning is the reason in a sentence.
func (r Reason) Meaning() string {
	switch r {
	case Swapped:
		return "The vulnerability came with a later scan: Kubescape appended it with identifier and name in each other's place, and never looked at what is loaded."
	case Contradiction:
		return "Kubescape makes two statements of different status on one package: of two instances of it, or by two scans. Which of them counts depends on who reads."
	case Open:
		return "node-agent's profile has none of the package's files, though our sensor saw one opened or executed."
	case Mapping:
		return "The package's files were only mapped: node-agent traces exec, open and openat, and no mapping."
	case Interpreter:
		return "The kernel itself loaded the package's file as an interpreter: node-agent traces exec, open and openat alone."
	case Wildcard:
		return "node-agent's profile has a wildcard in place of the file, which Kubescape's matching does not understand."
	case NoFiles:
		return "No file of the package's own ties it to the profile, so that Kubescape can never find it loaded."
	case Source:
		return "Another package of the same source was used; the advisory does not say which of them holds the code."
	case Unmatched:
		return "The profile has a file of the package, yet Kubescape did not match the two."
	case Wider:
		return "Kubescape calls it loaded and no witness saw a file of it in use: its relevancy also follows relations between packages."
	case Insufficient:
		return "Our evidence is insufficient, and we leave the question open where Kubescape answers it."
	case Undecided:
		return "The package's use cannot be told from its files, and we leave the question open where Kubescape answers it."
	case Fixed:
		return "The vulnerability database names the installed version as one with the fix."
	case OtherStatus:
		return "Kubescape states a status that it is not known to use."
	case TheirsMissing:
		return "Kubescape has no statement: its scanner did not match the vulnerability, did not find the package, or had another database."
	case OursMissing:
		return "We have no finding: our scanner did not match the vulnerability, did not find the package, or had another database."
	}
	return "They differ."
}

// why gives the reason for a pair that is not the same on both sides, and what
// it says of this one.
func (b *bench) why(a *judge.Assessment, c *claim) (Reason, string) {
	if c == nil {
		return TheirsMissing, ""
	}
	clears := slices.Contains(c.statuses, string(judge.NotAffected))
	loaded := slices.Contains(c.statuses, string(judge.Affected))
	switch {
	case !clears && !loaded:
		return OtherStatus, ""
	case a.Status == judge.Fixed:
		return Fixed, ""
	case clears && c.swapped && a.Status == judge.Affected:
		return Swapped, ""
	case len(c.statuses) > 1:
		return Contradiction, ""
	case a.Status == judge.UnderInvestigation && a.Reason == judge.ReasonInsufficient:
		return Insufficient, b.failed
	case a.Status == judge.UnderInvestigation:
		return Undecided, string(a.Reason)
	case a.Status == judge.NotAffected:
		return Wider, ""
	}
	return b.blind(a)
}

// blind says why they did not find loaded what was seen in use.
func (b *bench) blind(a *judge.Assessment) (Reason, string) {
	detail := ""
	if a.Seen != nil {
		if detail = a.Seen.Path; a.Seen.Package != "" {
			return Source, a.Seen.Package + ": " + a.Seen.Path
		}
	}
	reason, noFiles := Unmatched, false
	for _, id := range a.PackageIDs {
		if !b.observed[id] {
			continue
		}
		d := b.disagreement[id]
		if d == nil { // node-agent saw it too
			p := b.packages[id]
			noFiles = noFiles || p != nil && !ownsFiles(p.Files, p.Location)
			reason = Unmatched
			break
		}
		reason, detail = Reason(d.Reason), d.Example
	}
	if reason == Unmatched && noFiles {
		reason = NoFiles
	}
	return reason, detail
}

// ownsFiles reports whether a package has a file beside the one it was read from.
func ownsFiles(files []string, location string) bool {
	return slices.ContainsFunc(files, func(f string) bool { return f != location })
}
