package evidence_test

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vexxy/action/internal/evidence"
	"github.com/vexxy/action/internal/judge/judgetest"
)

func failing(checks []evidence.Check) []string {
	var ids []string
	for _, c := range checks {
		if c.Applies && !c.OK {
			ids = append(ids, c.ID)
		}
	}
	return ids
}

func TestGoodEvidenceIsSufficient(t *testing.T) {
	checks := evidence.Sufficiency(judgetest.Evidence(), judgetest.Facts())
	if bad := failing(checks); bad != nil || !evidence.Sufficient(checks) {
		t.Fatalf("checks %v fail on good evidence: %+v", bad, checks)
	}
	for _, c := range checks {
		if c.Measured == "" || c.Title == "" || c.Remedy != "" {
			t.Errorf("%s says too little or too much: %+v", c.ID, c)
		}
		if applies := c.ID != "E9"; c.Applies != applies {
			t.Errorf("%s applies: %v, want %v", c.ID, c.Applies, applies)
		}
	}
}

// Each row breaks one condition; exactly the named check must fail.
func TestEachConditionInverted(t *testing.T) {
	type e = evidence.Evidence
	type f = evidence.Facts
	at := judgetest.At
	rows := []struct {
		id, name string
		spoil    func(*e, *f)
	}{
		{"E1", "attached after the first exec", func(e *e, _ *f) { e.Health.FirstExecAt = at(-10) }},
		{"E1", "attached with the first exec", func(e *e, _ *f) { e.Health.FirstExecAt = e.Health.AttachedAt }},
		{"E1", "attachment unknown", func(e *e, _ *f) { e.Health.AttachedAt = time.Time{} }},
		{"E1", "first exec unknown", func(e *e, _ *f) { e.Health.FirstExecAt = time.Time{} }},
		{"E1", "detached before the end", func(e *e, _ *f) {
			e.Health.DetachedAt = at(300)
			e.Health.Canaries[2].At = at(299)
		}},
		{"E2", "ring", func(e *e, _ *f) { e.Health.Lost.Ring = 1 }},
		{"E2", "map", func(e *e, _ *f) { e.Health.Lost.Map = 1 }},
		{"E2", "vanished", func(e *e, _ *f) { e.Health.Lost.Vanish = 1 }},
		{"E2", "path", func(e *e, _ *f) { e.Health.Lost.Path = 1 }},
		{"E2", "decode", func(e *e, _ *f) { e.Health.Lost.Decode = 1 }},
		{"E2", "unknown", func(e *e, _ *f) { e.Health.Lost.Unknown = 1 }},
		{"E2", "a sum that wraps to zero", func(e *e, _ *f) {
			e.Health.Lost.Ring, e.Health.Lost.Map = math.MaxUint64, 1
		}},
		{"E2", "sensor error", func(e *e, _ *f) { e.Health.Errors = []string{"reader died"} }},
		{"E3", "none", func(e *e, _ *f) { e.Health.Canaries = nil }},
		{"E3", "no start", func(e *e, _ *f) { e.Health.Canaries = e.Health.Canaries[1:] }},
		{"E3", "no middle", func(e *e, _ *f) { e.Health.Canaries = slices.Delete(e.Health.Canaries, 1, 2) }},
		{"E3", "no end", func(e *e, _ *f) { e.Health.Canaries = e.Health.Canaries[:2] }},
		{"E3", "one not seen", func(e *e, _ *f) { e.Health.Canaries[1].Seen-- }},
		{"E3", "more seen than opened", func(e *e, _ *f) { e.Health.Canaries[1].Seen++ }},
		{"E3", "nothing opened", func(e *e, _ *f) { e.Health.Canaries[0].Opened, e.Health.Canaries[0].Seen = 0, 0 }},
		{"E3", "could not be run", func(e *e, _ *f) { e.Health.Canaries[2].Error = "no group" }},
		{"E3", "time unknown", func(e *e, _ *f) { e.Health.Canaries[2].At = time.Time{} }},
		{"E3", "start after the first exec", func(e *e, _ *f) { e.Health.Canaries[0].At = at(1) }},
		{"E3", "start before the attachment", func(e *e, _ *f) { e.Health.Canaries[0].At = at(-4) }},
		{"E3", "out of order", func(e *e, _ *f) { e.Health.Canaries[1].At = at(300.9) }},
		{"E3", "middle before the first exec", func(e *e, _ *f) { e.Health.Canaries[1].At = at(-1) }},
		{"E3", "end before the window's end", func(e *e, _ *f) { e.Health.Canaries[2].At = at(299) }},
		{"E3", "end after the detachment", func(e *e, _ *f) { e.Health.Canaries[2].At = at(302) }},
		{"E3", "middle not in the container", func(e *e, _ *f) { e.Health.Canaries[1].Place = "helper" }},
		{"E3", "end at an unknown place", func(e *e, _ *f) { e.Health.Canaries[2].Place = "" }},
		{"E3", "an unknown stage", func(e *e, _ *f) { e.Health.Canaries[1].Stage = "late" }},
		{"E4", "never ready", func(e *e, _ *f) { e.Workload.ReadyBy = evidence.ReadyNever }},
		{"E4", "no word on readiness", func(e *e, _ *f) { e.Workload.ReadyBy = "" }},
		{"E4", "ready at an unknown time", func(e *e, _ *f) { e.Workload.ReadyAt = time.Time{} }},
		{"E4", "ready after the end", func(e *e, _ *f) { e.Workload.ReadyAt = at(301) }},
		{"E4", "ready before it started", func(e *e, _ *f) { e.Workload.ReadyAt = at(-1) }},
		{"E4", "restarted", func(e *e, _ *f) { e.Workload.Restarts = 1 }},
		{"E4", "restarts below zero", func(e *e, _ *f) { e.Workload.Restarts = -1 }},
		{"E4", "out of memory", func(e *e, _ *f) { e.Workload.OOMKilled = true }},
		{"E4", "exited though a service", func(e *e, _ *f) { e.Workload.Exited = true }},
		{"E4", "another image", func(e *e, _ *f) { e.Workload.ConfigDigest = judgetest.Digest("0") }},
		{"E4", "image unknown", func(e *e, f *f) { e.Workload.ConfigDigest, f.SubjectConfigDigest = "", "" }},
		{"E5", "cut short", func(e *e, _ *f) { e.Window.Configured = 301 }},
		{"E5", "no length configured", func(e *e, _ *f) { e.Window.Configured = 0 }},
		{"E5", "length is no number", func(e *e, _ *f) { e.Window.Configured = math.NaN() }},
		{"E5", "interrupted", func(e *e, _ *f) { e.Window.Stopped = evidence.StopInterrupted }},
		{"E5", "sensor failed", func(e *e, _ *f) { e.Window.Stopped = evidence.StopSensor }},
		{"E5", "not ready", func(e *e, _ *f) { e.Window.Stopped = evidence.StopNotReady }},
		{"E5", "exited", func(e *e, _ *f) { e.Window.Stopped = evidence.StopExited }},
		{"E5", "no word on the end", func(e *e, _ *f) { e.Window.Stopped = "" }},
		{"E5", "job done, but it still runs", func(e *e, _ *f) { e.Window.Stopped = evidence.StopJobDone }},
		{"E5", "quiet without a quiet time", func(e *e, _ *f) { e.Window.Stopped = evidence.StopQuiet }},
		{"E5", "quiet for longer than it ran", func(e *e, _ *f) { e.Window.Stopped, e.Window.Quiet = evidence.StopQuiet, 400 }},
		{"E5", "quiet without an exercise", func(e *e, f *f) {
			e.Window.Stopped, e.Window.Quiet, e.Exercise, f.Declared = evidence.StopQuiet, 10, nil, nil
		}},
		{"E5", "exercise failed", func(e *e, _ *f) { e.Exercise[0].Passed = false }},
		{"E5", "exercise declared and not done", func(e *e, f *f) { f.Declared = []string{"http-probe", "test-command"} }},
		{"E5", "exercise outside the window", func(e *e, _ *f) { e.Exercise[0].End = at(400) }},
		{"E5", "exercise backwards", func(e *e, _ *f) { e.Exercise[0].End = at(1) }},
		{"E6", "incomplete", func(_ *e, f *f) { f.InventoryIncomplete = "too large" }},
		{"E6", "no packages", func(_ *e, f *f) { f.Packages = 0 }},
		{"E7", "too old", func(_ *e, f *f) { f.DatabaseBuilt = at(-121 * 3600) }},
		{"E7", "age unknown", func(_ *e, f *f) { f.DatabaseBuilt = time.Time{} }},
		{"E7", "age unknown, limit lifted", func(_ *e, f *f) { f.DatabaseBuilt, f.MaxDatabaseAge = time.Time{}, 0 }},
		{"E7", "database unknown", func(_ *e, f *f) { f.DatabaseDigest = " " }},
		{"E7", "from the future", func(_ *e, f *f) { f.DatabaseBuilt = at(400) }},
		{"E7", "from the future, limit lifted", func(_ *e, f *f) { f.DatabaseBuilt, f.MaxDatabaseAge = at(400), 0 }},
		{"E7", "limit unreadable", func(_ *e, f *f) { f.MaxDatabaseAge = -1 }},
		{"E8", "io_uring", func(e *e, _ *f) { e.Health.Blind = []evidence.Blind{{What: "io_uring", Count: 1}} }},
		{"E8", "a way without a name", func(e *e, _ *f) { e.Health.Blind = []evidence.Blind{{Count: 1}} }},
		{"E8", "foreign program", func(e *e, _ *f) {
			e.Observations = []evidence.Observation{{Path: []byte("/tmp/x"), Foreign: true, Kinds: []evidence.Kind{evidence.Exec}}}
		}},
		{"E8", "foreign interpreter", func(e *e, _ *f) {
			e.Observations = []evidence.Observation{{Path: []byte("/tmp/x"), Foreign: true, SHA256: "00", Kinds: []evidence.Kind{evidence.Interp}}}
		}},
		{"E8", "foreign library, mapped executable", func(e *e, _ *f) {
			e.Observations = []evidence.Observation{{Path: []byte("/tmp/x.so"), Foreign: true, SHA256: "00", Kinds: []evidence.Kind{evidence.Map, evidence.Open}}}
		}},
		{"E9", "kubescape without a profile", func(e *e, _ *f) { e.Engine = "kubescape" }},
		{"E9", "unknown engine", func(e *e, _ *f) { e.Engine = "" }},
	}
	covered := map[string]bool{}
	for _, row := range rows {
		covered[row.id] = true
		t.Run(row.id+" "+row.name, func(t *testing.T) {
			e, f := judgetest.Evidence(), judgetest.Facts()
			row.spoil(&e, &f)
			checks := evidence.Sufficiency(e, f)
			if got := strings.Join(failing(checks), ","); got != row.id {
				t.Errorf("failing checks %q, want %q: %+v", got, row.id, checks)
			}
			if evidence.Sufficient(checks) {
				t.Error("sufficient")
			}
			if got := evidence.Grade(e, checks); got != evidence.ConfidenceNone {
				t.Errorf("confidence %s", got)
			}
			for _, c := range checks {
				if c.Applies && !c.OK && c.Remedy == "" {
					t.Errorf("%s has no remedy", c.ID)
				}
			}
		})
	}
	for _, c := range evidence.Sufficiency(evidence.Evidence{}, evidence.Facts{}) {
		if !covered[c.ID] {
			t.Errorf("%s is never inverted", c.ID)
		}
		if c.OK {
			t.Errorf("%s holds on nothing: %s", c.ID, c.Measured)
		}
	}
}

// A window that ends before it starts fails whatever is measured along it.
func TestBackwardClockIsInsufficient(t *testing.T) {
	e, f := judgetest.Evidence(), judgetest.Facts()
	e.Window.Start, e.Window.End = e.Window.End, e.Window.Start
	checks := evidence.Sufficiency(e, f)
	if evidence.Sufficient(checks) || !slices.Contains(failing(checks), "E5") {
		t.Errorf("checks: %+v", checks)
	}
}

func TestJobsAndQuietWindowsSuffice(t *testing.T) {
	job := func() evidence.Evidence {
		e := judgetest.Evidence()
		e.Window.End, e.Window.Stopped = judgetest.At(4), evidence.StopJobDone
		e.Workload.Exited, e.Workload.ReadyBy, e.Workload.ReadyAt = true, evidence.ReadyJob, judgetest.At(4)
		e.Exercise = nil
		e.Health.Canaries[1].At, e.Health.Canaries[2].At = judgetest.At(4.1), judgetest.At(4.2)
		return e
	}
	f := judgetest.Facts()
	f.Declared = nil
	if checks := evidence.Sufficiency(job(), f); !evidence.Sufficient(checks) {
		t.Errorf("job that ended with 0: %+v", checks)
	}
	for name, spoil := range map[string]func(*evidence.Evidence){
		"ended with 1":        func(e *evidence.Evidence) { e.Workload.ExitCode = 1 },
		"never ready":         func(e *evidence.Evidence) { e.Workload.ReadyBy = evidence.ReadyNever },
		"no word on it":       func(e *evidence.Evidence) { e.Workload.ReadyBy = "" },
		"started again":       func(e *evidence.Evidence) { e.Workload.Restarts = 1 },
		"killed for memory":   func(e *evidence.Evidence) { e.Workload.OOMKilled = true },
		"ended by its length": func(e *evidence.Evidence) { e.Window.Stopped, e.Window.Configured = evidence.StopDuration, 4 },
	} {
		e := job()
		spoil(&e)
		if got := strings.Join(failing(evidence.Sufficiency(e, f)), ","); got != "E4" {
			t.Errorf("job that %s fails %s, want E4", name, got)
		}
	}
	quiet := judgetest.Evidence()
	quiet.Window.End, quiet.Window.Stopped, quiet.Window.Quiet = judgetest.At(30), evidence.StopQuiet, 10
	quiet.Health.Canaries[1].At, quiet.Health.Canaries[2].At = judgetest.At(10), judgetest.At(31)
	if checks := evidence.Sufficiency(quiet, judgetest.Facts()); !evidence.Sufficient(checks) {
		t.Errorf("quiet window: %+v", checks)
	}
}

func TestSufficientAsksForAllChecks(t *testing.T) {
	checks := evidence.Sufficiency(judgetest.Evidence(), judgetest.Facts())
	if evidence.Sufficient(nil) {
		t.Error("no checks are sufficient")
	}
	for i := range checks[:8] {
		without := slices.Delete(slices.Clone(checks), i, i+1)
		if evidence.Sufficient(without) {
			t.Errorf("sufficient without %s", checks[i].ID)
		}
		dormant := slices.Clone(checks)
		dormant[i].Applies = false
		if evidence.Sufficient(dormant) {
			t.Errorf("sufficient though %s does not apply", checks[i].ID)
		}
	}
}
