package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/vexxy/action/internal/config"
)

func action(t *testing.T) metadata {
	t.Helper()
	text, err := os.ReadFile("../../action.yml")
	if err != nil {
		t.Fatal(err)
	}
	m, err := parseAction(text)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestActionHasEveryInput holds action.yml's inputs to the table of inputs by
// what is read from it, not by its text.
func TestActionHasEveryInput(t *testing.T) {
	described := map[string]string{}
	for _, in := range action(t).Inputs {
		if _, twice := described[in.Name]; twice {
			t.Errorf("%s stands twice", in.Name)
		}
		described[in.Name] = in.Description
		// A default here would win over .vexxy.yml, as would one that is said
		// to be required.
		want := map[string]string{tokenInput: "${{ github.token }}", "matrix": "${{ toJSON(matrix) }}"}[in.Name]
		if in.Default != want || in.Required || in.Deprecation != "" {
			t.Errorf("%s: default %q, required %v", in.Name, in.Default, in.Required)
		}
	}
	foreign := 0
	for _, in := range config.Inputs() {
		if in.Host == config.GitLab {
			if foreign++; described[in.Name] != "" {
				t.Errorf("action.yml has %s, which is of no use there", in.Name)
			}
			continue
		}
		for _, name := range append([]string{in.Name}, in.Aliases...) {
			if described[name] == "" {
				t.Errorf("action.yml lacks %s", name)
			}
		}
		if text := described[in.Name]; !strings.HasPrefix(text, in.Doc) || !strings.Contains(text, "Default: "+in.Default+in.Unset) {
			t.Errorf("%s is described as %q", in.Name, text)
		}
		for _, value := range in.Values {
			if !strings.Contains(described[in.Name], value) {
				t.Errorf("%s does not name its value %s", in.Name, value)
			}
		}
	}
	if n, want := len(described), len(programInputs())+4-foreign; n != want {
		t.Errorf("%d inputs, want %d", n, want)
	}
}

func TestActionRuns(t *testing.T) {
	m := action(t)
	if m.Runs.Using != "node24" || m.Runs.PostIf != "always()" {
		t.Errorf("%+v", m.Runs)
	}
	for _, file := range []string{m.Runs.Main, m.Runs.Post} {
		if info, err := os.Stat(filepath.Join("../..", file)); err != nil || !info.Mode().IsRegular() {
			t.Errorf("%s: %v", file, err)
		}
	}
}

// TestReadmeNamesWhatThereIs finds outputs in the README's examples that the
// action does not have.
func TestReadmeNamesWhatThereIs(t *testing.T) {
	outputs := map[string]bool{}
	for _, out := range action(t).Outputs {
		outputs[out.Name] = true
	}
	used := regexp.MustCompile(`steps\.vexxy\.outputs\.([a-z-]+)`).FindAllStringSubmatch(string(readme(t)), -1)
	for _, name := range used {
		if !outputs[name[1]] {
			t.Errorf("README.md uses the output %s, which there is not", name[1])
		}
	}
	if len(used) < 3 {
		t.Errorf("README.md shows %d outputs in use", len(used))
	}
}
