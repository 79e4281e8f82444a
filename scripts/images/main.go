// Command images assembles the container images that the tests, the demo and
// the benchmarks run: real Debian 12 packages installed by dpkg itself, npm
// and Go modules at exact versions, and small programs of our own. It needs
// neither a base image nor a registry nor a container engine.
//
//	go run ./scripts/images list
//	go run ./scripts/images build [-archive] NAME...
//	go run ./scripts/images pack -tag NAME:TAG -o OUT.tar [-debian PACKAGES] [-config JSON] TO=FROM...
//
// build prints one path a line: the OCI layout of each NAME, or with -archive
// a docker archive. Both are kept under FIXTURES_CACHE (by default .cache in the
// repository) and made anew only when what they are made from has changed.
// pack puts files of the disk into one docker archive; the test bed's images are
// made so.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "images:", err)
		os.Exit(1)
	}
}

var errUsage = errors.New("usage: images list | images build [-archive] NAME... | images build all | images pack -tag NAME:TAG -o OUT.tar TO=FROM")

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	if len(args) == 0 {
		return errUsage
	}
	table := fixtures()
	switch args[0] {
	case "list":
		for _, f := range table {
			fmt.Fprintf(stdout, "%-16s %s\n", f.name, f.about)
		}
		return nil
	case "build":
		flags := flag.NewFlagSet("build", flag.ContinueOnError)
		flags.SetOutput(stderr)
		archive := flags.Bool("archive", false, "write docker archives instead of OCI layouts")
		if err := flags.Parse(args[1:]); err != nil {
			return err
		}
		wanted, err := choose(table, flags.Args())
		if err != nil {
			return err
		}
		return build(ctx, wanted, *archive, stdout, stderr)
	case "pack":
		p, err := parsePack(args[1:], stderr)
		if err != nil {
			return err
		}
		s, err := openStore(stderr)
		if err != nil {
			return err
		}
		defer s.close()
		return p.write(ctx, s)
	default:
		return errUsage
	}
}

// choose gives the fixtures of the given names; "all" is all of them.
func choose(table []fixture, names []string) ([]fixture, error) {
	if len(names) == 0 {
		return nil, errUsage
	}
	if len(names) == 1 && names[0] == "all" {
		return table, nil
	}
	byName := make(map[string]fixture, len(table))
	for _, f := range table {
		byName[f.name] = f
	}
	var wanted []fixture
	for _, name := range names {
		f, ok := byName[name]
		if !ok {
			return nil, fmt.Errorf("there is no fixture %q: see 'images list'", name)
		}
		wanted = append(wanted, f)
	}
	return wanted, nil
}

// build makes the wanted images, one after the other, and prints their paths.
func build(ctx context.Context, wanted []fixture, archive bool, stdout, stderr io.Writer) error {
	s, err := openStore(stderr)
	if err != nil {
		return err
	}
	defer s.close()
	for _, f := range wanted {
		write := s.layout
		if archive {
			write = s.archive
		}
		path, err := write(ctx, f)
		if err != nil {
			return fmt.Errorf("building %s: %w", f.name, err)
		}
		fmt.Fprintln(stdout, path)
	}
	return nil
}
