package run

import (
	"bytes"
	"path/filepath"
	"testing"
	"time"

	"github.com/vexxy/action/internal/gate"
	"github.com/vexxy/action/internal/inventory"
	"github.com/vexxy/action/internal/judge"
	"github.com/vexxy/action/internal/record"
	"github.com/vexxy/action/internal/report"
	"github.com/vexxy/action/internal/triage"
)

// people says of two packages what the evidence does not: that the one which
// was used is not affected, and that the other is.
func people() *triage.Set {
	say := func(status triage.Status, vulnerability, purl string) triage.Statement {
		return triage.Statement{
			Vulnerability: []string{vulnerability}, Status: status, Justification: "inline_mitigations_already_exist",
			Products: []triage.Product{{Component: triage.Component{IDs: []string{purl}}}}, At: time.Now().UTC().Truncate(time.Second),
		}
	}
	return &triage.Set{MaxAge: triage.DefaultMaxAge, Documents: []triage.Document{{Source: ".openvex/a.json", Author: "Ann", Statements: []triage.Statement{
		say(triage.NotAffected, "CVE-2021-38561", "pkg:golang/golang.org/x/text@v0.3.6"),
		say(triage.Affected, "CVE-2019-11254", "pkg:golang/gopkg.in/yaml.v2@v2.2.2"),
	}}}}
}

// What people stated is in the record, so that a replay gives the same bytes;
// it never lowers what the gate counts of what was used, and may raise it.
func TestPeopleAreReplayed(t *testing.T) {
	strict := gate.Policy{FailOn: inventory.Unknown}
	without := plan(t, &engine{}, "one")
	without.Policy = strict
	before, err := Run(t.Context(), without)
	if err != nil {
		t.Fatal(err)
	}
	p := plan(t, &engine{}, "one")
	p.Policy, p.Triage = strict, people()
	out, err := Run(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	img, was := out.Images[0].Image, before.Images[0].Image
	if len(img.Judgement.Contradictions()) != 1 || img.Judgement.Triage.Of(judge.Raised) != 1 || was.Judgement.Triage != nil {
		t.Fatalf("%+v", img.Judgement.Triage)
	}
	if img.Decision.Verdict != gate.VerdictFail || img.Decision.Counted != was.Decision.Counted+1 {
		t.Errorf("%s, %d counted, %d without anybody's word", img.Decision.Verdict, img.Decision.Counted, was.Decision.Counted)
	}
	rec, err := record.Read(filepath.Join(p.OutputDir, "record"))
	if err != nil {
		t.Fatal(err)
	}
	docs, err := Compose(t.Context(), rec, strict)
	if err != nil {
		t.Fatal(err)
	}
	again := t.TempDir()
	if err := docs.WriteTo(again); err != nil {
		t.Fatal(err)
	}
	for name := range docs.Files {
		same(t, name, filepath.Join(p.OutputDir, name), filepath.Join(again, name), func(b []byte) []byte { return b })
	}
	same(t, ResultFile, filepath.Join(p.OutputDir, ResultFile), filepath.Join(again, ResultFile), report.Pure)
	vex := docs.Files[VEXFile]
	if !bytes.Contains(vex, []byte(`"status":"affected","action_statement":"Stated by Ann on `)) || bytes.Contains(vex, []byte("inline_mitigations")) {
		t.Errorf("the document is\n%s", vex)
	}
	// A damaged set clears nothing and is told.
	rec.Raw[record.RawTriage] = []byte("{")
	docs, err = Compose(t.Context(), rec, strict)
	if err != nil || docs.Image.Decision.Counted != was.Decision.Counted || docs.Image.Judgement.Triage.Documents[0].Problem == "" {
		t.Errorf("%v, %+v", err, docs.Image.Judgement.Triage)
	}
}

// Of what a record of another job says that people stated, nothing clears; what
// makes a finding worse holds. The job's own people may say all.
func TestAgainTrustsItsOwnPeople(t *testing.T) {
	then := people() // as of the recorded run
	for i := range then.Documents[0].Statements {
		then.Documents[0].Statements[i].At = recorded(t).Run.FinishedAt
	}
	kept, err := triage.Encode(then)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name         string
		own          *triage.Set
		since        time.Duration // from the record's end to this job
		contradicted int
	}{{"the record's alone", nil, 0, 0}, {"its own", then, 0, 1}, {"its own, expired since", then, triage.DefaultMaxAge + time.Hour, 0}} {
		t.Run(c.name, func(t *testing.T) {
			p := later(t)
			p.Triage = c.own
			rec := recorded(t)
			p.StartedAt = rec.Run.FinishedAt.Add(c.since)
			rec.Raw = map[string][]byte{record.RawTriage: kept}
			out, err := Again(t.Context(), p, []Observed{{Record: rec}})
			if err != nil {
				t.Fatal(err)
			}
			got := out.Images[0].Image.Judgement
			if len(got.Contradictions()) != c.contradicted || got.Triage.Of(judge.Raised) != 1 || got.Triage.Of(judge.Cleared) != 0 {
				t.Errorf("%+v, %d contradictions", got.Triage, len(got.Contradictions()))
			}
		})
	}
}
