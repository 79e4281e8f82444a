package foreign

import (
	"bytes"
	"fmt"
	"unicode/utf16"
	"unicode/utf8"
)

// JSON replaces every character of a JSON document that does not print as
// itself by JSON's own escape, so that the document may be shown on a terminal
// or in a browser as it is. The document keeps its meaning. It must be valid.
func JSON(document []byte) []byte {
	var out bytes.Buffer
	out.Grow(len(document))
	for len(document) > 0 {
		n := 0
		for n < len(document) && document[n] < 0x7f {
			n++
		}
		out.Write(document[:n])
		if document = document[n:]; len(document) == 0 {
			break
		}
		r, size := utf8.DecodeRune(document)
		switch {
		case printable(r):
			out.Write(document[:size])
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&out, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&out, `\u%04x`, r)
		}
		document = document[size:]
	}
	return out.Bytes()
}
