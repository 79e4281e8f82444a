package baseline_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vexxy/action/internal/baseline"
	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/foreign/foreigntest"
	"github.com/vexxy/action/internal/judge"
	"github.com/vexxy/action/internal/report"
	"github.com/vexxy/action/internal/subject"
)

// What cannot be read is a usage fault that says what to do, or a baseline
// with a problem, and never one that makes something old.
func TestHostileResults(t *testing.T) {
	const head = `{"schema_version":1,"kind":"image","sufficient":true,"subject":{"requested":"x"},"assessments":`
	statement := `{"vulnerability":"CVE-1","package":"p","status":"affected"}`
	for name, row := range map[string]struct{ text, want string }{
		"empty":              {"", "decoding"},
		"no JSON":            {"<html>", "decoding"},
		"another document":   {`{"bomFormat":"CycloneDX"}`, "no result.json"},
		"a later version":    {`{"schema_version":2,"kind":"image"}`, "schema_version is 2"},
		"another kind":       {`{"schema_version":1,"kind":"dream"}`, "not known"},
		"a list":             {`[]`, "decoding"},
		"no list":            {head + `{"a":1}}`, "in place of a list"},
		"no status":          {head + `[{"vulnerability":"CVE-1","package":"p"}]}`, "status"},
		"no vulnerability":   {head + `[{"package":"p","status":"fixed"}]}`, "no vulnerability"},
		"no package":         {head + `[{"vulnerability":"CVE-1","status":"fixed"}]}`, "no package"},
		"too many":           {head + "[" + strings.Repeat(statement+",", 200_000) + statement + "]}", "more than 200000"},
		"many aliases":       {head + `[{"vulnerability":"C","package":"p","status":"fixed","aliases":[""` + strings.Repeat(`,""`, 100) + `]}]}`, "more than 100"},
		"too many images":    {`{"schema_version":1,"kind":"run","images":[{}` + strings.Repeat(",{}", 1000) + "]}", "more than 1000"},
		"a long name":        {head + `[{"vulnerability":"` + strings.Repeat("C", 1<<20) + `","package":"p","status":"fixed"}]}`, "1048576 bytes"},
		"a long run ID":      {`{"schema_version":1,"kind":"image","run_id":"` + strings.Repeat("C", 1<<20) + `"}`, "1048576 bytes"},
		"deeply nested":      {head + strings.Repeat("[", 100_000), "decoding"},
		"deeply nested junk": {`{"schema_version":1,"kind":"image","x":` + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + "}", "decoding"},
		"too large":          {strings.Repeat(" ", 64<<20+1), "at most"},
	} {
		_, err := baseline.Open(write(t, filepath.Join(t.TempDir(), "r.json"), row.text))
		var f *fault.Error
		if !errors.As(err, &f) || f.Code != fault.Usage || f.Hint == "" || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: %v, want a usage error with %q and a hint", name, err, row.want)
		}
	}
	for name, row := range map[string]struct{ text, want string }{
		"insufficient": {strings.Replace(head, "true", "false", 1) + "[" + statement + "]}", "insufficient"},
		"says nothing": {`{"schema_version":1,"kind":"image","assessments":[` + statement + "]}", "insufficient"},
		"failure":      {`{"schema_version":1,"kind":"failure","sufficient":true,"requested":"x","assessments":[` + statement + "]}", "without a judgement"},
	} {
		set, err := baseline.Open(write(t, filepath.Join(t.TempDir(), "r.json"), row.text))
		if err != nil {
			t.Fatal(err)
		}
		if b := set.For(subject.Subject{Requested: "x"}, true); b.Usable() || len(b.Statements) > 0 || !strings.Contains(b.Problem, row.want) {
			t.Errorf("%s: problem %q with %d statements", name, b.Problem, len(b.Statements))
		}
	}
}

func TestFilesThatAreNone(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "secret"), "s3cr3t")
	inner := filepath.Join(dir, "inner")
	write(t, filepath.Join(inner, "x"), "")
	if err := os.Symlink("../secret", filepath.Join(inner, "result.json")); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{filepath.Join(dir, "missing.json"), filepath.Join(dir, "no", "folder.json"), inner, filepath.Join(inner, "result.json"), "/dev/zero"} {
		_, err := baseline.Open(path)
		if err == nil || fault.HintOf(err) == "" || strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%s: %v", path, err)
		}
		set := baseline.UnusableSet(path, err)
		b := set.For(subject.Subject{}, true)
		if b.Usable() || !strings.Contains(b.Problem, "reading baseline") || !strings.Contains(b.Problem, "(name the result.json") {
			t.Errorf("%s: problem %q", path, b.Problem)
		}
	}
}

func TestForeignTextInProblems(t *testing.T) {
	for name, text := range foreigntest.Corpus() {
		b := baseline.Unusable(text, errors.New(text))
		if strings.ContainsAny(b.Problem, "\n\r\x1b\x00\u202e") || len(b.Problem) > 500 || b.Problem == "" {
			t.Errorf("%s: %q", name, b.Problem)
		}
	}
}

func FuzzOpen(f *testing.F) {
	good, err := report.Result(image("r/app:1", "r/app"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(`{"schema_version":1,"kind":"run","images":[{"folder":"x"}]}`))
	f.Add([]byte(`{"schema_version":1,"kind":"image","sufficient":true,"assessments":[{"vulnerability":"a","aliases":null,"purl":"pkg:a/b@1","status":"fixed"}]}`))
	path := filepath.Join(f.TempDir(), "result.json")
	f.Fuzz(func(t *testing.T, data []byte) {
		set, err := baseline.Open(write(t, path, string(data)))
		if err != nil {
			if fault.HintOf(err) == "" {
				t.Errorf("%v has no hint", err)
			}
			return
		}
		b := set.For(subject.Subject{Requested: "x"}, true)
		encoded, err := baseline.Encode(b)
		if err != nil {
			t.Fatal(err)
		}
		again := baseline.Decode(encoded)
		if again.Usable() != b.Usable() || len(again.Statements) != len(b.Statements) {
			t.Errorf("%+v became %+v", b, again)
		}
		baseline.Compare(again, judge.Judgement{Assessments: []judge.Assessment{a("pkg:npm/x@1", judge.Affected, "CVE-1")}})
	})
}

func TestDamagedBaselineInARecord(t *testing.T) {
	for _, text := range []string{"", "{", `{"form":2,"statements":[]}`, `{"form":1,"statements":[{}]}`, `[]`} {
		if b := baseline.Decode([]byte(text)); b.Usable() || len(b.Statements) > 0 {
			t.Errorf("%q: %+v", text, b)
		}
	}
	if b := baseline.Decode([]byte(`{"form":1,"from":"x","problem":"none","statements":[{"vulnerability":"a","package":"b","status":"affected"}]}`)); len(b.Statements) > 0 {
		t.Error("a baseline with a problem has statements")
	}
}
