package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"syscall"
	"time"
)

// store keeps what was built, below dir, and knows what it is built from.
type store struct {
	root string // of the repository
	dir  string // of the cache
	lock *os.File
	log  io.Writer
	// debianScript and sources are digests of what layers are made by.
	debianScript, sources string
}

// openStore finds the repository and takes the cache's lock, waiting for
// another build to end.
func openStore(log io.Writer) (*store, error) {
	out, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil {
		return nil, fmt.Errorf("asking go for the module: %w", err)
	}
	s := &store{root: filepath.Dir(string(bytes.TrimSpace(out))), log: log}
	if _, err := os.Stat(s.path("scripts/images/debian.sh")); err != nil {
		return nil, fmt.Errorf("looking for the repository (run this inside it): %w", err)
	}
	s.dir = filepath.Join(s.root, ".cache")
	if dir := os.Getenv("FIXTURES_CACHE"); dir != "" {
		if s.dir, err = filepath.Abs(dir); err != nil {
			return nil, err
		}
	}
	if err := os.MkdirAll(s.cachePath("layers"), 0o755); err != nil {
		return nil, fmt.Errorf("making the cache: %w", err)
	}
	if s.lock, err = os.OpenFile(s.cachePath("lock"), os.O_CREATE|os.O_RDWR, 0o644); err != nil {
		return nil, fmt.Errorf("opening the cache's lock: %w", err)
	}
	if err := syscall.Flock(int(s.lock.Fd()), syscall.LOCK_EX); err != nil {
		return nil, fmt.Errorf("locking the cache: %w", err)
	}
	if s.debianScript, err = digestOf(s.path("scripts/images/debian.sh")); err != nil {
		return nil, err
	}
	s.sources, err = digestOf(s.path("scripts/images"), s.path("testdata/images"))
	return s, err
}

func (s *store) close() { s.lock.Close() }

func (s *store) path(name string) string { return filepath.Join(s.root, name) }

func (s *store) cachePath(name string) string { return filepath.Join(s.dir, "images", name) }

// layer gives the file of a finished layer, compressed, and builds it when
// there is none.
func (s *store) layer(ctx context.Context, l layer) (string, error) {
	sum := sha256.Sum256([]byte(l.key(s)))
	key := hex.EncodeToString(sum[:8])
	done := s.cachePath("layers/" + key + ".tar.gz")
	if _, err := os.Stat(done); err == nil {
		return done, nil
	}
	start := time.Now()
	raw := s.cachePath("layers/" + key + ".tar")
	defer os.Remove(raw)
	if err := l.build(ctx, s, raw); err != nil {
		return "", err
	}
	if err := compress(raw, done); err != nil {
		return "", fmt.Errorf("compressing layer: %w", err)
	}
	fmt.Fprintf(s.log, "images: layer %s (%.40s) in %.1fs\n", key, strings.ReplaceAll(describe(l), "\n", " "), time.Since(start).Seconds())
	return done, nil
}

func describe(l layer) string {
	switch l := l.(type) {
	case debian:
		return strings.Join(l.packages, " ")
	case files:
		return l.name
	default:
		return "base"
	}
}

// digestOf gives one digest of all files below the paths: names and contents.
func digestOf(paths ...string) (string, error) {
	var names []string
	for _, p := range paths {
		err := filepath.WalkDir(p, func(name string, e fs.DirEntry, err error) error {
			if err == nil && e.Type().IsRegular() && filepath.Ext(name) != ".md" {
				names = append(names, name)
			}
			return err
		})
		if err != nil {
			return "", fmt.Errorf("reading sources: %w", err)
		}
	}
	sort.Strings(names)
	h := sha256.New()
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			return "", fmt.Errorf("reading sources: %w", err)
		}
		fmt.Fprintf(h, "%s %d\n", filepath.Base(name), len(data))
		h.Write(data)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
