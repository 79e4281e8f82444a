package github

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vexxy/action/internal/foreign/foreigntest"
	"github.com/vexxy/action/internal/sticky"
)

// env is a lookup in a map.
func env(vars map[string]string) func(string) string { return func(k string) string { return vars[k] } }

// obeyed reads a log as GitHub's runner does (actions/runner,
// ActionCommandManager.cs) and gives the commands that it would obey, and the
// lines that it would show.
func obeyed(t *testing.T, log string) (commands, shown []string) {
	t.Helper()
	command := regexp.MustCompile(`^ *::([^ :]+)(?: ([^:]*))?::(.*)$`)
	legacy := regexp.MustCompile(`##\[([^\]]+)\]`)
	stopped := ""
	lines := bufio.NewScanner(strings.NewReader(log))
	lines.Buffer(nil, 4<<20)
	for lines.Scan() {
		line := lines.Text()
		m := command.FindStringSubmatch(line)
		switch {
		case stopped != "":
			if m != nil && m[1] == stopped {
				stopped = ""
				continue
			}
			shown = append(shown, line)
		case m != nil && m[1] == "stop-commands":
			stopped = m[3]
		case m != nil:
			commands = append(commands, m[1])
			shown = append(shown, line)
		case legacy.MatchString(line):
			commands = append(commands, legacy.FindStringSubmatch(line)[1])
		default:
			shown = append(shown, line)
		}
	}
	if stopped != "" {
		t.Error("commands are stopped for good")
	}
	return commands, shown
}

func TestStepsAreGroups(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		h := New(&log, env(nil))
		pull := h.Step("pull image")
		scan := h.Step("read packages")
		h.Note("of the scan")
		pull(nil)
		pull(errors.New("again"))
		time.Sleep(12 * time.Second)
		scan(errors.New("no space\nleft"))
		h.Note("between")
		observe := h.Step("observe")
		h.Window(time.Minute)
		h.Seen(42, 7)
		time.Sleep(35 * time.Second)
		synctest.Wait()
		h.Window(0)
		observe(nil)
		h.Close()
		h.Close()
		h.Note("late")
		_, shown := obeyed(t, log.String())
		want := []string{
			"pull image …", "read packages …",
			"::group::✓ pull image (0.0s)", "began 2000-01-01T00:00:00Z", "::endgroup::",
			"::group::✗ read packages (12s)", "began 2000-01-01T00:00:00Z", "of the scan", "no space", "left", "::endgroup::",
			"between", "observe …",
			"  30s, at most 30s left, 42 files and 7 packages seen",
			"::group::✓ observe (35s)", "began 2000-01-01T00:00:12Z", "::endgroup::",
		}
		if got := strings.Join(shown, "\n"); got != strings.Join(want, "\n") {
			t.Errorf("log:\n%s", got)
		}
	})
}

// Steps that end at once keep their groups whole.
func TestGroupsDoNotMix(t *testing.T) {
	var log bytes.Buffer
	h := New(&log, env(nil))
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for k := range 25 {
				end := h.Step(fmt.Sprint("step ", i, "/", k))
				h.Note("a note")
				end(errors.New("an error"))
			}
		})
	}
	all.Wait()
	h.Close()
	commands, _ := obeyed(t, log.String())
	if len(commands) != 400 {
		t.Fatalf("%d commands", len(commands))
	}
	for i, c := range commands {
		if want := []string{"group", "endgroup"}[i%2]; c != want {
			t.Fatalf("command %d is %s", i, c)
		}
	}
}

// No foreign text becomes a command, whatever it says.
func TestForeignTextCommandsNothing(t *testing.T) {
	for what, hostile := range foreigntest.Corpus() {
		var log bytes.Buffer
		h := New(&log, env(nil))
		h.Step(hostile)(errors.New(hostile))
		h.Note(hostile)
		h.Foreign(func(w io.Writer) { fmt.Fprint(w, hostile) })
		h.Annotate(Warning, hostile, hostile)
		h.Close()
		commands, _ := obeyed(t, log.String())
		if got := strings.Join(commands, " "); got != "group endgroup warning" {
			t.Errorf("%s: the runner obeys %s", what, got)
		}
	}
}

// The token that ends stop-commands is new each time.
func TestStopTokensDiffer(t *testing.T) {
	var log bytes.Buffer
	h := New(&log, env(nil))
	defer h.Close()
	for range 20 {
		h.Note("x")
	}
	seen := map[string]bool{}
	for _, m := range regexp.MustCompile(`::stop-commands::(\S+)`).FindAllStringSubmatch(log.String(), -1) {
		if seen[m[1]] || len(m[1]) < 32 {
			t.Errorf("token %q", m[1])
		}
		seen[m[1]] = true
	}
	if len(seen) != 20 {
		t.Errorf("%d tokens", len(seen))
	}
}

func TestMask(t *testing.T) {
	var log bytes.Buffer
	h := New(&log, env(nil))
	defer h.Close()
	h.Mask("s3cr3t%value\nsecond-line\r\n8080")
	if got, want := log.String(), "::add-mask::s3cr3t%25value\n::add-mask::second-line\n"; got != want {
		t.Errorf("log %q", got)
	}
}

func TestAnnotationsAreBounded(t *testing.T) {
	var log bytes.Buffer
	h := New(&log, env(nil))
	defer h.Close()
	for i := range 14 {
		h.Annotate(Error, "vexxy", fmt.Sprintf("number %d", i))
	}
	h.Annotate(Notice, "a, b: c", "first\nsecond 100%")
	commands, shown := obeyed(t, log.String())
	if len(commands) != maxAnnotations+1 || len(shown) != 15 {
		t.Errorf("%d commands in %d lines", len(commands), len(shown))
	}
	if last := shown[14]; last != "::notice title=a%2C b%3A c::first%0Asecond 100%25" {
		t.Errorf("last line %q", last)
	}
	if shown[13] != "error: vexxy: number 13" {
		t.Errorf("beyond the limit: %q", shown[13])
	}
}

// outputs reads a file of outputs as the runner does: NAME<<DELIMITER.
func outputs(t *testing.T, path string) map[string]string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for rest := string(data); rest != ""; {
		head, body, _ := strings.Cut(rest, "\n")
		name, delimiter, ok := strings.Cut(head, "<<")
		value, after, found := strings.Cut(body, "\n"+delimiter+"\n")
		if !ok || !found {
			t.Fatalf("the runner refuses %.80q", head)
		}
		got[name], rest = value, after
	}
	return got
}

func TestOutputs(t *testing.T) {
	path := filepath.Join(t.TempDir(), "output")
	h := New(io.Discard, env(map[string]string{"GITHUB_OUTPUT": path}))
	defer h.Close()
	want := map[string]string{"verdict": "pass", "digest": "a\nb", "comment-url": ""}
	var all []Output
	for k, v := range want {
		all = append(all, Output{k, v})
	}
	for _, hostile := range foreigntest.Corpus() {
		if !strings.ContainsRune(hostile, 0) && len(hostile) < maxOutput {
			name := fmt.Sprint("hostile-", len(all))
			want[name] = hostile
			all = append(all, Output{name, hostile})
		}
	}
	if err := h.SetOutputs(all[:2]); err != nil {
		t.Fatal(err)
	}
	if err := h.SetOutputs(all[2:]); err != nil {
		t.Fatal(err)
	}
	got := outputs(t, path)
	if len(got) != len(want) {
		t.Errorf("%d outputs, want %d", len(got), len(want))
	}
	for name, value := range want {
		if got[name] != value {
			t.Errorf("%s is %q, want %q", name, got[name], value)
		}
	}
	for _, bad := range []Output{{"x\ny", ""}, {"x<<y", ""}, {"x", "a\x00b"}, {"x", strings.Repeat("x", maxOutput+1)}} {
		if h.SetOutputs([]Output{bad}) == nil {
			t.Errorf("output %.20q was taken", bad.Name)
		}
	}
}

func FuzzOutputs(f *testing.F) {
	for _, hostile := range foreigntest.Corpus() {
		f.Add(hostile[:min(len(hostile), 4096)])
	}
	f.Fuzz(func(t *testing.T, value string) {
		path := filepath.Join(t.TempDir(), "output")
		h := New(io.Discard, env(map[string]string{"GITHUB_OUTPUT": path}))
		defer h.Close()
		if err := h.SetOutputs([]Output{{"a", value}, {"verdict", "fail"}}); err != nil {
			if strings.ContainsRune(value, 0) || len(value) > maxOutput {
				return
			}
			t.Fatal(err)
		}
		if got := outputs(t, path); got["a"] != value || got["verdict"] != "fail" || len(got) != 2 {
			t.Errorf("%q gives %q", value, got)
		}
	})
}

// Without the runner's files, or where they cannot be written, there is an
// error and never a panic.
func TestMissingFiles(t *testing.T) {
	dir := t.TempDir()
	for _, path := range []string{"", dir, filepath.Join(dir, "no", "such")} {
		h := New(io.Discard, env(map[string]string{"GITHUB_OUTPUT": path, "GITHUB_STEP_SUMMARY": path}))
		if err := h.SetOutputs([]Output{{"verdict", "pass"}}); err == nil {
			t.Errorf("outputs to %q: no error", path)
		}
		if err := h.Summarise(func(int) []byte { return []byte("x") }); err == nil {
			t.Errorf("summary to %q: no error", path)
		}
		h.Close()
	}
}

func TestSummaryIsBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "summary")
	if err := os.WriteFile(path, bytes.Repeat([]byte("x"), maxSummary-4096), 0o600); err != nil {
		t.Fatal(err)
	}
	h := New(io.Discard, env(map[string]string{"GITHUB_STEP_SUMMARY": path}))
	defer h.Close()
	asked := 0
	err := h.Summarise(func(limit int) []byte {
		asked = limit
		return bytes.Repeat([]byte("ä line of it\n"), 1000) // ignores the limit
	})
	if err != nil || asked > 4096 || asked < 4000 {
		t.Fatalf("asked for %d bytes, %v", asked, err)
	}
	data, _ := os.ReadFile(path)
	if len(data) > maxSummary || !bytes.HasSuffix(data, []byte("line of it"+sticky.CutNote)) {
		t.Errorf("%d bytes, ends in %q", len(data), data[len(data)-40:])
	}
	if err := h.Summarise(func(limit int) []byte { return nil }); err == nil {
		t.Error("a full summary was added to")
	}
}
