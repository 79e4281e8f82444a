package report_test

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/vexxy/action/internal/foreign/foreigntest"
	"github.com/vexxy/action/internal/gate"
	"github.com/vexxy/action/internal/judge"
	"github.com/vexxy/action/internal/report"
	"github.com/vexxy/action/internal/report/reporttest"
)

func options(limit int) report.CommentOptions {
	return report.CommentOptions{Limit: limit}
}

func characters(b []byte) int { return len(utf16.Encode([]rune(string(b)))) }

func TestCommentGolden(t *testing.T) {
	for _, n := range reporttest.Sizes {
		got := report.Comment(sized(n), options(0))
		if n <= 60 {
			reporttest.Golden(t, fmt.Sprintf("comment.%d.md", n), got)
		} else {
			reporttest.Golden(t, fmt.Sprintf("comment.%d.txt", n), shortened(got, 40))
		}
		tame(t, fmt.Sprint(n), got)
	}
	reporttest.Golden(t, "comment.inconclusive.md", report.Comment(inconclusive(), options(0)))
	reporttest.Golden(t, "comment.no-baseline.md", report.Comment(uncomparable(), options(0)))
	reporttest.Golden(t, "comment.failure.md", report.FailureComment(failure(), options(0)))
	o := options(0)
	o.Resolved = true
	reporttest.Golden(t, "comment.resolved.md", report.Comment(sized(0), o))
}

// TestCommentFits holds the limits of the hosts and the totals at each: P8.
func TestCommentFits(t *testing.T) {
	for _, n := range reporttest.Sizes {
		img := sized(n)
		s := img.Judgement.Summary
		for _, limit := range []int{1_000_000, report.GitHubComment, 20_000, 8_000, 3_000, 1_200, 600, 1} {
			got := report.Comment(img, options(limit))
			if c := characters(got); c > max(limit, 600) {
				t.Errorf("%d findings in %d: %d characters", n, limit, c)
			}
			text := string(got)
			if limit > 3_000 && !strings.Contains(text, "**Evidence** ✅ E1") {
				t.Errorf("%d findings in %d: no evidence:\n%.300s", n, limit, text)
			}
			if n == 0 {
				continue
			}
			full := fmt.Sprintf("| %d | **%d**", s.Total, s.Affected)
			least := fmt.Sprintf("%d vulnerabilities: %d affected, %d under investigation, %d not affected, %d fixed", s.Total, s.Affected, s.UnderInvestigation, s.NotAffected, s.Fixed)
			if !strings.Contains(text, full) && !(limit < 3_000 && strings.Contains(text, least)) {
				t.Errorf("%d findings in %d: the totals are lost:\n%.600s", n, limit, text)
			}
			if n == 5000 && limit >= 8_000 && !strings.Contains(text, "further affected findings") {
				t.Errorf("in %d: what is left out is not counted", limit)
			}
			tame(t, fmt.Sprintf("%d findings in %d", n, limit), got)
		}
	}
}

// The whole of 60 findings is in a comment, the new ones first.
func TestCommentIsWhole(t *testing.T) {
	img := sized(60)
	text := string(report.Comment(img, options(0)))
	for _, a := range img.Judgement.Assessments {
		if !strings.Contains(text, a.Vulnerability) {
			t.Errorf("%s %s is missing", a.Status, a.Vulnerability)
		}
	}
	first, last := strings.Index(text, "**new**"), strings.LastIndex(text, "**new**")
	between := text[first:last]
	for line := range strings.Lines(between) {
		if strings.HasPrefix(line, "| ") && strings.Count(line, "|") == 6 && !strings.Contains(line, "**new**") && !strings.Contains(line, "severity") {
			t.Errorf("among what is new stands %q", line)
		}
	}
	if text := string(report.Comment(compared(), options(0))); !strings.Contains(text, "| critical **newly reached** | CVE-2026-0001") {
		t.Errorf("what was there and is reached now is not told:\n%.2000s", text)
	}
	for _, want := range []string{"vexxy: fail", "/usr/lib/x86_64-linux-gnu/libz.so.1.2.13", "by `nginx` in startup", "1.2.14", "vexxy run --engine embedded", "16 newly affected"} {
		if !strings.Contains(text, want) {
			t.Errorf("the comment lacks %q", want)
		}
	}
}

func TestCommentResolved(t *testing.T) {
	img := sized(60)
	for i := range img.Judgement.Assessments {
		img.Judgement.Assessments[i].Status = judge.NotAffected
	}
	img.Judgement.Summary = judge.Summary{Total: 60, NotAffected: 60, Findings: 60}
	img.Decision = gate.Decide(gate.Policy{}, img.Judgement, nil)
	o := options(0)
	if text := string(report.Comment(img, o)); !strings.Contains(text, "pass — nothing is affected\n") || strings.Contains(text, "resolved") {
		t.Errorf("%.300s", text)
	}
	o.Resolved = true
	text := string(report.Comment(img, o))
	if !strings.Contains(text, "resolved, nothing is affected any more") || strings.Contains(text, "### Affected") || len(text) > 8000 {
		t.Errorf("%d bytes: %.300s", len(text), text)
	}
	// Nothing is resolved by evidence that cannot tell.
	img.Decision.Verdict = gate.VerdictInconclusive
	if text := string(report.Comment(img, o)); strings.Contains(text, "resolved") {
		t.Errorf("inconclusive, and resolved: %.300s", text)
	}
}

// A pass claims no more than was found: what is under investigation is listed,
// is not called unused, and nothing is resolved while anything is.
func TestCommentPassesWithSomethingOpen(t *testing.T) {
	img := sized(6)
	for i := range img.Judgement.Assessments {
		a := &img.Judgement.Assessments[i]
		a.Status, a.Reason = judge.NotAffected, judge.ReasonNotObserved
		if i < 2 {
			a.Status, a.Reason = judge.UnderInvestigation, judge.ReasonNoFiles
			a.Text = "The package owns no file. What would settle it: a look at its source."
		}
		if i == 5 {
			a.Status, a.Reason = judge.Fixed, judge.ReasonFixed
		}
	}
	img.Judgement.Summary = judge.Summary{Total: 6, NotAffected: 3, Fixed: 1, UnderInvestigation: 2, Findings: 6}
	img.Decision = gate.Decide(gate.Policy{Max: gate.Unlimited}, img.Judgement, nil)
	for _, resolved := range []bool{false, true} {
		o := options(0)
		o.Resolved = resolved
		text := string(report.Comment(img, o))
		for _, want := range []string{
			"pass — nothing was found to be affected, 2 under investigation", "Of 6 vulnerabilities: 3 not affected, 1 fixed, 2 under investigation.",
			"### Under investigation", "| 2 | 2 | the package owns no catalogued file that could be seen in use | a look at its source", "CVE-2026-00000", "CVE-2026-00001",
			"### Not affected: present, never used",
		} {
			if !strings.Contains(text, want) {
				t.Errorf("the comment lacks %q:\n%.2500s", want, text)
			}
		}
		for _, untrue := range []string{"None of 6", "resolved", "nothing is affected"} {
			if strings.Contains(text, untrue) {
				t.Errorf("the comment says %q", untrue)
			}
		}
		tame(t, "something open", []byte(text))
	}
}

// TestCommentIsTame renders every hostile string in every place as GitHub does.
func TestCommentIsTame(t *testing.T) {
	for name, text := range foreigntest.Corpus() {
		img := hostile(text)
		img.Command = "vexxy run '" + text + "'"
		o := options(0)
		tame(t, "comment of "+name, report.Comment(img, o))
		tame(t, "summary of "+name, report.Summary(img, 1<<20))
		img.Judgement.Summary.Affected, img.Decision.Verdict = 0, gate.VerdictPass
		tame(t, "resolved comment of "+name, report.Comment(img, o))
		f := failure()
		f.Requested, f.Causes, f.Hint = text, []string{text}, text
		tame(t, "failure of "+name, report.FailureComment(f, o))
	}
}

func BenchmarkComment5kFindings(b *testing.B) {
	img := sized(5000)
	for b.Loop() {
		report.Comment(img, options(0))
	}
}
