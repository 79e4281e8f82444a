package e2e

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/vexxy/action/internal/report"
)

var update = flag.Bool("update", false, "rewrite the golden documents")

// The recorded runs of testdata/runs, replayed by the real command, give the
// golden documents byte for byte.
func TestRecordedRuns(t *testing.T) {
	runs, err := os.ReadDir(filepath.Join(root, "testdata", "runs"))
	if err != nil || len(runs) == 0 {
		t.Fatalf("%d recorded runs: %v", len(runs), err)
	}
	for _, r := range runs {
		t.Run(r.Name(), func(t *testing.T) {
			dir := t.TempDir()
			out := vexxy(t, "replay", "--output-dir", dir, filepath.Join(root, "testdata", "runs", r.Name()))
			if out.code != 0 {
				t.Fatalf("exit code %d\n%s", out.code, out.stderr)
			}
			golden := filepath.Join(root, "testdata", "golden", "runs", r.Name())
			for _, name := range append([]string{"result.json"}, documents...) {
				got := read(t, dir, name)
				if name == "result.json" {
					got = report.Pure(got)
				}
				if *update {
					must(os.MkdirAll(golden, 0o755))
					must(os.WriteFile(filepath.Join(golden, name), got, 0o644))
				}
				same(t, name, read(t, golden, name), got)
			}
		})
	}
}
