package evidence_test

import (
	"testing"

	"github.com/vexxy/action/internal/evidence"
	"github.com/vexxy/action/internal/judge/judgetest"
)

// One row for each cell of the table in Grade's documentation.
func TestGrade(t *testing.T) {
	command := []string{"test-command"}
	inContainer := []string{"exec-command", "http-probe"}
	probe := []string{"http-probe"}
	rows := []struct {
		ready    evidence.Ready
		exercise []string
		want     evidence.Confidence
	}{
		{evidence.ReadyInput, command, evidence.ConfidenceHigh},
		{evidence.ReadyInput, inContainer, evidence.ConfidenceHigh},
		{evidence.ReadyInput, probe, evidence.ConfidenceMedium},
		{evidence.ReadyInput, nil, evidence.ConfidenceLow},
		{evidence.ReadyHealthcheck, command, evidence.ConfidenceHigh},
		{evidence.ReadyHealthcheck, probe, evidence.ConfidenceMedium},
		{evidence.ReadyHealthcheck, nil, evidence.ConfidenceLow},
		{evidence.ReadyPorts, command, evidence.ConfidenceMedium},
		{evidence.ReadyPorts, probe, evidence.ConfidenceMedium},
		{evidence.ReadyPorts, nil, evidence.ConfidenceLow},
		{evidence.ReadyJob, command, evidence.ConfidenceHigh},
		{evidence.ReadyJob, probe, evidence.ConfidenceMedium},
		{evidence.ReadyJob, nil, evidence.ConfidenceLow},
		{evidence.ReadyRunning, command, evidence.ConfidenceLow},
		{evidence.ReadyRunning, probe, evidence.ConfidenceLow},
		{evidence.ReadyRunning, nil, evidence.ConfidenceLow},
	}
	for _, row := range rows {
		e, f := judgetest.Evidence(), judgetest.Facts()
		e.Workload.ReadyBy, f.Declared = row.ready, row.exercise
		if row.ready == evidence.ReadyJob {
			e.Workload.Exited, e.Window.Stopped = true, evidence.StopJobDone
		}
		e.Exercise = nil
		for _, kind := range row.exercise {
			e.Exercise = append(e.Exercise, evidence.Exercise{Kind: kind, Start: judgetest.At(3), End: judgetest.At(4), Passed: true})
		}
		checks := evidence.Sufficiency(e, f)
		if got := evidence.Grade(e, checks); got != row.want {
			t.Errorf("ready by %s, exercise %v: %s, want %s (%+v)", row.ready, row.exercise, got, row.want, checks)
		}
		if got := evidence.Grade(e, nil); got != evidence.ConfidenceNone {
			t.Errorf("ready by %s without checks: %s", row.ready, got)
		}
	}
}
