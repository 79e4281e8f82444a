package consume_test

import (
	"bytes"
	"errors"
	"flag"
	"math/rand/v2"
	"testing"

	"github.com/vexxy/action/internal/consume"
	"github.com/vexxy/action/internal/gate"
	"github.com/vexxy/action/internal/inventory"
	"github.com/vexxy/action/internal/judge"
	"github.com/vexxy/action/internal/judge/judgetest"
	"github.com/vexxy/action/internal/record"
	"github.com/vexxy/action/internal/vexdoc"
)

var (
	seed   = flag.Uint64("seed", 0, "the first seed of the randomised tests; 0 takes a new one")
	rounds = flag.Int("rounds", 300, "rounds of each randomised test")
)

// random runs a property on many records. A failure names the seed with which
// -seed repeats it as the first round.
func random(t *testing.T, property func(t *testing.T, rng *rand.Rand, r record.Record)) {
	first := *seed
	if first == 0 {
		first = rand.Uint64()
	}
	for i := range *rounds {
		s := first + uint64(i)
		rng := rand.New(rand.NewPCG(s, 1))
		property(t, rng, judgetest.Random(rng))
		if t.Failed() {
			t.Fatalf("seed %d", s)
		}
	}
}

// statuses gives the status of each finding.
func statuses(t *testing.T, r record.Record, j judge.Judgement) map[consume.Finding]judge.Status {
	t.Helper()
	out := map[consume.Finding]judge.Status{}
	for _, f := range r.Inventory.Findings {
		key := consume.Finding{Vulnerability: f.ID, PackageID: f.PackageID}
		found := 0
		for _, a := range j.Assessments {
			named := a.Vulnerability == f.ID
			for _, alias := range a.Aliases {
				named = named || alias == f.ID
			}
			for _, id := range a.PackageIDs {
				if named && id == f.PackageID {
					out[key] = a.Status
					found++
				}
			}
		}
		if found != 1 {
			t.Errorf("finding %s has %d assessments, want 1", key, found)
		}
	}
	return out
}

// P1: more evidence never turns affected into not_affected, and never clears
// anything.
func TestMoreEvidenceClearsNothing(t *testing.T) {
	random(t, func(t *testing.T, rng *rand.Rand, r record.Record) {
		before := statuses(t, r, judge.Judge(r))
		for range 1 + rng.IntN(4) {
			judgetest.RandomObservation(rng, &r)
		}
		for f, now := range statuses(t, r, judge.Judge(r)) {
			if before[f] == judge.Affected && now != judge.Affected {
				t.Errorf("%s was affected and is %s", f, now)
			}
			if now == judge.NotAffected && before[f] != judge.NotAffected {
				t.Errorf("%s was %s and is not_affected", f, before[f])
			}
		}
	})
}

// P2: worse health never adds a not_affected; in fact it leaves none.
func TestWorseHealthClearsNothing(t *testing.T) {
	random(t, func(t *testing.T, rng *rand.Rand, r record.Record) {
		before := judge.Judge(r)
		was := statuses(t, r, before)
		way := judgetest.Worsen(rng, &r)
		j := judge.Judge(r)
		for f, now := range statuses(t, r, j) {
			if now == judge.NotAffected {
				t.Errorf("%s is not_affected after: %s", f, way)
			}
			if was[f] == judge.Affected && now != judge.Affected {
				t.Errorf("%s was affected and is %s after: %s", f, now, way)
			}
		}
		if j.Sufficient || j.Summary.NotAffected != 0 {
			t.Errorf("sufficient %v, summary %+v after: %s", j.Sufficient, j.Summary, way)
		}
	})
}

// P3: empty evidence gives no not_affected.
func TestEmptyEvidenceClearsNothing(t *testing.T) {
	random(t, func(t *testing.T, _ *rand.Rand, r record.Record) {
		r.Evidence = record.Record{}.Evidence
		for f, now := range statuses(t, r, judge.Judge(r)) {
			if now == judge.NotAffected || now == judge.Affected {
				t.Errorf("%s is %s without evidence", f, now)
			}
		}
	})
}

// P4: each finding appears exactly once in the judgement (statuses checks
// that), each assessment in exactly one statement, and each consumer hides
// exactly the intended findings.
func TestConsumersHideExactlyTheIntended(t *testing.T) {
	cleared := 0
	random(t, func(t *testing.T, _ *rand.Rand, r record.Record) {
		j := judge.Judge(r)
		statuses(t, r, j)
		doc, err := vexdoc.Build(r, j)
		if err != nil {
			t.Fatal(err)
		}
		got, err := consume.Check(t.Context(), doc, r, j)
		if err != nil || !got.OK {
			t.Errorf("%v, %v\n%s", err, got, doc)
		}
		cleared += len(got.Intended)
	})
	if cleared == 0 {
		t.Error("no random record has a finding that is cleared: the test shows nothing")
	}
}

// P5: permuting the inputs gives identical bytes.
func TestOrderDoesNotMatter(t *testing.T) {
	random(t, func(t *testing.T, rng *rand.Rand, r record.Record) {
		one, err := build(r)
		if err != nil {
			t.Fatal(err)
		}
		other, err := build(judgetest.Shuffle(rng, r))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(one, other) {
			t.Errorf("documents differ:\n%s\n%s", one, other)
		}
	})
}

// P7: adding an affected finding never turns fail into pass, nor inconclusive.
func TestMoreAffectedNeverPasses(t *testing.T) {
	random(t, func(t *testing.T, rng *rand.Rand, r record.Record) {
		policy := gate.Policy{
			Max: rng.IntN(4) - 1, OnlyFixed: rng.IntN(2) == 0,
			FailOn:        append(inventory.Severities, "")[rng.IntN(len(inventory.Severities)+1)],
			MaxBySeverity: map[inventory.Severity]int{inventory.High: rng.IntN(3)},
		}
		if rng.IntN(4) == 0 {
			judgetest.Worsen(rng, &r)
		}
		j := judge.Judge(r)
		before := gate.Decide(policy, j, nil)
		more := j
		more.Assessments = append([]judge.Assessment{}, j.Assessments...)
		more.Assessments = append(more.Assessments, judge.Assessment{
			Vulnerability: []string{"CVE-2026-99", "CVE-2026-0"}[rng.IntN(2)], PURL: "pkg:deb/debian/new@1",
			Status: judge.Affected, Severity: inventory.Severities[rng.IntN(len(inventory.Severities))],
		})
		after := gate.Decide(policy, more, nil)
		if before.Verdict != gate.VerdictPass && after.Verdict == gate.VerdictPass {
			t.Errorf("%s became %s under %+v", before.Verdict, after.Verdict, policy)
		}
		if after.Counted < before.Counted {
			t.Errorf("the count fell from %d to %d", before.Counted, after.Counted)
		}
	})
}

// P8: the four statuses add up, and a document that leaves something out for
// its size would not: every finding is in the totals.
func TestTotalsAddUp(t *testing.T) {
	random(t, func(t *testing.T, _ *rand.Rand, r record.Record) {
		j := judge.Judge(r)
		s := j.Summary
		if s.Affected+s.NotAffected+s.UnderInvestigation+s.Fixed != s.Total || s.Findings != len(j.Assessments) {
			t.Errorf("summary %+v of %d assessments", s, len(j.Assessments))
		}
		bySeverity, names := 0, map[string]bool{}
		for _, n := range s.AffectedBySeverity {
			bySeverity += n
		}
		for _, a := range j.Assessments {
			names[a.Vulnerability] = true
			if a.Text == "" || len(a.Text) > 512 {
				t.Errorf("text of %d bytes: %q", len(a.Text), a.Text)
			}
		}
		if bySeverity != s.Affected || len(names) != s.Total {
			t.Errorf("%d by severity, %d names: summary %+v", bySeverity, len(names), s)
		}
	})
}

func build(r record.Record) ([]byte, error) {
	doc, err := vexdoc.Build(r, judge.Judge(r))
	if errors.Is(err, vexdoc.ErrEmpty) {
		return nil, nil
	}
	return doc, err
}
