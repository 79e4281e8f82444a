package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
)

// compile builds a C file of testdata/images/src and adds the program.
func (s *store) compile(ctx context.Context, t *tree, to, compiler, source string, flags ...string) error {
	dir, err := os.MkdirTemp(s.cachePath(""), "cc-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	out := filepath.Join(dir, "out")
	args := append([]string{compiler, "-O2", "-o", out, s.path("testdata/images/src/" + source)}, flags...)
	if err := s.command(ctx, dir, []string{"SOURCE_DATE_EPOCH=0"}, args...); err != nil {
		return fmt.Errorf("compiling %s: %w", source, err)
	}
	data, err := os.ReadFile(out)
	if err != nil {
		return err
	}
	t.file(to, 0o755, data)
	return nil
}

// goBuild builds a module of scripts/images/go and adds the program.
func (s *store) goBuild(ctx context.Context, t *tree, to, module string) error {
	dir, err := os.MkdirTemp(s.cachePath(""), "go-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	out := filepath.Join(dir, "out")
	env := []string{"CGO_ENABLED=0", "GOFLAGS=-mod=readonly", "GOWORK=off"}
	err = s.command(ctx, s.path("scripts/images/go/"+module), env,
		"go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", out, ".")
	if err != nil {
		return fmt.Errorf("building %s: %w", module, err)
	}
	data, err := os.ReadFile(out)
	if err != nil {
		return err
	}
	t.file(to, 0o755, data)
	return nil
}

// npmInstall adds node_modules with the named packages, each "name@version",
// below a directory. Nothing of theirs runs here.
func (s *store) npmInstall(ctx context.Context, t *tree, to string, packages ...string) error {
	dir, err := os.MkdirTemp(s.cachePath(""), "npm-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	args := append([]string{"npm", "install", "--ignore-scripts", "--no-package-lock", "--no-save",
		"--no-audit", "--no-fund", "--prefix", dir}, packages...)
	if err := s.command(ctx, dir, nil, args...); err != nil {
		return fmt.Errorf("installing npm packages: %w", err)
	}
	modules := filepath.Join(dir, "node_modules")
	// npm's own note of where the packages came from names this machine's registry.
	if err := os.Remove(filepath.Join(modules, ".package-lock.json")); err != nil && !os.IsNotExist(err) {
		return err
	}
	os.RemoveAll(filepath.Join(modules, ".bin"))
	if err := t.copyDir(to+"/node_modules", modules); err != nil {
		return err
	}
	return t.hold()
}

// servePlain is serve for Debian's own C library.
func servePlain() layer {
	return files{"serve", func(ctx context.Context, s *store, t *tree) error {
		return s.compile(ctx, t, "/usr/local/bin/serve", "gcc", "serve.c")
	}}
}

// serveStatic is serve in one piece.
func serveStatic(to string) layer {
	return files{"serve static " + to, func(ctx context.Context, s *store, t *tree) error {
		return s.compile(ctx, t, to, "gcc", "serve.c", "-DSTATIC", "-static")
	}}
}

// greetings is a server in its parts.
type greetings struct{ serve, greet, spare []byte }

// greetings builds a server that is linked with libgreet, which it finds in
// lib, and libspare, with which nothing is linked.
func (s *store) greetings(ctx context.Context, compiler, lib string) (greetings, error) {
	var g greetings
	dir, err := os.MkdirTemp(s.cachePath(""), "cc-")
	if err != nil {
		return g, err
	}
	defer os.RemoveAll(dir)
	at := func(name string) string { return filepath.Join(dir, name) }
	src := func(name string) string { return s.path("testdata/images/src/" + name) }
	for _, args := range [][]string{
		{"-shared", "-fPIC", "-Wl,-soname,libgreet.so.1", "-o", at("libgreet.so.1"), src("greet.c")},
		{"-shared", "-fPIC", "-Wl,-soname,libspare.so.1", "-o", at("libspare.so.1"), src("spare.c")},
		{"-DGREETING", "-o", at("serve"), src("serve.c"), at("libgreet.so.1"), "-Wl,-rpath," + lib},
	} {
		if err := s.command(ctx, dir, nil, append([]string{compiler, "-O2"}, args...)...); err != nil {
			return g, fmt.Errorf("compiling the greeting server: %w", err)
		}
	}
	for name, to := range map[string]*[]byte{"serve": &g.serve, "libgreet.so.1": &g.greet, "libspare.so.1": &g.spare} {
		if *to, err = os.ReadFile(at(name)); err != nil {
			return g, fmt.Errorf("reading the greeting server: %w", err)
		}
	}
	return g, nil
}
