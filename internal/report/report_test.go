package report_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/foreign/foreigntest"
	"github.com/vexxy/action/internal/gate"
	"github.com/vexxy/action/internal/judge"
	"github.com/vexxy/action/internal/judge/judgetest"
	"github.com/vexxy/action/internal/report"
	"github.com/vexxy/action/internal/report/reporttest"
)

func compiled(t testing.TB) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(report.Schema()))
	if err != nil {
		t.Fatal(err)
	}
	strict(doc)
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("result.schema.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("result.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// strict closes every object of the schema: users' copies must accept fields
// of later versions, the tests accept only what is documented.
func strict(v any) {
	switch v := v.(type) {
	case map[string]any:
		if _, ok := v["properties"]; ok && v["additionalProperties"] == nil {
			v["additionalProperties"] = false
		}
		for _, inner := range v {
			strict(inner)
		}
	case []any:
		for _, inner := range v {
			strict(inner)
		}
	}
}

func valid(t testing.TB, s *jsonschema.Schema, data []byte) error {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatalf("%v: %.400s", err, data)
	}
	return s.Validate(doc)
}

func result(t testing.TB, img report.Image) []byte {
	t.Helper()
	data, err := report.Result(img)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func must(t testing.TB, data []byte, err error) []byte {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestGolden(t *testing.T) {
	failed, err := report.Failed(failure())
	reporttest.Golden(t, "failure.result.json", must(t, failed, err))
	overall, err := report.Overall(run())
	reporttest.Golden(t, "run.result.json", must(t, overall, err))
	reporttest.Golden(t, "failure.summary.md", report.FailureSummary(failure()))
	reporttest.Golden(t, "run.summary.md", report.OverallSummary(run(), 1<<20))
	passed := sample()
	passed.Decision = gate.Decision{Verdict: gate.VerdictPass, Causes: []string{}}
	for name, img := range map[string]report.Image{"fail": sample(), "inconclusive": inconclusive(), "pass": passed} {
		reporttest.Golden(t, name+".result.json", result(t, img))
		reporttest.Golden(t, name+".summary.md", report.Summary(img, 1<<20))
		var table bytes.Buffer
		if err := report.Table(&table, []report.Shown{{Entry: entry(img), Image: &img}, {Entry: run().Images[1]}}, report.TableOptions{}); err != nil {
			t.Fatal(err)
		}
		reporttest.Golden(t, name+".table.txt", table.Bytes())
	}
}

func TestResultsFollowTheSchema(t *testing.T) {
	s := compiled(t)
	failed, err := report.Failed(failure())
	empty, err2 := report.Failed(report.Failure{RunID: "x", Verdict: gate.VerdictError, Code: fault.Internal})
	overall, err3 := report.Overall(run())
	for name, data := range map[string][]byte{
		"fail": result(t, sample()), "inconclusive": result(t, inconclusive()), "large": result(t, large(500)),
		"failure": must(t, failed, err), "empty failure": must(t, empty, err2), "run": must(t, overall, err3),
	} {
		if err := valid(t, s, data); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, text := range foreigntest.Corpus() {
		if err := valid(t, s, result(t, hostile(text))); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	rng := rand.New(rand.NewPCG(7, 7))
	for i := range 200 {
		rec := judgetest.Random(rng)
		j := judge.Judge(rec)
		img := report.Image{Record: rec, Judgement: j, Decision: gate.Decide(gate.Policy{Max: rng.IntN(3)}, j, nil)}
		if err := valid(t, s, result(t, img)); err != nil {
			t.Fatalf("random record %d: %v", i, err)
		}
	}
}

// TestSchemaRefuses shows that the schema can fail.
func TestSchemaRefuses(t *testing.T) {
	s := compiled(t)
	good := string(result(t, sample()))
	for _, c := range []struct{ old, new string }{
		{`"verdict": "fail"`, `"verdict": "perhaps"`},
		{`"exit_code": 2`, `"exit_code": 3.5`},
		{`"kind": "image"`, `"kind": "run"`},
		{`"affected": 2`, `"affected": -2`},
		{`"run_id": "0123456789abcdef01234567",`, ``},
		{`"status":"affected"`, `"status":"maybe"`},
		{`"critical": 1`, `"dire": 1`},
		{`"lost_total": 0`, `"lost_total": 0, "undocumented": 1`},
	} {
		bad := strings.Replace(good, c.old, c.new, 1)
		if bad == good {
			t.Errorf("the result holds no %s", c.old)
		} else if valid(t, s, []byte(bad)) == nil {
			t.Errorf("the schema accepts %s", c.new)
		}
	}
}

func TestSchemaDescribesEveryField(t *testing.T) {
	var doc any
	if err := json.Unmarshal(report.Schema(), &doc); err != nil {
		t.Fatal(err)
	}
	fields := 0
	var walk func(path string, v any)
	walk = func(path string, v any) {
		switch v := v.(type) {
		case map[string]any:
			if properties, ok := v["properties"].(map[string]any); ok {
				for name, p := range properties {
					fields++
					text, _ := p.(map[string]any)["description"].(string)
					if len(text) < 5 || !strings.HasSuffix(text, ".") {
						t.Errorf("%s.%s has no description in words: %q", path, name, text)
					}
				}
			}
			for name, inner := range v {
				walk(path+"/"+name, inner)
			}
		case []any:
			for _, inner := range v {
				walk(path, inner)
			}
		}
	}
	walk("", doc)
	if fields < 100 {
		t.Errorf("only %d fields were found", fields)
	}
}

// TestPublicationIsTheOnlyImpurePart replays by hand: another publication must
// change nothing before it.
func TestPublicationIsTheOnlyImpurePart(t *testing.T) {
	a, b := sample(), sample()
	b.Publication = report.Published(map[string][]byte{"other": []byte("1")})
	first, second := result(t, a), result(t, b)
	if bytes.Equal(first, second) || !bytes.Equal(report.Pure(first), report.Pure(second)) {
		t.Error("the pure parts differ, or the publication does not")
	}
	var whole, pure map[string]any
	if err := json.Unmarshal(first, &whole); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(report.Pure(first), &pure); err != nil {
		t.Fatal(err)
	}
	if len(pure) != len(whole)-1 || pure["publication"] != nil || whole["publication"] == nil {
		t.Errorf("%d keys, %d of them pure", len(whole), len(pure))
	}
	fooled := sample()
	fooled.Judgement.Assessments[0].Text = "x\",\n  \"publication\": {"
	if data := result(t, fooled); len(report.Pure(data)) < len(data)-1500 {
		t.Error("foreign text passes for the publication")
	}
}

// TestForeignText runs the hostile strings through every document.
func TestForeignText(t *testing.T) {
	active := regexp.MustCompile(`<script|<img|<!--|!\[|\]\(|@everyone|@octo|https?://|(?i)[^&]www\.|octo/repo#2|fixes #1`)
	for name, text := range foreigntest.Corpus() {
		img := hostile(text)
		summary := string(report.Summary(img, 1<<20))
		f := failure()
		f.Requested, f.Causes, f.Hint = text, []string{text}, text
		r := run()
		r.Images[0].Requested, r.Images[0].Folder = text, text
		var table bytes.Buffer
		if err := report.Table(&table, []report.Shown{{Entry: entry(img), Image: &img}}, report.TableOptions{Colour: false, Width: 100}); err != nil {
			t.Fatal(err)
		}
		for doc, got := range map[string]string{
			"summary": summary, "failure": string(report.FailureSummary(f)), "run": string(report.OverallSummary(r, 1<<20)),
			"table": table.String(), "result": string(result(t, img)),
		} {
			for _, c := range got {
				if c != '\n' && (unicode.IsControl(c) || unicode.Is(unicode.Cf, c)) {
					t.Errorf("%s in %s: holds %U", name, doc, c)
					break
				}
			}
			if doc == "table" || doc == "result" {
				continue
			}
			if hit := active.FindString(withoutCode(got)); hit != "" {
				t.Errorf("%s in %s: holds %q", name, doc, hit)
			}
			if strings.Contains(got, "<!--") {
				t.Errorf("%s in %s: holds a comment", name, doc)
			}
		}
		for line := range strings.Lines(summary) {
			if strings.HasPrefix(line, "| ") && !strings.HasPrefix(line, "| |") && strings.Contains(summary, "### Affected") {
				if n := strings.Count(line, "|"); n != 6 && n != 5 && n != 4 && n != 3 {
					t.Errorf("%s: a row with %d bars: %.200s", name, n, line)
				}
			}
		}
		for line := range strings.Lines(table.String()) {
			if len([]rune(strings.TrimSuffix(line, "\n"))) > 100 {
				t.Errorf("%s: a line of %d columns", name, len([]rune(line)))
			}
		}
	}
}

var codeSpan = regexp.MustCompile("(?s)```.*?```|`[^`\n]*`")

func withoutCode(text string) string { return codeSpan.ReplaceAllString(text, "") }

// TestSummaryShrinksAndKeepsTotals is property P8.
func TestSummaryShrinksAndKeepsTotals(t *testing.T) {
	img := large(10_000)
	totals := "| 10000 | **4000** | 2000 | 2000 | 2000 |"
	last := 1 << 30
	for _, limit := range []int{8 << 20, 1 << 20, 65_536, 20_000, 6_000, 3_500} {
		text := string(report.Summary(img, limit))
		if len(text) > limit || len(text) > last {
			t.Errorf("at %d the summary has %d bytes, before %d", limit, len(text), last)
		}
		for _, want := range []string{totals, "4000 affected findings", "bounded by this workload", "vexxy: fail", "| ✅ E2 |"} {
			if limit >= 1<<20 && want == "4000 affected findings" {
				continue // nothing is left out
			}
			if !strings.Contains(text, want) {
				t.Errorf("at %d the summary lacks %q:\n%.600s", limit, want, text)
			}
		}
		last = len(text)
	}
	tiny := string(report.Summary(img, 1))
	for _, want := range []string{"10000 vulnerabilities", "4000 affected", "2000 under", "2000 not", "2000 fixed"} {
		if len(tiny) > 512 || !strings.Contains(tiny, want) {
			t.Errorf("the least summary is %q, without %q", tiny, want)
		}
	}
	many := run()
	for i := range 5000 {
		many.Images = append(many.Images, report.Entry{Requested: fmt.Sprint("image", i), Verdict: gate.VerdictPass})
	}
	text := string(report.OverallSummary(many, 65_536))
	if len(text) > 65_536 || !strings.Contains(text, "of 5002 images shown") || !strings.Contains(text, "5000 images pass") {
		t.Errorf("%d bytes: %.300s", len(text), text)
	}
}

// TestInconclusiveSaysWhyAndWhatToDo: nobody has to look for the reason.
func TestInconclusiveSaysWhyAndWhatToDo(t *testing.T) {
	img := inconclusive()
	var table bytes.Buffer
	if err := report.Table(&table, []report.Shown{{Entry: entry(img), Image: &img}}, report.TableOptions{}); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"summary": string(report.Summary(img, 1<<20)), "table": table.String()} {
		for _, want := range []string{"12 events lost", "Lower the load of the exercise", "E2", "no lost events"} {
			if !strings.Contains(strings.Join(strings.Fields(text), " "), want) {
				t.Errorf("the %s lacks %q:\n%s", name, want, text)
			}
		}
		if strings.Contains(text, "present, never used") {
			t.Errorf("the %s speaks of not affected", name)
		}
	}
}

func TestTableColours(t *testing.T) {
	img := sample()
	var plain, coloured bytes.Buffer
	shown := []report.Shown{{Entry: entry(img), Image: &img}}
	if err := report.Table(&plain, shown, report.TableOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := report.Table(&coloured, shown, report.TableOptions{Colour: true}); err != nil {
		t.Fatal(err)
	}
	if bytes.ContainsRune(plain.Bytes(), '\x1b') || !bytes.Contains(coloured.Bytes(), []byte("\x1b[1;31mFAIL\x1b[0m")) {
		t.Errorf("%q and %q", plain.String(), coloured.String())
	}
}

func BenchmarkResult5kFindings(b *testing.B) {
	img := large(5000)
	for b.Loop() {
		if _, err := report.Result(img); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSummary5kFindings(b *testing.B) {
	img := large(5000)
	for b.Loop() {
		report.Summary(img, 1<<20)
	}
}
