package local

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/foreign/foreigntest"
)

// screen is a terminal's last line and what scrolled above it.
type screen struct {
	mu    sync.Mutex
	above []string
	line  string
	wide  int // the longest line ever drawn, in characters
	raw   bytes.Buffer
}

func (s *screen) Write(data []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.raw.Write(data)
	text := strings.ReplaceAll(string(data), "\r\x1b[K", "\r")
	for _, r := range text {
		switch r {
		case '\r':
			s.line = ""
		case '\n':
			s.above, s.line = append(s.above, s.line), ""
		default:
			s.line += string(r)
			s.wide = max(s.wide, len([]rune(s.line)))
		}
	}
	return len(data), nil
}

func TestLiveLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s screen
		p := New(&s, Options{Terminal: true, Width: func() int { return 60 }})
		pull := p.Step("pulling image")
		scan := p.Step("reading packages")
		if s.line != "reading packages (+1)  0.0s" {
			t.Errorf("line %q", s.line)
		}
		pull(nil)
		pull(errors.New("again"))
		time.Sleep(12 * time.Second)
		synctest.Wait()
		if s.line != "reading packages  12s" {
			t.Errorf("line %q", s.line)
		}
		scan(errors.New("boom"))
		observe := p.Step("observing")
		p.Window(5 * time.Minute)
		p.Seen(42, 7)
		time.Sleep(75 * time.Second)
		synctest.Wait()
		if want := "observing  1m15s, at most 3m45s left, 42 files and 7 packa…"; s.line != want {
			t.Errorf("line %q, want %q", s.line, want)
		}
		p.Note("the workload is ready")
		p.Window(0)
		observe(nil)
		p.Close()
		p.Close()
		p.Note("late")
		want := []string{"✓ pulling image (0.0s)", "✗ reading packages (12s)", "  the workload is ready", "✓ observing (1m15s)"}
		if strings.Join(s.above, "\n") != strings.Join(want, "\n") || s.line != "" {
			t.Errorf("screen:\n%s\n[%s]", strings.Join(s.above, "\n"), s.line)
		}
		if s.wide > 59 {
			t.Errorf("a line took %d of 60 columns", s.wide)
		}
	})
}

func TestPlainLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s screen
		p := New(&s, Options{})
		observe := p.Step("observing")
		p.Window(70 * time.Second)
		p.Seen(10, 2)
		time.Sleep(65 * time.Second)
		synctest.Wait()
		p.Window(0)
		time.Sleep(time.Minute) // no heartbeat outside of a window
		synctest.Wait()
		observe(nil)
		p.Close()
		want := []string{
			"observing …",
			"  30s, at most 40s left, 10 files and 2 packages seen",
			"  1m00s, at most 10s left, 10 files and 2 packages seen",
			"✓ observing (2m05s)",
		}
		if got := strings.Join(s.above, "\n"); got != strings.Join(want, "\n") {
			t.Errorf("log:\n%s", got)
		}
		if strings.ContainsAny(s.raw.String(), "\r\x1b") {
			t.Errorf("a plain log holds terminal codes: %q", s.raw.String())
		}
	})
}

// TestSideBySide is for the race detector, and leaves no goroutine: synctest
// fails when one is left.
func TestSideBySide(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s screen
		p := New(&s, Options{Terminal: true})
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				for k := range 25 {
					end := p.Step(fmt.Sprint("step ", i, "/", k))
					p.Seen(i, k)
					p.Window(time.Second)
					time.Sleep(time.Duration(i*k) * time.Millisecond)
					end(nil)
				}
			})
		}
		all.Wait()
		p.Close()
		if len(s.above) != 200 || s.line != "" {
			t.Errorf("%d lines, last %q", len(s.above), s.line)
		}
	})
}

func TestForeignTextStaysInItsLine(t *testing.T) {
	controls := regexp.MustCompile(`[\x00-\x09\x0b-\x1f\x7f]`)
	for name, text := range foreigntest.Corpus() {
		var s screen
		p := New(&s, Options{})
		p.Step(text)(errors.New(text))
		p.Note(text)
		p.Close()
		if len(s.above) != 3 || controls.MatchString(s.raw.String()) {
			t.Errorf("%s: %q", name, s.above)
		}
		var out bytes.Buffer
		PrintError(&out, fault.New(fault.Usage, text, "reading %s", text))
		for i, line := range strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n") {
			if controls.MatchString(line) || len(line) > 2010 || i > 0 && !strings.HasPrefix(line, "  ") && !strings.HasPrefix(line, "hint: ") {
				t.Errorf("%s: line %d is %.100q", name, i, line)
			}
		}
	}
}

func TestPrintError(t *testing.T) {
	var out bytes.Buffer
	PrintError(&out, nil)
	PrintError(&out, fmt.Errorf("running: %w", fault.New(fault.Infra, "start Docker", "reaching Docker: no such socket")))
	PrintError(&out, errors.New("starting x:\nline 1\nline 2"))
	want := "error: running: reaching Docker: no such socket\nhint: start Docker\nerror: starting x:\n  line 1\n  line 2\n"
	if out.String() != want {
		t.Errorf("printed:\n%s", out.String())
	}
	out.Reset()
	PrintError(&out, errors.New(strings.Repeat("x\n", 1000)))
	if n := strings.Count(out.String(), "\n"); n != errorLines+1 {
		t.Errorf("%d lines", n)
	}
}

func TestCut(t *testing.T) {
	for _, c := range []struct {
		text    string
		columns int
		want    string
	}{
		{"abc", 3, "abc"}, {"abcd", 3, "ab…"}, {"東京都", 6, "東京都"}, {"東京都庁", 6, "東京…"}, {"", 0, ""},
	} {
		if got := cut(c.text, c.columns); got != c.want {
			t.Errorf("cut(%q, %d) = %q, want %q", c.text, c.columns, got, c.want)
		}
	}
}
