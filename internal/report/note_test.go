package report_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/vexxy/action/internal/foreign/foreigntest"
	"github.com/vexxy/action/internal/report"
	"github.com/vexxy/action/internal/report/reporttest"
)

// gitlabNote is the longest note that GitLab takes, in characters.
const gitlabNote = 1_000_000

// A note has the comment's text: the same where that is whole, more of it where
// the comment is shortened.
func TestNoteGolden(t *testing.T) {
	for _, n := range reporttest.Sizes {
		note, comment := report.Comment(sized(n), options(gitlabNote)), report.Comment(sized(n), options(0))
		if n <= 60 && !bytes.Equal(note, comment) {
			t.Errorf("%d findings: the note is not the comment", n)
		}
		if n > 60 {
			reporttest.Golden(t, fmt.Sprintf("note.%d.txt", n), shortened(note, 40))
			if len(note) <= len(comment) || characters(note) > gitlabNote {
				t.Errorf("%d findings: the note has %d bytes, the comment %d", n, len(note), len(comment))
			}
		}
		tame(t, fmt.Sprint("note of ", n), note)
		quiet(t, fmt.Sprint("note of ", n), note)
	}
}

// quiet finds what GitLab would do instead of show: a line that begins with a
// slash outside of code is a quick action (https://docs.gitlab.com/user/project/quick_actions).
func quiet(t *testing.T, name string, note []byte) {
	t.Helper()
	for line := range strings.Lines(string(note)) {
		if strings.HasPrefix(strings.TrimLeft(line, " \t>"), "/") {
			t.Errorf("%s: the line %.100q is a quick action", name, line)
		}
	}
}

// No hostile string becomes a quick action, wherever it stands.
func TestNoteDoesNothing(t *testing.T) {
	corpus := foreigntest.Corpus()
	corpus["quick action"], corpus["quick actions"] = "/merge", "x\n/approve\r\n/assign @mallory\n"
	for name, text := range corpus {
		img := hostile(text)
		img.Command = "vexxy run '" + text + "'"
		note := report.Comment(img, options(gitlabNote))
		tame(t, "note of "+name, note)
		quiet(t, "note of "+name, note)
		f := failure()
		f.Requested, f.Causes, f.Hint = text, []string{text}, text
		quiet(t, "failure of "+name, report.FailureComment(f, options(gitlabNote)))
	}
}
