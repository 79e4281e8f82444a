package e2e

import (
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/vexxy/action/internal/host/github/githubtest"
	"github.com/vexxy/action/internal/record"
	"github.com/vexxy/action/internal/sticky"
)

// TestActionAndTheAPI runs the action with a runner that does what GitHub's does
// (nektos/act) against all that GitHub's API does to it. The demo's image runs
// for real, once; what it leaves is judged and published again in every case.
// Whatever the API does: verdict, exit code, outputs and the job's summary are
// those of a leg that never asks it.
func TestActionAndTheAPI(t *testing.T) {
	b := newActionBed(t)
	seen := b.observe(t)
	b.forked(t)
	quiet := quietened(t, seen.dir)
	cases := apiCases(quiet)
	t.Run("faults", func(t *testing.T) {
		t.Parallel()
		for i := range 2 {
			b.turn(t, cases, i, seen.dir)
		}
	})
	b.events(t, seen.dir)
	t.Run("race", func(t *testing.T) {
		t.Parallel()
		b.race(t, seen.dir)
	})
}

// results is the folder of results that a leg has left.
const results = "vexxy-results"

// quietened makes of results those of an image that no vulnerability is known
// of.
func quietened(t *testing.T, dir string) string {
	t.Helper()
	rec := must1(record.Read(filepath.Join(dir, results, "record")))
	rec.Inventory.Findings = nil
	quiet := t.TempDir()
	must(record.Write(filepath.Join(quiet, "record"), &rec))
	return quiet
}

// turn runs all legs for the time i, as the run i+2.
func (b *actionBed) turn(t *testing.T, cases []apiCase, i int, dir string) {
	legs, before, asked := legInputs{}, map[string][]githubtest.Comment{}, map[string]int{}
	for _, c := range cases {
		at := c.turns[i]
		legs[c.leg] = map[string]string{"mode": "publish", "from": filepath.Join(dir, results), "max-affected": []string{"0", "1000"}[i]}
		maps.Copy(legs[c.leg], at.with)
		api := b.apiOf(c)
		for kind, faults := range at.faults {
			api.Fail(kind, faults...)
		}
		before[c.leg], asked[c.leg] = api.Comments(), len(api.Requests(""))
	}
	seen := b.play(t, "pull_request", pullOf(b.commitSHA, b.commitSHA, 1), i+2, legs, "/*.md")
	silent, want := seen["never"], wantOf(legs["never"])
	if !silent.ended(want) || silent.Outputs["total"] == "0" || len(silent.notes) != 1-i || !strings.Contains(silent.summary, "vexxy: "+want[1]) {
		t.Fatalf("without the API: %s, %v, %q\n%s\n%s", silent.Outcome, silent.Outputs, silent.notes, silent.summary, silent.log)
	}
	for _, c := range cases {
		t.Run(fmt.Sprint(c.leg, " ", i+1), func(t *testing.T) {
			s, api := seen[c.leg], b.apiOf(c)
			b.shows(t, c, i, s, before[c.leg])
			if want := wantOf(legs[c.leg]); !s.ended(want) {
				t.Errorf("%s, %v, want %q", s.Outcome, s.Outputs, want)
			}
			if legs[c.leg]["from"] == legs["never"]["from"] && legs[c.leg]["max-affected"] == legs["never"]["max-affected"] {
				same(t, "outputs", []byte(fmt.Sprint(plain(silent))), []byte(fmt.Sprint(plain(s))))
				same(t, "summary", []byte(silent.summary), []byte(s.summary))
				same(t, "annotations", []byte(strings.Join(withNote(silent.notes, c.turns[i].note), "\n")), []byte(strings.Join(s.notes, "\n")))
			}
			if n := len(api.Requests("")) - asked[c.leg]; c.leg == "never" && n != 0 {
				t.Errorf("%d requests", n)
			}
			if n := len(api.Requests("DELETE")); n != 0 {
				t.Errorf("%d comments were deleted", n)
			}
			if t.Failed() {
				t.Logf("log:\n%s", s.log)
			}
		})
	}
}

// apiOf gives the server of a case.
func (b *actionBed) apiOf(c apiCase) *githubtest.Server {
	if c.server == "" {
		return b.api(c.leg)
	}
	api := b.api(c.server)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.apis[c.leg] = api
	return api
}

// wantOf gives outcome, verdict and exit code that a gate of these inputs has,
// on the demo's results or those where nothing is affected.
func wantOf(inputs map[string]string) [3]string {
	if inputs["max-affected"] == "0" && filepath.Base(inputs["from"]) == results {
		return [3]string{"failure", "fail", "2"}
	}
	return [3]string{"success", "pass", "0"}
}

// ended reports whether a leg has this outcome, verdict and exit code.
func (s *sight) ended(want [3]string) bool {
	return want == [3]string{s.Outcome, s.Outputs["verdict"], s.Outputs["exit-code"]}
}

// plain gives a leg's outputs without what each leg has of its own: the folder,
// and the comment.
func plain(s *sight) map[string]string {
	all := maps.Clone(s.Outputs)
	for name, value := range all {
		all[name] = strings.ReplaceAll(value, s.Outputs["output-dir"], "OUTPUT")
	}
	delete(all, "comment-url")
	return all
}

func withNote(notes []string, note string) []string {
	if note == "" {
		return notes
	}
	return append(slices.Clone(notes), note)
}

// link is an address of a comment as the outputs have it.
var link = regexp.MustCompile(`^http://127\.0\.0\.1:\d+/octo/app/pull/7#issuecomment-(\d+)$`)

// shows holds the thread, and what the leg says of it, against the case.
func (b *actionBed) shows(t *testing.T, c apiCase, i int, s *sight, before []githubtest.Comment) {
	t.Helper()
	at, after := c.turns[i], b.apiOf(c).Comments()
	if after[0].Body != "nice" || after[0].Author != "octocat" {
		t.Errorf("a stranger's comment became %+v", after[0])
	}
	mine := func(all []githubtest.Comment) (got *githubtest.Comment) {
		for _, one := range all {
			if m := link.FindStringSubmatch(s.Outputs["comment-url"]); m != nil && fmt.Sprint(one.ID) == m[1] {
				got = &one
			}
		}
		return got
	}
	if at.did != "" && !regexp.MustCompile(`(?m)^comment `+at.did+` `).MatchString(s.log) || at.did == "" && strings.Contains(s.log, "\ncomment ") {
		t.Errorf("the log does not say that the comment was %q", at.did)
	}
	legs := 1
	if c.server != "" || c.leg == "leg-1" {
		legs = 2
	}
	one := mine(after)
	switch at.did {
	case "", "not needed":
		if one != nil || !slices.Equal(before, after) {
			t.Errorf("the comments are %+v", after)
		}
		if text := string(read(t, s.dir, "comment.md")); !strings.Contains(text, "vexxy: "+s.Outputs["verdict"]) {
			t.Errorf("comment.md says %q", text)
		}
		return
	case "posted":
		if len(before) != 1 || len(after) != 1+legs || one == nil {
			t.Fatalf("of %d comments became %+v (%s)", len(before), after, s.Outputs["comment-url"])
		}
	default:
		if len(after) != len(before) || one == nil || mine(before) == nil {
			t.Fatalf("of %+v became %+v (%s)", before, after, s.Outputs["comment-url"])
		}
	}
	mark, text, _ := sticky.ReadMark(one.Body)
	if mark.Order.Run != int64(i+2) {
		t.Errorf("its mark is %+v", mark)
	}
	says := []string{"vexxy: " + s.Outputs["verdict"], fmt.Sprintf("[run %d, attempt 1](https://github.com/octo/app/actions/runs/%s)", i+2, bedRun)}
	if at.says != "" {
		says = []string{at.says}
	}
	for _, want := range says {
		if !strings.Contains(text, want) {
			t.Errorf("the comment does not say %q:\n%s", want, one.Body)
		}
	}
	if at.did == "kept" {
		_, old, _ := sticky.ReadMark(mine(before).Body)
		same(t, "the kept text", []byte(old), []byte(text))
	}
	// Four times too long leaves 4,096 characters, and all would be said in more.
	if n := len(one.Body); c.leg == "422-too-long" && n > 4<<10 || c.leg == "always" && n < 6<<10 {
		t.Errorf("the comment has %d bytes:\n%s", n, one.Body)
	}
}
