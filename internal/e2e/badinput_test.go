package e2e

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/mutate"

	"github.com/vexxy/action/internal/record"
)

// Every wrong input ends with its documented code, says what is wrong and what
// to do, and leaves nothing behind.
func TestBadInput(t *testing.T) {
	layout := "oci-dir:" + fixture(t, "exit0")
	dir := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		must(os.WriteFile(path, []byte(content), 0o644))
		return path
	}
	var broken bytes.Buffer
	w := tar.NewWriter(&broken)
	must(w.WriteHeader(&tar.Header{Name: "manifest.json", Size: 4, Mode: 0o644}))
	w.Write([]byte("[{},"))
	must(w.Close())
	readOnly := filepath.Join(dir, "file")
	must(os.WriteFile(readOnly, nil, 0o644))

	for _, c := range []struct {
		name string
		args []string
		env  []string
		code int
		want []string // in what is printed
	}{
		{"no image", nil, nil, 3, []string{"image", "hint:"}},
		{"unknown flag", []string{"--durration", "5s", layout}, nil, 3, []string{"durration", "duration"}},
		{"unknown variable", []string{layout}, []string{"VEXXY_FAIL_ON_SEVERTY=high"}, 3, []string{"VEXXY_FAIL_ON_SEVERTY", "FAIL_ON_SEVERITY"}},
		{"invalid value", []string{"--duration", "soon", layout}, nil, 3, []string{"duration", "soon"}},
		{"unknown command value", []string{"--engine", "docker", layout}, nil, 3, []string{"engine", "embedded"}},
		{"digest of several images", []string{"--digest", "sha256:" + strings.Repeat("0", 64), layout, "docker.io/x/y"}, nil, 3, []string{"digest"}},
		{"quiet longer than duration", []string{"--duration", "5s", "--early-stop", "--quiet", "10s", layout}, nil, 3, []string{"quiet"}},
		{"image that does not exist", []string{bed.registry + "/fixtures/none:v1"}, nil, 3, []string{"fixtures/none", "hint:"}},
		{"no such host", []string{"127.0.0.1:1/a/b:v1"}, nil, 5, []string{"127.0.0.1:1"}},
		{"archive that is none", []string{"docker-archive:" + write("x.tar", "no archive")}, nil, 3, []string{"x.tar"}},
		{"broken archive", []string{"docker-archive:" + write("y.tar", broken.String())}, nil, 3, []string{"y.tar"}},
		{"missing archive", []string{"docker-archive:" + filepath.Join(dir, "z.tar")}, nil, 3, []string{"z.tar"}},
		{"another digest", []string{"--digest", "sha256:" + strings.Repeat("0", 64), push(t, "exit0")}, nil, 6, []string{"sha256:000"}},
		{"missing database", []string{"--vulnerability-db", filepath.Join(dir, "none"), layout}, nil, 3, []string{"database", "hint:"}},
		{"corrupt database", []string{"--vulnerability-db", write("db.tar.zst", "no database"), layout}, nil, 3, []string{"database", "hint:"}},
		{"empty database", []string{"--vulnerability-db", write("empty.tar.zst", ""), layout}, nil, 3, []string{"database", "hint:"}},
		{"no Docker", []string{layout}, []string{"DOCKER_HOST=unix://" + filepath.Join(dir, "no.sock")}, 5, []string{"Docker", "hint:"}},
		{"no temporary folder", []string{layout}, []string{"TMPDIR=" + filepath.Join(dir, "none")}, 5, []string{"temporary directory", "hint:"}},
		{"no way to the probes", []string{"--network", "none", "--http-probe", "/", layout}, nil, 3, []string{"http-probe", "network", "hint:"}},
		{"cluster's input for the other engine", []string{"--engine", "embedded", "--node-image", "x", layout}, nil, 3, []string{"node-image", "engine kubescape", "hint:"}},
		{"chart that is not there", []string{"--engine", "kubescape", "--chart", "no-such-chart.tgz", layout}, nil, 3, []string{"no-such-chart.tgz", "hint:"}},
		{"kubeconfig that is not there", []string{"--engine", "kubescape", "--kubeconfig", "no-such-file", layout}, nil, 3, []string{"no-such-file", "hint:"}},
		{"output directory is a file", []string{"--output-dir", readOnly, layout}, nil, 3, []string{"output directory", "hint:"}},
		{"output directory that nobody can write to", []string{"--output-dir", filepath.Join(readOnlyDisk(t), "out"), layout}, nil, 3, []string{"output directory", "hint:"}},
		{"program that is not there", []string{"--command", "/no/such/program", layout}, nil, 5, []string{"/no/such/program"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := inventoryOfEngine(t)
			args := []string{"run"}
			if !strings.Contains(strings.Join(c.args, " "), "--output-dir") {
				args = append(args, "--output-dir", t.TempDir())
			}
			if !strings.Contains(strings.Join(c.args, " "), "--vulnerability-db") {
				db, err := database()
				must(err)
				args = append(args, "--vulnerability-db", db)
			}
			out := vexxyEnv(t, c.env, append(args, c.args...)...)
			if out.code != c.code {
				t.Errorf("exit code %d, want %d", out.code, c.code)
			}
			for _, want := range append(c.want, "error:") {
				if !strings.Contains(out.stderr, want) {
					t.Errorf("stderr does not say %q", want)
				}
			}
			if strings.Contains(out.stderr, "goroutine") {
				t.Error("a panic reached the user")
			}
			if t.Failed() {
				t.Log(out.stderr)
			}
			if after := inventoryOfEngine(t); after != before {
				t.Errorf("left behind on the engine:\n%s\nbefore:\n%s", after, before)
			}
		})
	}
}

// Root that may not load eBPF programs, as in an unprivileged container, is told
// so before any workload runs.
func TestNoPermission(t *testing.T) {
	before := inventoryOfEngine(t)
	dir := t.TempDir()
	cmd := command(t.Context(), nil, "run", "--vulnerability-db", must1(database()), "--max-db-age", "0", "--output-dir", dir, "oci-dir:"+fixture(t, "exit0"))
	cmd.Args = append([]string{"setpriv", "--inh-caps=-all", "--bounding-set=-all", cmd.Path}, cmd.Args[1:]...)
	cmd.Path = must1(exec.LookPath("setpriv"))
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	cmd.Run()
	if code := cmd.ProcessState.ExitCode(); code != 5 || !strings.Contains(stderr.String(), "no permission for eBPF") || !strings.Contains(stderr.String(), "hint:") {
		t.Errorf("exit code %d\n%s", code, stderr.String())
	}
	var r result
	must(json.Unmarshal(read(t, dir, "result.json"), &r))
	if r.Verdict != "error" || r.ExitCode != 5 || len(r.Assessments) != 0 {
		t.Errorf("the result says %s, %d, with %d assessments", r.Verdict, r.ExitCode, len(r.Assessments))
	}
	if after := inventoryOfEngine(t); after != before {
		t.Errorf("left behind on the engine:\n%s", after)
	}
}

// Every command says what it does and takes; one without arguments refuses
// them.
func TestHelp(t *testing.T) {
	for _, name := range []string{"run", "replay", "doctor", "cleanup", "version"} {
		for _, flag := range []string{"--help", "-h"} {
			if out := vexxyEnv(t, nil, name, flag); out.code != 0 || !strings.HasPrefix(out.stdout, "vexxy "+name) || out.stderr != "" {
				t.Errorf("%s %s: exit code %d\n%s%s", name, flag, out.code, out.stdout, out.stderr)
			}
		}
	}
	for _, name := range []string{"doctor", "cleanup", "version"} {
		if out := vexxyEnv(t, nil, name, "more"); out.code != 3 || !strings.Contains(out.stderr, "no arguments") {
			t.Errorf("%s more: exit code %d\n%s", name, out.code, out.stderr)
		}
	}
}

// Workloads that fare badly are evidence, and never enough of it.
func TestBadWorkload(t *testing.T) {
	for _, c := range []struct {
		image string
		flags []string
		check string // the condition that must not hold
	}{
		{"exit1", nil, "E4"},
		{"crashloop", nil, "E4"},
		{"never-ready", []string{"--ready-timeout", "3s"}, "E4"},
		{"python-web", []string{"--http-probe", "/no-such-page-is-served", "--test-command", "exit 7", "--quiet", "2s"}, "E5"},
		{"scratch-static", serving, "E6"},
	} {
		t.Run(c.image, func(t *testing.T) {
			out := analyse(t, append(c.flags, push(t, c.image))...)
			if out.code != 4 || out.result.Verdict != "inconclusive" {
				t.Errorf("verdict %s, exit code %d, want inconclusive, 4\n%s", out.result.Verdict, out.code, out.stderr)
			}
			if ok, measured := out.check(t, c.check); ok {
				t.Errorf("%s holds: %s", c.check, measured)
			}
			if n := out.result.Summary.NotAffected; n != 0 {
				t.Errorf("%d not affected on thin evidence", n)
			}
		})
	}
}

// An old database is no ground for not_affected.
func TestOldDatabase(t *testing.T) {
	out := analyse(t, "--max-db-age", "1s", push(t, "exit0"))
	if ok, measured := out.check(t, "E7"); ok || out.code != 4 || out.result.Summary.NotAffected != 0 {
		t.Errorf("exit code %d, E7 %v: %s", out.code, ok, measured)
	}
}

// File names that attack a terminal, a runner or a reader do no harm and lose
// nothing.
func TestHostileNames(t *testing.T) {
	out := analyse(t, "--duration", "15s", push(t, "hostile-names"))
	if out.code != 0 && out.code != 4 {
		t.Fatalf("exit code %d\n%s", out.code, out.stderr)
	}
	seen := map[string]bool{}
	for _, o := range must1(record.Read(filepath.Join(out.dir, "record"))).Evidence.Observations {
		if name := string(o.Path); strings.HasPrefix(name, "/hostile/") {
			seen[name] = true
		}
	}
	if there := filesBelow(t, "hostile-names", "/hostile/"); len(there) < 30 || !maps.Equal(seen, there) {
		t.Errorf("the record has %d files: %q\nthe image %d: %q", len(seen), slices.Sorted(maps.Keys(seen)), len(there), slices.Sorted(maps.Keys(there)))
	}
	summary, err := os.ReadFile(filepath.Join(out.dir, "summary.md"))
	must(err)
	for sink, text := range map[string]string{"stdout": out.stdout, "stderr": out.stderr, "summary.md": string(summary)} {
		for _, bad := range []string{"\x1b", "\n::", "\u202e", "<script", "\x00"} {
			if strings.Contains(text, bad) {
				t.Errorf("%s holds %q", sink, bad)
			}
		}
	}
}

// filesBelow gives the files of a fixture below a directory, byte for byte.
func filesBelow(t *testing.T, image, dir string) map[string]bool {
	t.Helper()
	contents := mutate.Extract(layoutImage(t, image))
	defer contents.Close()
	found := map[string]bool{}
	for r := tar.NewReader(contents); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return found
		}
		must(err)
		if name := path.Join("/", h.Name); h.Typeflag == tar.TypeReg && strings.HasPrefix(name, dir) {
			found[name] = true
		}
	}
}

// A full disk ends the run with a clear error, not with half of a document.
func TestDiskFull(t *testing.T) {
	dir := smallDisk(t)
	db, err := database()
	must(err)
	out := vexxyEnv(t, nil, "run", "--vulnerability-db", db, "--max-db-age", "0", "--output-dir", dir, push(t, "exit0"))
	if out.code != 5 || !strings.Contains(out.stderr, "no space") {
		t.Errorf("exit code %d\n%s", out.code, out.stderr)
	}
}
