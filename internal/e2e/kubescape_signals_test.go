package e2e

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// startCluster runs vexxy with a cluster of its own until its journal names the
// step. What it leaves is removed when the test ends, whatever came of it.
func startCluster(t *testing.T, step string) *started {
	t.Helper()
	s := start(t, step, 6*time.Minute, append(clusterFlags(t), "--engine", "kubescape", "--duration", "120s", push(t, "health"))...)
	t.Cleanup(func() { vexxyEnv(t, []string{"VEXXY_STATE_DIR=" + s.state}, "cleanup") })
	return s
}

// runIn is the ID of the run with this output directory; everything that it
// makes has the ID in its name.
func runIn(t *testing.T, dir string) string {
	t.Helper()
	first, _, _ := bytes.Cut(read(t, dir, "audit.jsonl"), []byte("\n"))
	var line struct {
		RunID string `json:"run_id"`
	}
	if err := json.Unmarshal(first, &line); err != nil || line.RunID == "" {
		t.Fatalf("the journal begins with %q: %v", first, err)
	}
	return line.RunID
}

func kubescapeCancelBooting(t *testing.T) {
	interrupt(t, `"step":"create cluster","outcome":"ok"`)
}
func kubescapeCancelObserving(t *testing.T) {
	interrupt(t, `"step":"prepare workload","outcome":"ok"`)
}

// interrupt ends a run at a step: within 10 s it is over and nothing is left,
// or it says that something is, and cleanup takes that away: a busy machine may
// need longer to stop a node than its CI gives a cancelled job.
func interrupt(t *testing.T, step string) {
	s := startCluster(t, step)
	run := runIn(t, s.dir)
	if leftOf(t, run) == "" {
		t.Fatal("the run has made nothing: the test shows nothing")
	}
	at := time.Now()
	must(s.cmd.Process.Signal(unix.SIGINT))
	<-s.ended
	took := time.Since(at)
	t.Logf("over %.1f s after the signal", took.Seconds())
	if took > 10*time.Second {
		t.Errorf("took %s to end", took)
	}
	if got := s.cmd.ProcessState.ExitCode(); got != 130 {
		t.Errorf("exit code %d, want 130\n%s", got, s.stderr.String())
	}
	s.cancelled(t, 130)
	if said := s.stderr.String(); strings.Contains(said, "run `vexxy cleanup`, something is left") {
		out := vexxyEnv(t, []string{"VEXXY_STATE_DIR=" + s.state}, "cleanup")
		t.Logf("cleanup had something left to do, exit code %d: %s\n%s", out.code, out.stdout, said[max(0, len(said)-400):])
	}
	if left := leftOf(t, run); left != "" {
		t.Errorf("left behind: %s", left)
	}
	s.nothingLeft(t)
}

// kubescapeKill: what a run leaves that is killed while it observes, cleanup
// takes away.
func kubescapeKill(t *testing.T) {
	s := startCluster(t, `"step":"prepare workload","outcome":"ok"`)
	run := runIn(t, s.dir)
	must(s.cmd.Process.Signal(syscall.SIGKILL))
	<-s.ended
	if leftOf(t, run) == "" {
		t.Fatal("the killed run left nothing: the test shows nothing")
	}
	env := []string{"VEXXY_STATE_DIR=" + s.state}
	at := time.Now()
	out := vexxyEnv(t, env, "cleanup")
	t.Logf("cleaned up in %.1f s:\n%s", time.Since(at).Seconds(), out.stdout)
	if out.code != 0 {
		t.Errorf("exit code %d\n%s", out.code, out.stderr)
	}
	if left := leftOf(t, run); left != "" {
		t.Errorf("left behind: %s", left)
	}
	s.nothingLeft(t)
	if again := vexxyEnv(t, env, "cleanup"); again.code != 0 || !strings.Contains(again.stdout, "nothing to clean up") {
		t.Errorf("second cleanup: %d %s", again.code, again.stdout)
	}
}

// kubescapeBadInput: what cannot work is told before the cluster has booted.
func kubescapeBadInput(t *testing.T) {
	chart := filepath.Join(t.TempDir(), "chart.tgz")
	packed(t, chart, filepath.Join(root, "testdata", "chart"), "kubescape-operator")
	node := os.Getenv(nodeVariable)
	index := pushIndex(t, "exit0")
	for _, c := range []struct {
		name string
		args []string
		code int
		want []string
	}{
		{"node image missing", []string{"--node-image", "localhost:1/none/node:v1", "--chart", chart}, 5, []string{"none/node:v1", "node image", "hint:"}},
		{"node image that is none", []string{"--node-image", bed.registry + "/fixtures/exit0:v1", "--chart", chart}, 5, []string{"hint:"}},
		{"chart of another digest", []string{"--node-image", node, "--chart", chart, "--chart-digest", "sha256:" + strings.Repeat("0", 64)}, 6, []string{"sha256:000", "find out why the chart has changed"}},
		{"chart of another version", []string{"--node-image", node, "--chart", chart, "--chart-version", "0.0.1"}, 3, []string{"it is of version", "not 0.0.1", "hint:"}},
		{"image for other nodes", []string{"--node-image", node, "--chart", chart, "--platform", "linux/" + elsewhere(), "--digest", index.index}, 3,
			[]string{"it is for linux/" + elsewhere(), "nodes are of " + runtime.GOARCH, "give --platform"}},
		{"chart missing", []string{"--node-image", node, "--chart", chart + ".none"}, 3, []string{"chart.tgz.none", "hint:"}},
		{"archives missing", []string{"--node-image", node, "--chart", chart, "--image-archives", chart + ".none"}, 3, []string{"image archives", "hint:"}},
		{"values missing", []string{"--node-image", node, "--chart", chart, "--values", chart + ".none"}, 3, []string{"reading values", "hint:"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			image := push(t, "exit0")
			if slices.Contains(c.args, "--platform") {
				image = index.tag
			}
			began := time.Now()
			out := vexxy(t, append(append([]string{"run", "--engine", "kubescape", "--vulnerability-db", must1(database()), "--max-db-age", "0", "--output-dir", dir}, c.args...), image)...)
			t.Logf("%.1f s\n%s", time.Since(began).Seconds(), out.stderr)
			if out.code != c.code {
				t.Errorf("exit code %d, want %d", out.code, c.code)
			}
			if took := time.Since(began); took > 30*time.Second {
				t.Errorf("it took %s to say so", took)
			}
			if left := leftOf(t, runIn(t, dir)); left != "" {
				t.Errorf("left behind: %s", left)
			}
			for _, want := range c.want {
				if !strings.Contains(out.stderr, want) {
					t.Errorf("it does not say %q:\n%s", want, out.stderr)
				}
			}
		})
	}
}
