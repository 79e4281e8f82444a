package report

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/vexxy/action/internal/foreign"
)

// Link is a place to which a document leads, such as an artifact's page. It
// comes from the host and not from the image, and is encoded all the same.
type Link struct{ Text, URL string }

// markdown gives the link, or its text alone where the address is none of the
// web's.
func (l Link) markdown() string {
	text := foreign.Text(l.Text).Markdown(100)
	u, err := url.Parse(l.URL)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || len(l.URL) > 2000 {
		return text
	}
	return fmt.Sprintf("[%s](<%s>)", text, address(u.String()))
}

// address writes what could end an address in Markdown as percent escapes.
func address(s string) string {
	var out strings.Builder
	for i := range len(s) {
		c := s[i]
		if c > ' ' && c < 0x7f && !strings.ContainsRune("<>\"\\`|[]{}^*", rune(c)) {
			out.WriteByte(c)
		} else {
			fmt.Fprintf(&out, "%%%02X", c)
		}
	}
	return out.String()
}

// links is one line of links.
func (p *page) links(all []Link) {
	if len(all) == 0 {
		return
	}
	shown := make([]string, 0, len(all))
	for _, l := range all[:min(20, len(all))] {
		shown = append(shown, l.markdown())
	}
	p.f("**Documents** %s\n\n", strings.Join(shown, " · "))
}
