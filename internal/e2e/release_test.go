package e2e

import (
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestReproducible builds the program as it is released twice, from two folders
// that share nothing but the compiler's cache: the bytes are the same. One of
// them has no more than the Dockerfile's context.
func TestReproducible(t *testing.T) {
	other := t.TempDir()
	for _, dir := range []string{"cmd", "internal"} {
		copyProgram(t, filepath.Join(root, dir), filepath.Join(other, dir))
	}
	must(os.MkdirAll(filepath.Join(other, "scripts", "release"), 0o755))
	for _, name := range []string{"go.mod", "go.sum", "scripts/release/build.sh"} {
		must(os.WriteFile(filepath.Join(other, name), read(t, root, name), 0o755))
	}

	out := t.TempDir()
	var sums []string
	for name, dir := range map[string]string{"here": must1(filepath.Abs(root)), "there": other} {
		binary := filepath.Join(out, name)
		cmd := exec.CommandContext(t.Context(), filepath.Join(dir, "scripts", "release", "build.sh"), "v9.8.7", "", binary)
		if said, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("building %s: %v\n%s", name, err, said)
		}
		sum := sha256.Sum256(must1(os.ReadFile(binary)))
		sums = append(sums, hex.EncodeToString(sum[:]))
	}
	if sums[0] != sums[1] {
		t.Errorf("two builds of one source have the digests %v", sums)
	}
	said, err := exec.CommandContext(t.Context(), filepath.Join(out, "there"), "version").Output()
	if err != nil || !strings.HasPrefix(string(said), "vexxy v9.8.7 linux/") {
		t.Errorf("the program says %q (%v)", said, err)
	}
}

// copyProgram copies a folder without what .dockerignore leaves out of it.
func copyProgram(t *testing.T, from, to string) {
	t.Helper()
	must(filepath.WalkDir(from, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel := must1(filepath.Rel(from, name))
		switch {
		case d.IsDir() && d.Name() == "testdata":
			return fs.SkipDir
		case d.IsDir():
			return os.MkdirAll(filepath.Join(to, rel), 0o755)
		case strings.HasSuffix(name, "_test.go"):
			return nil
		}
		return os.WriteFile(filepath.Join(to, rel), read(t, from, rel), 0o644)
	}))
}

// TestRelease makes the commit that a release tags and checks it as the
// workflow does. What was not built from main, or pins something else, is no
// release.
func TestRelease(t *testing.T) {
	r := newRepository(t)
	if out, err := r.script("prepare.sh", "v1.2", r.dist); err == nil {
		t.Errorf("v1.2 is a version: %s", out)
	}
	r.write("go.mod", "module changed\n")
	if out, err := r.script("prepare.sh", "v1.2.3", r.dist); err == nil || !strings.Contains(out, "has changes") {
		t.Errorf("a changed checkout: %v\n%s", err, out)
	}
	r.git("checkout", "--quiet", ".")
	if out, err := r.script("prepare.sh", "v1.2.3", r.dist); err != nil {
		t.Fatalf("preparing: %v\n%s", err, out)
	}
	r.refused("it has no tag", "HEAD has no tag v1.2.3")
	r.git("tag", "v1.2.3")
	if out, err := r.script("check.sh", "v1.2.3", r.dist); err != nil || !strings.Contains(out, r.git("rev-parse", "main")) {
		t.Fatalf("checking: %v\n%s", err, out)
	}
	if r.git("rev-parse", "main") != r.git("rev-parse", "HEAD~1") {
		t.Error("the branch has moved")
	}
	if pins := string(read(t, r.dir, "scripts/action/pins.json")); strings.Count(pins, r.sum) != 1 || !strings.Contains(pins, `"v1.2.3"`) {
		t.Errorf("it pins\n%s", pins)
	}

	built := filepath.Join(r.dist, "vexxy_linux_amd64")
	good := read(t, r.dist, "vexxy_linux_amd64")
	must(os.WriteFile(built, append(good, 0), 0o755))
	r.refused("another program was built", "the pins are of another program")
	r.git("checkout", "--quiet", ".")
	must(os.WriteFile(built, good, 0o755))

	r.write("scripts/action/main.js", "evil()\n")
	r.git("commit", "--quiet", "--all", "--amend", "--no-edit")
	r.git("tag", "--force", "v1.2.3")
	r.refused("it changes more", "more than the pins")

	r.git("checkout", "--quiet", "main")
	r.write("go.mod", "module aside\n")
	r.git("commit", "--quiet", "--all", "--message", "aside")
	if out, err := r.script("prepare.sh", "v1.2.4", r.dist); err == nil || !strings.Contains(out, "not on main") {
		t.Errorf("a commit that is not on main: %v\n%s", err, out)
	}
	r.git("push", "--quiet", "origin", "main")
	r.git("checkout", "--quiet", "v1.2.3")
	r.git("reset", "--quiet", "--hard", "main")
	if out, err := r.script("prepare.sh", "v1.2.3", r.dist); err == nil || !strings.Contains(out, "there is a tag") {
		t.Errorf("a version for the second time: %v\n%s", err, out)
	}
	if out, err := r.script("prepare.sh", "v1.2.4", r.dist); err != nil {
		t.Fatalf("preparing: %v\n%s", err, out)
	}
	r.git("tag", "v1.2.4")
	r.git("update-ref", "refs/remotes/origin/main", "main~1")
	if out, err := r.script("check.sh", "v1.2.4", r.dist); err == nil || !strings.Contains(out, "not on main") {
		t.Errorf("a commit that main does not have: %v\n%s", err, out)
	}
}

// repository has the real scripts of a release, a main branch with a remote,
// and programs that someone has built.
type repository struct {
	t              *testing.T
	dir, dist, sum string
}

func newRepository(t *testing.T) repository {
	t.Helper()
	r := repository{t: t, dir: t.TempDir(), dist: t.TempDir()}
	for _, dir := range []string{filepath.Join("scripts", "release"), filepath.Join("scripts", "action")} {
		must(os.CopyFS(filepath.Join(r.dir, dir), os.DirFS(filepath.Join(root, dir))))
	}
	for _, script := range must1(filepath.Glob(filepath.Join(r.dir, "scripts", "release", "*.sh"))) {
		must(os.Chmod(script, 0o755))
	}
	r.write("go.mod", "module small\n")
	for _, arch := range []string{"amd64", "arm64"} {
		src := filepath.Join(t.TempDir(), "main.go")
		must(os.WriteFile(src, []byte("package main\n\nfunc main() {}\n"), 0o644))
		cmd := exec.CommandContext(t.Context(), "go", "build", "-o", filepath.Join(r.dist, "vexxy_linux_"+arch), src)
		cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH="+arch)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("building for %s: %v\n%s", arch, err, out)
		}
	}
	sum := sha256.Sum256(read(t, r.dist, "vexxy_linux_amd64"))
	r.sum = hex.EncodeToString(sum[:])
	remote := t.TempDir()
	r.git("init", "--quiet", "--initial-branch", "main")
	r.git("init", "--quiet", "--bare", "--initial-branch", "main", remote)
	r.git("remote", "add", "origin", remote)
	r.git("add", "--all")
	r.git("commit", "--quiet", "--message", "what main has")
	r.git("push", "--quiet", "origin", "main")
	return r
}

func (r repository) write(name, text string) {
	must(os.WriteFile(filepath.Join(r.dir, name), []byte(text), 0o644))
}

func (r repository) git(args ...string) string {
	r.t.Helper()
	cmd := exec.CommandContext(r.t.Context(), "git", args...)
	cmd.Dir, cmd.Env = r.dir, r.environ()
	out, err := cmd.CombinedOutput()
	if err != nil {
		r.t.Fatalf("git %v: %v: %s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// environ names who commits.
func (r repository) environ() []string {
	return append(os.Environ(), "GIT_AUTHOR_NAME=t", "GIT_AUTHOR_EMAIL=t@example", "GIT_COMMITTER_NAME=t", "GIT_COMMITTER_EMAIL=t@example")
}

func (r repository) script(name string, args ...string) (string, error) {
	cmd := exec.CommandContext(r.t.Context(), filepath.Join(r.dir, "scripts", "release", name), args...)
	cmd.Env = r.environ()
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// refused fails the test unless check.sh refuses v1.2.3, and says why.
func (r repository) refused(what, why string) {
	r.t.Helper()
	if out, err := r.script("check.sh", "v1.2.3", r.dist); err == nil || !strings.Contains(out, why) {
		r.t.Errorf("%s, and check.sh says (%v)\n%s", what, err, out)
	}
}
