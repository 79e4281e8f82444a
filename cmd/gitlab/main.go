// Command gitlab is vexxy as a GitLab CI component starts it: its inputs come
// from VEXXY_ variables.
package main

import (
	"os"

	"github.com/vexxy/action/internal/app"
)

func main() {
	os.Exit(app.Job(os.Args[1:], app.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Environ: os.Environ()}))
}
