//go:build linux

package sensor

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vexxy/action/internal/evidence"
)

// truth collects what fanotify tells of one container's file system.
type truth struct {
	fd    int
	paths map[string]bool
	over  bool
}

// listen marks the whole file system behind root.
func listen(t *testing.T, root string) *truth {
	t.Helper()
	fd, err := unix.FanotifyInit(unix.FAN_CLASS_NOTIF|unix.FAN_CLOEXEC|unix.FAN_UNLIMITED_QUEUE|unix.FAN_NONBLOCK, unix.O_RDONLY|unix.O_LARGEFILE|unix.O_CLOEXEC)
	if err != nil {
		t.Fatalf("starting fanotify: %v", err)
	}
	if err := unix.FanotifyMark(fd, unix.FAN_MARK_ADD|unix.FAN_MARK_FILESYSTEM, unix.FAN_OPEN|unix.FAN_OPEN_EXEC, unix.AT_FDCWD, root); err != nil {
		t.Fatalf("marking %s: %v", root, err)
	}
	return &truth{fd: fd, paths: map[string]bool{}}
}

// drain reads all that has happened so far.
func (f *truth) drain(t *testing.T, root string) {
	t.Helper()
	buf := make([]byte, 1<<20)
	for {
		n, err := unix.Read(f.fd, buf)
		if errors.Is(err, unix.EAGAIN) {
			return
		}
		if err != nil {
			t.Fatalf("reading fanotify: %v", err)
		}
		for rest := buf[:n]; len(rest) > 0; {
			var m unix.FanotifyEventMetadata
			if err := binary.Read(bytes.NewReader(rest), binary.NativeEndian, &m); err != nil {
				t.Fatalf("decoding fanotify: %v", err)
			}
			rest = rest[m.Event_len:]
			if m.Mask&unix.FAN_Q_OVERFLOW != 0 {
				f.over = true
				continue
			}
			path, err := os.Readlink("/proc/self/fd/" + strconv.Itoa(int(m.Fd)))
			var st unix.Stat_t
			regular := unix.Fstat(int(m.Fd), &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFREG
			unix.Close(int(m.Fd))
			if err == nil && regular && int(m.Pid) != os.Getpid() {
				f.paths[strings.TrimPrefix(path, root)] = true
			}
		}
	}
}

// All that fanotify says was opened in the container's file system is in the
// observations: recall is 100 %. The workload takes many ways at once.
func TestRecallAgainstFanotify(t *testing.T) {
	ctx := deadline(t)
	id := create(t, "--", "/bin/sh", "-c", `
		read go < /tmp/go || while ! [ -e /tmp/go ]; do /bin/static true; done
		/bin/script; /bin/script2; /bin/dynamic dl `+libz+` 20
		/bin/many /bin/musl 100; /bin/static burst /burst 5000
		/bin/static openat2 /data/a; /bin/musl map /data/b; /bin/static thread /data/never
		/bin/static spawn /bin/dynamic 50`)
	s := start(t, ctx)
	docker(t, "start", id)
	if _, err := s.Claim(ctx, id, ClaimOptions{}); err != nil {
		t.Fatal(err)
	}
	root := docker(t, "inspect", "-f", "{{.GraphDriver.Data.MergedDir}}", id)
	f := listen(t, root)
	defer unix.Close(f.fd)
	if err := os.WriteFile(root+"/tmp/go", nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for ended := false; !ended; {
		ended = docker(t, "inspect", "-f", "{{.State.Running}}", id) == "false"
		f.drain(t, root)
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			t.Fatal("the container did not end")
		}
	}
	obs, health, err := s.Stop(ctx)
	if err != nil {
		t.Fatal(err)
	}
	got := seen{t, obs, health, docker(t, "logs", id), "0"}.ended()
	if f.over || len(f.paths) < 5010 {
		t.Fatalf("fanotify saw %d files (overflow %v): %s", len(f.paths), f.over, got.output)
	}
	have := map[string]bool{}
	for _, o := range obs {
		have[string(o.Path)] = true
	}
	missed := 0
	for path := range f.paths {
		if !have[path] {
			missed++
			t.Errorf("missed %q", path)
		}
	}
	t.Logf("fanotify %d files, observed %d, recall %.2f %%", len(f.paths), len(obs), 100*float64(len(f.paths)-missed)/float64(len(f.paths)))
	got.has("/data/never", evidence.Open)
}
