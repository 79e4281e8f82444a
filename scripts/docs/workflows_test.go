package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// workflow is what is held of a workflow.
type workflow struct {
	Name string
	On   yaml.Node
	Jobs map[string]struct {
		Uses          string
		With, Secrets map[string]any
		Steps         []step
	}
}

type step struct {
	Uses, Run string
	With      map[string]any
}

// examples are the workflows of README.md, by the line before each.
func examples(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, m := range regexp.MustCompile("(?m)^(.*)\n\n```yaml\n((?s:.*?))^```$").FindAllStringSubmatch(string(readme(t)), -1) {
		if strings.Contains(m[2], "\njobs:\n") {
			found[m[1]] = m[2]
		}
	}
	return found
}

// actionlint builds the linter that scripts/tools pins.
func actionlint(t *testing.T) string {
	t.Helper()
	path, err := filepath.Abs("../../.cache/bin/actionlint")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", "build", "-o", path, "github.com/rhysd/actionlint/cmd/actionlint")
	cmd.Dir = "../tools"
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building actionlint: %v\n%s", err, out)
	}
	return path
}

// TestWorkflowsOfTheReadme lints every workflow that README.md shows, and holds
// what it gives to the action against the action's own inputs.
func TestWorkflowsOfTheReadme(t *testing.T) {
	all := examples(t)
	if len(all) < 8 {
		t.Errorf("README.md shows %d workflows", len(all))
	}
	lint := actionlint(t)
	for name, text := range all {
		cmd := exec.Command(lint, "-no-color", "-")
		cmd.Stdin = strings.NewReader(text)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s\n%s", name, out)
		}
		held(t, name, text)
	}
}

// TestOwnWorkflows holds the workflows that others use or copy to the same.
func TestOwnWorkflows(t *testing.T) {
	for _, file := range []string{"analyze.yml", "comment.yml"} {
		text, err := os.ReadFile("../../.github/workflows/" + file)
		if err != nil {
			t.Fatal(err)
		}
		held(t, file, string(text))
	}
}

// The companion follows the workflow of first use, and takes what that leaves.
func TestCompanionFollowsFirstUse(t *testing.T) {
	text, err := os.ReadFile("../../.github/workflows/comment.yml")
	if err != nil {
		t.Fatal(err)
	}
	first := examples(t)["First use, on every pull request:"]
	var w workflow
	if err := yaml.Unmarshal([]byte(first), &w); err != nil {
		t.Fatal(err)
	}
	if w.Name == "" || !bytes.Contains(text, []byte("workflows: ["+w.Name+"]")) {
		t.Errorf("the companion does not follow %q", w.Name)
	}
	for _, name := range []string{"name: vexxy-results\n"} {
		if !strings.Contains(first, name) || !bytes.Contains(text, []byte(name)) {
			t.Errorf("they do not share %q", name)
		}
	}
}

var pinned = regexp.MustCompile(`^[a-z-]+/[a-z-]+@[0-9a-f]{40}$`)

// held finds actions that are not pinned, inputs that there are not, and foreign
// text in a shell.
func held(t *testing.T, name, text string) {
	t.Helper()
	var w workflow
	if err := yaml.Unmarshal([]byte(text), &w); err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	inputs := map[string]bool{}
	for _, in := range action(t).Inputs {
		inputs[in.Name] = true
	}
	used := 0
	for _, job := range w.Jobs {
		if file, ok := strings.CutPrefix(job.Uses, "vexxy/action/"); ok {
			used++
			for _, problem := range called(t, strings.TrimSuffix(file, "@v1"), job.With, job.Secrets) {
				t.Errorf("%s: %s", name, problem)
			}
		}
		for _, s := range job.Steps {
			switch {
			case strings.Contains(s.Run, "${{"):
				t.Errorf("%s: an expression in a shell: %s", name, s.Run)
			case s.Uses == "vexxy/action@v1":
				used++
				for key := range s.With {
					if !inputs[key] {
						t.Errorf("%s: the action has no input %s", name, key)
					}
				}
			case s.Uses != "" && !pinned.MatchString(s.Uses):
				t.Errorf("%s: %s is not pinned", name, s.Uses)
			}
			if strings.HasPrefix(s.Uses, "actions/checkout@") && s.With["persist-credentials"] != false {
				t.Errorf("%s: the checkout keeps its credentials", name)
			}
			if strings.HasPrefix(s.Uses, "actions/upload-artifact@") && s.With["retention-days"] != 90 {
				t.Errorf("%s: the artifact is not kept for 90 days", name)
			}
		}
	}
	if used == 0 {
		t.Errorf("%s does not use the action", name)
	}
}

// called finds what a caller gives a reusable workflow that it does not take, or
// does not give that it needs.
func called(t *testing.T, file string, with, secrets map[string]any) (problems []string) {
	t.Helper()
	text, err := os.ReadFile("../../" + file)
	if err != nil {
		return []string{err.Error()}
	}
	var w struct {
		On struct {
			Call struct {
				Inputs, Secrets map[string]struct{ Required bool }
			} `yaml:"workflow_call"`
		}
	}
	if err := yaml.Unmarshal(text, &w); err != nil {
		return []string{err.Error()}
	}
	for kind, c := range map[string]struct {
		given map[string]any
		taken map[string]struct{ Required bool }
	}{"input": {with, w.On.Call.Inputs}, "secret": {secrets, w.On.Call.Secrets}} {
		for name := range c.given {
			if _, ok := c.taken[name]; !ok {
				problems = append(problems, fmt.Sprintf("%s takes no %s %s", file, kind, name))
			}
		}
		for name, in := range c.taken {
			if _, ok := c.given[name]; in.Required && !ok {
				problems = append(problems, fmt.Sprintf("%s needs the %s %s", file, kind, name))
			}
		}
	}
	slices.Sort(problems)
	return problems
}

// What is held is found missing.
func TestHeldFindsFaults(t *testing.T) {
	if got := called(t, ".github/workflows/analyze.yml", map[string]any{"imgae": 1}, map[string]any{"key": 1}); len(got) != 3 {
		t.Errorf("%q", got)
	}
	if got := called(t, ".github/workflows/none.yml", nil, nil); len(got) != 1 {
		t.Errorf("%q", got)
	}
	for _, uses := range []string{"actions/checkout@v4", "actions/checkout@11bd719", "docker://alpine"} {
		if pinned.MatchString(uses) {
			t.Errorf("%s passes for pinned", uses)
		}
	}
}
