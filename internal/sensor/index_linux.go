package sensor

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Bounds of the walk over a container's root: a hostile image may hold
// millions of files.
const (
	mostFiles    = 1_500_000
	deepestWalk  = 256
	longestWalk  = 20 * time.Second
	mostRoots    = 4
	mostSynonyms = 1024
)

// root is a container's root directory, held open: the files behind it stay
// reachable after the container has ended.
type root struct {
	dir *os.File
	// err says why dir could not be opened.
	err    error
	device uint64
	// since is when the root was made: what changed later, the workload changed.
	since time.Time

	start sync.Once
	done  chan struct{}
	shut  sync.Once
	// The index, complete when done is closed: names of the regular files by
	// inode, inodes by name, and inodes that changed after since.
	names  map[uint64][]string
	inodes map[string]uint64
	late   map[uint64]bool
	fault  error
}

// openRoot opens the root of a process.
func openRoot(pid int, since time.Time) *root {
	r := &root{since: since, done: make(chan struct{})}
	fd, err := unix.Open("/proc/"+strconv.Itoa(pid)+"/root", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		r.err = fmt.Errorf("opening the container's root: %w", err)
		return r
	}
	r.dir = os.NewFile(uintptr(fd), "root")
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		r.err = fmt.Errorf("reading the container's root: %w", err)
		return r
	}
	r.device = st.Dev
	return r
}

// ready says that the index is made.
func (r *root) ready() bool {
	select {
	case <-r.done:
		return true
	default:
		return false
	}
}

func (r *root) close() {
	if r != nil && r.dir != nil {
		r.shut.Do(func() { r.dir.Close() })
	}
}

// share gives the root that stands for r in the claim: one with the same
// device if there is one (a nested control group), the first if r could not be
// opened (a nested group whose only process is gone), else r, whose index is
// then made. Called with mu held.
func (w *watch) share(r *root) *root {
	for _, known := range w.roots {
		if known != r && (r.err != nil || known.device == r.device) || len(w.roots) >= mostRoots {
			r.close()
			return known
		}
	}
	w.roots = append(w.roots, r)
	r.start.Do(func() {
		go func() {
			defer close(r.done)
			r.index()
			if r.fault != nil {
				w.mu.Lock()
				w.complain("%v", r.fault)
				w.mu.Unlock()
			}
		}()
	})
	return r
}

var (
	errTooManyFiles = errors.New("too many files")
	errTooDeep      = errors.New("directories too deep")
	errTooLong      = errors.New("it took too long")
)

// index walks the root's own file system.
func (r *root) index() {
	r.names, r.inodes, r.late = map[uint64][]string{}, map[string]uint64{}, map[uint64]bool{}
	if r.err != nil {
		r.fault = r.err
		return
	}
	if err := r.walk(int(r.dir.Fd()), ".", "/", 0, time.Now().Add(longestWalk)); err != nil {
		r.fault = fmt.Errorf("listing the image's files: %w", err)
	}
}

// walk lists the directory name below the directory at, which is dir in the
// container. It crosses neither mounts nor symbolic links.
func (r *root) walk(at int, name, dir string, depth int, deadline time.Time) error {
	if depth > deepestWalk {
		return errTooDeep
	}
	fd, err := unix.Openat2(at, name, &unix.OpenHow{
		Flags:   unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC | unix.O_NONBLOCK,
		Resolve: unix.RESOLVE_NO_XDEV | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_BENEATH,
	})
	if err != nil {
		if depth > 0 && (errors.Is(err, unix.EXDEV) || errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP)) {
			return nil // a mount, or the workload changed it
		}
		return err
	}
	list := os.NewFile(uintptr(fd), dir)
	defer list.Close()
	for {
		if time.Now().After(deadline) {
			return errTooLong
		}
		entries, err := list.ReadDir(512)
		for _, entry := range entries {
			full := path.Join(dir, entry.Name())
			switch {
			case entry.IsDir():
				if err := r.walk(fd, entry.Name(), full, depth+1, deadline); err != nil {
					return err
				}
			case entry.Type().IsRegular():
				if err := r.enter(fd, entry.Name(), full); err != nil {
					return err
				}
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// enter puts one file into the index.
func (r *root) enter(at int, name, full string) error {
	var st unix.Stat_t
	if unix.Fstatat(at, name, &st, unix.AT_SYMLINK_NOFOLLOW) != nil || st.Mode&unix.S_IFMT != unix.S_IFREG {
		return nil // gone since
	}
	if len(r.inodes) >= mostFiles {
		return errTooManyFiles
	}
	r.inodes[full] = st.Ino
	if len(r.names[st.Ino]) < mostSynonyms {
		r.names[st.Ino] = append(r.names[st.Ino], full)
	}
	if time.Unix(st.Ctim.Unix()).After(r.since) {
		r.late[st.Ino] = true
	}
	return nil
}

// standing is what a file is to the image.
type standing int

const (
	// ofImage is a file of the image.
	ofImage standing = iota
	// replaced is another file than the image's, under the image's name: copied
	// up to be written to, or put in its place.
	replaced
	// late has a name in the index but changed after the root was made: the
	// index cannot tell whether the image had it.
	late
	// foreign is no file of the image.
	foreign
)

// look finds the image's names of a file that the kernel saw as name.
func (r *root) look(device, inode uint64, name string) ([]string, standing) {
	names, known := r.names[inode], ofImage
	if r.late[inode] {
		known = late
	}
	if device == r.device && len(names) > 0 {
		return names, known
	}
	if number, ok := r.inodes[name]; ok && number == inode {
		return []string{name}, known // where stat numbers devices otherwise
	} else if ok && device == r.device {
		return []string{name}, replaced
	}
	// The same inode through another file system on top of this one (a nested
	// overlay), which has the name but not the directory.
	for _, n := range names {
		if path.Base(n) == path.Base(name) {
			return []string{n}, known
		}
	}
	return nil, foreign
}
