package triage

import (
	"context"
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
	// List is asked what a folder has, where its place may be held by whom the
	// statements would clear: with instead true the names are those that hold,
	// which Guard gives, whatever is here. A path that is a file there is
	// syscall.ENOTDIR.
	List func(dir string) (names []string, instead bool, err error)
}

// Read reads documents. One that was asked for and is not there, or is no
// OpenVEX document, is a usage fault; one that was discovered and cannot be
// understood, or that Guard refuses, is a Document with a problem. What cannot
// be known, or is more than is read, ends it either way: to forget what raises a
// finding would clear it.
func Read(o Options) (*Set, error) {
	r := reader{Options: o, set: &Set{MaxAge: o.MaxAge}, seen: map[string]bool{}}
	err := r.all()
	switch {
	case err == nil && len(r.set.Documents) == 0:
		return nil, nil
	case err == nil:
		return r.set, nil
	}
	if fault.CodeOf(context.Background(), err) != fault.Internal { // it has a code of its own
		return nil, fmt.Errorf("reading VEX: %w", err)
	}
	return nil, fault.New(fault.Usage, "name OpenVEX documents (version 0.2.0), or folders of them, with --vex-documents, and keep no others in "+Folder, "reading VEX: %w", err)
}

type reader struct {
	Options
	set                    *Set
	seen                   map[string]bool
	read, refused, ignored int
	total                  int64
	pairs                  int
}

func (r *reader) add(d Document) { r.set.Documents = append(r.set.Documents, d) }

func (r *reader) problem(source string, err error) {
	why := problem(err)
	if hint := fault.HintOf(err); hint != "" {
		why = problem(fmt.Errorf("%w (%s)", err, hint))
	}
	r.add(Document{Source: source, Problem: why, Statements: []Statement{}})
}

func (r *reader) all() error {
	for _, path := range r.Given {
		if err := r.given(path); err != nil {
			return err
		}
	}
	if !r.Discover {
		return nil
	}
	for _, dir := range []string{Folder, Templates} {
		if err := r.discover(dir); err != nil {
			return err
		}
	}
	return nil
}

// given reads a path that was asked for. What holds says what it is; else what
// is here.
func (r *reader) given(path string) error {
	names, _, err := r.list(path)
	switch {
	case errors.Is(err, syscall.ENOTDIR):
		return r.file(path, true)
	case err != nil:
		return err
	}
	info, err := os.Stat(path)
	isFolder := err == nil && info.IsDir()
	if !isFolder && len(names) == 0 {
		return r.file(path, true)
	}
	if err := r.files(path, names, true); err != nil || !isFolder {
		return err
	}
	here, err := Names(path)
	if err != nil {
		return err
	}
	return r.files(path, here, true)
}

// discover reads a folder that nobody named. Where others may hold its place it
// is what holds there alone: what a step has put there is not what somebody has
// decided to trust.
func (r *reader) discover(dir string) error {
	names, instead, err := r.list(dir)
	if err != nil && !errors.Is(err, syscall.ENOTDIR) {
		return err
	}
	here, herr := Names(dir)
	if !instead {
		if herr != nil && !errors.Is(herr, fs.ErrNotExist) {
			return herr
		}
		return r.files(dir, here, false)
	}
	if err := r.files(dir, names, false); err != nil {
		return err
	}
	for _, path := range documents(dir, here) {
		if r.seen[path] {
			continue
		}
		if r.ignored++; r.ignored > maxIgnored {
			r.problem(dir, fmt.Errorf("it has more than %d documents here that are ignored", maxIgnored))
			return nil
		}
		r.seen[path] = true
		_, _, err := r.Guard(path, MaxFile)
		if err == nil {
			err = errors.New("it is not among those that hold here: name it with --vex-documents to take it")
		}
		r.problem(path, fmt.Errorf("%w: %w", errGuarded, err))
	}
	return nil
}

func (r *reader) list(dir string) (names []string, instead bool, err error) {
	if r.List == nil {
		return nil, false, nil
	}
	return r.List(dir)
}

// files reads the documents among a folder's names.
func (r *reader) files(dir string, names []string, asked bool) error {
	for _, path := range documents(dir, names) {
		if err := r.file(path, asked); err != nil {
			return err
		}
	}
	return nil
}

// documents are the paths of the names that may be of documents, in order: those
// in the folder, not in those below it.
func documents(dir string, names []string) []string {
	var paths []string
	for _, name := range names {
		if strings.HasSuffix(name, ".json") && !strings.HasPrefix(name, ".") && !strings.ContainsRune(name, filepath.Separator) {
			paths = append(paths, filepath.Join(dir, name))
		}
	}
	slices.Sort(paths)
	return slices.Compact(paths)
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

// file reads one document. Only what is read counts: what Guard refuses must
// not leave what it gives without a place.
func (r *reader) file(path string, asked bool) error {
	path = filepath.Clean(path)
	if r.seen[path] {
		return nil
	}
	r.seen[path] = true
	data, err := r.bytes(path)
	if errors.Is(err, errGuarded) {
		// A usage fault is what was brought along; any other leaves it unknown.
		if fault.CodeOf(context.Background(), err) != fault.Usage {
			return err
		}
		if r.refused++; r.refused > maxFiles {
			return fmt.Errorf("there are more than %d documents that are not read", maxFiles)
		}
		r.problem(path, err)
		return nil
	}
	if r.read++; r.read > maxFiles {
		return fmt.Errorf("there are more than %d documents", maxFiles)
	}
	if r.total += int64(len(data)); r.total > maxTotal {
		return fmt.Errorf("the documents have more than %d bytes", maxTotal)
	}
	var d Document
	if err == nil {
		d, err = parse(path, data)
	}
	var much tooMuch
	switch {
	case asked && err != nil || errors.As(err, &much):
		return fmt.Errorf("%s: %w", path, err)
	case err != nil:
		r.problem(path, err)
		return nil
	}
	if r.pairs += pairs(&d); r.pairs > maxPairs {
		return fmt.Errorf("the documents name more than %d pairs of a vulnerability and a product", maxPairs)
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
		err = tooMuch(fmt.Sprintf("it has more than %d bytes", MaxFile))
	}
	return data, err
}
