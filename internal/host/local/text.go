package local

// cut shortens text to at most columns columns. No character of a text that
// passed the encoder takes more columns than it has bytes in UTF-8, and none
// takes more than two.
func cut(text string, columns int) string {
	used := 0
	for i, r := range text {
		wide := 1
		if r >= 0x1100 {
			wide = 2 // or less: a line too short does no harm
		}
		if r == '…' {
			wide = 1
		}
		if used+wide > columns-1 && len(text[i:]) > len(string(r)) {
			return text[:i] + "…"
		}
		used += wide
	}
	return text
}
