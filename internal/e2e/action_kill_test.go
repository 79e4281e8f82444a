package e2e

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// shim is the action's step as GitHub starts it, without a runner around it.
type shim struct {
	dir string
	env []string
	log *os.File // no pipe: it would be waited for until its last writer ends
}

func newShim(t *testing.T) *shim {
	t.Helper()
	self, err := os.Executable()
	must(err)
	s := &shim{dir: t.TempDir()}
	s.log = must1(os.Create(filepath.Join(t.TempDir(), "log")))
	t.Cleanup(func() { s.log.Close() })
	s.env = append(os.Environ(), asCommand+"=1", "GITHUB_ACTIONS=true", "GITHUB_EVENT_NAME=push", "GITHUB_WORKSPACE="+s.dir, "RUNNER_TEMP="+s.dir,
		"GITHUB_OUTPUT="+filepath.Join(s.dir, "output"), "GITHUB_STATE="+filepath.Join(s.dir, "state"), "GITHUB_STEP_SUMMARY="+filepath.Join(s.dir, "summary"),
		"VEXXY_STATE_DIR="+filepath.Join(s.dir, "runs"),
		"INPUT_BINARY="+self, "INPUT_IMAGE="+push(t, "go-app"), "INPUT_ENGINE=embedded", "INPUT_DURATION=120s", "INPUT_EARLY-STOP=",
		"INPUT_VULNERABILITY-DB="+must1(database()), "INPUT_MAX-DB-AGE=0")
	return s
}

func (s *shim) command(file string, more ...string) *exec.Cmd {
	path, err := filepath.Abs(filepath.Join(root, "scripts", "action", file))
	must(err)
	cmd := exec.Command("node", path)
	cmd.Dir, cmd.Env = s.dir, append(s.env, more...)
	cmd.Stdout, cmd.Stderr = s.log, s.log
	return cmd
}

func (s *shim) said() string {
	text, _ := os.ReadFile(s.log.Name())
	return string(text)
}

// saved gives a value that the step has saved for the end of its job.
func (s *shim) saved(name string) string {
	text, _ := os.ReadFile(filepath.Join(s.dir, "state"))
	all := regexp.MustCompile(`(?m)^`+name+`<<\S+\n(.*)$`).FindAllSubmatch(text, -1)
	if len(all) == 0 {
		return ""
	}
	return string(all[len(all)-1][1])
}

// However a step ends, the end of its job leaves nothing behind: when it was
// cancelled, when the shim was killed and the binary lives on, and when both
// were killed.
func TestActionLeavesNothing(t *testing.T) {
	for name, c := range map[string]struct {
		signal  unix.Signal
		both    bool
		verdict string
	}{
		"cancelled":      {unix.SIGINT, false, "cancelled"},
		"the shim":       {unix.SIGKILL, false, ""},
		"shim and vexxy": {unix.SIGKILL, true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShim(t)
			main := s.command("main.js")
			must(main.Start())
			ended := make(chan error, 1)
			go func() { ended <- main.Wait() }()
			s.until(t, ended)
			pid := must1(strconv.Atoi(s.saved("pid")))
			must(main.Process.Signal(c.signal))
			if c.both {
				must(unix.Kill(pid, unix.SIGKILL))
			}
			select {
			case <-ended:
			case <-time.After(time.Minute):
				t.Fatal("the step does not end")
			}
			if c.signal == unix.SIGKILL && s.left(t) == "" {
				t.Fatal("the killed step left nothing: the test shows nothing")
			}
			post := s.command("post.js", "STATE_binary="+s.saved("binary"), "STATE_pid="+s.saved("pid"))
			if err := post.Run(); err != nil {
				t.Errorf("the post step: %v", err)
			}
			if left := s.left(t); left != "" {
				t.Errorf("left behind:\n%s\n%s", left, s.said())
			}
			outputs, _ := os.ReadFile(filepath.Join(s.dir, "output"))
			if c.verdict != "" && !strings.Contains(string(outputs), "\n"+c.verdict+"\n") || strings.Contains(string(outputs), "\npass\n") {
				t.Errorf("outputs:\n%s\n%s", outputs, s.said())
			}
		})
	}
}

// left lists what this run has left on the Docker engine, whatever others do
// there.
func (s *shim) left(t *testing.T) string {
	t.Helper()
	run := regexp.MustCompile(`"run_id":"([0-9a-f]{24})"`).FindSubmatch(read(t, filepath.Join(s.dir, "vexxy-results"), "audit.jsonl"))
	if run == nil {
		t.Fatal("the run has no name")
	}
	var left []string
	for line := range strings.Lines(inventoryOfEngine(t)) {
		if strings.Contains(line, string(run[1])) {
			left = append(left, line)
		}
	}
	return strings.Join(left, "")
}

// until waits until the image runs.
func (s *shim) until(t *testing.T, ended <-chan error) {
	t.Helper()
	for limit := time.Now().Add(90 * time.Second); time.Now().Before(limit); {
		raw, err := os.ReadFile(filepath.Join(s.dir, "vexxy-results", "audit.jsonl"))
		if err == nil && bytes.Contains(raw, []byte(`"prepare container","outcome":"ok"`)) {
			return
		}
		select {
		case err := <-ended:
			t.Fatalf("ended too early: %v\n%s", err, s.said())
		case <-time.After(20 * time.Millisecond):
		}
	}
	t.Fatal("the image never ran")
}
