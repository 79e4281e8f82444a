package journal

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Run is a run whose process is gone, and what it left on this machine.
type Run struct {
	ID        string
	PID       int
	StartedAt time.Time
	// Resources are what it created or was about to create and did not
	// remove, in the order of their creation. Each may be gone by now.
	Resources []Resource
	path      string
}

// Forget removes the run from the state folder. Call it when its resources
// are gone.
func (r Run) Forget() error {
	if err := os.Remove(r.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("forgetting run %s: %w", r.ID, err)
	}
	return nil
}

// stateLimit bounds a state file, in bytes.
const stateLimit = 16 << 20

// Leftovers gives the runs in the state folder whose owner is dead, oldest
// first. Runs that still go on are not among them. A file that cannot be
// understood is an error, given together with all the others' runs.
func Leftovers(stateDir string) ([]Run, error) {
	paths, err := filepath.Glob(filepath.Join(escapeGlob(stateDir), "runs", "*.jsonl"))
	if err != nil {
		return nil, fmt.Errorf("reading state folder: %w", err)
	}
	var runs []Run
	var errs []error
	for _, path := range paths {
		run, alive, err := readState(path)
		switch {
		case errors.Is(err, fs.ErrNotExist): // its owner ended meanwhile
		case err != nil:
			errs = append(errs, fmt.Errorf("reading %s: %w", path, err))
		case !alive:
			runs = append(runs, run)
		}
	}
	slices.SortFunc(runs, func(a, b Run) int {
		if c := a.StartedAt.Compare(b.StartedAt); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
	return runs, errors.Join(errs...)
}

func escapeGlob(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}

// readState reads one run's file. A last line that was cut by a crash is left
// out: what it announced had not been created yet.
func readState(path string) (Run, bool, error) {
	f, err := os.Open(path)
	if err != nil {
		return Run{}, false, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, stateLimit+1))
	if err != nil {
		return Run{}, false, err
	}
	if len(data) > stateLimit {
		return Run{}, false, fmt.Errorf("it is longer than %d bytes", stateLimit)
	}
	first, rest, whole := bytes.Cut(data, []byte("\n"))
	if !whole {
		// Killed, or still busy, before its first line: it created nothing. It
		// is taken for alive while the file is young.
		info, err := f.Stat()
		return Run{ID: strings.TrimSuffix(filepath.Base(path), ".jsonl"), path: path},
			err == nil && time.Since(info.ModTime()) < time.Minute, err
	}
	var who owner
	if err := json.Unmarshal(first, &who); err != nil {
		return Run{}, false, err
	}
	s := state{}
	for len(rest) > 0 {
		line, tail, whole := bytes.Cut(rest, []byte("\n"))
		if !whole {
			break
		}
		rest = tail
		var c change
		if err := json.Unmarshal(line, &c); err != nil {
			return Run{}, false, err
		}
		s.apply(c)
	}
	return Run{ID: who.Run, PID: who.PID, StartedAt: who.StartedAt, Resources: s.resources, path: path}, who.alive(), nil
}

// self describes this process as the owner of a run.
func self(run string) (owner, error) {
	boot, err := bootID()
	if err != nil {
		return owner{}, err
	}
	start, err := startOf(os.Getpid())
	if err != nil {
		return owner{}, err
	}
	space, err := os.Readlink("/proc/self/ns/pid")
	if err != nil {
		return owner{}, err
	}
	return owner{Run: run, PID: os.Getpid(), Start: start, Boot: boot, Space: space, StartedAt: time.Now().UTC()}, nil
}

// alive reports whether the owner still runs. Doubt counts as alive: what is
// not certainly dead is left alone.
func (o owner) alive() bool {
	boot, err := bootID()
	if err != nil {
		return true
	}
	if boot != o.Boot {
		return false
	}
	// Another PID namespace (a CI container that shares the folder) counts its
	// processes by other numbers.
	if space, err := os.Readlink("/proc/self/ns/pid"); err != nil || space != o.Space {
		return true
	}
	start, err := startOf(o.PID)
	if errors.Is(err, fs.ErrNotExist) {
		return false
	}
	return err != nil || start == o.Start
}

func bootID() (string, error) {
	data, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(data)), err
}

// startOf gives a process's start in clock ticks since boot: field 22 of
// /proc/PID/stat (proc_pid_stat(5)). The second field, the command, is in
// parentheses and may hold spaces and parentheses itself.
func startOf(pid int) (uint64, error) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	defer f.Close()
	line, err := bufio.NewReader(f).ReadString('\n')
	if err != nil {
		return 0, fs.ErrNotExist // the process ended while it was read
	}
	fields := strings.Fields(line[strings.LastIndexByte(line, ')')+1:])
	if len(fields) < 20 {
		return 0, fmt.Errorf("/proc/%d/stat has %d fields", pid, len(fields)+2)
	}
	if fields[0] == "Z" || fields[0] == "X" {
		return 0, fs.ErrNotExist // killed, and not yet waited for by its parent
	}
	return strconv.ParseUint(fields[19], 10, 64)
}
