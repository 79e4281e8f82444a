package sensor

import (
	"bytes"
	"os"
	"path"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

const (
	// deepestScript is how many interpreters the kernel follows
	// (fs/exec.c: the fifth rewrite ends in ELOOP).
	deepestScript = 6
	// scriptHead is how much of a file the kernel reads to find its format.
	scriptHead = 256
)

// script records a script that was executed by its name, and the scripts that
// interpret it. The program at the chain's end comes from the kernel itself.
func (w *watch) script(g *group, e event) {
	name := string(e.name)
	if strings.HasPrefix(name, "/dev/fd/") || strings.HasPrefix(name, "/proc/self/fd/") {
		return // its interpreter opens the descriptor, which is seen
	}
	// The kernel side tells one directory: the root for an absolute name, else
	// the working directory. Of the other kind only the usual case is known.
	root, cwd := "/", string(e.path)
	if path.IsAbs(name) {
		root, cwd = cwd, ""
	}
	wire := w.wire(e)
	for depth := 0; depth < deepestScript; depth++ {
		base := cwd
		if path.IsAbs(name) {
			base = root
		}
		f, at, id, ok := g.root.open(base, name)
		if number, listed := g.root.inodes[at]; !ok && listed {
			id = identity{g.root.device, number}
		}
		wire.Path, wire.Device, wire.Inode = []byte(at), id.device, id.inode
		w.mu.Lock()
		w.found(g.root, id, wire, 0)
		if !ok {
			w.lost.Unknown++
		}
		w.mu.Unlock()
		if !ok {
			return
		}
		next, isScript := interpreter(f)
		f.Close()
		if !isScript {
			return
		}
		name, wire.Kinds = next, kindInterp
	}
}

// open resolves name, relative to the directory base, inside the root. When
// it cannot, at is the path by its words alone.
func (r *root) open(base, name string) (f *os.File, at string, id identity, ok bool) {
	at = path.Join(base, name)
	if r.dir == nil || base == "" {
		return nil, at, identity{}, false
	}
	top := int(r.dir.Fd())
	if path.IsAbs(name) && base != "/" { // behind a chroot
		jail, err := unix.Openat2(top, base, &unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT})
		if err != nil {
			return nil, at, identity{}, false
		}
		defer unix.Close(jail)
		top = jail
	} else {
		name = at
	}
	look, err := unix.Openat2(top, name, &unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT})
	if err != nil {
		return nil, at, identity{}, false
	}
	defer unix.Close(look)
	var st unix.Stat_t
	if unix.Fstat(look, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFREG {
		return nil, at, identity{}, false
	}
	self := "/proc/self/fd/" + strconv.Itoa(look)
	if real, err := os.Readlink(self); err == nil && path.IsAbs(real) && st.Nlink > 0 {
		at = real
	}
	f, err = os.OpenFile(self, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, at, identity{st.Dev, st.Ino}, false
	}
	return f, at, identity{st.Dev, st.Ino}, true
}

// interpreter reads the first line of a script, as fs/binfmt_script.c does.
func interpreter(f *os.File) (string, bool) {
	head := make([]byte, scriptHead)
	n, _ := f.ReadAt(head, 0)
	line, ok := bytes.CutPrefix(head[:n], []byte("#!"))
	if !ok {
		return "", false
	}
	if end := bytes.IndexByte(line, '\n'); end >= 0 {
		line = line[:end]
	}
	fields := bytes.FieldsFunc(line, func(c rune) bool { return c == ' ' || c == '\t' })
	if len(fields) == 0 {
		return "", false
	}
	return string(fields[0]), true
}
