package sticky

import (
	"bytes"
	"unicode/utf16"
	"unicode/utf8"
)

// CutNote ends a text that Cut has shortened.
const CutNote = "\n\n… shortened\n"

// Cut shortens a text to at most limit bytes at the end of a line, and says so.
// It is a last resort: a body should keep the limit itself.
func Cut(text []byte, limit int) []byte {
	if len(text) <= limit {
		return text
	}
	if limit <= len(CutNote) {
		return nil
	}
	text = text[:limit-len(CutNote)]
	if i := bytes.LastIndexByte(text, '\n'); i >= 0 {
		text = text[:i]
	}
	for len(text) > 0 {
		if r, size := utf8.DecodeLastRune(text); r != utf8.RuneError || size > 1 {
			break
		}
		text = text[:len(text)-1]
	}
	return append(bytes.Clone(text), CutNote...)
}

// characters counts as the strictest host does: in UTF-16.
func characters(s string) int { return len(utf16.Encode([]rune(s))) }
