package app

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vexxy/action/internal/config"
	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/gate"
	"github.com/vexxy/action/internal/record"
	"github.com/vexxy/action/internal/report"
	"github.com/vexxy/action/internal/run"
)

// A pull request that brings a baseline along makes nothing old by it; what the
// workflow has downloaded does.
func TestPullRequestBringsItsBaseline(t *testing.T) {
	rec, err := record.Read("../../testdata/runs/go-app")
	if err != nil {
		t.Fatal(err)
	}
	docs, err := run.Compose(t.Context(), rec, gate.Policy{})
	if err != nil {
		t.Fatal(err)
	}
	result, err := report.Result(docs.Image)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		event   string
		tracked bool
		usable  bool
	}{
		"of the request": {"pull_request", true, false},
		"downloaded":     {"pull_request", false, true},
		"of a push":      {"push", true, true},
	} {
		t.Run(name, func(t *testing.T) {
			j := newJob(t, c.event, "", "")
			write(t, filepath.Join(j.dir, "old.json"), string(result))
			if c.tracked {
				for _, args := range [][]string{{"add", "old.json"}, {"-c", "user.name=t", "-c", "user.email=t@example", "commit", "-q", "-m", "x"}} {
					if out, err := exec.Command("git", append([]string{"-C", j.dir}, args...)...).CombinedOutput(); err != nil {
						t.Fatalf("%v: %s", err, out)
					}
				}
			}
			set, err := openBaseline(t.Context(), config.Config{Baseline: "old.json"}, newHost(j.streams(t)))
			if b := set.For(rec.Subject, true); b.Usable() != c.usable || (err == nil) != c.usable {
				t.Errorf("problem %q, %v", b.Problem, err)
			}
		})
	}
}

// A run that fails before its engine is there names no document of an earlier
// one, nor does one that cannot clear its directory.
func TestEarlierDocumentsAreNotNamed(t *testing.T) {
	for name, blocked := range map[string]bool{"no key": false, "not to be cleared": true} {
		t.Run(name, func(t *testing.T) {
			j := newJob(t, "push", "", "")
			j.run(t)
			dir := filepath.Join(j.dir, "vexxy-results")
			if blocked {
				block(t, dir)
			}
			if before := j.outputs(t); before["result"] == "" || before["summary"] == "" || before["vex"] == "" {
				t.Fatalf("there was no run before: %v", before)
			}
			write(t, j.output, "")
			j.environ = append(j.environ, "INPUT_ATTEST=key", "INPUT_ATTEST-KEY=/nowhere/cosign.key")
			code := Main([]string{"run"}, j.streams(t))
			got := j.outputs(t)
			if code != int(fault.Usage) || got["verdict"] != "error" || got["result"]+got["summary"]+got["vex"]+got["sbom"]+got["sarif"] != "" {
				t.Errorf("code %d, outputs %v\n%s", code, got, j.read(t, j.log))
			}
			if left, err := os.ReadDir(dir); !blocked && (err != nil || len(left) != 0) {
				t.Errorf("%v is left, %v", left, err)
			}
		})
	}
}

// A run that ends over its baseline, before its engine is there, leaves nothing
// that a cleanup would look for.
func TestUnreadableBaselineLeavesNothing(t *testing.T) {
	state := t.TempDir()
	j := newJob(t, "push", "", "", "VEXXY_STATE_DIR="+state, "INPUT_BASELINE=attestation", "INPUT_BASELINE-KEY=/nowhere/cosign.pub")
	if code := Main([]string{"run"}, j.streams(t)); code != int(fault.Usage) || !strings.Contains(j.read(t, j.log), "/nowhere/cosign.pub") {
		t.Errorf("code %d\n%s", code, j.read(t, j.log))
	}
	if left, err := filepath.Glob(filepath.Join(state, "runs", "*")); err != nil || len(left) != 0 {
		t.Errorf("%q is left, %v", left, err)
	}
}

// block keeps an output directory from being cleared: root heeds no mode, but
// removes nothing that is mounted.
func block(t *testing.T, dir string) {
	t.Helper()
	if os.Geteuid() != 0 {
		if err := os.Chmod(dir, 0o500); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.Chmod(dir, 0o700) })
		return
	}
	record := filepath.Join(dir, "record")
	if err := os.MkdirAll(record, 0o700); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("mount", "-t", "tmpfs", "none", record).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", record).CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
	})
}

// Only a run whose every image was judged may say that nothing is affected any
// more.
func TestUnjudged(t *testing.T) {
	rec, err := record.Read("../../testdata/runs/go-app")
	if err != nil {
		t.Fatal(err)
	}
	docs, err := run.Compose(t.Context(), rec, gate.Policy{})
	if err != nil {
		t.Fatal(err)
	}
	good, bad := run.ImageOutcome{Image: docs.Image}, run.ImageOutcome{Err: errors.New("it does not start")}
	for name, c := range map[string]struct {
		images []run.ImageOutcome
		err    error
		want   bool
	}{
		"judged": {[]run.ImageOutcome{good}, nil, false}, "one of two failed": {[]run.ImageOutcome{good, bad}, nil, true},
		"failed": {[]run.ImageOutcome{bad}, nil, true}, "never began": {nil, errors.New("no Docker"), true},
	} {
		got := commentOf(ending{out: run.Outcome{Images: c.images}, err: c.err}, nil, nil)
		if got.Unjudged != c.want {
			t.Errorf("%s: %t", name, got.Unjudged)
		}
		// One error after another is news, and not the comment of before.
		state := map[string]bool{}
		for _, why := range []string{"it is not there", "it may not be pulled"} {
			state[commentOf(ending{out: run.Outcome{Images: []run.ImageOutcome{good, {Err: errors.New(why)}}}}, nil, nil).State] = true
			state[commentOf(ending{err: errors.New(why)}, nil, nil).State] = true
		}
		if len(state) != 4 {
			t.Errorf("four errors have %d states", len(state))
		}
	}
}
