package app

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vexxy/action/internal/fault"
)

// The code is the same whether the report is read to its end or not; one that
// cannot be kept is told of, and an image that is not verified stays that.
func TestVerifyWithoutAReader(t *testing.T) {
	y := newYard(t, nil)
	docs, folder := y.attest(t, nil)
	image := docs.Image.Record.Subject.Repository + "@" + docs.Image.Record.Subject.ManifestDigest
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	verify := func(out *os.File, more ...string) (fault.Code, string) {
		var errs strings.Builder
		cmd := exec.CommandContext(t.Context(), self)
		args := append(append([]string{"verify", "--key", filepath.Join(folder, "key.pub")}, more...), image)
		cmd.Env = []string{"PATH=/", "HOME=" + t.TempDir(), asProgram + "=" + strings.Join(args, "\n")}
		cmd.Stdout, cmd.Stderr = out, &errs
		_ = cmd.Run() // its code says how it ended
		return fault.Code(cmd.ProcessState.ExitCode()), errs.String()
	}
	reader, gone, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	reader.Close()
	defer gone.Close()
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	for _, form := range []string{"text", "json"} {
		for _, c := range []struct {
			out  *os.File
			args []string
			code fault.Code
			says string
		}{
			{gone, nil, fault.Pass, ""},
			{gone, []string{"--min-window", "1d"}, fault.Integrity, ""},
			{full, nil, fault.Infra, "printing the report: "},
			{full, []string{"--min-window", "1d"}, fault.Integrity, "printing the report: "},
		} {
			code, errs := verify(c.out, append([]string{"--output", form}, c.args...)...)
			if code != c.code || !strings.HasPrefix(errs, "error: "+c.says) && c.says != "" || c.says == "" && errs != "" {
				t.Errorf("%s %v to %s: code %d, not %d\n%s", form, c.args, c.out.Name(), code, c.code, errs)
			}
		}
	}
}
