// Package journal writes down what a run does while it does it: audit.jsonl
// with every action, status.json with how far it is, and the list of what it
// has created on this machine, from which a later run can clean up after one
// that was killed.
package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"syscall"
	"time"

	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/foreign"
)

// The files in the output folder.
const (
	auditFile  = "audit.jsonl"
	statusFile = "status.json"
)

// Journal is one run's journal. It is safe for concurrent use. All methods of
// a nil Journal do nothing.
type Journal struct {
	mu     sync.Mutex
	now    func() time.Time
	audit  *os.File
	status status
	path   string // of status.json
	shown  time.Time
	state  *state // nil where nothing may be created
	err    error  // the first failure to write
	closed bool
}

// entry is one line of audit.jsonl.
type entry struct {
	Time    time.Time `json:"time"`
	Run     string    `json:"run_id"`
	Step    string    `json:"step"`
	Object  string    `json:"object,omitempty"`
	Outcome string    `json:"outcome"` // ok or error
	Error   string    `json:"error,omitempty"`
}

var runID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{7,99}$`)

// Open starts the journal of the run in the output folder, which it makes, and
// in stateDir, the folder of this user's runs on this machine (see StateDir).
// Without a stateDir nothing may be created: what publishes a run that another
// job has observed leaves nothing on this machine, is not the only one that does
// so, and must not be taken for the run itself. A run ID is 8 to 100 letters,
// digits, dashes and underscores.
func Open(outputDir, run, stateDir string) (*Journal, error) {
	if !runID.MatchString(run) {
		return nil, fmt.Errorf("opening journal: %q is no run ID", run)
	}
	if err := os.MkdirAll(outputDir, 0o755); err != nil {
		return nil, unwritable("--output-dir", err)
	}
	audit, err := begin(filepath.Join(outputDir, auditFile))
	if err != nil {
		return nil, unwritable("--output-dir", err)
	}
	j := &Journal{now: time.Now, audit: audit, path: filepath.Join(outputDir, statusFile)}
	if stateDir != "" {
		if j.state, err = openState(stateDir, run); err != nil {
			return nil, errors.Join(unwritable("VEXXY_STATE_DIR", err), audit.Close())
		}
	}
	j.status = status{Run: run, Status: StatusRunning, StartedAt: j.now().UTC()}
	j.writeStatus(true)
	j.write("run", "", nil)
	if j.err != nil {
		err := unwritable("--output-dir", j.err)
		return nil, errors.Join(err, audit.Close(), j.state.forget())
	}
	return j, nil
}

// begin makes a file anew in place of an earlier run's, which goes. What is no
// file, such as a link that leads elsewhere, is not touched.
func begin(path string) (*os.File, error) {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is no file, but %s", path, info.Mode().Type())
	default:
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	return os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY|os.O_APPEND|syscall.O_NOFOLLOW, 0o644)
}

func unwritable(setting string, err error) error {
	return fault.New(fault.Usage, "choose a folder that you may write to with "+setting, "opening journal: %w", err)
}

// Action writes one line of audit.jsonl: what was done to which object, and
// how it ended. Foreign text in object may stand as it is.
func (j *Journal) Action(step, object string, err error) {
	if j == nil {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.write(step, object, err)
}

func (j *Journal) write(step, object string, err error) {
	if j.closed {
		return
	}
	e := entry{Time: j.now().UTC(), Run: j.status.Run, Step: step, Object: foreign.Text(object).Line(4096), Outcome: "ok"}
	if err != nil {
		e.Outcome, e.Error = "error", foreign.Text(err.Error()).Line(4096)
	}
	line, err := json.Marshal(e)
	if err == nil {
		// One write a line, so that a reader never sees half of one for long.
		_, err = j.audit.Write(append(line, '\n'))
	}
	j.keep(err)
}

// keep remembers the first failure; Close gives it.
func (j *Journal) keep(err error) {
	if j.err == nil && err != nil {
		j.err = err
	}
}

// Created says that the run is about to create something outside of its output
// folder. Call it before creating: on return it is on the disk, so that the
// thing can be found even if the run is killed the next moment.
func (j *Journal) Created(kind Kind, id string) error {
	return j.change("create", "create ", kind, id)
}

// Removed says that something the run created is gone.
func (j *Journal) Removed(kind Kind, id string) error {
	return j.change("remove", "remove ", kind, id)
}

func (j *Journal) change(verb, step string, kind Kind, id string) error {
	if j == nil {
		return nil
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	switch {
	case j.closed:
		return errors.New("writing journal: it is closed")
	case j.state == nil:
		return fmt.Errorf("writing journal: %s %s would be forgotten", kind, id)
	}
	err := j.state.append(change{Verb: verb, Kind: kind, ID: id})
	j.write(step+string(kind), id, err)
	if err != nil {
		return fmt.Errorf("writing journal: %w", err)
	}
	return nil
}

// Close writes the last status, such as pass or error, and brings the journal
// to the disk. When everything that was created is gone, the run is forgotten;
// else it stays for cleanup to find. Closing again does nothing.
func (j *Journal) Close(outcome string) error {
	if j == nil {
		return nil
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed {
		return nil
	}
	j.write("end", outcome, nil)
	j.closed = true
	j.status.Status, j.status.Phase, j.status.Percent = outcome, "", 100
	j.writeStatus(true)
	j.keep(j.audit.Sync())
	j.keep(j.audit.Close())
	j.keep(j.state.close())
	if j.err != nil {
		return fmt.Errorf("writing journal: %w", j.err)
	}
	return nil
}
