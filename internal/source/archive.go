package source

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"

	"github.com/vexxy/action/internal/fault"
)

// archive is a docker save archive: a tar file whose entries are read in
// place. Nothing of it is unpacked.
type archive struct {
	file    *os.File
	entries map[string]entry
}

// entry is one file of a tar archive.
type entry struct {
	offset, size int64
	// link is the entry that this one stands for, if any.
	link string
}

// maxEntries bounds the entries of an archive; an image has two or three to a
// layer.
const maxEntries = 100_000

// brokenArchive is the fault for an archive that is none.
func brokenArchive(name string, err error) error {
	return unfit("write it anew with docker save -o FILE.tar NAME", "reading archive %s: %w", cut(name), quiet{err})
}

// openFile opens a regular file without waiting for a writer, as a pipe would.
func openFile(name string) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, fault.New(fault.Usage, "check the path and its permissions", "opening image: %w", err)
	}
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		f.Close()
		return nil, fault.New(fault.Usage, "name a file that docker save wrote", "opening image: %s is not a regular file", cut(name))
	}
	return f, nil
}

// openArchive opens a tar file, unpacked to a temporary one where it is
// gzipped. The file is closed, and removed if temporary, by close.
func openArchive(f *os.File, o Options) (a archive, closeFile func() error, err error) {
	name, closeFile := f.Name(), closer(f)
	var magic [4]byte
	if _, err := f.ReadAt(magic[:], 0); err != nil {
		return a, closeFile, brokenArchive(name, err)
	}
	switch {
	case magic[0] == 0x1f && magic[1] == 0x8b:
		unpacked, err := gunzip(f, o)
		closeFile()
		if err != nil {
			return a, func() error { return nil }, err
		}
		f, closeFile = unpacked, removing(unpacked)
	case string(magic[:]) == "\x28\xb5\x2f\xfd" || string(magic[:3]) == "BZh" || string(magic[:]) == "\xfd7zX":
		return a, closeFile, unfit("unpack it to a tar file first", "archive %s is compressed by another program than gzip", cut(name))
	}
	a.file = f
	a.entries, err = scan(f)
	if err != nil {
		err = brokenArchive(name, err)
	}
	return a, closeFile, err
}

func closer(f *os.File) func() error {
	return func() error {
		if err := f.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
			return err
		}
		return nil
	}
}

// undone is err after undo, whose own error joins it.
func undone(err error, undo func() error) error {
	if also := undo(); also != nil {
		return errors.Join(err, also)
	}
	return err
}

// removing closes and removes a temporary file.
func removing(f *os.File) func() error {
	return func() error {
		err := closer(f)()
		if gone := os.Remove(f.Name()); gone != nil && !errors.Is(gone, fs.ErrNotExist) {
			err = errors.Join(err, gone)
		}
		return err
	}
}

// gunzip unpacks f to a temporary file.
func gunzip(f *os.File, o Options) (*os.File, error) {
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, brokenArchive(f.Name(), err)
	}
	return spool(z, o, func(err error) error { return brokenArchive(f.Name(), err) })
}

// spool copies r to a temporary file, within the bound of an image. blame
// makes the fault of an error of r.
func spool(r io.Reader, o Options, blame func(error) error) (*os.File, error) {
	temp, err := os.CreateTemp(o.TempDir, "vexxy-image-*.tar")
	if err != nil {
		return nil, fault.New(fault.Infra, "make room for temporary files, or set TMPDIR", "unpacking image: %w", err)
	}
	source := &failing{inner: io.LimitReader(r, o.MaxBytes+1)}
	n, err := io.Copy(temp, source)
	switch {
	case source.err != nil:
		err = blame(source.err)
	case err != nil:
		err = fault.New(fault.Infra, "make room for temporary files, or set TMPDIR", "unpacking image: %w", err)
	case n > o.MaxBytes:
		err = unfit("use a smaller image, if it is not a decompression bomb", "the image has more than %d bytes", o.MaxBytes)
	}
	if err != nil {
		return nil, undone(err, removing(temp))
	}
	return temp, nil
}

// failing remembers the error of its reader, to tell it from the writer's.
type failing struct {
	inner io.Reader
	err   error
}

func (f *failing) Read(p []byte) (int, error) {
	n, err := f.inner.Read(p)
	if err != nil && err != io.EOF {
		f.err = err
	}
	return n, err
}

// scan finds the places of an archive's files. The tar reader reads no further
// than an entry's header, so that the file's position is its contents'.
func scan(f *os.File) (map[string]entry, error) {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	entries := map[string]entry{}
	for r := tar.NewReader(f); ; {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		if len(entries) == maxEntries {
			return nil, fmt.Errorf("it has more than %d entries", maxEntries)
		}
		name := path.Clean(h.Name)
		switch h.Typeflag {
		case tar.TypeReg:
			for key := range h.PAXRecords {
				if strings.HasPrefix(key, "GNU.sparse.") {
					return nil, fmt.Errorf("%q is a sparse file", name)
				}
			}
			offset, err := f.Seek(0, io.SeekCurrent)
			if err != nil {
				return nil, err
			}
			if h.Size > info.Size()-offset {
				return nil, fmt.Errorf("%q ends beyond the archive: %w", name, io.ErrUnexpectedEOF)
			}
			entries[name] = entry{offset: offset, size: h.Size}
		case tar.TypeSymlink:
			entries[name] = entry{link: path.Join(path.Dir(name), h.Linkname)}
		case tar.TypeLink:
			entries[name] = entry{link: path.Clean(h.Linkname)}
		case tar.TypeGNUSparse:
			return nil, fmt.Errorf("%q is a sparse file", name)
		}
	}
	return entries, nil
}

// find gives a file of the archive; links are followed within it.
func (a archive) find(name string) (entry, error) {
	name = path.Clean(name)
	for range 8 { // old engines link equal layers to each other, once
		e, found := a.entries[name]
		if !found {
			return e, fmt.Errorf("%q is missing: %w", cut(name), fs.ErrNotExist)
		}
		if e.link == "" {
			return e, nil
		}
		name = e.link
	}
	return entry{}, fmt.Errorf("%q is a link to a link to a link", cut(name))
}

func (a archive) open(e entry) *io.SectionReader {
	return io.NewSectionReader(a.file, e.offset, e.size)
}

// document reads a small file of the archive.
func (a archive) document(name string) ([]byte, error) {
	e, err := a.find(name)
	if err != nil {
		return nil, err
	}
	if e.size > maxDocument {
		return nil, fmt.Errorf("%q has %d bytes", cut(name), e.size)
	}
	return io.ReadAll(a.open(e))
}
