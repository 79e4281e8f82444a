// Package foreign holds the one type for text that came from an image, a
// registry, a cluster or an API, and one encoder for each sink that such text
// may reach. Nothing else may print it.
//
// Every encoder takes the greatest length of its result in bytes. A longer
// text ends in "…", never inside a character, an escape or an entity. A limit
// of 0 or less stands for DefaultMax. Time and memory are bounded by the limit
// and not by the text.
package foreign

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Text is hostile text: any bytes, any length.
type Text string

// DefaultMax is the limit, in bytes, of an encoder that was given none.
const DefaultMax = 1024

const ellipsis = "…"

// Line encodes t as one line of printable text. Controls, line breaks, ANSI
// sequences, bidirectional and zero-width characters, combining marks and
// bytes that are no UTF-8 become visible escapes: \x1b, \u{202e}. A backslash
// stays as it is, so that encoding twice is the same as encoding once.
//
// The line is also safe in a CI log: it holds neither of the two forms that
// GitHub's runner takes for commands ("::" at the start, "##[" anywhere:
// https://github.com/actions/runner, ActionCommand.cs). It is not safe in
// Markdown or HTML.
func (t Text) Line(max int) string {
	return t.encode(max, func(u unit) string { return u.visible() })
}

// Terminal encodes t for a terminal. The result takes no more columns than it
// has bytes.
func (t Text) Terminal(max int) string { return t.Line(max) }

// unit is one character of a text, or one byte that is no UTF-8, and what
// stands around it.
type unit struct {
	r      rune
	valid  bool
	raw    byte   // the byte, when not valid
	before string // the text before it, from the start
	after  string // the text after it
}

// visible gives the unit as it is when it can be printed, else its escape.
func (u unit) visible() string {
	switch {
	case !u.valid:
		return fmt.Sprintf(`\x%02x`, u.raw)
	case u.r == ':' && strings.HasPrefix(u.after, ":") && strings.Trim(u.before, " ") == "":
		return `\x3a`
	case u.r == '#' && strings.HasSuffix(u.before, "#") && strings.HasPrefix(u.after, "["):
		return `\x23`
	case printable(u.r):
		return string(u.r)
	case u.r < utf8.RuneSelf:
		return fmt.Sprintf(`\x%02x`, u.r)
	default:
		return fmt.Sprintf(`\u{%x}`, u.r)
	}
}

// printable reports whether r shows as itself, takes room of its own and moves
// nothing around it.
func printable(r rune) bool {
	if r < utf8.RuneSelf {
		return r >= ' ' && r != 0x7f
	}
	return unicode.IsPrint(r) &&
		!unicode.In(r, unicode.Mn, unicode.Me, unicode.Other_Default_Ignorable_Code_Point) &&
		r != '\u2800' // a blank that counts as a symbol
}

// encode joins what each makes of the units of t, at most max bytes of it. A
// unit is kept or dropped as a whole.
func (t Text) encode(max int, each func(unit) string) string {
	if max <= 0 {
		max = DefaultMax
	}
	var out strings.Builder
	fits := 0 // length of the longest whole prefix that leaves room for the ellipsis
	s := string(t)
	out.Grow(min(max, len(s)+len(s)/4) + len(ellipsis))
	for i := 0; i < len(s); {
		size := 1
		if c := s[i]; '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' {
			out.WriteByte(c) // letters and digits are themselves in every sink
		} else {
			var r rune
			r, size = utf8.DecodeRuneInString(s[i:])
			out.WriteString(each(unit{
				r: r, valid: r != utf8.RuneError || size > 1, raw: c, before: s[:i], after: s[i+size:],
			}))
		}
		if out.Len() > max {
			if max < len(ellipsis) {
				return ""
			}
			return out.String()[:fits] + ellipsis
		}
		if out.Len() <= max-len(ellipsis) {
			fits = out.Len()
		}
		i += size
	}
	return out.String()
}
