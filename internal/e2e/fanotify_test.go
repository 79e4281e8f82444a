package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/moby/moby/client"
	"golang.org/x/sys/unix"
)

// truth is what fanotify, a witness of its own, says was opened in one
// container: the ground truth for the sensor's recall.
type truth struct {
	Paths map[string]bool
	Error string
}

// asWitness in the environment makes the test binary the witness of an image.
const asWitness = "VEXXY_E2E_WITNESS"

// witness listens to the file system of the next container of an image, told
// by its configuration digest, from before its first exec to its end. The
// function it gives waits for the end.
//
// It is a process of its own, with a right of way: between the mount of a
// container's root and its first exec lie some ten milliseconds, and the tests
// that run side by side leave no processor free.
func witness(t *testing.T, config string) func() truth {
	t.Helper()
	self, err := os.Executable()
	must(err)
	cmd := exec.Command("nice", "-n", "-20", self)
	cmd.Env = append(os.Environ(), asWitness+"="+config)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	must(err)
	stdout, err := cmd.StdoutPipe()
	must(err)
	must(cmd.Start())
	told := json.NewDecoder(stdout)
	var ready bool
	if err := told.Decode(&ready); err != nil {
		t.Fatalf("fanotify: the witness does not listen: %v", err)
	}
	var once sync.Once
	end := func() (seen truth) {
		once.Do(func() {
			stdin.Close()
			if err := told.Decode(&seen); err != nil {
				seen.Error = err.Error()
			}
			cmd.Wait()
		})
		return seen
	}
	t.Cleanup(func() { end() })
	return end
}

// testify is the witness's process: it says when it listens, and at the end
// what it saw. Its standard input closes when the run is over.
func testify(config string) {
	docker, err := client.New(client.FromEnv)
	must(err)
	defer docker.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
	defer cancel()
	events := docker.Events(ctx, client.EventsListOptions{Filters: client.Filters{}.Add("type", "container").Add("event", "create")})
	out := json.NewEncoder(os.Stdout)
	must(out.Encode(true))
	go func() {
		io.Copy(io.Discard, os.Stdin)
		// What the witness waits for still will not come.
		time.AfterFunc(10*time.Second, cancel)
	}()
	for {
		select {
		case e := <-events.Messages:
			if strings.HasSuffix(e.Actor.Attributes["name"], config[len("sha256:"):][:12]) {
				paths, err := listen(ctx, docker, e.Actor.ID)
				seen := truth{Paths: paths}
				if err != nil {
					seen.Error = err.Error()
				}
				must(out.Encode(seen))
				return
			}
		case err := <-events.Err:
			must(out.Encode(truth{Error: fmt.Sprintf("no container of the image was made: %v", err)}))
			return
		}
	}
}

// listen collects the regular files that are opened in a container's root from
// the first exec on.
func listen(ctx context.Context, docker *client.Client, id string) (map[string]bool, error) {
	made, err := docker.ContainerInspect(ctx, id, client.ContainerInspectOptions{})
	if err != nil {
		return nil, fmt.Errorf("asking for the container's root: %w", err)
	}
	dir := made.Container.GraphDriver.Data["MergedDir"]
	fd, err := unix.FanotifyInit(unix.FAN_CLASS_NOTIF|unix.FAN_CLOEXEC|unix.FAN_UNLIMITED_QUEUE|unix.FAN_NONBLOCK,
		unix.O_RDONLY|unix.O_LARGEFILE|unix.O_CLOEXEC)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	l := listener{fd: fd, root: dir, id: id, paths: map[string]bool{}, buf: make([]byte, 1<<20)}
	// The engine mounts the root for a moment when it makes the container, and
	// anew when it starts it; a mark goes with its mount.
	for seen := false; ; {
		there, err := l.mark()
		if err != nil {
			return l.paths, err
		}
		seen = seen || there
		if err := l.drain(); err != nil {
			return l.paths, err
		}
		if l.begun && !there {
			return l.paths, nil
		}
		pause := time.Millisecond
		if l.begun {
			pause = 10 * time.Millisecond
		}
		if !wait(ctx, pause) {
			return l.paths, fmt.Errorf("the container did not begin and end: its root was there %v, an exec %v", seen, l.begun)
		}
	}
}

type listener struct {
	fd       int
	root, id string
	begun    bool // an exec was seen: what came before is the runtime's
	paths    map[string]bool
	buf      []byte
}

// mark listens to the root where it is mounted. To do so again is nothing new.
func (l *listener) mark() (there bool, err error) {
	dir, err := unix.Open(l.root, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return false, nil
	}
	defer unix.Close(dir)
	var st unix.Statfs_t
	if unix.Fstatfs(dir, &st) != nil || st.Type != unix.OVERLAYFS_SUPER_MAGIC {
		return false, nil
	}
	return true, unix.FanotifyMark(l.fd, unix.FAN_MARK_ADD|unix.FAN_MARK_FILESYSTEM, unix.FAN_OPEN|unix.FAN_OPEN_EXEC, dir, "")
}

func (l *listener) drain() error {
	for {
		n, err := unix.Read(l.fd, l.buf)
		if errors.Is(err, unix.EAGAIN) {
			return nil
		}
		if err != nil {
			return err
		}
		for rest := l.buf[:n]; len(rest) > 0; {
			var m unix.FanotifyEventMetadata
			if err := binary.Read(bytes.NewReader(rest), binary.NativeEndian, &m); err != nil {
				return err
			}
			rest = rest[m.Event_len:]
			if m.Mask&unix.FAN_Q_OVERFLOW != 0 {
				return errors.New("fanotify's queue was too short")
			}
			l.take(m)
		}
	}
}

func (l *listener) take(m unix.FanotifyEventMetadata) {
	defer unix.Close(int(m.Fd))
	l.begun = l.begun || m.Mask&unix.FAN_OPEN_EXEC != 0
	var st unix.Stat_t
	path, err := os.Readlink("/proc/self/fd/" + strconv.Itoa(int(m.Fd)))
	if err != nil || !l.begun || unix.Fstat(int(m.Fd), &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFREG {
		return
	}
	// The engine and the sensor's helper look at the root too. Who is gone
	// already was none of them.
	if group, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", m.Pid)); err == nil && len(group) > 0 && !bytes.Contains(group, []byte(l.id)) {
		return
	}
	l.paths[strings.TrimPrefix(path, l.root)] = true
}

func wait(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

// recall fails the test for each file of a package that fanotify saw and the
// record does not hold, and gives how many files of packages it compared.
func (o outcome) recall(t *testing.T, truth truth) int {
	t.Helper()
	if truth.Error != "" {
		t.Fatalf("fanotify: %s", truth.Error)
	}
	owned, observed := map[string]bool{}, map[string]bool{}
	lines(t, filepath.Join(o.dir, "record", "packages.jsonl"), func(line []byte) error {
		var p struct{ Files []string }
		err := json.Unmarshal(line, &p)
		for _, f := range p.Files {
			owned[f] = true
		}
		return err
	})
	lines(t, filepath.Join(o.dir, "record", "observations.jsonl"), func(line []byte) error {
		var x struct {
			Path      string
			ImagePath string `json:"image_path"`
		}
		err := json.Unmarshal(line, &x)
		observed[x.Path], observed[x.ImagePath] = true, true
		return err
	})
	if len(truth.Paths) == 0 {
		t.Error("fanotify saw nothing")
	}
	n := 0
	for path := range truth.Paths {
		if !owned[path] {
			continue
		}
		n++
		if !observed[path] {
			t.Errorf("fanotify saw %q of a package, the sensor did not", path)
		}
	}
	return n
}

func lines(t *testing.T, path string, f func([]byte) error) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	s := bufio.NewScanner(file)
	s.Buffer(nil, 64<<20)
	for s.Scan() {
		if err := f(s.Bytes()); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
	}
	if s.Err() != nil {
		t.Fatal(s.Err())
	}
}
