//go:build linux

package sensor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/vexxy/action/internal/evidence"
	"github.com/vexxy/action/internal/fault"
)

// Root without capabilities may not load programs: a fault with a hint.
func TestNoPermission(t *testing.T) {
	_, err := Start(deadline(t), []string{"setpriv", "--inh-caps=-all", "--bounding-set=-all", os.Args[0], "sensor"})
	if !errors.Is(err, ErrPermission) || fault.CodeOf(context.Background(), err) != fault.Infra || fault.HintOf(err) == "" {
		t.Errorf("%v (hint %q)", err, fault.HintOf(err))
	}
}

func TestNoHelper(t *testing.T) {
	for _, command := range [][]string{{"/nonexistent/vexxy", "sensor"}, {"false"}, {"sh", "-c", "echo no sensor here; cat > /dev/null"}} {
		ctx, cancel := context.WithTimeoutCause(deadline(t), 2e9, errors.New("the test's patience"))
		_, err := Start(ctx, command)
		cancel()
		if err == nil || fault.CodeOf(context.Background(), err) != fault.Infra {
			t.Errorf("%v: %v", command, err)
		}
	}
}

// The helper is given no secret of ours, whoever starts it.
func TestHelperIsGivenNoSecret(t *testing.T) {
	for _, name := range []string{"VAULT_TOKEN", "GITHUB_TOKEN", "AWS_SECRET_ACCESS_KEY", "VEXXY_ATTEST_KEY_PASSWORD", "COPY", canaryEnv} {
		t.Setenv(name, "secret-"+name)
	}
	_, err := Start(deadline(t), []string{"sh", "-c", "env >&2"})
	if err == nil || !strings.Contains(err.Error(), "PATH=") || strings.Contains(err.Error(), "secret-") {
		t.Errorf("the helper's environment is %v", err)
	}
	if given := environment(func(string) (string, bool) { return "", false }); given == nil || len(given) != 0 {
		t.Errorf("of nothing it is given %q", given)
	}
}

func TestProbe(t *testing.T) {
	r := Probe(deadline(t))
	if !r.OK || len(r.Checks) < 4 {
		t.Errorf("%+v", r)
	}
}

// A claim of a container that never runs ends with its context, and the
// evidence says that nothing was executed.
func TestClaimWithoutContainer(t *testing.T) {
	ctx := deadline(t)
	s := start(t, ctx)
	short, cancel := context.WithTimeoutCause(ctx, 1e9, errors.New("it did not start"))
	defer cancel()
	if _, err := s.Claim(short, strings.Repeat("0", 64), ClaimOptions{}); err == nil || !strings.Contains(err.Error(), "it did not start") {
		t.Error(err)
	}
	obs, health, err := s.Stop(ctx)
	if err != nil || len(obs) > 0 || len(health.Errors) == 0 || !health.FirstExecAt.IsZero() {
		t.Errorf("%d observations, %+v, %v", len(obs), health, err)
	}
	again, _, err := s.Stop(ctx)
	if err != nil || len(again) != len(obs) {
		t.Errorf("a second Stop: %v", err)
	}
}

// A container that restarts is followed, and its files are still the image's.
func TestRestart(t *testing.T) {
	ctx := deadline(t)
	id := create(t, "--", "/bin/static", "sleep", "", "60")
	s := start(t, ctx)
	docker(t, "start", id)
	if _, err := s.Claim(ctx, id, ClaimOptions{}); err != nil {
		t.Fatal(err)
	}
	docker(t, "restart", "-t", "0", id)
	docker(t, "exec", id, "/bin/static", "openat", "/data/b")
	obs, health, err := s.Stop(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if o := (seen{t, obs, health, "", "0"}).ended().has("/data/b", evidence.Open); o.Foreign || o.Phase != evidence.PhaseExec {
		t.Errorf("%+v", o)
	}
}

// Lines of a helper that speaks nonsense are counted, whatever their length.
func TestHostileStream(t *testing.T) {
	script := `printf '{"type":"ready","health":{}}\n'; read line
		printf 'nonsense\n{"type":"file"}\n{"type":"file","file":{"path":""}}\n'; head -c 300000 /dev/zero | tr '\0' x; echo
		printf '{"type":"file","file":{"path":"L2E=","kinds":8}}\n{"type":"end","id":1,"health":{"kernel":"k"}}\n'`
	s, err := Start(deadline(t), []string{"sh", "-c", script})
	if err != nil {
		t.Fatal(err)
	}
	obs, health, err := s.Stop(deadline(t))
	if err != nil || health.Lost.Decode != 4 || health.Kernel != "k" {
		t.Errorf("%+v, %v", health, err)
	}
	if len(obs) != 1 || string(obs[0].Path) != "/a" || fmt.Sprint(obs[0].Kinds) != "[open]" {
		t.Errorf("%+v", obs)
	}
}

func FuzzStream(f *testing.F) {
	f.Add([]byte(`{"type":"file","file":{"path":"L2E=","comm":"eA==","kinds":255}}`))
	f.Add([]byte(`{"type":"claimed","id":7}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		s := &Session{files: map[string]*evidence.Observation{}, answers: map[int]chan message{}, changed: make(chan struct{}, 1)}
		s.line(line)
		s.collect()
		if int(s.decode)+len(s.obs) > 1 {
			t.Errorf("%d undecodable and %d observations of one line", s.decode, len(s.obs))
		}
	})
}

func FuzzDecode(f *testing.F) {
	f.Add(bytes.Repeat([]byte{1}, eventHead+3))
	f.Add(make([]byte, eventHead))
	f.Fuzz(func(t *testing.T, raw []byte) {
		e, err := decode(raw)
		if err == nil && (len(e.path) == 0 || e.path[0] != '/' || len(e.path) > len(raw)) {
			t.Errorf("%q", e.path)
		}
	})
}

// The index holds the root's own regular files, and neither follows links nor
// goes deeper than its bound.
func TestIndex(t *testing.T) {
	dir := t.TempDir()
	for _, err := range []error{
		os.MkdirAll(filepath.Join(dir, "usr/lib"), 0o755),
		os.WriteFile(filepath.Join(dir, "usr/lib/a"), nil, 0o644),
		os.Link(filepath.Join(dir, "usr/lib/a"), filepath.Join(dir, "b")),
		os.Symlink("/etc", filepath.Join(dir, "etc")),
		unix.Mkfifo(filepath.Join(dir, "pipe"), 0o644),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	r := rootAt(t, dir)
	if r.index(); r.fault != nil || len(r.inodes) != 2 || len(r.names[r.inodes["/b"]]) != 2 {
		t.Errorf("%v, %v", r.fault, r.inodes)
	}
	if names, is := r.look(r.device, r.inodes["/b"], "/somewhere/else"); len(names) != 2 || is == foreign {
		t.Errorf("by its inode: %v %v", names, is)
	}
	if _, is := r.look(r.device, 1, "/b"); is != replaced {
		t.Errorf("another file under an image's name: %v", is)
	}
	if names, is := r.look(r.device+1, r.inodes["/b"], "/x/a"); is == foreign || names[0] != "/usr/lib/a" {
		t.Errorf("through a nested overlay: %v %v", names, is)
	}
	if names, is := r.look(r.device+1, r.inodes["/b"], "/x/c"); is != foreign {
		t.Errorf("the same inode number by chance: %v %v", names, is)
	}
	if err := os.MkdirAll(filepath.Join(dir, strings.Repeat("d/", deepestWalk+1)), 0o755); err != nil {
		t.Fatal(err)
	}
	r = rootAt(t, dir)
	if r.index(); !errors.Is(r.fault, errTooDeep) {
		t.Errorf("%v", r.fault)
	}
}

func rootAt(t *testing.T, dir string) *root {
	t.Helper()
	f, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		t.Fatal(err)
	}
	return &root{dir: f, device: st.Dev}
}
