package config

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// The command that repeats a run gives the settings of that run again.
func TestCommandGivesTheSettingsAgain(t *testing.T) {
	for _, args := range [][]string{
		{"nginx:1"},
		{"nginx:1", "--http-probe=/a b", "--http-probe=/c", "--duration=90s", "--early-stop=false", "--fail-on-severity=high", "--max-affected=critical=0,high=3"},
		{"nginx:1", "--exec-command=echo \"it's $HOME `x`\"", "--warn-only", "--command=sh -c 'a b'", "--network=none"},
		{"nginx:1", "--baseline=old/result.json", "--output-dir=x", "--fail-on=new", "--max-db-age=0"},
	} {
		c := must(t, "", nil, args...)
		command := Command(c.Settings(), "nginx@sha256:x")
		if !strings.HasPrefix(command, "vexxy run ") || !strings.HasSuffix(command, " nginx@sha256:x") {
			t.Errorf("%q", command)
		}
		words, err := splitWords(command)
		if err != nil {
			t.Fatalf("%q: %v", command, err)
		}
		again := must(t, "", nil, words[2:]...)
		got, want := again.Settings(), c.Settings()
		for name := range notToRepeat {
			delete(got, name)
			delete(want, name)
		}
		if !maps.Equal(got, want) {
			t.Errorf("%q gives %v, want %v", command, got, want)
		}
		if !slices.Equal(again.Images, []string{"nginx@sha256:x"}) {
			t.Errorf("%q is about %q", command, again.Images)
		}
	}
}

func TestCommandKeepsSecrets(t *testing.T) {
	c := must(t, "", nil, "nginx:1", "--env=TOKEN=hunter2")
	if got := Command(c.Settings(), "x"); strings.Contains(got, "hunter2") || !strings.Contains(got, "--env TOKEN=REDACTED") {
		t.Errorf("%q", got)
	}
	if got := quote("a\n\t'b' \\n"); got != `$'a\n\t\'b\' \\n'` {
		t.Errorf("%q", got)
	}
	if got := Command(must(t, "", nil, "a").Settings(), "b"); got != "vexxy run --engine embedded --early-stop b" {
		t.Errorf("a run without inputs is repeated by %q", got)
	}
	if got := Command(nil, "a; rm -rf"); got != "vexxy run 'a; rm -rf'" {
		t.Errorf("%q", got)
	}
}
