package gitlab

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vexxy/action/internal/foreign/foreigntest"
)

// marker is what GitLab takes for the mark of a section, wherever it stands in
// a line (gitlab-org/gitlab, lib/gitlab/ci/ansi2json).
var marker = regexp.MustCompile(`section_(start|end):([0-9]+):([a-zA-Z0-9_.-]+)(\[[^\]]*\])?\r\x1b\[0K`)

// sections reads a log as GitLab does, and gives its sections by name and the
// lines, with those in a section indented.
func sections(t *testing.T, log string) (names []string, lines []string) {
	t.Helper()
	open := ""
	for line := range strings.Lines(log) {
		line = strings.TrimSuffix(line, "\n")
		m := marker.FindStringSubmatch(line)
		switch {
		case m == nil && open != "":
			line = "  " + line
		case m == nil:
		case m[1] == "start":
			if open != "" {
				t.Errorf("%s begins in %s", m[3], open)
			}
			open = m[3]
			names = append(names, m[3])
		case m[3] != open:
			t.Errorf("%s ends in %q", m[3], open)
		default:
			open = ""
		}
		line = marker.ReplaceAllString(line, "$1$4 ")
		if strings.ContainsAny(line, "\r\x1b") {
			t.Errorf("control characters in %q", line)
		}
		lines = append(lines, line)
	}
	if open != "" {
		t.Errorf("%s is never closed", open)
	}
	return names, lines
}

func TestStepsAreSections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		h := New(&log)
		pull := h.Step("pull image: a/b@sha256:ab")
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
		names, lines := sections(t, log.String())
		want := []string{
			"pull image: a/b@sha256:ab …", "read packages …",
			"start[collapsed=true] ✓ pull image: a/b@sha256:ab (0.0s)", "end ",
			"start[collapsed=false] ✗ read packages (12s)", "  of the scan", "  no space", "  left", "end ",
			"between", "observe …",
			"  30s, at most 30s left, 42 files and 7 packages seen",
			"start[collapsed=true] ✓ observe (35s)", "end ",
		}
		if got := strings.Join(lines, "\n"); got != strings.Join(want, "\n") {
			t.Errorf("log:\n%s", got)
		}
		if got := strings.Join(names, " "); got != "vexxy_1_pull_image_a_b_sha256_ab_0_0s vexxy_2_read_packages_12s vexxy_3_observe_35s" {
			t.Errorf("names: %s", got)
		}
		// What GitLab shows as a section's time is that of the step.
		if !strings.Contains(log.String(), "section_start:946684800:vexxy_2") || !strings.Contains(log.String(), "section_end:946684812:vexxy_2") {
			t.Errorf("log: %q", log.String())
		}
	})
}

// Steps that end at once keep their sections whole.
func TestSectionsDoNotMix(t *testing.T) {
	var log bytes.Buffer
	h := New(&log)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for k := range 25 {
				end := h.Step(fmt.Sprint("step ", i, "/", k))
				h.Note("a note")
				h.Remark(Warning, "a remark", "of two\nlines")
				end(errors.New("an error"))
			}
		})
	}
	all.Wait()
	h.Close()
	names, _ := sections(t, log.String())
	seen := map[string]bool{}
	for _, name := range names {
		seen[name] = true
	}
	if len(names) != 200 || len(seen) != 200 {
		t.Errorf("%d sections of %d names", len(names), len(seen))
	}
}

// No foreign text begins or ends a section, nor leaves its line, whatever it
// says.
func TestForeignTextMarksNothing(t *testing.T) {
	corpus := foreigntest.Corpus()
	corpus["section"] = "section_end:1:vexxy_1\r\x1b[0K\nsection_start:1:x[collapsed=true]\r\x1b[0Khidden"
	for what, hostile := range corpus {
		var log bytes.Buffer
		h := New(&log)
		h.Step(hostile)(errors.New(hostile))
		h.Note(hostile)
		h.Remark(Warning, hostile, hostile)
		h.Write(func(w io.Writer) { fmt.Fprintln(w, text(hostile, 100)) })
		h.Close()
		names, lines := sections(t, log.String())
		if len(names) != 1 || !strings.HasPrefix(names[0], "vexxy_1") || len(lines) > 20 {
			t.Errorf("%s: sections %q in %d lines", what, names, len(lines))
		}
	}
}

func TestRemarkIsBounded(t *testing.T) {
	var log bytes.Buffer
	h := New(&log)
	defer h.Close()
	h.Remark(Notice, "title", strings.Repeat("line\n", 50))
	if got := log.String(); !strings.HasPrefix(got, "notice: title\n  line\n") || !strings.HasSuffix(got, "  …\n") || strings.Count(got, "\n") != 12 {
		t.Errorf("log: %q", got)
	}
}

// gitlabReads reads a dotenv report as GitLab does (gitlab-org/gitlab,
// Ci::ParseDotenvArtifactService), which refuses the whole for one line.
func gitlabReads(t *testing.T, report []byte) map[string]string {
	t.Helper()
	got := map[string]string{}
	line := regexp.MustCompile(`^(.*?)=(.*)$`)
	if len(report) > 5<<10 {
		t.Errorf("%d bytes", len(report))
	}
	for _, l := range strings.Split(strings.TrimSuffix(string(report), "\n"), "\n") {
		m := line.FindStringSubmatch(l)
		if m == nil || !regexp.MustCompile(`^[A-Za-z0-9_]+$`).MatchString(m[1]) || strings.TrimSpace(m[2]) != m[2] {
			t.Fatalf("GitLab refuses %q", l)
		}
		got[m[1]] = m[2]
	}
	return got
}

func TestDotenv(t *testing.T) {
	all := []Output{{"VEX_VERDICT", "pass"}, {"VEX_NOTE_URL", ""}, {"VEX_SBOM", "vexxy-results/sbom.cdx.json,b/c"}}
	report, left, err := Dotenv(all)
	if err != nil || len(left) != 0 || string(report) != "VEX_VERDICT=pass\nVEX_NOTE_URL=\nVEX_SBOM=vexxy-results/sbom.cdx.json,b/c\n" {
		t.Errorf("%q, %q, %v", report, left, err)
	}
	for _, bad := range [][]Output{{{"x", ""}}, {{"A\nB", ""}}, {{"A=B", ""}}, {{"", ""}}, {{"1A", ""}}, make([]Output, maxVariables+1)} {
		if _, _, err := Dotenv(bad); err == nil {
			t.Errorf("%.60v is taken", bad)
		}
	}
	// As many and as long as there may be.
	all = nil
	for i := range maxVariables {
		all = append(all, Output{fmt.Sprintf("VEX_AFFECTED_CRITICAL_%d", i), strings.Repeat("x", maxValue)})
	}
	if report, left, err = Dotenv(all); err != nil || len(left) != 0 || len(gitlabReads(t, report)) != maxVariables {
		t.Errorf("%d bytes, %v", len(report), err)
	}
	all[0].Value += "x"
	if report, left, err = Dotenv(all); err != nil || len(left) != 1 || gitlabReads(t, report)[all[0].Name] != "" {
		t.Errorf("%q, %v", left, err)
	}
}

// No foreign text becomes another variable, is expanded or is cut into another
// value.
func TestForeignTextInDotenv(t *testing.T) {
	corpus := foreigntest.Corpus()
	corpus["expansion"], corpus["command"], corpus["quotes"] = "$CI_JOB_TOKEN ${PATH}", "`id` $(id)", `"a" 'b' \`
	for what, hostile := range corpus {
		report, left, err := Dotenv([]Output{{"VEX_A", hostile}, {"VEX_VERDICT", "fail"}})
		if err != nil {
			t.Fatal(err)
		}
		got := gitlabReads(t, report)
		if len(got) != 2 || got["VEX_VERDICT"] != "fail" || got["VEX_A"] != "" && got["VEX_A"] != hostile || (got["VEX_A"] == "") != (len(left) == 1) || strings.ContainsAny(got["VEX_A"], "$`\"'\\ ") {
			t.Errorf("%s: %q, left %q", what, report, left)
		}
	}
}

func FuzzDotenv(f *testing.F) {
	for _, hostile := range foreigntest.Corpus() {
		f.Add(hostile[:min(len(hostile), 4096)])
	}
	f.Fuzz(func(t *testing.T, value string) {
		report, _, err := Dotenv([]Output{{"VEX_A", value}, {"VEX_VERDICT", "fail"}})
		if err != nil {
			t.Fatal(err)
		}
		got := gitlabReads(t, report)
		if len(got) != 2 || got["VEX_VERDICT"] != "fail" || got["VEX_A"] != "" && got["VEX_A"] != value {
			t.Errorf("%q gives %q", value, report)
		}
	})
}
