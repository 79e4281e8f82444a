// Command action is vexxy for a GitHub Action of one's own: without arguments it
// is run, and its inputs come from INPUT_ variables. A release has cmd/vexxy
// alone, whose sub-commands this repository's action names: the same program.
package main

import (
	"os"

	"github.com/vexxy/action/internal/app"
)

func main() {
	os.Exit(app.Job(os.Args[1:], app.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Environ: os.Environ()}))
}
