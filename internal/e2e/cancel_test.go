package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// inventoryOfEngine lists what vexxy could have left on the Docker engine.
func inventoryOfEngine(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	for _, args := range [][]string{
		{"ps", "-a", "--filter", "label=dev.vexxy.run", "--format", "container {{.Names}}"},
		{"network", "ls", "--filter", "label=dev.vexxy.run", "--format", "network {{.Name}}"},
		{"image", "ls", "--filter", "reference=vexxy.local/*", "--format", "image {{.Repository}}"},
	} {
		out, err := exec.Command("docker", args...).CombinedOutput()
		if err != nil {
			t.Fatalf("docker %s: %v: %s", args[0], err, out)
		}
		all.Write(out)
	}
	return all.String()
}

// started runs vexxy in the background until its journal names the step.
type started struct {
	cmd    *exec.Cmd
	stderr bytes.Buffer
	dir    string
	state  string
	ended  chan struct{} // closed when it has
}

func startUntil(t *testing.T, step string) *started {
	t.Helper()
	return start(t, step, 90*time.Second, "--duration", "120s", "oci-dir:"+fixture(t, "health"))
}

// start runs vexxy with these arguments; it has a time to come to the step.
func start(t *testing.T, step string, patience time.Duration, args ...string) *started {
	t.Helper()
	db, err := database()
	must(err)
	s := &started{dir: t.TempDir(), state: t.TempDir()}
	s.cmd = command(context.Background(), []string{"VEXXY_STATE_DIR=" + s.state, "TMPDIR=" + s.state},
		append([]string{"run", "--vulnerability-db", db, "--max-db-age", "0", "--output-dir", s.dir}, args...)...)
	s.cmd.Stderr = &s.stderr
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	must(s.cmd.Start())
	s.ended = make(chan struct{})
	go func() { s.cmd.Wait(); close(s.ended) }()
	t.Cleanup(func() { s.cmd.Process.Kill(); <-s.ended })
	limit := time.Now().Add(patience)
	for time.Now().Before(limit) {
		raw, err := os.ReadFile(filepath.Join(s.dir, "audit.jsonl"))
		if err == nil && bytes.Contains(raw, []byte(step)) {
			return s
		}
		select {
		case <-s.ended:
			t.Fatalf("ended before %q:\n%s", step, s.stderr.String())
		case <-time.After(20 * time.Millisecond):
		}
	}
	t.Fatalf("did not come to %q within %s:\n%s", step, patience, s.stderr.String())
	return nil
}

// cancelled fails the test unless the result says that the run was cancelled.
func (s *started) cancelled(t *testing.T, code int) {
	t.Helper()
	var r result
	raw, err := os.ReadFile(filepath.Join(s.dir, "result.json"))
	if err == nil {
		err = json.Unmarshal(raw, &r)
	}
	if err != nil || r.Verdict != "cancelled" || r.ExitCode != code {
		t.Errorf("result says %s, %d: %v", r.Verdict, r.ExitCode, err)
	}
}

// nothingLeft fails the test when the run left a file in its temporary or
// state directory.
func (s *started) nothingLeft(t *testing.T) {
	t.Helper()
	must(filepath.WalkDir(s.state, func(path string, d os.DirEntry, err error) error {
		if err == nil && (!d.IsDir() || strings.HasPrefix(d.Name(), "vexxy-")) {
			t.Errorf("left behind: %s", path)
		}
		return err
	}))
}

// A signal at any stage ends the run within 10 s, with the code of the signal,
// a result that says so, and nothing left behind.
func TestCancel(t *testing.T) {
	for _, c := range []struct {
		step   string
		signal syscall.Signal
		code   int
	}{
		{`"step":"run"`, unix.SIGINT, 130},
		{`"create network"`, unix.SIGTERM, 143},
		{`"create container"`, unix.SIGINT, 130},
		{`"prepare container","outcome":"ok"`, unix.SIGTERM, 143},
		{`"read packages","outcome":"ok"`, unix.SIGINT, 130},
	} {
		t.Run(strings.Trim(c.step, `"`), func(t *testing.T) {
			before := inventoryOfEngine(t)
			s := startUntil(t, c.step)
			at := time.Now()
			must(s.cmd.Process.Signal(c.signal))
			<-s.ended
			if took := time.Since(at); took > 10*time.Second {
				t.Errorf("took %s to end", took)
			}
			if got := s.cmd.ProcessState.ExitCode(); got != c.code {
				t.Errorf("exit code %d, want %d\n%s", got, c.code, s.stderr.String())
			}
			s.cancelled(t, c.code)
			if after := inventoryOfEngine(t); after != before {
				t.Errorf("left behind:\n%s", after)
			}
			s.nothingLeft(t)
		})
	}
}

// What a killed run leaves, cleanup takes away, and nothing else.
func TestCleanupAfterKill(t *testing.T) {
	other := strings.TrimSpace(string(must1(exec.Command("docker", "network", "create", "--label", "dev.vexxy.run=another-users-run", "e2e-of-another-user").Output())))
	defer exec.Command("docker", "network", "rm", other).Run()
	before := inventoryOfEngine(t)
	s := startUntil(t, `"prepare container","outcome":"ok"`)
	must(s.cmd.Process.Kill())
	<-s.ended
	if inventoryOfEngine(t) == before {
		t.Fatal("the killed run left nothing: the test shows nothing")
	}
	out := vexxyEnv(t, []string{"VEXXY_STATE_DIR=" + s.state}, "cleanup")
	if out.code != 0 {
		t.Fatalf("exit code %d\n%s", out.code, out.stderr)
	}
	if after := inventoryOfEngine(t); after != before {
		t.Errorf("engine after cleanup:\n%s\nbefore the run:\n%s", after, before)
	}
	s.nothingLeft(t)
	again := vexxyEnv(t, []string{"VEXXY_STATE_DIR=" + s.state}, "cleanup")
	if again.code != 0 || !strings.Contains(again.stdout, "nothing to clean up") {
		t.Errorf("second cleanup: %d %s", again.code, again.stdout)
	}
}

func must1[T any](v T, err error) T {
	must(err)
	return v
}

// smallDisk mounts a tmpfs that is too small for the documents.
func smallDisk(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	must(unix.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"))
	t.Cleanup(func() { must(unix.Unmount(dir, 0)) })
	return dir
}

// readOnlyDisk mounts a tmpfs that nobody can write to, root neither.
func readOnlyDisk(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	must(unix.Mount("tmpfs", dir, "tmpfs", unix.MS_RDONLY, "size=64k"))
	t.Cleanup(func() { must(unix.Unmount(dir, 0)) })
	return dir
}
