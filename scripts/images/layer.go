package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// layer is one layer of an image. key names all that its bytes depend on;
// build writes it, uncompressed, to a file.
type layer interface {
	key(s *store) string
	build(ctx context.Context, s *store, out string) error
}

// base is the essential packages of Debian 12.
type base struct{}

func (base) key(s *store) string { return "base " + s.debianScript }

func (base) build(ctx context.Context, s *store, out string) error {
	return s.asRoot(ctx, s.path("scripts/images/debian.sh"), "base", s.cachePath("debian"), out)
}

// debian is packages, with what they depend on, on top of base. command runs
// in the finished tree.
type debian struct {
	packages []string
	command  string
}

func (d debian) key(s *store) string {
	return strings.Join(append([]string{"debian", s.debianScript, d.command}, d.packages...), "\n")
}

func (d debian) build(ctx context.Context, s *store, out string) error {
	if _, err := os.Stat(s.cachePath("debian/base/var/lib/dpkg/status")); err != nil {
		return fmt.Errorf("looking for the base tree (remove %s to begin anew): %w", s.cachePath(""), err)
	}
	args := append([]string{s.path("scripts/images/debian.sh"), "layer", s.cachePath("debian"), out, d.command}, d.packages...)
	return s.asRoot(ctx, args...)
}

// files is what a function adds to an empty tree.
type files struct {
	name string
	fill func(ctx context.Context, s *store, t *tree) error
}

func (f files) key(s *store) string { return "files " + f.name + " " + s.sources }

func (f files) build(ctx context.Context, s *store, out string) error {
	var t tree
	if err := f.fill(ctx, s, &t); err != nil {
		return err
	}
	file, err := os.Create(out)
	if err != nil {
		return err
	}
	defer file.Close()
	if err := t.write(file); err != nil {
		return err
	}
	return file.Close()
}

// asRoot runs a command as root: as it is, or by sudo without a password.
func (s *store) asRoot(ctx context.Context, args ...string) error {
	if os.Geteuid() != 0 {
		args = append([]string{"sudo", "-n"}, args...)
	}
	return s.command(ctx, "", nil, args...)
}

// command runs a program; its output is shown only when it fails.
func (s *store) command(ctx context.Context, dir string, env []string, args ...string) error {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("running %s: %w\n%s", strings.Join(args[:min(3, len(args))], " "), err, out.Bytes())
	}
	return nil
}
