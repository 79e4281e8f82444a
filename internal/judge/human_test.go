package judge_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/vexxy/action/internal/evidence"
	"github.com/vexxy/action/internal/judge"
	"github.com/vexxy/action/internal/judge/judgetest"
	"github.com/vexxy/action/internal/record"
	"github.com/vexxy/action/internal/triage"
)

// say lets people state something of the record's image.
func say(t testing.TB, r *record.Record, statements ...triage.Statement) {
	t.Helper()
	data, err := triage.Encode(&triage.Set{MaxAge: triage.DefaultMaxAge, Documents: []triage.Document{
		{Source: ".openvex/app.openvex.json", ID: "https://team.example/1", Author: "Ann", Statements: statements},
	}})
	if err != nil {
		t.Fatal(err)
	}
	r.Raw = map[string][]byte{record.RawTriage: data}
}

// stated is a statement on a Debian package in the image.
func stated(status triage.Status, pack string) triage.Statement {
	return triage.Statement{
		Vulnerability: []string{"CVE-1"}, Status: status, Justification: "vulnerable_code_cannot_be_controlled_by_adversary", At: judgetest.Start,
		Products: []triage.Product{{
			Component:     triage.Component{IDs: []string{"pkg:oci/app@" + judgetest.Digest("a")}},
			Subcomponents: []triage.Component{{IDs: []string{"pkg:deb/debian/" + pack}}},
		}},
	}
}

// What people state decides where the evidence does not, makes worse whatever
// it says, and never clears what was seen in use.
func TestPeople(t *testing.T) {
	used := func(r *record.Record) { judgetest.Observe(r, "/p", evidence.Map) }
	nothing := func(*record.Record) {}
	ill := func(r *record.Record) { r.Evidence.Health.Lost.Ring = 1 }
	files := func(files ...string) func(*record.Record) {
		return func(r *record.Record) { r.Inventory.Packages[len(r.Inventory.Packages)-1].Files = files }
	}
	epoch := func(r *record.Record) {
		r.Inventory.Packages[len(r.Inventory.Packages)-1].PURL = "pkg:deb/debian/p@1:1.2-3"
	}
	npm := func(r *record.Record, name string) {
		r.Inventory.Packages[len(r.Inventory.Packages)-1].PURL = "pkg:npm/" + name + "@1.2-3"
	}
	ofNPM := func(name string) triage.Statement {
		s := stated(triage.Fixed, "")
		s.Products[0].Subcomponents = []triage.Component{{IDs: []string{"pkg:npm/" + name + "@1.2-3"}}}
		return s
	}
	nameless := func(r *record.Record) {
		files()(r)
		r.Inventory.Packages[len(r.Inventory.Packages)-1].PURL = ""
	}
	versionless := func(s triage.Statement) triage.Statement {
		s.Products[0].IDs = []string{"pkg:oci/app"}
		return s
	}
	for name, c := range map[string]struct {
		change func(*record.Record)
		said   triage.Statement
		status judge.Status
		reason judge.Reason
		effect judge.Effect
	}{
		"cleared, and used":              {used, stated(triage.NotAffected, "p"), judge.Affected, judge.ReasonObserved, judge.Contradicted},
		"cleared, and not used":          {nothing, stated(triage.NotAffected, "p"), judge.NotAffected, judge.ReasonNotObserved, judge.Agrees},
		"cleared, without files":         {files(), stated(triage.NotAffected, "p"), judge.NotAffected, judge.ReasonHuman, judge.Cleared},
		"cleared, insufficient":          {ill, stated(triage.NotAffected, "p"), judge.UnderInvestigation, judge.ReasonInsufficient, judge.NoEffect},
		"cleared, insufficient and used": {func(r *record.Record) { used(r); ill(r) }, stated(triage.NotAffected, "p"), judge.Affected, judge.ReasonObserved, judge.Contradicted},
		"affected, and used":             {used, stated(triage.Affected, "p"), judge.Affected, judge.ReasonObserved, judge.Agrees},
		"affected, and not used":         {nothing, stated(triage.Affected, "p"), judge.Affected, judge.ReasonHuman, judge.Raised},
		"affected, insufficient":         {ill, stated(triage.Affected, "p"), judge.Affected, judge.ReasonHuman, judge.Raised},
		"looked into, and used":          {used, stated(triage.UnderInvestigation, "p"), judge.Affected, judge.ReasonObserved, judge.Agrees},
		"looked into, and not used":      {nothing, stated(triage.UnderInvestigation, "p"), judge.UnderInvestigation, judge.ReasonHuman, judge.Raised},
		"fixed, and used":                {used, stated(triage.Fixed, "p"), judge.Fixed, judge.ReasonHuman, judge.Cleared},
		"fixed in some version":          {used, versionless(stated(triage.Fixed, "p")), judge.Affected, judge.ReasonObserved, judge.NoEffect},
		"fixed in this version":          {used, versionless(stated(triage.Fixed, "p@1.2-3")), judge.Fixed, judge.ReasonHuman, judge.Cleared},
		"fixed in another epoch":         {func(r *record.Record) { used(r); epoch(r) }, versionless(stated(triage.Fixed, "p@1.2-3")), judge.Affected, judge.ReasonObserved, ""},
		"fixed by another case":          {func(r *record.Record) { used(r); npm(r, "P") }, ofNPM("p"), judge.Affected, judge.ReasonObserved, ""},
		"fixed by this case":             {func(r *record.Record) { used(r); npm(r, "P") }, ofNPM("P"), judge.Fixed, judge.ReasonHuman, judge.Cleared},
		"fixed in this epoch":            {func(r *record.Record) { used(r); epoch(r) }, versionless(stated(triage.Fixed, "p@1:1.2-3")), judge.Fixed, judge.ReasonHuman, judge.Cleared},
		"another package":                {used, stated(triage.NotAffected, "q"), judge.Affected, judge.ReasonObserved, ""},
		"no package URL":                 {nameless, stated(triage.NotAffected, "p"), judge.UnderInvestigation, judge.ReasonNoFiles, ""},
		"no package URL, whole image": {nameless, func() triage.Statement {
			s := stated(triage.NotAffected, "p")
			s.Products[0].Subcomponents = nil
			return s
		}(), judge.UnderInvestigation, judge.ReasonNoFiles, judge.NoEffect},
		"expired": {files(), func() triage.Statement {
			s := stated(triage.NotAffected, "p")
			s.At = judgetest.Start.Add(-200 * 24 * time.Hour)
			return s
		}(), judge.UnderInvestigation, judge.ReasonNoFiles, judge.NoEffect},
	} {
		t.Run(name, func(t *testing.T) {
			r := judgetest.Good()
			judgetest.AddPackage(&r, judgetest.Deb("p", "p", "/p"), "CVE-1")
			c.change(&r)
			say(t, &r, c.said)
			j := judge.Judge(r)
			a := j.Assessments[0]
			if a.Status != c.status || a.Reason != c.reason || (a.Human != nil) != (c.effect != "") || a.Human != nil && a.Human.Effect != c.effect {
				t.Fatalf("%s by %s, %+v", a.Status, a.Reason, a.Human)
			}
			if c.effect == "" {
				return
			}
			if h := a.Human; h.Author != "Ann" || h.At.IsZero() || h.Justification == "" || h.Source != ".openvex/app.openvex.json" || (h.Effect == judge.NoEffect) != (h.Why != "") {
				t.Errorf("%+v", h)
			}
			if j.Triage.Of(c.effect) != 1 || (len(j.Contradictions()) == 1) != (c.effect == judge.Contradicted) {
				t.Errorf("%+v", j.Triage)
			}
			if by := a.Reason == judge.ReasonHuman; by != strings.Contains(a.Text, "Stated by Ann on 2026-03-01 in .openvex/app.openvex.json") {
				t.Errorf("text is %q", a.Text)
			}
		})
	}
}

// A package that consumers cannot tell from one that is not cleared is not
// cleared by a person either.
func TestPeopleCannotClearWhatIsNotToldApart(t *testing.T) {
	r := judgetest.Good()
	judgetest.AddPackage(&r, judgetest.Deb("src", "src"), "CVE-1")
	judgetest.AddPackage(&r, judgetest.Deb("libsrc", "src", "/lib"), "CVE-1")
	judgetest.Observe(&r, "/lib", evidence.Map)
	say(t, &r, stated(triage.NotAffected, "src"), stated(triage.Fixed, "libsrc"))
	for _, a := range judge.Judge(r).Assessments {
		t.Logf("%s: %s by %s, %+v", a.PackageName, a.Status, a.Reason, a.Human)
		if a.PackageName == "src" && a.Status != judge.Affected {
			t.Errorf("%s is %s", a.PackageName, a.Status)
		}
	}
}

// Whatever people state: what was seen in use is affected or, of this very
// version, fixed; what clears does so on sufficient evidence alone; and what
// makes worse does.
func TestPeopleNeverClearTooMuch(t *testing.T) {
	rng := rand.New(rand.NewPCG(21, 22))
	counts := map[judge.Effect]int{}
	for i := range 400 {
		r := judgetest.Random(rng)
		before := judge.Judge(r)
		was := map[string]judge.Assessment{}
		for _, a := range before.Assessments {
			was[fmt.Sprint(a.Vulnerability, a.PackageIDs)] = a
		}
		var statements []triage.Statement
		for _, a := range before.Assessments {
			if rng.IntN(2) == 0 {
				continue
			}
			s := stated([]triage.Status{triage.Affected, triage.UnderInvestigation, triage.NotAffected, triage.Fixed}[rng.IntN(4)], "")
			s.Vulnerability = []string{a.Vulnerability}
			s.Products[0].IDs = []string{"pkg:oci/" + r.Subject.Repository[strings.LastIndexByte(r.Subject.Repository, '/')+1:]}
			if s.Products[0].Subcomponents = nil; rng.IntN(2) == 0 {
				s.Products = []triage.Product{{Component: triage.Component{IDs: []string{a.PURL}}}}
			}
			s.At = r.Run.FinishedAt.Add(-time.Duration(rng.IntN(400)) * 24 * time.Hour)
			statements = append(statements, s)
		}
		say(t, &r, statements...)
		after := judge.Judge(r)
		if len(after.Assessments) != len(before.Assessments) || after.Summary.Total != before.Summary.Total {
			t.Fatalf("record %d: %d assessments became %d", i, len(before.Assessments), len(after.Assessments))
		}
		for _, a := range after.Assessments {
			b := was[fmt.Sprint(a.Vulnerability, a.PackageIDs)]
			if a.Human != nil {
				counts[a.Human.Effect]++
			}
			switch {
			case b.Status == judge.Affected && a.Status != judge.Affected && !(a.Status == judge.Fixed && a.Human.Effect == judge.Cleared):
				t.Fatalf("record %d: affected became %s: %+v", i, a.Status, a.Human)
			case a.Status == judge.NotAffected && b.Status != judge.NotAffected && !after.Sufficient:
				t.Fatalf("record %d: cleared on insufficient evidence: %+v", i, a.Human)
			case a.Human != nil && a.Human.Status == judge.Affected && a.Status != judge.Affected:
				t.Fatalf("record %d: stated to be affected, and %s", i, a.Status)
			case a.Human != nil && a.Human.Effect == judge.Contradicted && a.Status != judge.Affected:
				t.Fatalf("record %d: contradicted, and %s", i, a.Status)
			}
		}
	}
	for _, e := range judge.Effects {
		if counts[e] < 20 {
			t.Errorf("%s %d times only", e, counts[e])
		}
	}
}

// What another job's record tells raises, and silences no contradiction; an
// unknown status does nothing.
func TestForeignPeople(t *testing.T) {
	of := func(foreign bool, statements ...triage.Statement) triage.Document {
		return triage.Document{Source: fmt.Sprint(foreign), Author: "Ann", Foreign: foreign, Statements: statements}
	}
	later := func(s triage.Statement) triage.Statement {
		s.At = s.At.Add(time.Hour)
		return s
	}
	for name, c := range map[string]struct {
		used        bool
		own, theirs triage.Statement
		status      judge.Status
		effect      judge.Effect
	}{
		"own affected":      {false, stated(triage.Affected, "p"), later(stated(triage.UnderInvestigation, "p")), judge.Affected, judge.Raised},
		"own contradiction": {true, stated(triage.NotAffected, "p"), later(stated(triage.Affected, "p")), judge.Affected, judge.Contradicted},
		"theirs is worse":   {false, later(stated(triage.NotAffected, "p")), stated(triage.Affected, "p"), judge.Affected, judge.Raised},
		"theirs clears":     {true, stated(triage.UnderInvestigation, "q"), stated(triage.Fixed, "p@1.2-3"), judge.Affected, judge.NoEffect},
		"theirs is unknown": {true, stated(triage.NotAffected, "p"), later(stated("x", "p")), judge.Affected, judge.Contradicted},
	} {
		t.Run(name, func(t *testing.T) {
			r := judgetest.Good()
			judgetest.AddPackage(&r, judgetest.Deb("p", "p", "/p"), "CVE-1")
			if c.used {
				judgetest.Observe(&r, "/p", evidence.Map)
			}
			data, err := triage.Encode(&triage.Set{MaxAge: triage.DefaultMaxAge, Documents: []triage.Document{of(false, c.own), of(true, c.theirs)}})
			if err != nil {
				t.Fatal(err)
			}
			r.Raw = map[string][]byte{record.RawTriage: data}
			j := judge.Judge(r)
			a := j.Assessments[0]
			if a.Status != c.status || a.Human == nil || a.Human.Effect != c.effect || a.Human.Foreign != (a.Human.Source == "true") {
				t.Errorf("%s, %+v", a.Status, a.Human)
			}
			if d := j.Triage.Documents; len(d) != 2 || d[0].Foreign || !d[1].Foreign {
				t.Errorf("the documents are %+v", d)
			}
		})
	}
}
