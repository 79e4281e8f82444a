package foreign

import (
	"fmt"
	"strings"
)

// Message encodes t as part of a plain text message of SARIF
// (https://docs.oasis-open.org/sarif/sarif/v2.1.0/, 3.11.3 to 3.11.6): it holds
// no embedded link and no placeholder. Viewers show such messages as Markdown
// too, and hosts as comments on changes: it holds no address, mention,
// reference or HTML either.
func (t Text) Message(max int) string {
	return t.encode(max, func(u unit) string {
		switch {
		case strings.ContainsRune("[]{}<>`", u.r):
		case u.r == '@' && word(u.after) && (u.before == "" || !wordByte(u.before[len(u.before)-1])):
		case u.r == '#' && digit(u.after):
		case u.r == '-' && strings.EqualFold(tail(u.before, 2), "gh") && digit(u.after):
		case u.r == ':' && strings.HasPrefix(u.after, "//"):
		case u.r == '.' && strings.EqualFold(tail(u.before, 3), "www"):
		default:
			seen := u.visible()
			if strings.HasPrefix(seen, `\u{`) {
				seen = `\u(` + seen[len(`\u{`):len(seen)-1] + ")"
			}
			return seen
		}
		return fmt.Sprintf(`\x%02x`, u.r)
	})
}

func wordByte(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
}

func word(s string) bool { return s != "" && wordByte(s[0]) }

func digit(s string) bool { return s != "" && s[0] >= '0' && s[0] <= '9' }
