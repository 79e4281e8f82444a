package e2e

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vexxy/action/internal/judge"
)

// builtImage is the image of the Dockerfile, on a base of Debian packages and
// without a network: the builder has nothing but the context.
type builtImage struct{ name, version, revision string }

// buildImage builds it by whichever builder this machine's Docker has, and
// removes all of it after the test.
func buildImage(t *testing.T) builtImage {
	t.Helper()
	id := strings.ToLower(rand.Text())
	i := builtImage{name: "vexxy-e2e/image:" + id, version: "v9.8.7", revision: id}
	base := "vexxy-e2e/base:" + id
	t.Cleanup(func() {
		mine := "label=org.opencontainers.image.revision=" + id
		for _, args := range [][]string{{"rm", "--force", i.name, base}, {"prune", "--force", "--filter", mine}} {
			if _, err := output("docker", append([]string{"image"}, args...)...); err != nil {
				t.Errorf("docker image %s: %v", args[0], err)
			}
		}
		if left, err := output("docker", "image", "ls", "--all", "--quiet", "--filter", mine); left != "" || err != nil {
			t.Errorf("images are left: %s (%v)", left, err)
		}
	})

	archive := filepath.Join(t.TempDir(), "base.tar")
	mustRun(t, "go", "run", "./scripts/images", "pack", "-tag", base, "-o", archive, "-debian", "ca-certificates docker.io git")
	mustRun(t, "docker", "load", "--quiet", "--input", archive)
	must(os.MkdirAll(filepath.Join(root, "dist"), 0o755))
	dist := must1(os.MkdirTemp(filepath.Join(root, "dist"), "e2e-"))
	t.Cleanup(func() { os.RemoveAll(dist) })
	binary := filepath.Join("dist", filepath.Base(dist), "vexxy")
	mustRun(t, "scripts/release/build.sh", i.version, "", binary)

	mustRun(t, "docker", "build", "--network", "none", "--tag", i.name, "--build-arg", "BASE="+base, "--build-arg", "GO="+base, "--build-arg", "BINARY="+binary,
		"--build-arg", "VERSION="+i.version, "--build-arg", "REVISION="+i.revision, "--build-arg", "CREATED=2026-01-02T03:04:05Z", ".")
	return i
}

// granted is what README.md says that a run in a container takes.
var granted = []string{
	"--user", "0", "--privileged", "--pid", "host", "--network", "host", "--cgroupns", "host",
	"--volume", "/sys/fs/cgroup:/sys/fs/cgroup", "--volume", "/var/run/docker.sock:/var/run/docker.sock",
}

// TestContainerImage builds the image and uses it: as anyone, it says what it
// lacks; with what a run takes it observes a workload as well as on the
// machine itself.
func TestContainerImage(t *testing.T) {
	before := inventoryOfEngine(t)
	image := buildImage(t)
	image.isMade(t)

	asRoot := []string{"--user", "0", "--privileged", "--volume", "/var/run/docker.sock:/var/run/docker.sock"}
	for _, c := range []struct {
		name    string
		options []string
		code    int
		says    []string
	}{
		{"as anyone", nil, 5, []string{"FAIL  Docker engine", "FAIL  root"}},
		{"without its processes", asRoot, 5, []string{"FAIL  Docker's processes", "--pid host"}},
		{"without its networks", append(asRoot, "--pid", "host"), 5, []string{"FAIL  Docker's networks", "--network host"}},
		{"on the machine", granted, 0, []string{"ok    Docker's processes", "ok    Docker's networks", "ok    Docker's groups", "ok    docker command", "can run vexxy"}},
	} {
		out, code := image.run(t, c.options, "vexxy", "doctor")
		if code != c.code {
			t.Errorf("%s the doctor ends with %d, want %d\n%s", c.name, code, c.code, out)
		}
		for _, want := range c.says {
			if !strings.Contains(out, want) {
				t.Errorf("%s the doctor does not say %q\n%s", c.name, want, out)
			}
		}
	}

	db, dir := must1(database()), t.TempDir()
	volumes := []string{"--volume", db + ":/db/" + filepath.Base(db) + ":ro", "--volume", dir + ":/work"}
	command := append([]string{"vexxy", "run", "--engine", "embedded", "--vulnerability-db", "/db/" + filepath.Base(db), "--max-db-age", "0"}, serving...)
	out, code := image.run(t, append(volumes, granted...), append(command, push(t, "go-app"))...)
	// What it wrote is root's, and this test may be someone else.
	if said, failed := image.run(t, append(volumes, "--user", "0"), "chown", "--recursive", fmt.Sprintf("%d:%d", os.Getuid(), os.Getgid()), "/work"); failed != 0 {
		t.Errorf("taking the results: %s", said)
	}
	if code != 0 {
		t.Fatalf("the run ends with %d\n%s", code, out)
	}
	run := outcome{code: code}
	run.load(t, filepath.Join(dir, "vexxy-results"))
	if run.result.Verdict != "pass" {
		t.Errorf("verdict %s\n%s", run.result.Verdict, out)
	}
	for _, c := range run.result.Checks {
		if c.Applies && !c.OK {
			t.Errorf("check %s does not hold: %s", c.ID, c.Measured)
		}
	}
	run.only(t, "golang.org/x/text", judge.Affected)
	run.only(t, "gopkg.in/yaml.v2", judge.NotAffected)
	if after := inventoryOfEngine(t); after != before {
		t.Errorf("the engine had\n%s\nand has\n%s", before, after)
	}
}

// isMade fails the test unless the image is what its labels say, run by a user
// who is nobody, with what a run calls and nothing that its making has left.
func (i builtImage) isMade(t *testing.T) {
	t.Helper()
	text, err := output("docker", "image", "inspect", i.name)
	must(err)
	var got []struct {
		Size   int64
		Config struct {
			User, WorkingDir string
			Cmd, Entrypoint  []string
			Labels           map[string]string
		}
	}
	must(json.Unmarshal([]byte(text), &got))
	t.Logf("the image has %d MB, most of which is the base and its packages", got[0].Size/1e6)
	c := got[0].Config
	if c.User != "65532:65532" || c.WorkingDir != "/work" || len(c.Entrypoint) > 0 || strings.Join(c.Cmd, " ") != "vexxy help" {
		t.Errorf("the image is configured as %+v", c)
	}
	for label, want := range map[string]string{
		"title": "vexxy", "version": i.version, "revision": i.revision, "created": "2026-01-02T03:04:05Z", "source": "https://github.com/vexxy/action",
	} {
		if c.Labels["org.opencontainers.image."+label] != want {
			t.Errorf("label %s is %q, want %q", label, c.Labels["org.opencontainers.image."+label], want)
		}
	}
	const look = `set -e
id -u; echo "$HOME"; vexxy version; docker --version; git --version; test -s /etc/ssl/certs/ca-certificates.crt
touch /work/x "$HOME/x"; rm /work/x "$HOME/x"
ls -A /src /out /tmp /var/lib/apt/lists 2> /dev/null || true
ls -l /usr/local/bin/vexxy`
	out, code := i.run(t, nil, "sh", "-c", look)
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if code != 0 || len(lines) < 6 || lines[0] != "65532" || lines[1] != "/home/vexxy" || !strings.HasPrefix(lines[2], "vexxy "+i.version+" linux/") {
		t.Fatalf("in the image, exit code %d:\n%s", code, out)
	}
	if last := lines[len(lines)-1]; !strings.HasPrefix(last, "-rwxr-xr-x 1 root root ") {
		t.Errorf("the program is %s", last)
	}
	for _, line := range lines[5 : len(lines)-1] {
		if line != "" && !strings.HasSuffix(line, ":") {
			t.Errorf("left in the image: %s", line)
		}
	}
}

// run starts a container of the image and gives what it said, and its exit
// code. Nothing stays of it.
func (i builtImage) run(t *testing.T, options []string, command ...string) (string, int) {
	t.Helper()
	args := append([]string{"run", "--rm"}, options...)
	cmd := exec.CommandContext(t.Context(), "docker", append(append(args, i.name), command...)...)
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// mustRun runs a command at the repository's root, and fails the test with what
// it says.
func mustRun(t *testing.T, name string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
}

// output gives what a command prints, also in a clean-up.
func output(name string, args ...string) (string, error) {
	var stdout bytes.Buffer
	cmd := exec.Command(name, args...)
	cmd.Stdout = &stdout
	err := cmd.Run()
	return strings.TrimSpace(stdout.String()), err
}
