package report

import (
	"fmt"

	"github.com/vexxy/action/internal/foreign"
	"github.com/vexxy/action/internal/gate"
	"github.com/vexxy/action/internal/inventory"
	"github.com/vexxy/action/internal/judge"
)

// AnnotationKind is how loud an annotation is.
type AnnotationKind string

// The kinds of annotations, loudest first. They are the names of GitHub's
// workflow commands.
const (
	AnnotationError   AnnotationKind = "error"
	AnnotationWarning AnnotationKind = "warning"
	AnnotationNotice  AnnotationKind = "notice"
)

// Annotation is one line that a host shows at the head of a run. Title and
// Message are printable, bounded and of one line; a host encodes them for its
// own sink, such as WorkflowProperty and WorkflowData.
type Annotation struct {
	Kind           AnnotationKind
	Title, Message foreign.Text
}

// AnnotationsPerKind is how many annotations of each kind GitHub shows of one
// step (https://github.com/orgs/community/discussions/26680).
const AnnotationsPerKind = 10

// The greatest lengths of an annotation's texts, in bytes.
const (
	maxTitle   = 200
	maxMessage = 1000
)

// Annotations picks what is worth a line, at most perKind of each kind, the
// weightiest first: the outcome where it is not a pass, the conditions that do
// not hold, and what is affected: what is new before what is not, by severity.
// Where one kind has more than it may show, its last line counts the rest.
func Annotations(img Image, perKind int) []Annotation {
	var all []Annotation
	add := func(kind AnnotationKind, title, message string) {
		all = append(all, Annotation{kind, foreign.Text(foreign.Text(title).Line(maxTitle)), foreign.Text(foreign.Text(message).Line(maxMessage))})
	}
	loud := AnnotationWarning // nothing is an error in a run that ends with 0
	if img.Decision.Code != 0 {
		loud = AnnotationError
	}
	if v := img.Decision.Verdict; v != gate.VerdictPass {
		message := string(v)
		if len(img.Decision.Causes) > 0 {
			message = img.Decision.Causes[0]
		}
		add(loud, "vexxy: "+string(v), message)
	}
	for _, c := range failed(img.Judgement.Checks) {
		add(AnnotationWarning, "vexxy: "+c.ID+" "+c.Title, c.Measured+". "+c.Remedy)
	}
	affected := withStatus(img.Judgement, judge.Affected)
	if img.Change != nil && img.Change.Baseline.Usable() {
		affected = newFirst(affected, img.Change)
	}
	for _, a := range affected {
		add(kindOf(a, loud), fmt.Sprintf("%s (%s) in %s %s", a.Vulnerability, a.Severity, a.PackageName, a.PackageVersion), a.Text)
	}
	return atMost(all, perKind)
}

// FailureAnnotations is the line of a run that ended without a judgement.
func FailureAnnotations(f Failure) []Annotation {
	message := ""
	if len(f.Causes) > 0 {
		message = f.Causes[0]
	}
	if f.Hint != "" {
		message += " (" + f.Hint + ")"
	}
	return []Annotation{{AnnotationError, foreign.Text(foreign.Text("vexxy: " + string(f.Verdict)).Line(maxTitle)), foreign.Text(foreign.Text(message).Line(maxMessage))}}
}

// kindOf makes what is critical or high as loud as the run's outcome allows.
func kindOf(a *judge.Assessment, loud AnnotationKind) AnnotationKind {
	switch a.Severity {
	case inventory.Critical, inventory.High:
		return loud
	case inventory.Medium, inventory.Unknown:
		return AnnotationWarning
	}
	return AnnotationNotice
}

// atMost keeps the first of each kind, loudest kind first.
func atMost(all []Annotation, perKind int) []Annotation {
	var kept []Annotation
	for _, kind := range []AnnotationKind{AnnotationError, AnnotationWarning, AnnotationNotice} {
		var some []Annotation
		for _, a := range all {
			if a.Kind == kind {
				some = append(some, a)
			}
		}
		if perKind <= 0 {
			continue
		}
		if rest := len(some) - perKind; rest > 0 {
			more := Annotation{kind, "vexxy: more", foreign.Text(fmt.Sprintf("and %d more like these, see the summary and result.json", rest+1))}
			some = append(some[:perKind-1:perKind-1], more)
		}
		kept = append(kept, some...)
	}
	return kept
}
