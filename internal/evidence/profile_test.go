package evidence_test

import (
	"strings"
	"testing"
	"time"

	"github.com/vexxy/action/internal/evidence"
	"github.com/vexxy/action/internal/judge/judgetest"
)

// witnessed is good evidence of the kubescape engine.
func witnessed() evidence.Evidence {
	e := judgetest.Evidence()
	e.Engine, e.Kubescape = evidence.KubescapeEngine, judgetest.Kubescape()
	return e
}

func TestGoodKubescapeEvidenceIsSufficient(t *testing.T) {
	checks := evidence.Sufficiency(witnessed(), judgetest.Facts())
	if bad := failing(checks); bad != nil || !evidence.Sufficient(checks) {
		t.Fatalf("checks %v fail on good evidence: %+v", bad, checks)
	}
	for _, c := range checks {
		if !c.Applies || c.Measured == "" || c.Remedy != "" {
			t.Errorf("%s says too little or too much: %+v", c.ID, c)
		}
	}
	if !strings.Contains(checks[8].Measured, "1 executed and 4 opened") || !strings.Contains(checks[8].Measured, "5s before") {
		t.Errorf("E9 measured %q", checks[8].Measured)
	}
}

// Each row breaks one condition on Kubescape; exactly the named checks fail,
// and E9 or E6 says in words why.
func TestEachConditionOnKubescapeInverted(t *testing.T) {
	type e = evidence.Evidence
	rows := []struct {
		id, name, words string
		spoil           func(*e)
	}{
		{"E9", "nothing said", "said nothing", func(e *e) { e.Kubescape = nil }},
		{"E9", "profile error", "no profile: not found", func(e *e) { e.Kubescape.Profile.Name, e.Kubescape.Profile.Error = "", "not found" }},
		{"E9", "profile with a flaw", "no whole profile: no workload", func(e *e) { e.Kubescape.Profile.Error = "no workload" }},
		{"E9", "profile without a name", "no profile was found", func(e *e) { e.Kubescape.Profile.Name = "" }},
		{"E9", "status unknown", "status is not known", func(e *e) { e.Kubescape.Profile.Status = "" }},
		{"E9", "initializing", "only begun", func(e *e) { e.Kubescape.Profile.Status = "initializing" }},
		{"E9", "learning", "still being learned", func(e *e) { e.Kubescape.Profile.Status = "ready" }},
		{"E9", "failed", "exit code other than 0", func(e *e) { e.Kubescape.Profile.Status = "failed" }},
		{"E9", "too large", "too large", func(e *e) { e.Kubescape.Profile.Status = "too-large" }},
		{"E9", "another word", "(Completed)", func(e *e) { e.Kubescape.Profile.Status = "Completed" }},
		{"E9", "partial", "partial", func(e *e) { e.Kubescape.Profile.Completion = "partial" }},
		{"E9", "completion unknown", "not known whether", func(e *e) { e.Kubescape.Profile.Completion = "" }},
		{"E9", "empty", "saw no file", func(e *e) { e.Kubescape.Profile.Execs, e.Kubescape.Profile.Opens = 0, 0 }},
		{"E9", "agent's readiness unknown", "when node-agent was ready", func(e *e) { e.Kubescape.Agent.ReadyAt = time.Time{} }},
		{"E9", "agent ready after the first exec", "after the workload began", func(e *e) { e.Kubescape.Agent.ReadyAt = judgetest.At(2) }},
		{"E9", "agent ready with the first exec", "after the workload began", func(e *e) { e.Kubescape.Agent.ReadyAt = e.Health.FirstExecAt }},
		{"E9", "agent ready after the window's start", "after the workload began", func(e *e) {
			e.Health.FirstExecAt, e.Kubescape.Agent.ReadyAt = judgetest.At(1), judgetest.At(0.5)
		}},
		{"E9", "agent restarted", "restarted 1 times", func(e *e) { e.Kubescape.Agent.Restarts = 1 }},
		{"E9", "agent's restarts below zero", "restarted -1 times", func(e *e) { e.Kubescape.Agent.Restarts = -1 }},
		{"E6,E9", "no SBOM", "no SBOM", func(e *e) { e.Kubescape.SBOM = "" }},
		{"E6,E9", "SBOM too large", "SBOM is too large", func(e *e) { e.Kubescape.SBOM = "too-large" }},
		{"E6,E9", "SBOM incomplete", "incomplete", func(e *e) { e.Kubescape.SBOM = "incomplete" }},
		{"E6,E9", "SBOM never finished", "initializing", func(e *e) { e.Kubescape.SBOM = "initializing" }},
		{"E6,E9", "SBOM in another state", "(learning)", func(e *e) { e.Kubescape.SBOM = "learning" }},
		{"E1,E2,E3,E8", "no sensor", "did not watch: no BTF", func(e *e) { e.Health, e.Kubescape.Sensor = evidence.Health{}, "no BTF" }},
		{"E1,E2,E3,E8", "no sensor and no word on it", "sensor did not watch", func(e *e) { e.Health = evidence.Health{} }},
		{"E1,E2,E3,E8", "a sensor that is said not to have watched", "did not watch: no root", func(e *e) { e.Kubescape.Sensor = "no root" }},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			e := witnessed()
			row.spoil(&e)
			checks := evidence.Sufficiency(e, judgetest.Facts())
			if got := strings.Join(failing(checks), ","); got != row.id {
				t.Errorf("failing checks %q, want %q: %+v", got, row.id, checks)
			}
			if evidence.Sufficient(checks) {
				t.Error("sufficient")
			}
			for _, c := range checks {
				if !c.OK && (c.Remedy == "" || !strings.Contains(c.Measured, row.words)) {
					t.Errorf("%s measured %q, remedy %q, want %q in words", c.ID, c.Measured, c.Remedy, row.words)
				}
				if c.ID == "E3" && !c.OK && !strings.HasPrefix(c.Measured, "not measured") {
					t.Errorf("E3 measured %q", c.Measured)
				}
			}
		})
	}
}

func TestBothWatched(t *testing.T) {
	for name, row := range map[string]struct {
		want  bool
		spoil func(*evidence.Evidence)
	}{
		"good":        {true, func(*evidence.Evidence) {}},
		"embedded":    {false, func(e *evidence.Evidence) { *e = judgetest.Evidence() }},
		"no sensor":   {false, func(e *evidence.Evidence) { e.Health = evidence.Health{} }},
		"no profile":  {false, func(e *evidence.Evidence) { e.Kubescape.Profile = evidence.Profile{} }},
		"its failure": {false, func(e *evidence.Evidence) { e.Kubescape.Profile.Error = "gone" }},
		"partial":     {true, func(e *evidence.Evidence) { e.Kubescape.Profile.Completion = "partial" }},
	} {
		e := witnessed()
		row.spoil(&e)
		if got := e.Both(); got != row.want {
			t.Errorf("%s: both watched %v, want %v", name, got, row.want)
		}
	}
}

func TestWildcards(t *testing.T) {
	for _, row := range []struct {
		pattern, path string
		want          bool
	}{
		{"/usr/lib/⋯/libz.so", "/usr/lib/x86_64-linux-gnu/libz.so", true},
		{"/usr/lib/⋯/libz.so", "/usr/lib/libz.so", false},
		{"/usr/lib/⋯/libz.so", "/usr/lib/a/b/libz.so", false},
		{"/usr/lib/⋯", "/usr/lib/libz.so", true},
		{"/usr/lib/⋯.so", "/usr/lib/libz.so", true},
		{"/usr/lib/lib⋯.so", "/usr/lib/mod.so", false},
		{"/usr/*/x.py", "/usr/x.py", true},
		{"/usr/*/x.py", "/usr/a/b/c/x.py", true},
		{"/usr/*", "/usr/a/b", true},
		{"/usr/*", "/opt/a", false},
		{"*", "/opt/a", true},
		{"/opt/a*", "/opt/ab", false},
		{"/opt/a", "/opt/a", true},
		{"", "/opt/a", false},
	} {
		p := evidence.Profile{Patterns: []string{"/nothing", row.pattern}}
		if got := p.Covers(row.path); got != row.want {
			t.Errorf("%q covers %q: %v, want %v", row.pattern, row.path, got, row.want)
		}
	}
	if (evidence.Profile{}).Covers("/a") {
		t.Error("no pattern covers something")
	}
}
