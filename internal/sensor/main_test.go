//go:build linux

package sensor

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestMain lets the test binary stand in for `vexxy sensor`: its helper
// processes are this binary again, told by their arguments.
//
//	sensor [ring=BYTES] [files=NUMBER] [blocked]
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "sensor" {
		var t tuning
		for _, arg := range os.Args[2:] {
			key, value, _ := strings.Cut(arg, "=")
			n, err := strconv.ParseUint(value, 10, 32)
			switch {
			case key == "ring" && err == nil:
				t.ring = uint32(n)
			case key == "files" && err == nil:
				t.files = uint32(n)
			case key == "blocked":
				t.blocked = true
			default:
				panic(arg)
			}
		}
		if err := serve(context.Background(), os.Stdin, os.Stdout, t); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	code := m.Run()
	if name := testImage.name; name != "" {
		if out, err := exec.Command("docker", "rmi", "-f", name).CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "removing the test image: %v: %s\n", err, out)
			code = 1
		}
	}
	if left := leftovers(); len(left) > 0 {
		fmt.Fprintf(os.Stderr, "control groups are left: %q\n", left)
		code = 1
	}
	os.Exit(code)
}

// leftovers are control groups of helpers that have ended.
func leftovers() []string {
	base, err := hierarchy()
	if err != nil {
		return []string{err.Error()}
	}
	groups, err := filepath.Glob(base + "/" + ownPrefix + "*")
	if err != nil {
		return []string{err.Error()}
	}
	return slices.DeleteFunc(groups, func(g string) bool {
		pid, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(g), ownPrefix), "-")
		_, err := os.Stat("/proc/" + pid)
		return err == nil // another run's
	})
}
