//go:build linux

package sensor

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"testing"
)

// TestMain lets the test binary stand in for `vexxy sensor`: its helper
// processes are this binary again, told by their arguments.
//
//	sensor [RINGBYTES [blocked]]
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "sensor" {
		var t tuning
		if len(os.Args) > 2 {
			bytes, err := strconv.Atoi(os.Args[2])
			if err != nil {
				panic(err)
			}
			t.ring = uint32(bytes)
		}
		t.blocked = len(os.Args) > 3
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
	os.Exit(code)
}
