package baseline

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// Guard is asked before a file is read: where its place may be held by whom the
// baseline judges, it gives the bytes to read instead, at most max of them, or
// an error. With instead false the file itself is read.
type Guard func(path string, max int64) (data []byte, instead bool, err error)

// folder is an output directory that is read file by file, none from outside
// of it.
type folder struct {
	dir   string
	root  *os.Root
	err   error // why there is no root; the guard may have the file all the same
	guard Guard
}

func openFolder(dir string, guard Guard) folder {
	root, err := os.OpenRoot(dir)
	return folder{dir, root, err, guard}
}

func (f folder) close() {
	if f.root != nil {
		f.root.Close()
	}
}

// read reads one result.json, of a version and a kind that are known.
func (files Reader) read(name string) (result, error) {
	data, err := files(name, maxResult)
	if err == nil && len(data) > maxResult {
		err = fmt.Errorf("%s is longer than %d bytes", name, maxResult)
	}
	if err != nil {
		return result{}, err
	}
	return parse(data)
}

// bytes reads a regular file within its bounds.
func (f folder) bytes(name string, max int64) ([]byte, error) {
	if f.guard != nil {
		data, instead, err := f.guard(filepath.Join(f.dir, name), max)
		switch {
		case err != nil:
			return nil, err
		case instead:
			return data, nil
		}
	}
	if f.err != nil {
		return nil, f.err
	}
	return slurp(f.root, name, max)
}

// slurp reads one regular file within its limit. O_NONBLOCK keeps a pipe that
// comes in its place meanwhile from holding the open call.
func slurp(root *os.Root, name string, max int64) ([]byte, error) {
	f, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, &fs.PathError{Op: "read", Path: name, Err: errors.New("it is no regular file")}
	case info.Size() > max:
		return nil, fmt.Errorf("%s has %d bytes, at most %d are allowed", name, info.Size(), max)
	}
	var data bytes.Buffer
	data.Grow(int(info.Size()))
	if n, err := io.Copy(&data, io.LimitReader(f, max+1)); err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	} else if n > max {
		return nil, fmt.Errorf("%s is longer than %d bytes", name, max)
	}
	return data.Bytes(), nil
}
