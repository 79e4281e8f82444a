package report

import (
	"fmt"
	"strings"
	"unicode/utf16"

	"github.com/vexxy/action/internal/foreign"
	"github.com/vexxy/action/internal/gate"
)

// GitHubComment is the longest comment that GitHub takes, in characters
// (https://github.com/orgs/community/discussions/27190). Others take more.
const GitHubComment = 65_536

// CommentOptions are what a host knows of a comment.
type CommentOptions struct {
	// Limit is the greatest length in characters, each counted as GitHub does
	// at most: in UTF-16. 0 stands for GitHubComment; it is never less than 600.
	Limit int
	// Resolved says that the comment takes the place of one that told of
	// something affected.
	Resolved bool
}

// commentFloor is the least length of a comment, whatever the limit.
const commentFloor = 600

// extent is how much a comment shows: the greatest number of rows in view and
// of rows to unfold.
type extent struct {
	shown, folded, rest int
	// brief leaves out all but the verdict and the counts.
	brief bool
}

// extents are the steps in which a comment shrinks until it fits: everything,
// then collapsed, then counts alone.
var extents = []extent{
	{25, 1 << 30, 1 << 30, false},
	{25, 2000, 200, false},
	{15, 200, 50, false},
	{10, 30, 0, false},
	{3, 0, 0, false},
	{0, 0, 0, true},
}

// Comment gives the comment on a change, in GitHub's and GitLab's Markdown, for
// a judged image: the verdict first. It shrinks in steps and keeps every total.
func Comment(img Image, o CommentOptions) []byte {
	s := img.Judgement.Summary
	floor := fmt.Sprintf("## %s vexxy: %s\n\n%s%d vulnerabilities: %d affected, %d under investigation, %d not affected, %d fixed.", marks[img.Decision.Verdict],
		foreign.Text(img.Decision.Verdict).Markdown(40), contradicted(len(img.Judgement.Contradictions())), s.Total, s.Affected, s.UnderInvestigation, s.NotAffected, s.Fixed)
	return fitted(o, floor, func(e extent) string {
		switch {
		case e.brief:
			return briefComment(img, o)
		case img.Decision.Verdict == gate.VerdictPass && img.Judgement.Summary.Affected == 0:
			return resolvedComment(img, o, e)
		}
		return comment(img, o, e)
	})
}

// FailureComment is the comment of a run that ended without a judgement, so
// that an earlier run's does not stand for it.
func FailureComment(f Failure, o CommentOptions) []byte {
	floor := fmt.Sprintf("## %s vexxy: %s\n\nThere is no judgement. Exit code %d.", marks[f.Verdict], foreign.Text(f.Verdict).Markdown(40), f.Code)
	return fitted(o, floor, func(e extent) string {
		var p page
		p.f("## %s vexxy: %s\n\n", marks[f.Verdict], foreign.Text(f.Verdict).Markdown(40))
		p.f("There is no judgement: nothing was found to be affected or not affected. Exit code %d.\n\n", f.Code)
		for i, cause := range f.Causes {
			if i == min(20, e.shown) {
				break
			}
			p.f("- %s\n", foreign.Text(cause).Markdown(1500))
		}
		if f.Hint != "" && !e.brief {
			p.f("\n**What to do:** %s\n", foreign.Text(f.Hint).Markdown(1000))
		}
		p.f("\n")
		return p.String()
	})
}

// fitted gives the first of the steps that fits, and the floor where none does.
func fitted(o CommentOptions, floor string, render func(extent) string) []byte {
	limit := o.Limit
	if limit <= 0 {
		limit = GitHubComment
	}
	limit = max(limit, commentFloor)
	for _, e := range extents {
		text := strings.TrimRight(render(e), "\n") + "\n"
		if characters(text) <= limit {
			return []byte(text)
		}
	}
	return []byte(floor + "\n\nAll is in the artifacts of this run.\n")
}

// characters counts as the strictest of the hosts may.
func characters(s string) int {
	n := 0
	for _, r := range s {
		n += utf16.RuneLen(r)
	}
	return n
}
