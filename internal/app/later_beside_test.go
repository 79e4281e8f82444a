package app

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/journal"
	"github.com/vexxy/action/internal/record"
)

// The jobs that sign and publish may run at the same time on one machine, and
// beside the run that they tell of.
func TestPublishBesideItsRun(t *testing.T) {
	j := newJob(t, "pull_request", "", "")
	state := t.TempDir()
	j.environ = append(j.environ, "INPUT_IMAGE=", "VEXXY_STATE_DIR="+state)
	dir := left(t, j.own(), nil)
	rec, err := record.Read(filepath.Join(dir, recordFolder))
	if err != nil {
		t.Fatal(err)
	}
	running, err := journal.Open(t.TempDir(), rec.Run.ID, state)
	if err != nil {
		t.Fatal(err)
	}
	defer running.Close("error")
	if code := j.main(t, "publish", dir); code != fault.Pass || j.outputs(t)["verdict"] != "pass" {
		t.Errorf("code %d\n%s", code, j.read(t, j.log))
	}
	if _, err := os.Stat(filepath.Join(state, "runs", rec.Run.ID+".jsonl")); err != nil {
		t.Errorf("the run's own list: %v", err)
	}
}
