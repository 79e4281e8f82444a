package github

import (
	"bytes"
	"fmt"
	"os"
	"unicode/utf8"
)

// maxSummary is what GitHub takes of one step's summary, in bytes
// (https://docs.github.com/actions, workflow commands); more of it and nothing
// is shown.
const maxSummary = 1 << 20

// Body renders a text in at most limit bytes.
type Body func(limit int) []byte

// Summarise adds to the job's summary, within what is left of its size.
func (h *Host) Summarise(body Body) error {
	used := int64(0)
	if info, err := os.Stat(h.getenv("GITHUB_STEP_SUMMARY")); err == nil {
		used = info.Size()
	}
	left := maxSummary - int(min(used, maxSummary)) - len("\n\n")
	if left < 1<<10 {
		return fmt.Errorf("writing GITHUB_STEP_SUMMARY: %d bytes stand in it already, of %d", used, maxSummary)
	}
	text := Cut(body(left), left)
	if used > 0 {
		text = append([]byte("\n"), text...)
	}
	return h.file("step-summary", string(text))
}

const cutNote = "\n\n… shortened\n"

// Cut shortens a text to at most limit bytes at the end of a line, and says so.
// It is a last resort: a body should keep the limit itself.
func Cut(text []byte, limit int) []byte {
	if len(text) <= limit {
		return text
	}
	if limit <= len(cutNote) {
		return nil
	}
	text = text[:limit-len(cutNote)]
	if i := bytes.LastIndexByte(text, '\n'); i >= 0 {
		text = text[:i]
	}
	for len(text) > 0 {
		if r, size := utf8.DecodeLastRune(text); r != utf8.RuneError || size > 1 {
			break
		}
		text = text[:len(text)-1]
	}
	return append(bytes.Clone(text), cutNote...)
}
