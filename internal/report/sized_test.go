package report_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/vexxy/action/internal/baseline"
	"github.com/vexxy/action/internal/gate"
	"github.com/vexxy/action/internal/inventory"
	"github.com/vexxy/action/internal/judge"
	"github.com/vexxy/action/internal/report"
)

// sizes are the numbers of findings that documents are made for.
var sizes = []int{0, 1, 60, 5000}

// sized is sample with n findings of every status, of severities in turn, and
// held against a baseline that has every third of them.
func sized(n int) report.Image {
	img := compared()
	kinds := img.Judgement.Assessments
	j := &img.Judgement
	j.Assessments, j.Summary = nil, judge.Summary{Total: n, Findings: n, AffectedBySeverity: map[inventory.Severity]int{}}
	old := baseline.Baseline{From: "result.json", RunID: "fedcba9876543210fedcba98", FinishedAt: at(-86400)}
	for i := range n {
		a := kinds[i%len(kinds)]
		a.Vulnerability = fmt.Sprintf("CVE-2026-%05d", i)
		a.PackageName, a.PURL = fmt.Sprint("package", i/5), fmt.Sprintf("pkg:deb/debian/package%d@1", i/5)
		a.SubcomponentPURLs, a.Aliases, a.Severity = []string{a.PURL}, nil, inventory.Severities[i/7%6]
		j.Assessments = append(j.Assessments, a)
		if i%3 == 0 {
			old.Statements = append(old.Statements, baseline.Statement{Vulnerability: a.Vulnerability, PURL: a.PURL, Package: a.PackageName, Status: a.Status})
		}
		switch a.Status {
		case judge.Affected:
			j.Summary.Affected++
			j.Summary.AffectedBySeverity[a.Severity]++
		case judge.UnderInvestigation:
			j.Summary.UnderInvestigation++
		case judge.NotAffected:
			j.Summary.NotAffected++
		default:
			j.Summary.Fixed++
		}
	}
	img.Change = baseline.Compare(old, *j)
	img.Decision = gate.Decide(gate.Policy{FailOn: inventory.High}, *j, img.Change)
	return img
}

// shortened is a golden form of a large document: its length, its digest and
// its first lines.
func shortened(data []byte, lines int) []byte {
	sum := sha256.Sum256(data)
	head := bytes.SplitAfterN(data, []byte("\n"), lines+1)
	return fmt.Appendf(nil, "%d bytes, %d lines, sha256:%s\n\n%s", len(data), bytes.Count(data, []byte("\n")), hex.EncodeToString(sum[:]), bytes.Join(head[:min(lines, len(head))], nil))
}

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
func tame(t *testing.T, name string, markdown []byte, links ...string) {
	t.Helper()
	html := rendered(t, markdown)
	for _, link := range links {
		if !strings.Contains(html, `<a href="`+link+`">`) {
			t.Errorf("%s: the link to %s is not there", name, link)
		}
		html = strings.NewReplacer(`<a href="`+link+`">`, "", "</a>", "").Replace(html)
	}
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
	for _, n := range sizes {
		got := report.Summary(sized(n), 1<<20)
		if n <= 60 {
			golden(t, fmt.Sprintf("summary.%d.md", n), got)
		} else {
			golden(t, fmt.Sprintf("summary.%d.txt", n), shortened(got, 40))
		}
		if len(got) > 1<<20 {
			t.Errorf("%d findings: %d bytes", n, len(got))
		}
		tame(t, fmt.Sprint(n), got)
	}
}
