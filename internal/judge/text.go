package judge

import (
	"fmt"
	"slices"
	"strings"

	"github.com/vexxy/action/internal/evidence"
	"github.com/vexxy/action/internal/foreign"
)

// maxText is the largest text of an assessment, in bytes.
const maxText = 480

// describe gives every assessment its text. Texts name no package, and those
// on packages of one source tell of the source, so that statements which differ
// in nothing but their packages can be one.
func (c *court) describe(drafts []*draft, checks []evidence.Check) []Assessment {
	// Thousands may share these two: they are encoded once.
	claim, missing := line(c.claim(checks)), line(missing(checks))
	out := make([]Assessment, len(drafts))
	for i, d := range drafts {
		out[i] = d.Assessment
		switch d.Reason {
		case ReasonNotObserved:
			out[i].Text = claim
		case ReasonInsufficient:
			out[i].Text = missing
		case ReasonHuman:
			out[i].Text = line(stated(&d.Assessment))
		case ReasonObserved:
			out[i].Text = line(action(&d.Assessment) + " " + d.sighting())
		default:
			out[i].Text = line(open(&d.Assessment))
		}
	}
	return out
}

func line(text string) string { return foreign.Text(text).Line(maxText) }

// sighting says what was seen: of the package, or of its source where the
// image has several packages of that.
func (d *draft) sighting() string {
	if d.source != nil {
		return "Seen of its source package: " + sighting(d.source)
	}
	text := "Seen: " + sighting(d.Seen)
	if n := d.Seen.Files - 1; n == 1 {
		text += ", and 1 more file"
	} else if n > 1 {
		text += fmt.Sprintf(", and %d more files", n)
	}
	return text
}

// claim is the bounded claim of not_affected statements.
func (c *court) claim(checks []evidence.Check) string {
	e := c.record.Evidence
	exercise := "no exercise"
	if len(e.Exercise) > 0 {
		kinds := make([]string, len(e.Exercise))
		for i, x := range e.Exercise {
			kinds[i] = x.Kind
		}
		slices.Sort(kinds)
		exercise = "exercise " + strings.Join(slices.Compact(kinds), ", ") + " passed"
	}
	return fmt.Sprintf("No file of the package was used in %s (%s, ready by %s, confidence %s). Not observed is bounded by this workload. Record %s",
		e.Window.Length(), foreign.Text(exercise).Line(80), e.Workload.ReadyBy, evidence.Grade(e, checks), digestText(c.record.Digest))
}

func digestText(digest string) string {
	if digest == "" {
		return "not written"
	}
	return foreign.Text(digest).Line(71)
}

// missing says which checks did not hold.
func missing(checks []evidence.Check) string {
	var failed []string
	remedy := ""
	for _, c := range checks {
		if !c.Applies || c.OK {
			continue
		}
		failed = append(failed, fmt.Sprintf("%s (%s)", c.ID, foreign.Text(c.Measured).Line(100)))
		if remedy == "" {
			remedy = c.Remedy
		}
	}
	text := "The evidence is insufficient: " + foreign.Text(strings.Join(failed, ", ")).Line(300) + "."
	if remedy != "" {
		text += " What would settle it: " + remedy
	}
	return text
}

// action says what to do about a vulnerability that was reached.
func action(a *Assessment) string {
	if len(a.FixVersions) > 0 {
		return "Upgrade to " + foreign.Text(strings.Join(a.FixVersions, " or ")).Line(100) + "."
	}
	switch a.FixState {
	case "wont-fix":
		return "The maintainers will not fix it: replace the package or keep its input trusted."
	case "not-fixed":
		return "No fixed version exists yet: keep the package's input trusted and watch for one."
	}
	return "No fixed version is known: keep the package's input trusted and watch for one."
}

// sighting names file, process and phase, as far as they are known.
func sighting(s *Sighting) string {
	text := fmt.Sprintf("%s (%s)", foreign.Text(s.Path).Line(160), foreign.Text(kindsText(s.Kinds)).Line(24))
	if s.Process == "" && s.ByAgent() {
		return text + " by the profile of node-agent"
	}
	return text + fmt.Sprintf(" by %s in %s", foreign.Text(s.Process).Line(24), foreign.Text(s.Phase).Line(16))
}

// open says why a question is open and what would settle it.
func open(a *Assessment) string {
	switch a.Reason {
	case ReasonNoFiles:
		return "The package owns no catalogued file that could be seen in use. What would settle it: package metadata that lists its files."
	case ReasonInArchive:
		return "Inside an archive that was opened; what was loaded from it cannot be told. Seen: " + sighting(a.Seen) + ". What would settle it: the archive unpacked in the image."
	case ReasonOpaque:
		return "The package's files, or those of a package of the same source, cannot be matched with what the kernel reports. What would settle it: plain file names and readable package metadata."
	case ReasonUnidentified:
		return "No package URL with a version tells all packages with this vulnerability apart. What would settle it: package metadata with name and version."
	case ReasonSource:
		return "The package bears the name of its source package, of which another package is not cleared. What would settle it: evidence on that package."
	case ReasonNamesake:
		return "Some consumers, such as Trivy, know the package by the URL of another one that is not cleared. What would settle it: evidence on that package."
	case ReasonLocal:
		return "The image was never pushed, and not all of its packages with this vulnerability are cleared: without the image's digest some consumers, such as Trivy, take a statement on one package for those that it needs. What would settle it: the image in a registry."
	case ReasonFixed:
		return "The vulnerability database names the installed version as one with the fix."
	}
	return "Not decided."
}
