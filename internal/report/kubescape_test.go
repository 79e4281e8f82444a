package report_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode"

	"github.com/vexxy/action/internal/evidence"
	"github.com/vexxy/action/internal/foreign/foreigntest"
	"github.com/vexxy/action/internal/gate"
	"github.com/vexxy/action/internal/judge"
	"github.com/vexxy/action/internal/judge/judgetest"
	"github.com/vexxy/action/internal/record"
	"github.com/vexxy/action/internal/report"
	"github.com/vexxy/action/internal/report/reporttest"
	"github.com/vexxy/action/internal/vexdiff"
)

// witnessed is sample of the kubescape engine: the two witnesses disagree and
// Kubescape's own document clears what was seen in use.
func witnessed() report.Image {
	img := sample()
	e := &img.Record.Evidence
	e.Engine = evidence.KubescapeEngine
	e.Kubescape = judgetest.Kubescape()
	e.Kubescape.Agent.ReadyAt = at(-5)
	img.Judgement.Agreed = 17
	img.Judgement.Disagreements = []judge.Disagreement{
		{PackageID: "1", Name: "curl", Version: "7.88", SeenBy: evidence.WitnessNodeAgent, Reason: judge.BlindSensor, Files: 1, Example: "/usr/bin/curl", Kinds: []evidence.Kind{evidence.Exec}},
		{PackageID: "2", Name: "libc6", Version: "2.36", SeenBy: evidence.WitnessSensor, Reason: judge.BlindInterpreter, Files: 1, Example: "/usr/lib64/ld-linux-x86-64.so.2", Kinds: []evidence.Kind{evidence.Interp}},
		{PackageID: "3", Name: "libpcre2-8-0", Version: "10.42", SeenBy: evidence.WitnessSensor, Reason: judge.BlindMapping, Files: 1, Example: "/usr/lib/x86_64-linux-gnu/libpcre2-8.so.0", Kinds: []evidence.Kind{evidence.Map}},
	}
	img.Differences = &vexdiff.Comparison{
		Statements: 5, Compared: 6, Same: 3, Clears: 1,
		Tallies: []vexdiff.Tally{
			{Reason: vexdiff.Mapping, Meaning: vexdiff.Mapping.Meaning(), Count: 1, Clears: 1},
			{Reason: vexdiff.OursMissing, Meaning: vexdiff.OursMissing.Meaning(), Count: 2},
		},
		Differences: []vexdiff.Difference{
			{Vulnerability: "CVE-2026-0002", PURL: "pkg:deb/debian/libpcre2-8-0@10.42", Package: "libpcre2-8-0", Version: "10.42", Severity: "medium",
				Theirs: "not_affected", Ours: judge.Affected, Reason: vexdiff.Mapping, Clears: true, Detail: "/usr/lib/x86_64-linux-gnu/libpcre2-8.so.0"},
			{Vulnerability: "CVE-2026-0008", PURL: "pkg:deb/debian/tar@1.34", Theirs: "not_affected", Reason: vexdiff.OursMissing},
			{Vulnerability: "CVE-2026-0009", PURL: "pkg:deb/debian/tar@1.34", Theirs: "affected", Reason: vexdiff.OursMissing},
		},
	}
	// Steps of two images side by side, which the drawing must show.
	img.Record.Run.Timings = []record.Timing{
		{Step: "prepare engine", Start: at(-20), End: at(-4)}, {Step: "resolve nginx:1.25", Start: at(-20), End: at(-18)},
		{Step: "observe: nginx:1.25", Start: at(-3), End: at(324)}, {Step: "observe: redis:7", Start: at(-3), End: at(290), Error: "the pod was evicted"},
	}
	return img
}

// many is witnessed with n disagreements and n differences.
func many(n int) report.Image {
	img := witnessed()
	img.Judgement.Disagreements, img.Differences.Differences = nil, nil
	for i := range n {
		img.Judgement.Disagreements = append(img.Judgement.Disagreements, judge.Disagreement{PackageID: fmt.Sprint(i), Name: fmt.Sprint("p", i), Version: "1", SeenBy: evidence.WitnessSensor, Reason: judge.BlindOpen, Files: 1, Example: "/x"})
		img.Differences.Differences = append(img.Differences.Differences, vexdiff.Difference{Vulnerability: fmt.Sprint("CVE-", i), Theirs: "not_affected", Ours: judge.Affected, Reason: vexdiff.Open, Clears: true})
	}
	img.Differences.Clears, img.Differences.Compared = n, n+3
	img.Differences.Tallies = []vexdiff.Tally{{Reason: vexdiff.Open, Meaning: vexdiff.Open.Meaning(), Count: n, Clears: n}}
	return img
}

func TestKubescapeGolden(t *testing.T) {
	img := witnessed()
	reporttest.Golden(t, "kubescape.result.json", result(t, img))
	reporttest.Golden(t, "kubescape.summary.md", report.Summary(img, 1<<20))
}

func TestKubescapeResultsFollowTheSchema(t *testing.T) {
	s := compiled(t)
	missing := witnessed()
	missing.Differences = &vexdiff.Comparison{Missing: "Kubescape made no OpenVEX document"}
	missing.Record.Evidence.Kubescape = &evidence.Kubescape{Sensor: "no BTF", Profile: evidence.Profile{Error: "gone"}}
	for name, img := range map[string]report.Image{"good": witnessed(), "missing": missing, "many": many(3000)} {
		if err := valid(t, s, result(t, img)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	rng := rand.New(rand.NewPCG(8, 8))
	for i := range 100 {
		rec := judgetest.Random(rng)
		judgetest.Witness(&rec)
		rec.Raw = map[string][]byte{record.RawVEX: []byte(`{"spec":{"statements":[{"vulnerability":{"@id":"CVE-2026-1"},"status":"not_affected","products":[{"@id":"pkg:deb/debian/p1@1.0"}]}]}}`)}
		j := judge.Judge(rec)
		img := report.Image{Record: rec, Judgement: j, Decision: gate.Decide(gate.Policy{}, j, nil), Differences: vexdiff.Compare(rec, j)}
		if err := valid(t, s, result(t, img)); err != nil {
			t.Fatalf("random record %d: %v", i, err)
		}
	}
}

// Lists end, totals do not.
func TestKubescapeListsAreBounded(t *testing.T) {
	var got struct {
		Kubescape struct {
			Witnesses struct {
				Alone         int   `json:"sensor_alone"`
				Disagreements []any `json:"disagreements"`
			} `json:"witnesses"`
			VEX struct {
				Clears, Different int
				Differences       []any
			} `json:"vex"`
		} `json:"kubescape"`
	}
	img := many(3000)
	if err := json.Unmarshal(result(t, img), &got); err != nil {
		t.Fatal(err)
	}
	w, v := got.Kubescape.Witnesses, got.Kubescape.VEX
	if w.Alone != 3000 || len(w.Disagreements) != 1000 || v.Clears != 3000 || v.Different != 3000 || len(v.Differences) != 2000 {
		t.Errorf("%d disagreements of %d, %d differences of %d", len(w.Disagreements), w.Alone, len(v.Differences), v.Different)
	}
	for _, limit := range []int{1 << 20, 65_536, 20_000, 7_000} {
		text := string(report.Summary(img, limit))
		for _, want := range []string{"the sensor alone saw 3000", "of 3000 disagreements shown", "calls **3000** not affected", "of 3000 findings cleared by Kubescape though used shown"} {
			if len(text) > limit || !strings.Contains(text, want) {
				t.Errorf("at %d the summary (%d bytes) lacks %q", limit, len(text), want)
			}
		}
	}
}

// The hostile strings through all that Kubescape says.
func TestKubescapeForeignText(t *testing.T) {
	for name, text := range foreigntest.Corpus() {
		text = text[:min(len(text), 4096)]
		img := witnessed()
		k := img.Record.Evidence.Kubescape
		k.Chart, k.Sensor, k.Scan, k.Agent.Pod, k.Profile.Error = text, text, text, text, text
		for i := range img.Judgement.Disagreements {
			d := &img.Judgement.Disagreements[i]
			d.Name, d.Version, d.Example, d.Reason = text, text, text, judge.Blindness(text)
		}
		for i := range img.Differences.Differences {
			d := &img.Differences.Differences[i]
			d.Vulnerability, d.Package, d.Version, d.Theirs, d.Detail = text, text, text, text, text
		}
		img.Record.Run.Timings[0].Step, img.Record.Run.Timings[3].Error = text, text
		second := img
		second.Differences = &vexdiff.Comparison{Missing: text}
		for _, img := range []report.Image{img, second} {
			got := string(report.Summary(img, 1<<20))
			for _, c := range got {
				if c != '\n' && (unicode.IsControl(c) || unicode.Is(unicode.Cf, c)) {
					t.Errorf("%s: holds %U", name, c)
					break
				}
			}
			if strings.Contains(got, "<!--") || strings.Contains(withoutCode(got), "<script") || strings.Count(got, "```") != 2 {
				t.Errorf("%s: markup gets through", name)
			}
			for line := range strings.Lines(got) {
				if n := strings.Count(line, "|"); strings.HasPrefix(line, "| ") && n > 7 {
					t.Errorf("%s: a row with %d bars: %.200s", name, n, line)
				}
			}
		}
	}
}

// The timeline's bars all have one place and one width, and begin where their
// step did.
func TestTimelineIsDrawn(t *testing.T) {
	img := witnessed()
	_, block, _ := strings.Cut(string(report.Summary(img, 1<<20)), "```text\n")
	block, _, _ = strings.Cut(block, "```")
	starts := map[string]int{}
	for line := range strings.Lines(block) {
		cells := strings.Split(line, "|")
		if len(cells) != 3 || len([]rune(cells[0])) != 37 || len([]rune(cells[1])) != 40 || strings.TrimSpace(cells[1]) == "" {
			t.Fatalf("line %q", line)
		}
		starts[strings.TrimSpace(cells[0])] = strings.IndexFunc(cells[1], func(r rune) bool { return r != ' ' })
	}
	if starts["prepare engine"] != 0 || starts["observe: redis:7"] != 1 || starts["node-agent ready"] != 1 || starts["phase idle"] <= starts["phase exercise"] {
		t.Errorf("bars begin at %v", starts)
	}
	img.Record.Run.StartedAt = at(1000) // a clock that went back
	img.Record.Run.Timings[0].End = at(-1000)
	if text := string(report.Summary(img, 1<<20)); !strings.Contains(text, "prepare engine") {
		t.Error("no timeline with a clock that went back")
	}
}
