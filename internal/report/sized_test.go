package report_test

import (
	"bytes"
	"fmt"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/vexxy/action/internal/report"
	"github.com/vexxy/action/internal/report/reporttest"
)

// rendered gives the HTML that GitHub's own renderer makes of a document.
func rendered(t *testing.T, markdown []byte) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "cmark-gfm", "--unsafe", "-e", "table", "-e", "autolink", "-e", "strikethrough", "-e", "tasklist")
	cmd.Stdin = bytes.NewReader(markdown)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("rendering Markdown (scripts/setup/packages.sh test brings cmark-gfm): %v", err)
	}
	return string(out)
}

var (
	tag = regexp.MustCompile(`<[^>]*>`)
	// ours are the tags of our own documents.
	ours = regexp.MustCompile(`^</?(h2|h3|p|table|thead|tbody|tr|th|td|strong|code|pre|ul|li|details|summary|sub)( align="(right|center)"| lang="(sh|text)")?>$|^<code class="language-(sh|text)">$|^<!-- vexxy:comment key=[0-9a-f]{32} order=[0-9]+ -->$`)
	// live is what the hosts make mentions, references and links of.
	live     = regexp.MustCompile(`(^|[^0-9A-Za-z&;_])@[0-9A-Za-z]|(^|[^&0-9A-Za-z])#[0-9]|GH-[0-9]|[0-9A-Za-z]/[0-9A-Za-z]+#[0-9]|://|(?i)www\.[a-z]`)
	codeHTML = regexp.MustCompile(`(?s)<pre.*?</pre>|<code>.*?</code>`)
)

// tame checks that a rendered document has no markup but ours.
func tame(t *testing.T, name string, markdown []byte) {
	t.Helper()
	html := rendered(t, markdown)
	for _, found := range tag.FindAllString(html, -1) {
		if !ours.MatchString(found) {
			t.Errorf("%s: renders %q", name, found)
		}
	}
	if n := strings.Count(html, "<!--"); n > 1 || n == 1 && !strings.HasPrefix(html, "<!-- vexxy:comment ") {
		t.Errorf("%s: renders %d comments", name, n)
	}
	if hit := live.FindString(tag.ReplaceAllString(codeHTML.ReplaceAllString(html, ""), "")); hit != "" {
		t.Errorf("%s: shows %q", name, hit)
	}
	if opened, closed := strings.Count(html, "<details>"), strings.Count(html, "</details>"); opened != closed {
		t.Errorf("%s: %d details, %d ends", name, opened, closed)
	}
}

func TestSummaryGolden(t *testing.T) {
	for _, n := range reporttest.Sizes {
		got := report.Summary(sized(n), 1<<20)
		if n <= 60 {
			reporttest.Golden(t, fmt.Sprintf("summary.%d.md", n), got)
		} else {
			reporttest.Golden(t, fmt.Sprintf("summary.%d.txt", n), shortened(got, 40))
		}
		if len(got) > 1<<20 {
			t.Errorf("%d findings: %d bytes", n, len(got))
		}
		tame(t, fmt.Sprint(n), got)
	}
}
