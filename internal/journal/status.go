package journal

import (
	"encoding/json"
	"errors"
	"os"
	"time"
)

// StatusRunning is the status of a run that has not ended. The status at the
// end is the verdict.
const StatusRunning = "running"

// every is the least time between two writes of status.json within one phase.
const every = time.Second

// status is status.json.
type status struct {
	Run       string    `json:"run_id"`
	Status    string    `json:"status"`
	Percent   int       `json:"progress_percent"`
	Phase     string    `json:"current_phase"`
	StartedAt time.Time `json:"started_at"`
	UpdatedAt time.Time `json:"updated_at"`
	PID       int       `json:"pid"`
}

// Status says which phase the run is in and how far it is, in percent of the
// whole run. It never goes backwards. Within a phase at most one write a
// second reaches the disk.
func (j *Journal) Status(phase string, percent int) {
	if j == nil {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed {
		return
	}
	turn := phase != j.status.Phase
	j.status.Phase = phase
	j.status.Percent = min(99, max(j.status.Percent, percent))
	j.writeStatus(turn)
}

// writeStatus replaces status.json as a whole, so that a reader never sees
// half of it.
func (j *Journal) writeStatus(now bool) {
	at := j.now()
	if !now && at.Sub(j.shown) < every {
		return
	}
	j.shown = at
	j.status.UpdatedAt = at.UTC()
	j.status.PID = os.Getpid()
	data, err := json.MarshalIndent(j.status, "", "  ")
	if err == nil {
		err = replace(j.path+".tmp", append(data, '\n'))
	}
	if err == nil {
		err = os.Rename(j.path+".tmp", j.path)
	}
	j.keep(err)
}

// replace writes a file anew, through no link.
func replace(path string, data []byte) error {
	f, err := begin(path)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Close())
}
