package triage

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/vexxy/action/internal/fault"
)

// Options say what is read, and by whom.
type Options struct {
	// Given are files and folders that were asked for, Discover takes those in
	// Folder beside them.
	Given    []string
	Discover bool
	MaxAge   time.Duration
	// Guard is asked before a file is read: where its place may be held by whom
	// the statements would clear, it gives the bytes to read instead, at most max
	// of them, or an error. With instead false the file itself is read.
	Guard func(path string, max int64) (data []byte, instead bool, err error)
	// List names what a folder has, where that is not the folder alone to say;
	// nil is the folder. A folder that is nowhere is fs.ErrNotExist.
	List func(dir string) ([]string, error)
}

// Read reads documents. One that was asked for and is not there, or is no
// OpenVEX document, is a usage fault. One that was discovered and cannot be
// read, or that the guard refuses, is a Document with a problem.
func Read(o Options) (*Set, error) {
	r := reader{Options: o, set: &Set{MaxAge: o.MaxAge}, seen: map[string]bool{}}
	for _, path := range o.Given {
		if err := r.given(path); err != nil {
			return nil, fault.New(fault.Usage, "name OpenVEX documents (version 0.2.0), or folders of them, with --vex-documents", "reading VEX: %w", err)
		}
	}
	if o.Discover {
		for _, dir := range []string{Folder, Templates} {
			if err := r.folder(dir, false); err != nil && !errors.Is(err, fs.ErrNotExist) {
				r.add(Document{Source: dir, Problem: problem(err), Statements: []Statement{}})
			}
		}
	}
	if len(r.set.Documents) == 0 {
		return nil, nil
	}
	return r.set, nil
}

type reader struct {
	Options
	set   *Set
	seen  map[string]bool
	total int64
}

func (r *reader) add(d Document) { r.set.Documents = append(r.set.Documents, d) }

func (r *reader) given(path string) error {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return r.folder(path, true)
	}
	return r.file(path, true)
}

// folder reads the documents of a folder, not of those below it.
func (r *reader) folder(dir string, asked bool) error {
	names, err := r.list(dir)
	if err != nil {
		return err
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		if !strings.HasSuffix(name, ".json") || strings.HasPrefix(name, ".") || strings.ContainsRune(name, filepath.Separator) {
			continue
		}
		if err := r.file(filepath.Join(dir, name), asked); err != nil {
			return err
		}
	}
	return nil
}

func (r *reader) list(dir string) ([]string, error) {
	if r.List != nil {
		return r.List(dir)
	}
	return Names(dir)
}

// Names lists what a folder has, but folders.
func Names(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if !e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// errGuarded marks what the guard refuses.
var errGuarded = errors.New("it is not read")

// file reads one document.
func (r *reader) file(path string, asked bool) error {
	path = filepath.Clean(path)
	if r.seen[path] {
		return nil
	}
	r.seen[path] = true
	if len(r.seen) > maxFiles {
		return fmt.Errorf("there are more than %d documents", maxFiles)
	}
	d := Document{}
	data, err := r.bytes(path)
	if err == nil {
		if r.total += int64(len(data)); r.total > maxTotal {
			return fmt.Errorf("the documents have more than %d bytes", maxTotal)
		}
		d, err = parse(path, data)
	}
	switch {
	case err == nil:
	case asked && !errors.Is(err, errGuarded):
		return fmt.Errorf("%s: %w", path, err)
	default:
		why := problem(err)
		if hint := fault.HintOf(err); hint != "" {
			why = problem(fmt.Errorf("%w (%s)", err, hint))
		}
		d = Document{Source: path, Problem: why, Statements: []Statement{}}
	}
	r.add(d)
	return nil
}

func (r *reader) bytes(path string) ([]byte, error) {
	if r.Guard != nil {
		data, instead, err := r.Guard(path, MaxFile)
		switch {
		case err != nil:
			return nil, fmt.Errorf("%w: %w", errGuarded, err)
		case instead:
			return data, nil
		}
	}
	// O_NONBLOCK keeps a pipe in its place from holding the open call.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil {
		return nil, err
	} else if !info.Mode().IsRegular() {
		return nil, errors.New("it is no regular file")
	}
	data, err := io.ReadAll(io.LimitReader(f, MaxFile+1))
	if err == nil && len(data) > MaxFile {
		err = fmt.Errorf("it has more than %d bytes", MaxFile)
	}
	return data, err
}
