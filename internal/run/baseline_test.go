package run

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vexxy/action/internal/baseline"
	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/gate"
	"github.com/vexxy/action/internal/record"
	"github.com/vexxy/action/internal/report"
	"github.com/vexxy/action/internal/subject"
)

func open(t *testing.T, dir string) func(context.Context, subject.Subject, bool) baseline.Baseline {
	t.Helper()
	set, err := baseline.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return of(&set)
}

func of(set *baseline.Set) func(context.Context, subject.Subject, bool) baseline.Baseline {
	if set == nil {
		return nil
	}
	return func(_ context.Context, s subject.Subject, alone bool) baseline.Baseline { return set.For(s, alone) }
}

// The first run of a gate on what is new counts everything, the second, with
// the first as its baseline, nothing; and a replay compares with the same.
func TestBaseline(t *testing.T) {
	onlyNew := gate.Policy{OnlyNew: true}
	first := plan(t, &engine{}, "one")
	first.Policy = onlyNew
	out, err := Run(t.Context(), first)
	if err != nil || out.Verdict != gate.VerdictFail || out.Code != fault.GateFailed {
		t.Fatalf("first run: verdict %s, code %d, %v", out.Verdict, out.Code, err)
	}
	if w := result(t, first.OutputDir); !strings.Contains(strings.Join(w.Causes, "\n"), "everything counts as new: no baseline was given (name an earlier result.json") {
		t.Errorf("causes %q", w.Causes)
	}

	second := plan(t, &engine{}, "one")
	second.Policy, second.Baseline = onlyNew, open(t, first.OutputDir)
	out, err = Run(t.Context(), second)
	if err != nil || out.Verdict != gate.VerdictPass || out.Code != fault.Pass {
		t.Fatalf("second run: verdict %s, code %d, %v: %q", out.Verdict, out.Code, err, out.Images[0].Causes)
	}
	c := out.Images[0].Image.Change
	if c.Counts[baseline.Unchanged] == 0 || len(c.Items) != 0 || c.Baseline.RunID != first.ID {
		t.Errorf("%+v", c)
	}

	rec, err := record.Read(filepath.Join(second.OutputDir, "record"))
	if err != nil {
		t.Fatal(err)
	}
	docs, err := Compose(t.Context(), rec, onlyNew)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := docs.WriteTo(dir); err != nil {
		t.Fatal(err)
	}
	for name := range docs.Files {
		same(t, name, filepath.Join(second.OutputDir, name), filepath.Join(dir, name), func(b []byte) []byte { return b })
	}
	same(t, ResultFile, filepath.Join(second.OutputDir, ResultFile), filepath.Join(dir, ResultFile), report.Pure)
}

func same(t *testing.T, name, a, b string, part func([]byte) []byte) {
	t.Helper()
	x, err := os.ReadFile(a)
	if err != nil {
		t.Fatal(err)
	}
	y, err := os.ReadFile(b)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(part(x), part(y)) {
		t.Errorf("%s differs in the replay", name)
	}
}

// A baseline that cannot be used makes nothing old, and the result says so.
func TestUnusableBaseline(t *testing.T) {
	broken := baseline.UnusableSet("old.json", errors.New("reading baseline: it is damaged"))
	for name, set := range map[string]*baseline.Set{"unreadable": &broken, "empty": {}} {
		p := plan(t, &engine{}, "one")
		p.Policy, p.Baseline = gate.Policy{OnlyNew: true}, of(set)
		out, err := Run(t.Context(), p)
		if err != nil || out.Verdict != gate.VerdictFail {
			t.Errorf("%s: verdict %s, %v", name, out.Verdict, err)
		}
		if w := result(t, p.OutputDir); !strings.Contains(strings.Join(w.Causes, "\n"), "everything counts as new") {
			t.Errorf("%s: causes %q", name, w.Causes)
		}
	}
}

// The result over several images serves as a baseline too, by the folders
// beside it, and an engine cannot bring a baseline of its own.
func TestBaselineFromSeveralImages(t *testing.T) {
	first := plan(t, &engine{}, "a", "b")
	if _, err := Run(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	p := plan(t, &engine{}, "a")
	p.Baseline = open(t, filepath.Join(first.OutputDir, ResultFile))
	out, err := Run(t.Context(), p)
	if err != nil || !out.Images[0].Image.Change.Baseline.Usable() {
		t.Fatalf("%v: %+v", err, out.Images[0].Image.Change.Baseline)
	}
	rec := out.Images[0].Image.Record
	rec.Raw = map[string][]byte{record.RawBaseline: []byte("{}")}
	p.Baseline = nil
	if err := p.keepBaseline(t.Context(), &rec); err != nil || len(rec.Raw) != 0 {
		t.Errorf("an engine's baseline stays: %v, %v", rec.Raw, err)
	}
}
