package record

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/vexxy/action/internal/fault"
)

// Write writes r as the folder dir, whole or not at all: a reader never sees
// half a record. A record that is there already is replaced; any other folder
// that is not empty is left alone and is an error.
//
// Write sets r.Digest and brings r to the form that Read gives, so that what
// is judged now and what is judged when the record is read back are the same:
// times are in UTC, empty lists are nil. The bytes depend on r alone.
func Write(dir string, r *Record) error {
	r.Run.Schema = Schema
	settle(r)
	if err := check(r); err != nil {
		return fmt.Errorf("writing record: %w", err)
	}
	files, err := encode(r)
	if err != nil {
		return fmt.Errorf("writing record: %w", err)
	}
	sums := sumsOf(files)
	files[sumsFile] = sums
	if err := replace(dir, files); err != nil {
		return fault.New(codeOf(err), hintOf(err), "writing record: %w", err)
	}
	r.Digest = digestOf(sums)
	return nil
}

// sumsOf lists files as sha256sum does.
func sumsOf(files map[string][]byte) []byte {
	var out strings.Builder
	for _, name := range slices.Sorted(maps.Keys(files)) {
		sum := sha256.Sum256(files[name])
		fmt.Fprintf(&out, "%s  %s\n", hex.EncodeToString(sum[:]), name)
	}
	return []byte(out.String())
}

// digestOf is the digest of a record with these sums.
func digestOf(sums []byte) string {
	sum := sha256.Sum256(sums)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// replace puts a folder with these files where dir is.
func replace(dir string, files map[string][]byte) (err error) {
	dir = filepath.Clean(dir)
	parent := filepath.Dir(dir)
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return err
	}
	fresh, err := os.MkdirTemp(parent, ".record-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(fresh)) }()
	// MkdirTemp makes a private folder; other users may read the bundle.
	if err := os.Chmod(fresh, 0o755); err != nil {
		return err
	}
	for name, data := range files {
		path := filepath.Join(fresh, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, data, 0o644); err != nil {
			return err
		}
	}
	err = os.Rename(fresh, dir) // also takes the place of an empty folder
	if !errors.Is(err, fs.ErrExist) && !errors.Is(err, syscall.ENOTEMPTY) {
		return err
	}
	if _, err := os.Lstat(filepath.Join(dir, sumsFile)); err != nil {
		return fmt.Errorf("%s is there and is no record", dir)
	}
	old := fresh + ".old"
	if err := os.Rename(dir, old); err != nil {
		return err
	}
	return errors.Join(os.Rename(fresh, dir), os.RemoveAll(old))
}

func codeOf(err error) fault.Code {
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) || errors.Is(err, syscall.ENOTDIR) {
		return fault.Usage
	}
	return fault.Infra
}

func hintOf(err error) string {
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return "free disk space, or choose another disk with --output-dir"
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS), errors.Is(err, syscall.ENOTDIR):
		return "choose a folder that you may write to with --output-dir"
	}
	return "remove what is there, or choose another folder with --output-dir"
}
