package foreign

import (
	"fmt"
	"strings"
)

// zeroWidth separates what a host would otherwise link. GitHub and GitLab look
// for mentions and references in the rendered text, where an entity for the
// character itself would be seen as that character.
const zeroWidth = "&#8203;"

// Markdown encodes t as plain text within a paragraph, a heading, a list item
// or a table cell of GitHub's and GitLab's Markdown, and within the raw HTML
// blocks of both. It holds no markup, HTML, comment, mention, reference,
// autolink, formula or quick action. Text that a reader may want to copy is
// better shown by Code.
func (t Text) Markdown(max int) string {
	return t.encode(max, func(u unit) string {
		seen := u.visible()
		if len(seen) > 1 && seen[0] == '\\' {
			return entity('\\') + strings.NewReplacer("{", entity('{'), "}", entity('}')).Replace(seen[1:])
		}
		switch u.r {
		case '@', '#', '$':
			return entity(u.r) + zeroWidth
		case ':':
			if u.after == "" || u.after[0] == ' ' {
				break // neither an address nor an emoji's name
			}
			return entity(u.r) + zeroWidthBefore(u.after, "/")
		case '.':
			if strings.HasSuffix(strings.ToLower(tail(u.before, 3)), "www") {
				return entity(u.r) + zeroWidth
			}
			if listNumber(u) {
				return entity(u.r)
			}
		case ')':
			if listNumber(u) {
				return entity(u.r)
			}
		case '-':
			if strings.EqualFold(tail(u.before, 2), "gh") || u.before == "" {
				return entity(u.r) + zeroWidth
			}
		case '\\', '`', '*', '_', '{', '}', '[', ']', '<', '>', '&', '|', '~', '!', '"', '\'', '%', '^':
			return entity(u.r)
		case '+', '=', '/':
			if u.before == "" {
				return entity(u.r)
			}
		case ' ':
			if strings.Trim(u.before, " ") == "" || strings.HasSuffix(u.before, " ") {
				return entity(u.r)
			}
		}
		return seen
	})
}

// Code encodes t as a code span of GitHub's and GitLab's Markdown, safe in a
// table cell. Backticks, pipes and the openings of comments become escapes.
// The limit includes the two backticks around it;
// the shortest result has three bytes.
func (t Text) Code(max int) string {
	if max <= 0 {
		max = DefaultMax
	}
	if t == "" || max < len("` `") {
		return "` `"
	}
	return "`" + t.encode(max-len("``"), func(u unit) string {
		switch {
		case u.r == '`':
			return `\x60`
		case u.r == '|':
			return `\x7c`
		case u.r == '<' && strings.HasPrefix(u.after, "!"):
			return `\x3c`
		}
		return u.visible()
	}) + "`"
}

// HTML encodes t as text of an HTML document or as the value of an attribute
// in quotes. It is not for scripts, styles or addresses.
func (t Text) HTML(max int) string {
	return t.encode(max, func(u unit) string {
		switch u.r {
		case '<', '>', '&', '"', '\'', '`':
			return entity(u.r)
		}
		return u.visible()
	})
}

// entity gives r as a numeric character reference, which no Markdown or HTML
// reader takes for markup.
func entity(r rune) string { return fmt.Sprintf("&#%d;", r) }

func zeroWidthBefore(after, prefix string) string {
	if strings.HasPrefix(after, prefix) {
		return zeroWidth
	}
	return ""
}

// listNumber reports whether u would open an ordered list at the start of a
// line: it follows one to nine digits and a blank follows it.
func listNumber(u unit) bool {
	return u.before != "" && len(u.before) <= 9 && strings.Trim(u.before, "0123456789") == "" &&
		(u.after == "" || u.after[0] == ' ')
}

func tail(s string, n int) string { return s[len(s)-min(n, len(s)):] }
