//go:build linux

package sensor

import (
	"context"
	"fmt"
	"os"
	"testing"
)

// TestMain lets the test binary stand in for `vexxy sensor`: its helper
// processes are this binary again, told by their first argument.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "sensor" {
		if err := serve(context.Background(), os.Stdin, os.Stdout, tuning{}); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}
