//go:build linux

package sensor

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/vexxy/action/internal/evidence"
)

// privileged are what a container needs to make namespaces and mounts.
var privileged = []string{"--cap-add", "SYS_ADMIN", "--security-opt", "seccomp=unconfined", "--security-opt", "apparmor=unconfined"}

func with(options []string, args ...string) []string {
	return append(append([]string{}, options...), args...)
}

// A child in new mount and pid namespaces still belongs to the container.
func TestUnshare(t *testing.T) {
	s := observe(t, with(privileged, "--", "/bin/static", "unshare", "/data/b")...).ended()
	s.has("/data/b", evidence.Open)
}

// Paths that name the image's file otherwise than the image does.
func TestMisleadingPaths(t *testing.T) {
	dir := "/lib/" + runtimeTriple
	for name, args := range map[string][]string{
		"bind":    {"bind", dir, "/mnt", "/mnt/libz.so.1"},
		"overlay": {"overlay", dir, "/nested", "/nested/libz.so.1"},
	} {
		t.Run(name, func(t *testing.T) {
			s := observe(t, with(with(privileged, "--", "/bin/static"), args...)...).ended()
			for _, kind := range []evidence.Kind{evidence.Map, evidence.Open} {
				if o := s.has(libz, kind); o.Foreign || string(o.ImagePath) != libz || string(o.Path) == libz {
					t.Errorf("%s: %+v", o.Path, o)
				}
			}
		})
	}
	t.Run("chroot", func(t *testing.T) {
		s := observe(t, with(privileged, "--", "/bin/static", "chroot", "/jail", "/etc/inside")...).ended()
		s.has("/jail/etc/inside", evidence.Open)
	})
}

func TestMemfd(t *testing.T) {
	s := observe(t, "--", "/bin/static", "memfd", "/bin/static").ended()
	if s.blind("memfd-exec") != 1 {
		t.Errorf("an exec of a memfd is not told: %+v", s.health.Blind)
	}
}

// The memory of a memfd becomes executable after it was mapped.
func TestMemfdProtect(t *testing.T) {
	s := observe(t, "--", "/bin/static", "memfd-protect", libz).ended()
	if s.blind("memfd-exec") != 1 {
		t.Errorf("%+v", s.health.Blind)
	}
	s.has(libz, evidence.Open)
}

// A copy is told by its content while it can be read, else as a blind spot.
func TestCopyExecuted(t *testing.T) {
	s := observe(t, "--", "/bin/static", "copy-exec", "/bin/static").ended()
	o := s.has("/tmp/copy", evidence.Exec)
	if o.SHA256 != digestIn(t, "/bin/static") {
		t.Errorf("the copy's digest: %+v", o)
	}
	if s.blind("foreign-exec") != 0 {
		t.Errorf("%+v", s.health.Blind)
	}
}

// digestIn hashes a file of the test image.
func digestIn(t *testing.T, path string) string {
	t.Helper()
	id := create(t, "--", "/bin/true")
	out, err := exec.Command("sh", "-c", `docker cp "$1":"$2" - | tar -xO`, "sh", id, path).Output()
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(out)
	return hex.EncodeToString(sum[:])
}

func TestUring(t *testing.T) {
	s := observe(t, with(privileged, "--", "/bin/static", "uring", "/data/b")...)
	if s.code != "0" || s.blind("io_uring") != 1 {
		t.Errorf("an open through io_uring is not told: code %s %s, %+v", s.code, s.output, s.health.Blind)
	}
}

// A control group that the container makes below its own.
func TestNestedGroup(t *testing.T) {
	base, err := hierarchy()
	if err != nil {
		t.Fatal(err)
	}
	s := observe(t, "--privileged", "--cgroupns", "host", "-v", base+":"+base, "--", "/bin/sh", "-c",
		`while IFS=: read -r n c p; do case ",$c," in ,pids,|,,) exec /bin/static group `+base+`/$p/nested /data/b;; esac; done < /proc/self/cgroup; exit 3`)
	s.ended().has("/data/b", evidence.Open)
}

// docker exec joins a running container; what runc does to get there does not count.
func TestJoined(t *testing.T) {
	ctx := deadline(t)
	id := create(t, "--", "/bin/static", "sleep", "", "60")
	s := start(t, ctx)
	claimed := make(chan error, 1)
	go func() {
		_, err := s.Claim(ctx, id, ClaimOptions{})
		claimed <- err
	}()
	docker(t, "start", id)
	if err := <-claimed; err != nil {
		t.Fatal(err)
	}
	s.Phase(evidence.PhaseExercise)
	if c, err := s.Canary(ctx, "middle"); err != nil || c.Seen != c.Opened || c.Place != "container" || c.Error != "" {
		t.Errorf("%+v, %v", c, err)
	}
	docker(t, "exec", id, "/bin/musl", "openat", "/data/b")
	if c, err := s.Canary(ctx, "end"); err != nil || c.Seen != c.Opened || c.Place != "container" || c.Error != "" {
		t.Errorf("%+v, %v", c, err)
	}
	// What came before a canary that was seen was seen too.
	if n := s.Snapshot(); n.Files < 4 || n.Opens < 1 || n.Execs < 2 {
		t.Errorf("%+v", n)
	}
	obs, health, err := s.Stop(ctx)
	if err != nil {
		t.Fatal(err)
	}
	got := seen{t, obs, health, "", "0"}.ended()
	for path, phase := range map[string]string{
		"/bin/static": evidence.PhaseStartup, "/bin/musl": evidence.PhaseExec, muslLoader: evidence.PhaseExec, "/data/b": evidence.PhaseExec,
	} {
		if o := got.has(path); o.Phase != phase {
			t.Errorf("%s is of phase %q, want %q", path, o.Phase, phase)
		}
	}
	if len(obs) != 4 {
		t.Errorf("more was observed than was used: %s", got.paths())
	}
}

// Two sensors watch two containers at once; each tells only of its own.
func TestSideBySide(t *testing.T) {
	ctx := deadline(t)
	one, two := create(t, "--", "/bin/static", "openat", "/data/a"), create(t, "--", "/bin/musl", "openat", "/data/b")
	first, second := start(t, ctx), start(t, ctx)
	docker(t, "start", one, two)
	docker(t, "wait", one, two)
	for _, c := range []struct {
		s             *Session
		id, has, lack string
	}{{first, one, "/data/a", "/data/b"}, {second, two, "/data/b", "/data/a"}} {
		// Long after it has ended: claimed by its name alone.
		if _, err := c.s.Claim(ctx, c.id, ClaimOptions{}); err != nil {
			t.Fatal(err)
		}
		obs, health, err := c.s.Stop(ctx)
		if err != nil {
			t.Fatal(err)
		}
		got := seen{t, obs, health, "", "0"}.ended()
		got.has(c.has, evidence.Open)
		got.lacks(c.lack)
	}
}

// A ring buffer without room: files are lost, and both the canary and the
// counter say so.
func TestRingTooSmall(t *testing.T) {
	ctx := deadline(t)
	s := start(t, ctx, "ring=4096", "blocked")
	c, err := s.Canary(ctx, "start")
	if err != nil {
		t.Fatal(err)
	}
	if c.Seen >= c.Opened || c.Error != "" {
		t.Errorf("%+v", c)
	}
	if _, health, err := s.Stop(ctx); err != nil || health.Lost.Ring == 0 {
		t.Errorf("%+v, %v", health.Lost, err)
	}
}

// A helper that is killed is an error, and the evidence is not whole.
func TestHelperKilled(t *testing.T) {
	ctx := deadline(t)
	s := start(t, ctx)
	if err := s.helper.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-s.Done():
	case <-ctx.Done():
		t.Fatal("the session did not notice")
	}
	if s.Err() == nil {
		t.Error("no error")
	}
	if _, err := s.Canary(ctx, "middle"); err == nil {
		t.Error("a canary of a dead helper")
	}
	if _, health, err := s.Stop(ctx); err == nil || len(health.Errors) == 0 || !health.DetachedAt.IsZero() {
		t.Errorf("%+v, %v", health, err)
	}
}

// The helper ends when its parent does, and leaves nothing attached.
func TestHelperEndsWithItsInput(t *testing.T) {
	ctx := deadline(t)
	s := start(t, ctx)
	s.helper.in.Close()
	select {
	case <-s.Done():
	case <-time.After(10 * time.Second):
		t.Fatal("the helper outlives its input")
	}
	if _, err := os.Stat("/proc/" + pidOf(s)); err == nil {
		t.Error("the helper was not reaped")
	}
}
