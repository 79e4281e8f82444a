package sensor

import (
	"errors"
	"fmt"
	"os"
	"path"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// The places of a self-test, as they are named in the evidence.
const (
	placeContainer = "container"
	placeHelper    = "helper"
)

// place is the control group in which a self-test runs.
type place struct {
	dir  string
	id   uint64
	what string
	// root is the container's, nil in the helper's own group.
	root *os.File
	own  bool
}

// canaryPlace chooses the control group: the container's while it exists,
// before and after that one of the helper's own.
func (w *watch) canaryPlace() (*place, error) {
	base, err := hierarchy()
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	var mine *group
	begun := false
	for _, g := range w.groups {
		begun = begun || g.mine && g.firstExec != 0
		if g.mine && g.firstExec != 0 && (mine == nil || g.firstExec > mine.firstExec) && populated(path.Join(base, g.path)) {
			mine = g
		}
	}
	w.mu.Unlock()
	if mine != nil && mine.root.dir != nil {
		return &place{dir: path.Join(base, mine.path), id: mine.id, what: placeContainer, root: mine.root.dir}, nil
	}
	sweep(base)
	dir := path.Join(base, fmt.Sprintf("%s%d-%s", ownPrefix, os.Getpid(), randomHex(32)))
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, fmt.Errorf("making a control group: %w", err)
	}
	p := &place{dir: dir, what: placeHelper, own: true}
	var st unix.Stat_t
	if err := unix.Stat(dir, &st); err != nil {
		return nil, errors.Join(fmt.Errorf("reading a control group: %w", err), p.leave())
	}
	p.id = st.Ino
	return p, nil
}

// ownPrefix begins the names of the helper's own groups; its process number follows.
const ownPrefix = "vexxy-"

// sweep removes the groups of helpers that were killed. A group with a process
// in it cannot be removed, and one whose helper lives is left alone.
func sweep(base string) {
	groups, err := os.ReadDir(base)
	if err != nil {
		return
	}
	for _, g := range groups {
		rest, own := strings.CutPrefix(g.Name(), ownPrefix)
		pid, _, _ := strings.Cut(rest, "-")
		if _, err := strconv.Atoi(pid); !own || err != nil {
			continue
		}
		if _, err := os.Stat("/proc/" + pid); errors.Is(err, os.ErrNotExist) {
			_ = unix.Rmdir(path.Join(base, g.Name()))
		}
	}
}

// leave removes the helper's own group; its process has been reaped.
func (p *place) leave() error {
	if !p.own {
		return nil
	}
	if err := unix.Rmdir(p.dir); err != nil {
		return fmt.Errorf("removing a control group: %w", err)
	}
	return nil
}

// populated says whether a control group holds any process.
func populated(dir string) bool {
	procs, err := os.ReadFile(path.Join(dir, "cgroup.procs"))
	return err == nil && len(procs) > 0
}

// hierarchy finds where the control groups that the sensor walks are mounted:
// the pids controller's of version 1, else version 2.
func hierarchy() (string, error) {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return "", fmt.Errorf("finding the control groups: %w", err)
	}
	unified := ""
	for _, line := range strings.Split(string(mounts), "\n") {
		left, right, ok := strings.Cut(line, " - ")
		fields, kind := strings.Fields(left), strings.Fields(right)
		if !ok || len(fields) < 5 || len(kind) < 3 {
			continue
		}
		switch {
		case kind[0] == "cgroup" && strings.Contains(","+kind[2]+",", ",pids,"):
			return fields[4], nil
		case kind[0] == "cgroup2" && unified == "":
			unified = fields[4]
		}
	}
	if unified == "" {
		return "", errors.New("finding the control groups: none are mounted")
	}
	return unified, nil
}
