// Command action is vexxy as a GitHub Action starts it: its inputs come from
// INPUT_ variables.
package main

import (
	"os"

	"github.com/vexxy/action/internal/app"
)

func main() {
	os.Exit(app.Job(os.Args[1:], app.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Environ: os.Environ()}))
}
