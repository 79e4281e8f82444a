package config

import (
	"errors"
	"maps"
	"reflect"
	"strings"
	"testing"

	"github.com/vexxy/action/internal/fault"
)

// settled checks what holds for any outcome of Load.
func settled(t *testing.T, c Config, err error) {
	t.Helper()
	if err != nil {
		var f *fault.Error
		if !errors.Is(err, ErrHelp) && (!errors.As(err, &f) || f.Code != fault.Usage || f.Hint == "") {
			t.Fatalf("%v is no usage fault with a hint", err)
		}
		return
	}
	if len(c.Images) == 0 || c.Duration <= 0 || c.Deadline <= c.Duration || c.MemoryLimit <= 0 || c.PidsLimit <= 0 || c.CPULimit <= 0 {
		t.Fatalf("an invalid configuration was accepted: %+v", c.Settings())
	}
	settings := c.Settings()
	p, err := PolicyFromSettings(settings)
	if err != nil || !reflect.DeepEqual(p, c.Policy()) {
		t.Fatalf("the policy %+v comes back as %+v, %v", c.Policy(), p, err)
	}
	// Written as flags, the settings give themselves.
	var args []string
	for _, in := range Inputs() {
		if v := settings[in.Name]; v != "" && in.Name != "config" && in.Name != "image" {
			args = append(args, "--"+in.Name+"="+v)
		}
	}
	args = append(append(args, "--"), c.Images...)
	again, err := Load(args, nil, files{c.File: ""}.read, Options{})
	if err != nil {
		t.Fatalf("the settings %q are refused: %v", settings, err)
	}
	got := again.Settings()
	delete(got, "config")
	delete(settings, "config")
	if !maps.Equal(got, settings) {
		t.Fatalf("the settings %q come back as %q", settings, got)
	}
}

func FuzzFile(f *testing.F) {
	for _, s := range []string{
		"", "image: a", "image: [a, b]\nduration: 5s", "env: {A: 1}", "a: &a [*a]", "max-affected: {high: 1}",
		"duration: !!float 3", "? [a]\n: b", "<<: *x", "image: |\n  a\n  b\n", "\xff\xfe", "args: \"[\\\"a\\\"]\"",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		read := func(path string) ([]byte, error) { return text, nil }
		c, err := Load([]string{"a"}, nil, read, Options{})
		settled(t, c, err)
	})
}

func FuzzInputs(f *testing.F) {
	f.Add("a\x1f--duration\x1f5s", "VEXXY_QUIET=1s\x1fGITHUB_ACTIONS=true\x1fINPUT_ENV=A=b")
	f.Add("--memory-limit=1.5Gi\x1fa", "VEXXY_CPU_LIMIT=500m")
	f.Add("--max-db-age=5d12h\x1f--\x1f--x", "INPUT_=\x1fVEXXY_=")
	f.Fuzz(func(t *testing.T, line, vars string) {
		c, err := Load(strings.Split(line, "\x1f"), strings.Split(vars, "\x1f"), files{}.read, Options{})
		settled(t, c, err)
	})
}
