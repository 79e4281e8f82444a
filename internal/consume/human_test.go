package consume_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/vexxy/action/internal/consume"
	"github.com/vexxy/action/internal/judge"
	"github.com/vexxy/action/internal/record"
	"github.com/vexxy/action/internal/triage"
	"github.com/vexxy/action/internal/vexdoc"
)

// Whatever people state, every consumer hides exactly what is cleared then.
func TestPeoplesStatementsAreReadAsMeant(t *testing.T) {
	decided := 0
	random(t, func(t *testing.T, rng *rand.Rand, r record.Record) {
		d := triage.Document{Source: "x.json", Author: "Ann"}
		for _, a := range judge.Judge(r).Assessments {
			s := triage.Statement{
				Vulnerability: []string{a.Vulnerability}, At: r.Run.FinishedAt,
				Status: []triage.Status{triage.Affected, triage.NotAffected, triage.NotAffected, triage.Fixed}[rng.IntN(4)],
			}
			if s.Impact = "it is guarded by another"; rng.IntN(2) == 0 {
				s.Impact, s.Justification = "", "inline_mitigations_already_exist"
			}
			switch rng.IntN(3) {
			case 0:
				continue
			case 1:
				s.Products = []triage.Product{{Component: triage.Component{IDs: []string{a.PURL}}}}
			default:
				s.Products = []triage.Product{{Component: triage.Component{IDs: []string{"pkg:oci/" + r.Subject.Repository[strings.LastIndexByte(r.Subject.Repository, '/')+1:]}}}}
			}
			d.Statements = append(d.Statements, s)
		}
		data, err := triage.Encode(&triage.Set{Documents: []triage.Document{d}})
		if err != nil {
			t.Fatal(err)
		}
		r.Raw = map[string][]byte{record.RawTriage: data}
		j := judge.Judge(r)
		decided += j.Triage.Of(judge.Cleared)
		doc, err := vexdoc.Build(r, j)
		if err != nil {
			t.Fatal(err)
		}
		got, err := consume.Check(t.Context(), doc, r, j)
		if err != nil || !got.OK {
			t.Errorf("%v: %s\n%s", err, got, doc)
		}
	})
	if decided < 50 {
		t.Errorf("only %d findings were cleared", decided)
	}
}
