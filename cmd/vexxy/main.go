// Command vexxy runs a container image under an eBPF sensor and says which of
// its vulnerabilities were reached.
package main

import (
	"os"

	"github.com/vexxy/action/internal/app"
)

func main() {
	os.Exit(app.Main(os.Args[1:], app.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Environ: os.Environ()}))
}
