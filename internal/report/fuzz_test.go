package report_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/vexxy/action/internal/foreign/foreigntest"
	"github.com/vexxy/action/internal/report"
)

// FuzzComment puts text in every place of a comment, at every limit.
func FuzzComment(f *testing.F) {
	for _, text := range foreigntest.Corpus() {
		f.Add(text[:min(len(text), 2000)], uint16(5000))
	}
	f.Fuzz(func(t *testing.T, text string, limit uint16) {
		img := hostile(text)
		img.Command = "vexxy run " + text
		o := report.CommentOptions{Limit: int(limit)}
		got := report.Comment(img, o)
		if characters(got) > max(int(limit), 600) && limit > 0 || !utf8.Valid(got) {
			t.Fatalf("%d characters at %d", characters(got), limit)
		}
		if strings.Contains(string(got), "<!--") {
			t.Fatalf("a hidden line in the comment: %q", got)
		}
		for _, r := range string(got) {
			if r != '\n' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r)) {
				t.Fatalf("%U in the comment", r)
			}
		}
		plain := codeSpan.ReplaceAllString(string(got), "")
		if strings.Contains(plain, "![") || strings.Contains(plain, "<script") || strings.Contains(plain, "](") {
			t.Fatalf("%q holds foreign markup", plain)
		}
	})
}
