package e2e

import (
	"encoding/json"
	"net"
	"path/filepath"
	"strings"
	"testing"
)

// The doctor names what is there, and what is missing with a remedy.
func TestDoctor(t *testing.T) {
	if out := vexxy(t, "doctor"); out.code != 0 || !strings.Contains(out.stdout, "can run vexxy") || strings.Contains(out.stdout, "FAIL") {
		t.Errorf("exit code %d\n%s%s", out.code, out.stdout, out.stderr)
	}
	out := vexxyEnv(t, []string{"DOCKER_HOST=unix://" + filepath.Join(t.TempDir(), "no.sock")}, "doctor")
	if out.code != 5 {
		t.Errorf("exit code %d without Docker", out.code)
	}
	for _, want := range []string{"FAIL  Docker engine", "start Docker", "keep vexxy from running"} {
		if !strings.Contains(out.stdout, want) {
			t.Errorf("the doctor does not say %q:\n%s", want, out.stdout)
		}
	}
}

// A registry that never answers does not hold a run beyond its deadline.
func TestDeadline(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	defer silent.Close()
	dir := t.TempDir()
	out := vexxyEnv(t, nil, "run", "--output-dir", dir, "--duration", "1s", "--deadline", "2s",
		"--vulnerability-db", must1(database()), silent.Addr().String()+"/a/b:v1")
	if out.code != 124 || !strings.Contains(out.stderr, "deadline") {
		t.Errorf("exit code %d\n%s", out.code, out.stderr)
	}
	var r result
	must(json.Unmarshal(read(t, dir, "result.json"), &r))
	if r.Verdict != "error" || r.ExitCode != 124 {
		t.Errorf("the result says %s, %d", r.Verdict, r.ExitCode)
	}
}
