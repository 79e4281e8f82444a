package sensor

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vexxy/action/internal/evidence"
)

const (
	// canaryEnv marks the child of the self-test; its value is the file names' stem.
	canaryEnv = "VEXXY_SENSOR_CANARY"
	// canaryFor bounds one self-test.
	canaryFor = 10 * time.Second
	// canaryFilesAt and canaryRootAt are the child's descriptors.
	canaryFilesAt = 3
	canaryRootAt  = 4
)

// canaryRun is a self-test under way.
type canaryRun struct {
	group uint64
	stem  string
	seen  map[string]bool
}

// saw takes an event of the self-test's process.
func (c *canaryRun) saw(e event) {
	if c == nil || e.kind != eventFile || e.group != c.group {
		return
	}
	if number, ok := strings.CutPrefix(string(e.path), "/"+c.stem+"-"); ok {
		c.seen[number] = true
	}
}

// runCanary runs one self-test and notes it: a process of the helper enters
// the container's control group and root, and opens numbered files there. The
// files lie on a tmpfs that is mounted nowhere, so nothing is added to the
// container. Before there is a container, and after its end, a control group
// of the helper's own takes its place.
func (w *watch) runCanary(ctx context.Context, stage string) evidence.Canary {
	ctx, cancel := context.WithTimeoutCause(ctx, canaryFor, fmt.Errorf("the self-test took longer than %s", canaryFor))
	defer cancel()
	canary := evidence.Canary{Stage: stage, At: time.Now(), Opened: canaryFiles}
	err := w.tryCanary(ctx, &canary)
	if canary.Place == placeContainer && vanished(err) {
		err = w.tryCanary(ctx, &canary) // the container ended in the meantime
	}
	if err != nil {
		canary.Error = err.Error()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.canary = nil
	w.canaries = append(w.canaries, canary)
	return canary
}

// vanished says whether err tells of a control group that was removed while it
// was entered (ENODEV: after its file was opened).
func vanished(err error) bool {
	return errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENODEV)
}

func (w *watch) tryCanary(ctx context.Context, canary *evidence.Canary) (err error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	run := &canaryRun{stem: "vexxy-canary-" + randomHex(8), seen: map[string]bool{}}
	files, err := canaryDirectory(run.stem)
	if err != nil {
		return fmt.Errorf("making the self-test's files: %w", err)
	}
	defer files.Close()
	place, err := w.canaryPlace()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, place.leave()) }()
	run.group = place.id
	canary.Place = place.what

	child, err := startCanary(ctx, run.stem, files, place.root)
	if err != nil {
		return fmt.Errorf("starting the self-test: %w", err)
	}
	defer child.end()
	w.mu.Lock()
	w.canary = run
	w.mu.Unlock()
	pid := uint32(child.cmd.Process.Pid)
	if err := w.program.objects.Marks.Put(pid, &probeMark{Flags: markCanary}); err != nil {
		return fmt.Errorf("marking the self-test: %w", err)
	}
	if err := os.WriteFile(path.Join(place.dir, "cgroup.procs"), []byte(strconv.Itoa(int(pid))), 0); err != nil {
		return fmt.Errorf("entering the control group: %w", err)
	}
	if err := child.open(); err != nil {
		return err
	}
	select {
	case <-w.unblock:
	default:
		close(w.unblock)
	}
	if err := w.flush(ctx); err != nil {
		return err
	}
	w.mu.Lock()
	canary.Seen = len(run.seen)
	w.mu.Unlock()
	return nil
}

// canaryDirectory makes the numbered files on a tmpfs without a mount point.
func canaryDirectory(stem string) (*os.File, error) {
	fs, err := unix.Fsopen("tmpfs", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fs)
	if err := unix.FsconfigCreate(fs); err != nil {
		return nil, err
	}
	mount, err := unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	dir := os.NewFile(uintptr(mount), "canary")
	for i := range canaryFiles {
		fd, err := unix.Openat(mount, stem+"-"+strconv.Itoa(i), unix.O_CREAT|unix.O_WRONLY|unix.O_CLOEXEC, 0o444)
		if err != nil {
			dir.Close()
			return nil, err
		}
		unix.Close(fd)
	}
	return dir, nil
}

// canaryProcess is the self-test's process.
type canaryProcess struct {
	cmd   *exec.Cmd
	in    io.WriteCloser
	lines *bufio.Reader
}

func startCanary(ctx context.Context, stem string, files, root *os.File) (*canaryProcess, error) {
	cmd := exec.CommandContext(ctx, "/proc/self/exe", os.Args[1:]...)
	cmd.Args[0] = os.Args[0]
	cmd.Env = append(os.Environ(), canaryEnv+"="+stem)
	cmd.ExtraFiles = []*os.File{files}
	if root != nil {
		cmd.ExtraFiles = append(cmd.ExtraFiles, root)
	}
	cmd.WaitDelay = time.Second
	// It dies with the thread that starts it: the caller has locked its own.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &canaryProcess{cmd, in, bufio.NewReaderSize(out, 256)}
	if err := p.expect("ready"); err != nil {
		p.end()
		return nil, err
	}
	return p, nil
}

// open lets the process open its files.
func (p *canaryProcess) open() error {
	if _, err := io.WriteString(p.in, "open\n"); err != nil {
		return fmt.Errorf("asking the self-test: %w", err)
	}
	return p.expect("opened")
}

func (p *canaryProcess) expect(word string) error {
	line, err := p.lines.ReadSlice('\n')
	if err != nil {
		return fmt.Errorf("waiting for the self-test: %w", err)
	}
	if got := strings.TrimSpace(string(line)); got != word {
		return fmt.Errorf("the self-test answered %q", got)
	}
	return nil
}

// end kills and reaps the process.
func (p *canaryProcess) end() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}

// canaryChild is the self-test's process: it enters the root that it was
// given and opens the numbered files.
func canaryChild(in io.Reader, out io.Writer) error {
	// The container must neither read nor trace this process.
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return err
	}
	stem := os.Getenv(canaryEnv)
	fmt.Fprintln(out, "ready")
	if _, err := bufio.NewReader(in).ReadString('\n'); err != nil {
		return err
	}
	runtime.LockOSThread()
	if err := openCanary(stem); err != nil {
		fmt.Fprintln(out, strings.ReplaceAll(err.Error(), "\n", " "))
		return err
	}
	fmt.Fprintln(out, "opened")
	_, err := io.Copy(io.Discard, in) // stay until killed
	return err
}

func openCanary(stem string) error {
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return fmt.Errorf("leaving the helper's root: %w", err)
	}
	var st unix.Stat_t
	if unix.Fstat(canaryRootAt, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFDIR {
		if err := unix.Fchdir(canaryRootAt); err != nil {
			return fmt.Errorf("entering the container's root: %w", err)
		}
		if err := unix.Chroot("."); err != nil {
			return fmt.Errorf("entering the container's root: %w", err)
		}
	}
	for i := range canaryFiles {
		fd, err := unix.Openat(canaryFilesAt, stem+"-"+strconv.Itoa(i), unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			return fmt.Errorf("opening a numbered file: %w", err)
		}
		unix.Close(fd)
	}
	return nil
}

// randomHex gives n random bytes in hexadecimal digits.
func randomHex(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails: crypto/rand ends the program instead
	return hex.EncodeToString(b)
}
