package app

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"runtime/debug"
	"strings"
	"testing"
)

// The collector is still from boot's initialisation to the end of this
// package's, most packages' lies between them, and then it runs again.
func TestBoot(t *testing.T) {
	if percent := debug.SetGCPercent(100); percent < 0 {
		t.Errorf("the collector is off after the initialisation")
	} else {
		debug.SetGCPercent(percent)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, "-test.run=^$")
	cmd.Env = append(os.Environ(), "GODEBUG=inittrace=1,gctrace=1", "GOGC=100")
	var trace bytes.Buffer
	cmd.Stderr = &trace
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v: %s", err, trace.String())
	}
	const boot, app = "init github.com/vexxy/action/internal/boot ", "init github.com/vexxy/action/internal/app "
	begun, ended, between, collections := false, false, 0, 0
	var at float64 // when boot was initialised, in milliseconds
	for lines := bufio.NewScanner(&trace); lines.Scan() && !ended; {
		line := lines.Text()
		switch {
		case strings.HasPrefix(line, boot):
			begun = true
			if _, err := fmt.Sscanf(line, boot+"@%f ms", &at); err != nil {
				t.Fatalf("%s: %v", line, err)
			}
		case strings.HasPrefix(line, app):
			ended = true
		case begun && strings.HasPrefix(line, "gc "):
			// One that began before is told when it is over.
			var n int
			var seconds float64
			if _, err := fmt.Sscanf(line, "gc %d @%fs", &n, &seconds); err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			if 1000*seconds > at {
				t.Log(line)
				collections++
			}
		case begun && strings.HasPrefix(line, "init "):
			between++
		}
	}
	if !begun || !ended || between < 500 || collections > 0 {
		t.Errorf("boot is initialised: %v, app: %v, packages between them: %d, collections: %d", begun, ended, between, collections)
	}
}
