package main

import (
	"archive/tar"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
	"time"
)

// madeAt is the time of every file that a fixture makes itself.
var madeAt = time.Unix(1686355200, 0)

// tree is the content of one layer: files, directories and links in the order
// in which they were added. Parents are added as they are needed, all files
// belong to root, and the same calls give the same bytes.
type tree struct {
	entries []entry
	known   map[string]bool
}

type entry struct {
	header tar.Header
	source string // a file to copy, or
	data   []byte // the content itself
}

// file adds a file of the given content.
func (t *tree) file(name string, mode int64, data []byte) {
	t.add(entry{header: tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: mode, Size: int64(len(data))}, data: data})
}

// copy adds a file from the disk.
func (t *tree) copy(name string, mode int64, source string) error {
	info, err := os.Stat(source)
	if err != nil {
		return fmt.Errorf("adding %s: %w", name, err)
	}
	t.add(entry{header: tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: mode, Size: info.Size()}, source: source})
	return nil
}

// hold reads the files that are still to be copied, so that they may go.
func (t *tree) hold() error {
	for i := range t.entries {
		e := &t.entries[i]
		if e.source == "" {
			continue
		}
		data, err := os.ReadFile(e.source)
		if err != nil {
			return fmt.Errorf("adding %s: %w", e.header.Name, err)
		}
		e.source, e.data = "", data
	}
	return nil
}

// dir adds an empty directory.
func (t *tree) dir(name string, mode int64) {
	t.add(entry{header: tar.Header{Typeflag: tar.TypeDir, Name: name, Mode: mode}})
}

// symlink adds a symbolic link; target is taken as it is.
func (t *tree) symlink(name, target string) {
	t.add(entry{header: tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: target, Mode: 0o777}})
}

// copyDir adds what is below a directory of the disk, in lexical order.
func (t *tree) copyDir(name, source string) error {
	list, err := os.ReadDir(source)
	if err != nil {
		return fmt.Errorf("adding %s: %w", name, err)
	}
	for _, e := range list {
		to, from := path.Join(name, e.Name()), path.Join(source, e.Name())
		switch {
		case e.Type()&os.ModeSymlink != 0:
			target, err := os.Readlink(from)
			if err != nil {
				return fmt.Errorf("adding %s: %w", to, err)
			}
			t.symlink(to, target)
		case e.IsDir():
			t.dir(to, 0o755)
			if err := t.copyDir(to, from); err != nil {
				return err
			}
		default:
			info, err := e.Info()
			if err != nil {
				return fmt.Errorf("adding %s: %w", to, err)
			}
			if err := t.copy(to, int64(info.Mode().Perm()), from); err != nil {
				return err
			}
		}
	}
	return nil
}

func (t *tree) add(e entry) {
	if t.known == nil {
		t.known = map[string]bool{}
	}
	e.header.Name = strings.Trim(e.header.Name, "/")
	t.parents(e.header.Name)
	t.known[e.header.Name] = true
	if e.header.Typeflag == tar.TypeDir {
		e.header.Name += "/"
	}
	e.header.ModTime = madeAt
	// The one format that takes names of any length and any bytes.
	e.header.Format = tar.FormatGNU
	t.entries = append(t.entries, e)
}

func (t *tree) parents(name string) {
	for i, c := range name {
		if c == '/' && !t.known[name[:i]] {
			t.dir(name[:i], 0o755)
		}
	}
}

// write gives the tree as a tar stream.
func (t *tree) write(w io.Writer) error {
	tw := tar.NewWriter(w)
	for _, e := range t.entries {
		if err := e.write(tw); err != nil {
			return fmt.Errorf("writing layer entry %q: %w", e.header.Name, err)
		}
	}
	return tw.Close()
}

func (e entry) write(tw *tar.Writer) error {
	if err := tw.WriteHeader(&e.header); err != nil {
		return err
	}
	if e.source == "" {
		_, err := tw.Write(e.data)
		return err
	}
	f, err := os.Open(e.source)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(tw, f)
	return err
}
