package app

import (
	"bytes"
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/foreign/foreigntest"
)

// A panic's value stays on its line, whatever is in it.
func TestPanicIsOneLine(t *testing.T) {
	for name, text := range foreigntest.Corpus() {
		var out bytes.Buffer
		printPanic(&out, errors.New(text+"\n::error::forged\x1b[2J\u202e"))
		line, stack, _ := strings.Cut(out.String(), "\n")
		if !strings.HasPrefix(line, "error: internal: ") || !strings.HasPrefix(stack, "goroutine ") || len(line) > 2100 || strings.ContainsAny(out.String(), "\r\x1b\u202e") {
			t.Errorf("%s: %.300q", name, out.String())
		}
	}
}

// A CI host names no sub-command: what it gives are inputs of run, by variables
// of its own, and a sub-command that is named is that.
func TestJob(t *testing.T) {
	for name, c := range map[string]struct {
		args, environ []string
		code          fault.Code
		says          string
	}{
		"an input of the action":       {nil, newJob(t, "push", "", "", "INPUT_DURATION=soon").environ, fault.Usage, "INPUT_DURATION"},
		"an input of the component":    {nil, newPipeline(t, "push", "", "", "VEXXY_DURATION=soon").environ, fault.Usage, "VEXXY_DURATION"},
		"no input":                     {nil, nil, fault.Usage, "image"},
		"arguments":                    {[]string{"--duration", "soon", "image"}, nil, fault.Usage, "--duration"},
		"help":                         {[]string{"--help"}, nil, fault.Pass, "vexxy run "},
		"a sub-command":                {[]string{"version"}, nil, fault.Pass, Version()},
		"a sub-command and its inputs": {[]string{"replay", "/none/such"}, nil, fault.Usage, "/none/such"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			f, err := os.Create("said")
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			code := Job(c.args, Streams{Out: f, Err: f, Environ: c.environ})
			said, err := os.ReadFile("said")
			if err != nil || code != int(c.code) || !strings.Contains(string(said), c.says) || strings.Contains(string(said), "unknown command") {
				t.Errorf("code %d, %v: %s", code, err, said)
			}
		})
	}
}

// That sigstore's trusted root is out of reach is no fault of the policy.
func TestVerifyWithoutATrustedRoot(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("there is no network"))
	code, err := verifyCommand(ctx, Streams{Out: os.Stdout, Err: os.Stderr}, []string{"--identity", "who", "--issuer", "https://issuer.example", "image"})
	if err == nil || fault.Worst(code, fault.CodeOf(ctx, err)) != fault.Infra || !strings.Contains(err.Error(), "trusted root") {
		t.Errorf("code %d, %v", code, err)
	}
	for name, args := range map[string][]string{"no image": {"--key", "x"}, "nobody to trust": {"image"}, "no such flag": {"--kye", "x"}, "no such form": {"--output", "xml", "image"}} {
		code, err := verifyCommand(t.Context(), Streams{Out: os.Stdout, Err: os.Stderr}, args)
		if got := fault.Worst(code, fault.CodeOf(t.Context(), err)); got != fault.Usage {
			t.Errorf("%s: code %d, %v", name, got, err)
		}
	}
}
