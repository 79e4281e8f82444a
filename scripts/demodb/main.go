// Command demodb writes a Grype vulnerability database (schema v6) from the
// advisory facts in testdata/advisories, without any network. It is a program
// of its own module so that Grype's writer is no part of vexxy.
//
//	go run . build -advisories DIR -out DIR
//
// writes DIR/vulnerability-db.tar.zst, the archive, and DIR/installed, the
// database as Grype leaves it after an import. Both are made anew. The same
// facts give the same rows; the order of some is the writer's own.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// archiveName is the file to give to --vulnerability-db.
const archiveName = "vulnerability-db.tar.zst"

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

// run does what the arguments say.
func run(args []string, out io.Writer) error {
	if len(args) == 0 || args[0] != "build" {
		return errors.New("usage: demodb build -advisories DIR -out DIR")
	}
	flags := flag.NewFlagSet("demodb build", flag.ContinueOnError)
	from := flags.String("advisories", "testdata/advisories", "directory of the facts")
	to := flags.String("out", "", "directory to write to")
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	if *to == "" || flags.NArg() > 0 {
		return errors.New("usage: demodb build -advisories DIR -out DIR")
	}
	facts, err := readFacts(*from)
	if err != nil {
		return fmt.Errorf("reading the facts in %s: %w", *from, err)
	}
	if err := os.MkdirAll(*to, 0o755); err != nil {
		return err
	}
	archive := filepath.Join(*to, archiveName)
	if err := writeArchive(facts, archive); err != nil {
		return fmt.Errorf("writing %s: %w", archive, err)
	}
	installed := filepath.Join(*to, "installed")
	if err := install(archive, installed); err != nil {
		return fmt.Errorf("installing into %s: %w", installed, err)
	}
	_, err = fmt.Fprintf(out, "%s: %d vulnerabilities of %s, a sample for demonstrations\n",
		archive, len(facts.advisories), facts.date.Format("2006-01-02"))
	return err
}
