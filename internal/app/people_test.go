package app

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vexxy/action/internal/base"
	"github.com/vexxy/action/internal/gate"
	"github.com/vexxy/action/internal/judge"
	"github.com/vexxy/action/internal/triage"
)

// statement is a document that clears x/text, which the recorded run has seen in
// use, or whatever else it names.
func statement(purl, vulnerability string, at time.Time) string {
	return fmt.Sprintf(`{"@context":"https://openvex.dev/ns/v0.2.0","@id":"https://team.example/1","author":"Ann <ann@team.example>","timestamp":%q,"version":1,
"statements":[{"vulnerability":{"name":%q},"products":[{"@id":%q}],"status":"not_affected","justification":"vulnerable_code_not_in_execute_path"}]}`, at.Format(time.RFC3339), vulnerability, purl)
}

const usedPackage, usedVulnerability = "pkg:golang/golang.org/x/text@v0.3.6", "CVE-2021-38561"

// A contradiction is told first, on the job's page, in the comment, as an
// annotation and in the log; the finding stays affected and counts. What a pull
// request brings along says nothing.
func TestPeopleOnGitHub(t *testing.T) {
	recorded := time.Date(2026, 11, 23, 19, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		event, more string
		put         bool // in the workspace, in no commit
		count       int
	}{
		"of a push":                        {"push", "", false, 1},
		"of the pull request":              {"pull_request", "", false, 0},
		"of a step that may be the head's": {"pull_request", "", true, 0},
		"of the workflow's step":           {"pull_request", "INPUT_VEX-DOCUMENTS=.openvex/app.openvex.json", true, 1},
	} {
		t.Run(name, func(t *testing.T) {
			j := newJob(t, c.event, "", "", "INPUT_FAIL-ON-SEVERITY=unknown", "INPUT_MAX-AFFECTED=0", c.more)
			if err := os.MkdirAll(filepath.Join(j.dir, ".openvex"), 0o755); err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(j.dir, ".openvex", "app.openvex.json"), statement(usedPackage, usedVulnerability, recorded))
			if !c.put {
				for _, args := range [][]string{{"add", "."}, {"-c", "user.name=t", "-c", "user.email=t@example", "commit", "-q", "-m", "x"}} {
					if out, err := exec.Command("git", append([]string{"-C", j.dir}, args...)...).CombinedOutput(); err != nil {
						t.Fatalf("%v: %s", err, out)
					}
				}
			}
			end := j.run(t)
			got := end.out.Images[0].Image
			if n := len(got.Judgement.Contradictions()); n != c.count {
				t.Fatalf("%d contradictions, not %d: %+v", n, c.count, got.Judgement.Triage)
			}
			for _, a := range got.Judgement.Assessments {
				if a.Vulnerability == usedVulnerability && a.Status != judge.Affected {
					t.Errorf("%s is %s", a.Vulnerability, a.Status)
				}
			}
			if got.Decision.Verdict != gate.VerdictFail || got.Decision.Counted == 0 {
				t.Errorf("verdict %s, %d counted", got.Decision.Verdict, got.Decision.Counted)
			}
			log, page := j.read(t, j.log), j.read(t, j.page)
			places := map[string]string{"the page": page, "the log": log}
			for _, comment := range j.api.Comments() {
				places["the comment"] = comment.Body
			}
			if c.event == "pull_request" && places["the comment"] == "" {
				t.Error("there is no comment")
			}
			for place, text := range places {
				at := strings.Index(text, "CONTRADICTION: 1 finding")
				if (at >= 0) != (c.count > 0) || c.count > 0 && strings.Contains(text[:at], "vulnerabilities analysed") {
					t.Errorf("%s says it at %d:\n%.1500s", place, at, text)
				}
			}
			if c.count > 0 != strings.Contains(log, "::error title=vexxy%3A contradiction") {
				t.Errorf("annotations in\n%.3000s", log)
			}
			if ignored := strings.Contains(page, "is ignored until it is merged") && strings.Contains(page, ".openvex/app.openvex.json"); ignored != (name == "of the pull request") {
				t.Errorf("ignored %t:\n%s", ignored, page)
			}
		})
	}
}

// Whatever a change makes of the places where the base keeps its statements, those
// hold; and what a step has put beside them does not, unless it is named.
func TestChangeKeepsTheBasesPeople(t *testing.T) {
	raises := strings.Replace(statement(usedPackage, usedVulnerability, time.Now()), "not_affected", "affected", 1)
	type files = map[string]string
	junk := files{"more/z.json": raises, ".openvex/z.json": raises}
	for i := range 210 {
		junk[fmt.Sprintf(".openvex/%04d.json", i)] = "{"
	}
	for name, c := range map[string]struct {
		given        []string
		base, change files // of the change: empty removes
		counts       string
	}{
		"junk beside it":         {nil, files{".openvex/z.json": raises}, junk, ".openvex/z.json"},
		"a file in its place":    {nil, files{".openvex/z.json": raises}, files{".openvex/z.json": "", ".openvex": "x"}, ".openvex/z.json"},
		"named and removed":      {[]string{"more"}, files{"more/z.json": raises}, files{"more/z.json": ""}, "more/z.json"},
		"named, now a file":      {[]string{"more"}, files{"more/z.json": raises}, files{"more/z.json": "", "more": "x"}, "more/z.json"},
		"a named file, a folder": {[]string{"more"}, files{"more": raises}, files{"more": "", "more/z.json": "{"}, "more"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			t.Chdir(dir)
			git := func(args ...string) string {
				t.Helper()
				out, err := exec.Command("git", append([]string{"-c", "user.name=t", "-c", "user.email=t@example"}, args...)...).CombinedOutput()
				if err != nil {
					t.Fatalf("%v: %s", args, out)
				}
				return strings.TrimSpace(string(out))
			}
			put := func(all files) string {
				for _, path := range slices.Sorted(maps.Keys(all)) {
					if all[path] == "" {
						git("rm", "-q", path)
					}
				}
				for path, text := range all {
					if text == "" {
						continue
					}
					if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
						t.Fatal(err)
					}
					write(t, path, text)
				}
				git("add", "-A")
				git("commit", "-q", "-m", "x")
				return git("rev-parse", "HEAD")
			}
			git("init", "-q")
			write(t, "x", "x")
			change := base.Change{Name: "pull request", Base: put(c.base), Head: put(c.change)}
			if info, err := os.Stat(".openvex"); err == nil && info.IsDir() {
				write(t, ".openvex/step.json", raises)
			}
			of := checkout{base.New(change, dir)}
			set, err := triage.Read(triage.Options{Given: c.given, Discover: true, Guard: of.instead, List: of.list})
			if err != nil {
				t.Fatal(err)
			}
			counts := ""
			for _, d := range set.Documents {
				if d.Problem == "" {
					counts += d.Source
				}
			}
			if counts != c.counts {
				t.Errorf("%q counts, not %q", counts, c.counts)
			}
		})
	}
}
