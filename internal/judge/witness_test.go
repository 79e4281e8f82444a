package judge_test

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/vexxy/action/internal/evidence"
	"github.com/vexxy/action/internal/judge"
	"github.com/vexxy/action/internal/judge/judgetest"
	"github.com/vexxy/action/internal/record"
)

// witnessed is a record of the kubescape engine with five packages, each with
// one vulnerability: used as the sensor and node-agent agree, three that the
// sensor alone saw, and one that node-agent alone saw.
func witnessed() record.Record {
	r := judgetest.Good()
	for _, name := range []string{"both", "loader", "library", "script", "agent", "idle"} {
		judgetest.AddPackage(&r, judgetest.Deb(name, "", "/usr/lib/"+name), cve)
	}
	judgetest.Observe(&r, "/usr/lib/both", evidence.Exec)
	judgetest.Observe(&r, "/usr/lib/loader", evidence.Interp)
	judgetest.Observe(&r, "/usr/lib/library", evidence.Map)
	judgetest.Witness(&r)
	o := judgetest.Observe(&r, "/usr/lib/script", evidence.Open)
	o.Witnesses = []evidence.Witness{evidence.WitnessSensor}
	judgetest.AgentSaw(&r, "/usr/lib/agent", evidence.Open)
	return r
}

func TestWitnessesDisagree(t *testing.T) {
	r := witnessed()
	j := judge.Judge(r)
	var got []string
	for _, d := range j.Disagreements {
		got = append(got, string(d.SeenBy)+" "+string(d.Reason)+" "+d.Name)
		if d.Files != 1 || d.Example != "/usr/lib/"+d.Name || d.PackageID != "deb-"+d.Name || d.Version == "" || len(d.Kinds) != 1 {
			t.Errorf("disagreement %+v", d)
		}
	}
	want := []string{"node-agent sensor agent", "sensor interpreter loader", "sensor mapping library", "sensor open script"}
	if !slices.Equal(got, want) || j.Agreed != 2 { // init too
		t.Errorf("disagreements %v, want %v; %d agree", got, want, j.Agreed)
	}
	for _, name := range []string{"both", "loader", "library", "script", "agent"} {
		if a := only(t, j, "deb-"+name); a.Status != judge.Affected {
			t.Errorf("%s is %s, want affected whoever saw it", name, a.Status)
		}
	}
	if a := only(t, j, "deb-idle"); a.Status != judge.NotAffected || !j.Sufficient {
		t.Errorf("idle is %s, checks %+v", a.Status, j.Checks)
	}
	r.Evidence.Kubescape.Profile.Patterns = []string{"/usr/*"}
	for _, d := range judge.Judge(r).Disagreements {
		if d.SeenBy == evidence.WitnessSensor && d.Reason != judge.BlindWildcard {
			t.Errorf("%s: %s, want wildcard", d.Name, d.Reason)
		}
	}
}

// A comparison with a witness that did not watch would be made of nothing.
func TestNoComparisonWithoutTwoWitnesses(t *testing.T) {
	for name, spoil := range map[string]func(*record.Record){
		"embedded":   func(r *record.Record) { r.Evidence.Engine, r.Evidence.Kubescape = evidence.Embedded, nil },
		"no sensor":  func(r *record.Record) { judgetest.Unwatch(r, "no BTF") },
		"no profile": func(r *record.Record) { r.Evidence.Kubescape.Profile = evidence.Profile{Error: "gone"} },
	} {
		r := witnessed()
		spoil(&r)
		if j := judge.Judge(r); j.Disagreements != nil || j.Agreed != 0 {
			t.Errorf("%s: %d agree, %+v", name, j.Agreed, j.Disagreements)
		}
	}
}

// What node-agent alone saw names it instead of a process that nobody knows,
// and gives way to what the sensor saw.
func TestTextsOfNodeAgent(t *testing.T) {
	r := witnessed()
	a := only(t, judge.Judge(r), "deb-agent")
	if !strings.Contains(a.Text, "Seen: /usr/lib/agent (open) by the profile of node-agent") || a.Seen == nil || !a.Seen.ByAgent() {
		t.Errorf("text %q", a.Text)
	}
	p := &r.Inventory.Packages[1]
	p.Files = append(p.Files, "/a")
	r.Evidence.Window.End = judgetest.At(-1000) // nothing but the order of witnesses speaks for the sensor's
	judgetest.AgentSaw(&r, "/a", evidence.Open)
	a = only(t, judge.Judge(r), p.ID)
	if a.Seen.Path != "/usr/lib/both" || a.Seen.ByAgent() || a.Seen.Files != 2 || !strings.Contains(a.Text, "by app in startup, and 1 more file") {
		t.Errorf("seen %+v, text %q", a.Seen, a.Text)
	}
}

// Without vexxy's own sensor node-agent's profile still makes packages
// affected, and clears none.
func TestNodeAgentAloneClearsNothing(t *testing.T) {
	r := witnessed()
	judgetest.Unwatch(&r, "no BTF")
	j := judge.Judge(r)
	if j.Sufficient || j.Summary.NotAffected != 0 || only(t, j, "deb-both").Status != judge.Affected {
		t.Errorf("summary %+v", j.Summary)
	}
	if a := only(t, j, "deb-idle"); !strings.Contains(a.Text, "vexxy's own sensor did not watch: no BTF") {
		t.Errorf("text %q", a.Text)
	}
}

// P2 for Kubescape: however it worked less well, nothing is cleared that was
// not, and nothing that was affected is any less. P5: disagreements do not
// depend on any order.
func TestWorseKubescapeClearsNothing(t *testing.T) {
	seed, cleared, disagree := rand.Uint64(), 0, 0
	for i := range uint64(400) {
		rng := rand.New(rand.NewPCG(seed+i, 3))
		r := judgetest.Random(rng)
		if r.Evidence.Kubescape == nil {
			judgetest.Witness(&r)
		}
		before := judge.Judge(r)
		cleared, disagree = cleared+before.Summary.NotAffected, disagree+len(before.Disagreements)
		again := judge.Judge(judgetest.Shuffle(rng, r))
		if again.Agreed != before.Agreed || !reflect.DeepEqual(again.Disagreements, before.Disagreements) {
			t.Fatalf("seed %d: disagreements depend on the order: %+v, %+v", seed+i, before.Disagreements, again.Disagreements)
		}

		worse := r
		way := judgetest.WorsenKubescape(rng, &worse)
		if j := judge.Judge(worse); j.Sufficient || j.Summary.NotAffected != 0 || j.Summary.Affected < before.Summary.Affected {
			t.Fatalf("seed %d, %s: %+v, before %+v", seed+i, way, j.Summary, before.Summary)
		}

		alone := r // node-agent's profile is lost with all that it alone saw
		lost := *r.Evidence.Kubescape
		lost.Profile = evidence.Profile{Error: "gone"}
		alone.Evidence.Kubescape, alone.Evidence.Observations = &lost, nil
		for _, o := range r.Evidence.Observations {
			if slices.Contains(o.Witnesses, evidence.WitnessSensor) {
				o.Witnesses = []evidence.Witness{evidence.WitnessSensor}
				alone.Evidence.Observations = append(alone.Evidence.Observations, o)
			}
		}
		if j := judge.Judge(alone); j.Sufficient || j.Summary.NotAffected != 0 {
			t.Fatalf("seed %d: %+v without a profile", seed+i, j.Summary)
		}
	}
	if cleared == 0 || disagree == 0 {
		t.Errorf("%d cleared, %d disagreements: the test shows nothing", cleared, disagree)
	}
}
