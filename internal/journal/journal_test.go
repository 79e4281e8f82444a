package journal

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/foreign/foreigntest"
)

// TestMain lets the test binary stand in for a run that is killed: with a
// state folder in its environment it creates things, says so and waits.
func TestMain(m *testing.M) {
	dir := os.Getenv("JOURNAL_TEST_VICTIM")
	if dir == "" {
		os.Exit(m.Run())
	}
	j, err := Open(filepath.Join(dir, "out"), "victim-run", dir)
	if err == nil {
		err = errors.Join(j.Created(Network, "vexxy-net"), j.Created(Container, "vexxy-a"), j.Created(Directory, "/tmp/x"), j.Removed(Directory, "/tmp/x"))
	}
	fmt.Println("ready", err)
	bufio.NewReader(os.Stdin).ReadString('\n')
}

func open(t *testing.T) (*Journal, string, string) {
	t.Helper()
	out, state := filepath.Join(t.TempDir(), "out"), filepath.Join(t.TempDir(), "state [1]")
	j, err := Open(out, "run-0001", state)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close("error") })
	return j, out, state
}

func TestAuditHasOneObjectALine(t *testing.T) {
	j, out, _ := open(t)
	for _, text := range foreigntest.Corpus() {
		j.Action("pull", text, errors.New(text))
	}
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for k := range 25 {
				j.Action("step", fmt.Sprint(i, "/", k), nil)
			}
		})
	}
	all.Wait()
	if err := j.Close("pass"); err != nil {
		t.Fatal(err)
	}
	j.Action("late", "x", nil)

	f, err := os.Open(filepath.Join(out, "audit.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var steps []string
	failed := 0
	last := time.Time{}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var e entry
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			t.Fatalf("%v: %.200s", err, lines.Text())
		}
		if e.Run != "run-0001" || e.Time.Before(last) || len(lines.Text()) > 20_000 {
			t.Errorf("entry %.200s", lines.Text())
		}
		if e.Outcome == "error" && e.Error != "" {
			failed++
		}
		last = e.Time
		steps = append(steps, e.Step)
	}
	if len(steps) != 1+40+200+1 || failed != 40 || steps[0] != "run" || steps[len(steps)-1] != "end" {
		t.Errorf("%d entries, %d of them errors, last %q", len(steps), failed, steps[len(steps)-1])
	}
}

// A folder's earlier journal is begun anew, and nothing is written through a
// link to elsewhere.
func TestEarlierFiles(t *testing.T) {
	for _, file := range []string{"audit.jsonl", "status.json.tmp"} {
		out, state, target := t.TempDir(), t.TempDir(), filepath.Join(t.TempDir(), "target")
		for _, path := range []string{target, filepath.Join(out, file)} {
			if err := os.WriteFile(path, []byte("an earlier run's\n"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		hard := filepath.Join(out, "hard")
		if err := os.Link(filepath.Join(out, file), hard); err != nil {
			t.Fatal(err)
		}
		j, err := Open(out, "run-0001", state)
		if err != nil {
			t.Fatal(err)
		}
		if err := j.Close("pass"); err != nil {
			t.Fatal(err)
		}
		audit, err := os.ReadFile(filepath.Join(out, "audit.jsonl"))
		if first, _, _ := strings.Cut(string(audit), "\n"); err != nil || !strings.Contains(first, `"step":"run"`) || strings.Contains(string(audit), "earlier") {
			t.Errorf("%s: the journal has %q, %v", file, audit, err)
		}
		if err := os.RemoveAll(filepath.Join(out, file)); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(target, filepath.Join(out, file)); err != nil {
			t.Fatal(err)
		}
		j, err = Open(out, "run-0002", state)
		if j.Close("pass"); err == nil || fault.CodeOf(t.Context(), err) != fault.Usage || fault.HintOf(err) == "" {
			t.Errorf("%s is a link: %v", file, err)
		}
		for _, path := range []string{target, hard} {
			if data, err := os.ReadFile(path); err != nil || string(data) != "an earlier run's\n" {
				t.Errorf("%s: %s became %q, %v", file, filepath.Base(path), data, err)
			}
		}
	}
}

func TestStatus(t *testing.T) {
	j, out, _ := open(t)
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	j.now = func() time.Time { return now }
	read := func() status {
		data, err := os.ReadFile(filepath.Join(out, "status.json"))
		if err != nil {
			t.Fatal(err)
		}
		var s status
		if err := json.Unmarshal(data, &s); err != nil {
			t.Fatal(err)
		}
		return s
	}
	if s := read(); s.Status != "running" || s.Run != "run-0001" || s.StartedAt.IsZero() || s.PID != os.Getpid() {
		t.Errorf("at the start: %+v", s)
	}
	j.Status("pull", 10)
	j.Status("pull", 20) // within a second: not written
	if s := read(); s.Phase != "pull" || s.Percent != 10 {
		t.Errorf("throttled: %+v", s)
	}
	now = now.Add(time.Second)
	j.Status("pull", 5) // never backwards
	if s := read(); s.Percent != 20 || !s.UpdatedAt.Equal(now) {
		t.Errorf("after a second: %+v", s)
	}
	j.Status("observe", 300) // a new phase is written at once; 100 is the end's
	if s := read(); s.Phase != "observe" || s.Percent != 99 {
		t.Errorf("new phase: %+v", s)
	}
	if err := j.Close("fail"); err != nil {
		t.Fatal(err)
	}
	j.Status("late", 1)
	if s := read(); s.Status != "fail" || s.Percent != 100 || s.Phase != "" {
		t.Errorf("at the end: %+v", s)
	}
}

// TestKilledRunIsFound kills a real process and finds what it left.
func TestKilledRunIsFound(t *testing.T) {
	dir := t.TempDir()
	victim := exec.Command(os.Args[0])
	victim.Env = append(os.Environ(), "JOURNAL_TEST_VICTIM="+dir)
	stdin, err := victim.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	stdout, err := victim.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := victim.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(stdout).ReadString('\n'); err != nil || line != "ready <nil>\n" {
		t.Fatalf("victim said %q, %v", line, err)
	}
	mine, err := Open(filepath.Join(dir, "mine"), "living-run", dir)
	if err != nil {
		t.Fatal(err)
	}
	defer mine.Close("pass")
	if err := mine.Created(Container, "vexxy-b"); err != nil {
		t.Fatal(err)
	}
	if runs, err := Leftovers(dir); err != nil || len(runs) > 0 {
		t.Errorf("both runs live, leftovers: %+v, %v", runs, err)
	}

	if err := victim.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	victim.Wait()
	runs, err := Leftovers(dir)
	if err != nil || len(runs) != 1 {
		t.Fatalf("leftovers: %+v, %v", runs, err)
	}
	want := []Resource{{Network, "vexxy-net"}, {Container, "vexxy-a"}}
	if got := runs[0]; got.ID != "victim-run" || got.PID != victim.Process.Pid || !reflect.DeepEqual(got.Resources, want) {
		t.Errorf("leftovers: %+v", got)
	}
	if err := errors.Join(runs[0].Forget(), runs[0].Forget()); err != nil {
		t.Error(err)
	}
	if runs, err := Leftovers(dir); err != nil || len(runs) > 0 {
		t.Errorf("after Forget: %+v, %v", runs, err)
	}
}

func TestWhoIsAlive(t *testing.T) {
	me, err := self("run-0001")
	if err != nil {
		t.Fatal(err)
	}
	change := func(f func(*owner)) owner { o := me; f(&o); return o }
	for name, c := range map[string]struct {
		owner owner
		want  bool
	}{
		"this process":       {me, true},
		"number used again":  {change(func(o *owner) { o.Start-- }), false},
		"another boot":       {change(func(o *owner) { o.Boot = "x" }), false},
		"no such process":    {change(func(o *owner) { o.PID = 1 << 30 }), false},
		"another namespace":  {change(func(o *owner) { o.Space, o.PID = "pid:[1]", 1<<30 }), true},
		"namespace and boot": {change(func(o *owner) { o.Space, o.Boot = "pid:[1]", "x" }), false},
	} {
		if got := c.owner.alive(); got != c.want {
			t.Errorf("%s: alive = %v", name, got)
		}
	}
}

func TestCloseKeepsWhatIsLeft(t *testing.T) {
	j, _, state := open(t)
	file := filepath.Join(state, "runs", "run-0001.jsonl")
	if err := j.Created(Container, "a"); err != nil {
		t.Fatal(err)
	}
	if err := j.Close("error"); err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(file); err != nil || !strings.Contains(string(data), `"id":"a"`) {
		t.Errorf("state file: %s, %v", data, err)
	}
	if err := j.Created(Container, "b"); err == nil {
		t.Error("a closed journal took a resource")
	}
	if err := j.Close("pass"); err != nil {
		t.Error(err)
	}

	tidy, _, state := open(t)
	if err := errors.Join(tidy.Created(Image, "a"), tidy.Removed(Image, "a"), tidy.Close("pass")); err != nil {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(filepath.Join(strings.ReplaceAll(state, "[", "\\["), "runs", "*")); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// What creates nothing may go on beside the run that it tells of, and beside
// others of its kind: it leaves that run's list alone, and has none.
func TestCreatesNothing(t *testing.T) {
	run, _, state := open(t)
	file := filepath.Join(state, "runs", "run-0001.jsonl")
	for range 2 {
		j, err := Open(t.TempDir(), "run-0001", "")
		if err != nil {
			t.Fatal(err)
		}
		defer j.Close("pass")
		if err := j.Created(Container, "a"); err == nil {
			t.Error("what nobody would find may be created")
		}
		if err := j.Close("pass"); err != nil {
			t.Error(err)
		}
	}
	if data, err := os.ReadFile(file); err != nil || strings.Count(string(data), "\n") != 1 {
		t.Errorf("the run's list became %q, %v", data, err)
	}
	if err := run.Created(Container, "b"); err != nil {
		t.Error(err)
	}
}

// TestDamagedStateFiles: what a crash can leave is read, what it cannot is an
// error that does not hide the other runs.
func TestDamagedStateFiles(t *testing.T) {
	dir := t.TempDir()
	runs := filepath.Join(dir, "runs")
	if err := os.MkdirAll(runs, 0o700); err != nil {
		t.Fatal(err)
	}
	dead := `{"run_id":"dead-run","pid":1,"boot_id":"x","started_at":"2026-03-01T12:00:00Z"}` + "\n"
	for name, text := range map[string]string{
		"cut.jsonl":     dead + `{"verb":"create","kind":"container","id":"a"}` + "\n" + `{"verb":"crea`,
		"garbage.jsonl": "\x00\x01\n",
		"inner.jsonl":   dead + "nonsense\n",
		"young.jsonl":   `{"run_id":`,
		"old.jsonl":     `{"run_id":`,
	} {
		if err := os.WriteFile(filepath.Join(runs, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	past := time.Now().Add(-time.Hour)
	if err := os.Chtimes(filepath.Join(runs, "old.jsonl"), past, past); err != nil {
		t.Fatal(err)
	}
	got, err := Leftovers(dir)
	if err == nil || !strings.Contains(err.Error(), "garbage.jsonl") || !strings.Contains(err.Error(), "inner.jsonl") || strings.Contains(err.Error(), "young") {
		t.Errorf("error: %v", err)
	}
	if len(got) != 2 || got[0].ID != "old" || len(got[0].Resources) != 0 || got[1].ID != "dead-run" || len(got[1].Resources) != 1 {
		t.Errorf("leftovers: %+v", got)
	}
}

func TestOpenErrors(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		out, run, state string
		want            fault.Code
	}{
		"output is a file":  {file, "run-0001", dir, fault.Usage},
		"state is a file":   {filepath.Join(dir, "o"), "run-0001", file, fault.Usage},
		"run with a slash":  {filepath.Join(dir, "o"), "../../run", dir, fault.Internal},
		"run without an ID": {filepath.Join(dir, "o"), "", dir, fault.Internal},
	} {
		j, err := Open(c.out, c.run, c.state)
		if code := fault.CodeOf(t.Context(), err); j != nil || code != c.want {
			t.Errorf("%s: %v with code %d, want %d", name, err, code, c.want)
		}
	}
	first, err := Open(filepath.Join(dir, "a"), "run-0001", dir)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close("error")
	if _, err := Open(filepath.Join(dir, "b"), "run-0001", dir); err == nil {
		t.Error("two runs have one ID")
	}
}

func TestNilJournal(t *testing.T) {
	var j *Journal
	j.Action("a", "b", nil)
	j.Status("a", 1)
	if err := errors.Join(j.Created(Image, "a"), j.Removed(Image, "a"), j.Close("pass")); err != nil {
		t.Error(err)
	}
}

func TestStateDir(t *testing.T) {
	env := map[string]string{"VEXXY_STATE_DIR": "/s", "XDG_STATE_HOME": "/x", "HOME": "/h"}
	get := func(name string) string { return env[name] }
	if got := StateDir(get); got != "/s" {
		t.Errorf("StateDir = %q", got)
	}
	delete(env, "VEXXY_STATE_DIR")
	want := "/x/vexxy"
	if os.Geteuid() == 0 {
		want = "/var/lib/vexxy"
	}
	if got := StateDir(get); got != want {
		t.Errorf("StateDir = %q, want %q", got, want)
	}
}
