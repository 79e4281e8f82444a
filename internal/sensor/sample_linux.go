package sensor

import (
	"bufio"
	"bytes"
	"errors"
	"os"
	"path"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// mostMapLines bounds what is read of one process's mappings.
const mostMapLines = 200_000

// sampleAgain reads all mappings again and again, as a second net under the
// hooks: for mappings of descriptors that came from elsewhere.
func (w *watch) sampleAgain() {
	defer w.samplers.Done()
	tick := time.NewTicker(sampleEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			w.sample()
			w.tellLost()
		case <-w.ended:
			return
		}
	}
}

// sample reads the mappings of all processes of the claimed container.
func (w *watch) sample() {
	var pid uint32
	var mark probeMark
	seen := map[string]bool{}
	marks := w.program.objects.Marks.Iterate()
	for marks.Next(&pid, &mark) {
		w.mu.Lock()
		g := w.groups[mark.Group]
		ready := g != nil && g.mine && g.root.ready()
		w.mu.Unlock()
		if ready && mark.Flags&markCanary == 0 {
			w.sampleProcess(g, int(pid), mark.Flags&markJoined != 0, seen)
		}
	}
	// An iteration that was disturbed too often has still seen most
	// processes; the hooks are the evidence, this is the second net.
}

// look reads the mappings of one process, because the kernel side could not.
func (w *watch) look(g *group, e event) {
	w.mu.Lock()
	delete(w.looking, e.pid)
	w.mu.Unlock()
	if !w.sampleProcess(g, int(e.pid), e.flags&flagJoined != 0, map[string]bool{}) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.lost.Unknown++
	}
}

// sampleProcess reads /proc/PID/maps; false when the process has ended. seen
// holds the mappings that were looked at in this round already.
func (w *watch) sampleProcess(g *group, pid int, joined bool, seen map[string]bool) bool {
	proc := "/proc/" + strconv.Itoa(pid)
	maps, err := os.Open(proc + "/maps")
	if err != nil {
		return false
	}
	defer maps.Close()
	comm, err := os.ReadFile(proc + "/comm")
	if err != nil {
		return false
	}
	lines := bufio.NewReaderSize(maps, 16<<10)
	for range mostMapLines {
		line, err := lines.ReadSlice('\n')
		if m, ok := parseMapping(line); ok && !seen[m.key] {
			seen[m.key] = true
			w.sampled(g, proc, pid, joined, bytes.TrimSpace(comm), m)
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return true
		}
	}
	return true
}

// mapping is one line of /proc/PID/maps that has a file.
type mapping struct {
	span, key  string
	executable bool
	name       []byte
}

// parseMapping reads "start-end perms offset device inode name".
func parseMapping(line []byte) (mapping, bool) {
	fields := bytes.SplitN(bytes.TrimSuffix(line, []byte{'\n'}), []byte{' '}, 6)
	if len(fields) < 6 || len(fields[1]) < 4 || bytes.Equal(fields[4], []byte{'0'}) {
		return mapping{}, false
	}
	name := bytes.TrimLeft(fields[5], " ")
	if len(name) == 0 || name[0] != '/' {
		return mapping{}, false
	}
	executable := fields[1][2] == 'x'
	key := string(fields[3]) + " " + string(fields[4]) + " " + strconv.FormatBool(executable) + " " + string(name)
	// A newline is the one character that the kernel escapes here.
	return mapping{string(fields[0]), key, executable, bytes.ReplaceAll(name, []byte(`\012`), []byte{'\n'})}, true
}

// sampled records one mapping.
func (w *watch) sampled(g *group, proc string, pid int, joined bool, comm []byte, m mapping) {
	var st unix.Stat_t
	if unix.Stat(path.Join(proc, "map_files", m.span), &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFREG {
		return // unmapped since, or a device
	}
	name, memory := m.name, bytes.HasPrefix(m.name, []byte("/memfd:"))
	if st.Nlink == 0 {
		name = bytes.TrimSuffix(name, []byte(" (deleted)"))
	}
	if !m.executable && (memory || bytes.HasPrefix(name, []byte("/SYSV")) || bytes.Equal(name, []byte("/dev/zero"))) {
		return
	}
	kinds, flags := uint8(kindMap), uint8(0)
	if m.executable {
		kinds |= kindXMap
	}
	if memory {
		flags = flagMemfd
	}
	id := identity{st.Dev, st.Ino}
	w.mu.Lock()
	defer w.mu.Unlock()
	if f := w.files[fileKey{identity: id, path: string(name)}]; f != nil {
		w.send.file(f, func(old *wireFile) bool {
			fresh := old.Kinds|kinds != old.Kinds
			old.Kinds |= kinds
			return fresh
		})
		if flags == 0 {
			return
		}
	}
	if flags == flagMemfd && w.hashed[id] {
		return
	}
	w.found(g.root, id, wireFile{
		Path: name, Device: st.Dev, Inode: st.Ino, Kinds: kinds, Command: comm, PID: pid,
		Joined: joined, At: time.Now().UnixNano(),
	}, flags)
}
