package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// Kind is a kind of thing that a run creates.
type Kind string

// The kinds of things that a run creates.
const (
	Container Kind = "container"
	Network   Kind = "network"
	Volume    Kind = "volume"
	Image     Kind = "image"
	Cluster   Kind = "cluster"
	Directory Kind = "directory"
	Process   Kind = "process"
	Cgroup    Kind = "cgroup"
)

// Resource is one thing that a run creates: a container's name, a folder's
// path, a process's number.
type Resource struct {
	Kind Kind   `json:"kind"`
	ID   string `json:"id"`
}

// StateVariable names the variable that moves the state folder.
const StateVariable = "VEXXY_STATE_DIR"

// StateDir gives the folder in which the runs of this user on this machine
// keep what they have created: $VEXXY_STATE_DIR, else /var/lib/vexxy for root,
// else vexxy below $XDG_STATE_HOME or ~/.local/state.
func StateDir(getenv func(string) string) string {
	switch {
	case getenv(StateVariable) != "":
		return getenv(StateVariable)
	case os.Geteuid() == 0:
		return "/var/lib/vexxy"
	case filepath.IsAbs(getenv("XDG_STATE_HOME")):
		return filepath.Join(getenv("XDG_STATE_HOME"), "vexxy")
	case filepath.IsAbs(getenv("HOME")):
		return filepath.Join(getenv("HOME"), ".local", "state", "vexxy")
	default:
		return filepath.Join(os.TempDir(), fmt.Sprintf("vexxy-%d", os.Geteuid()))
	}
}

// state is one run's file in the state folder: an owner, then changes, one
// JSON object a line.
type state struct {
	path      string
	file      *os.File
	resources []Resource
}

// owner is the first line of a state file. Process numbers are used again, so
// it holds the process's start, the machine's boot and the namespace as well.
type owner struct {
	Run       string    `json:"run_id"`
	PID       int       `json:"pid"`
	Start     uint64    `json:"pid_start"` // clock ticks since boot
	Boot      string    `json:"boot_id"`
	Space     string    `json:"pid_namespace"`
	StartedAt time.Time `json:"started_at"`
}

// change is every other line.
type change struct {
	Verb string `json:"verb"` // create or remove
	Kind Kind   `json:"kind"`
	ID   string `json:"id"`
}

func openState(dir, run string) (*state, error) {
	me, err := self(run)
	if err != nil {
		return nil, err
	}
	dir = filepath.Join(dir, "runs")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	s := &state{path: filepath.Join(dir, run+".jsonl")}
	if s.file, err = os.OpenFile(s.path, os.O_CREATE|os.O_EXCL|os.O_WRONLY|os.O_APPEND, 0o600); err != nil {
		return nil, err
	}
	if err := s.line(me); err != nil {
		return nil, errors.Join(err, s.forget())
	}
	return s, nil
}

func (s *state) append(c change) error {
	s.apply(c)
	return s.line(c)
}

func (s *state) apply(c change) {
	r := Resource{c.Kind, c.ID}
	switch c.Verb {
	case "create":
		if !slices.Contains(s.resources, r) {
			s.resources = append(s.resources, r)
		}
	default:
		s.resources = slices.DeleteFunc(s.resources, func(other Resource) bool { return other == r })
	}
}

// line writes v and waits until it is on the disk.
func (s *state) line(v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if _, err := s.file.Write(append(data, '\n')); err != nil {
		return err
	}
	return s.file.Sync()
}

// close keeps the file where anything is left for cleanup to find.
func (s *state) close() error {
	if s != nil && len(s.resources) > 0 {
		return s.file.Close()
	}
	return s.forget()
}

func (s *state) forget() error {
	if s == nil {
		return nil
	}
	return errors.Join(s.file.Close(), os.Remove(s.path))
}
