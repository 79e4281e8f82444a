package report_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/foreign/foreigntest"
	"github.com/vexxy/action/internal/gate"
	"github.com/vexxy/action/internal/judge"
	"github.com/vexxy/action/internal/report"
)

func kinds(all []report.Annotation) map[report.AnnotationKind]int {
	n := map[report.AnnotationKind]int{}
	for _, a := range all {
		n[a.Kind]++
	}
	return n
}

func TestAnnotations(t *testing.T) {
	warned := sample()
	warned.Decision.Code = fault.Pass
	passed := sample()
	passed.Decision = gate.Decision{Verdict: gate.VerdictPass}
	for _, c := range []struct {
		name                     string
		img                      report.Image
		errors, warnings, notice int
		first                    string
	}{
		{"failed", sample(), 2, 1, 0, "vexxy: fail"},
		{"failed, and warn-only", warned, 0, 3, 0, "vexxy: fail"},
		{"passed", passed, 0, 2, 0, "CVE-2026-0001 (critical) in zlib1g 1.2.13"},
		{"inconclusive", inconclusive(), 2, 3, 0, "vexxy: inconclusive"},
		{"nothing", sized(0), 0, 0, 0, ""},
		{"60 findings", sized(60), 10, 8, 5, "vexxy: fail"},
		{"5000 findings", sized(5000), 10, 10, 10, "vexxy: fail"},
	} {
		got := report.Annotations(c.img, report.AnnotationsPerKind)
		n := kinds(got)
		if n[report.AnnotationError] != c.errors || n[report.AnnotationWarning] != c.warnings || n[report.AnnotationNotice] != c.notice {
			t.Errorf("%s: %v", c.name, n)
		}
		if len(got) > 0 && string(got[0].Title) != c.first {
			t.Errorf("%s: first %q", c.name, got[0].Title)
		}
	}
}

// What is new comes first, and what is left out is counted.
func TestAnnotationsCount(t *testing.T) {
	img := sized(5000)
	got := report.Annotations(img, 5)
	if len(got) != 15 {
		t.Fatalf("%d annotations", len(got))
	}
	reached := 0
	for _, a := range img.Judgement.Assessments {
		if a.Status == judge.Affected {
			reached++
		}
	}
	rest := 0
	for _, i := range []int{4, 9, 14} {
		var n int
		if _, err := fmt.Sscanf(string(got[i].Message), "and %d more", &n); err != nil {
			t.Errorf("%q: %v", got[i].Message, err)
		}
		rest += n
	}
	if rest+12 != reached+1 { // and the outcome
		t.Errorf("%d shown and %d counted of %d", 12, rest, reached+1)
	}
	for i, a := range got[1:4] {
		name, _, _ := strings.Cut(string(a.Title), " ")
		for j := range img.Judgement.Assessments {
			if as := &img.Judgement.Assessments[j]; as.Vulnerability == name && !img.Change.New(as) {
				t.Errorf("annotation %d is about %s, which is not new", i, name)
			}
		}
	}
	if got := report.Annotations(img, 0); len(got) != 0 {
		t.Errorf("%d annotations where none may be", len(got))
	}
	if got := report.Annotations(img, 1); len(got) != 3 {
		t.Errorf("%v", got)
	}
}

// Annotations print as they are, and as the workflow command that holds them.
func TestAnnotationsAreTame(t *testing.T) {
	command := regexp.MustCompile(`^::(error|warning|notice) title=[^:,\n\r]*::[^\n\r]*$`)
	for name, text := range foreigntest.Corpus() {
		f := failure()
		f.Causes, f.Hint = []string{text}, text
		for _, a := range append(report.Annotations(hostile(text), 10), report.FailureAnnotations(f)...) {
			if len(a.Title) > 200 || len(a.Message) > 1000 || a.Title == "" {
				t.Errorf("%s: %d and %d bytes", name, len(a.Title), len(a.Message))
			}
			if string(a.Message) != a.Message.Line(1000) || string(a.Title) != a.Title.Line(200) {
				t.Errorf("%s: %q is not printable", name, a.Message)
			}
			line := fmt.Sprintf("::%s title=%s::%s", a.Kind, a.Title.WorkflowProperty(400), a.Message.WorkflowData(2000))
			if !command.MatchString(line) || strings.Contains(line[2:], "##[") {
				t.Errorf("%s: %q", name, line)
			}
		}
	}
}
