package sensor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/vexxy/action/internal/evidence"
)

// Session is one helper process with the sensor attached. Its methods may be
// called from several goroutines.
type Session struct {
	helper *helper

	mu      sync.Mutex
	files   map[string]*evidence.Observation
	fresh   []*evidence.Observation
	counts  Counts
	phases  []evidence.Phase
	health  evidence.Health
	decode  uint64
	claimed string
	answers map[int]chan message
	next    int
	changed chan struct{}

	stop sync.Once
	obs  []evidence.Observation
	err  error
}

// Counts is how much was seen so far.
type Counts struct {
	// Files is the number of different files; the others count the ways in
	// which they were used.
	Files, Execs, Maps, Opens int
	// Lost is the number of losses known so far.
	Lost uint64
}

// Claim names the container to watch, by its ID as it stands in the names of
// its control group. It waits for the container's first exec, until ctx ends.
// Best called once the container is created and before it is started: then the
// image's files are listed before the workload can change any. A session watches one container; restarts of it are followed.
func (s *Session) Claim(ctx context.Context, containerID string, _ ClaimOptions) (Claimed, error) {
	if len(containerID) < 12 {
		return Claimed{}, fmt.Errorf("claiming container %q: the ID is too short", containerID)
	}
	s.mu.Lock()
	if s.claimed != "" && s.claimed != containerID {
		s.mu.Unlock()
		return Claimed{}, fmt.Errorf("claiming container %q: this session watches another", containerID)
	}
	s.claimed = containerID
	s.mu.Unlock()
	m, err := s.ask(ctx, command{Do: doClaim, Container: containerID})
	if err != nil {
		return Claimed{}, fmt.Errorf("waiting for the container's first exec: %w", err)
	}
	if m.Claimed == nil {
		return Claimed{}, errors.New("waiting for the container's first exec: the helper's answer is empty")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.health.FirstExecAt = m.Claimed.FirstExecAt
	return *m.Claimed, nil
}

// Canary runs a self-test: start before the container starts, middle and end
// within its control group. A test that could not be run or lost files is told
// in the canary, the error is for a helper that does not answer.
func (s *Session) Canary(ctx context.Context, stage string) (evidence.Canary, error) {
	m, err := s.ask(ctx, command{Do: doCanary, Stage: stage})
	if err == nil && m.Canary == nil {
		err = errors.New("the helper's answer is empty")
	}
	if err != nil {
		return evidence.Canary{}, fmt.Errorf("running the sensor's self-test: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.health.Canaries = append(s.health.Canaries, *m.Canary)
	return *m.Canary, nil
}

// Phase says that from now on files are used in the phase of that name. The
// first is startup. Files first used by processes that joined the container
// later are always of the phase exec.
func (s *Session) Phase(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.phases = append(s.phases, evidence.Phase{Name: name, Start: time.Now()})
}

// phaseAt names the phase of a time; mu is held.
func (s *Session) phaseAt(at time.Time) string {
	name := evidence.PhaseStartup
	for _, p := range s.phases {
		if !p.Start.After(at) {
			name = p.Name
		}
	}
	return name
}

// Snapshot is how much was seen so far.
func (s *Session) Snapshot() Counts {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts
}

// Changed gets a token when there is something new to Drain.
func (s *Session) Changed() <-chan struct{} { return s.changed }

// Drain gives the observations that are new since the last call.
func (s *Session) Drain() []evidence.Observation {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]evidence.Observation, 0, len(s.fresh))
	for _, o := range s.fresh {
		out = append(out, *o)
	}
	s.fresh = nil
	return out
}

// Done is closed when the helper has ended; Err then says why.
func (s *Session) Done() <-chan struct{} { return s.helper.done }

// Err is why the helper ended, nil while it runs or after an orderly end.
func (s *Session) Err() error {
	select {
	case <-s.helper.done:
		return s.helper.err
	default:
		return nil
	}
}

// Stop ends the observation and gives all that was seen, sorted by path. It
// must be called while the container still exists. A further call gives the
// same answer. With an error the health says what is known, and that the
// sensor failed.
func (s *Session) Stop(ctx context.Context) ([]evidence.Observation, evidence.Health, error) {
	s.stop.Do(func() {
		m, err := s.ask(ctx, command{Do: doStop})
		s.helper.end()
		s.mu.Lock()
		defer s.mu.Unlock()
		switch {
		case err != nil:
			s.err = fmt.Errorf("ending the sensor: %w", err)
		case m.Health == nil:
			s.err = errors.New("ending the sensor: the helper's answer is empty")
		default:
			s.health = *m.Health
		}
		if s.err != nil {
			s.health.Errors = append(s.health.Errors, s.err.Error())
		}
		s.health.Lost.Decode += s.decode
		s.collect()
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.obs), s.health, s.err
}

// collect sorts what was seen; mu is held.
func (s *Session) collect() {
	for _, o := range s.files {
		s.obs = append(s.obs, *o)
	}
	slices.SortFunc(s.obs, func(a, b evidence.Observation) int {
		if c := bytes.Compare(a.Path, b.Path); c != 0 {
			return c
		}
		if c := bytes.Compare(a.ImagePath, b.ImagePath); c != 0 {
			return c
		}
		if a.Device != b.Device {
			return int(min(max(int64(a.Device)-int64(b.Device), -1), 1))
		}
		return a.At.Compare(b.At)
	})
}

// took takes one message that answers no command.
func (s *Session) took(m message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case m.Type == msgLost:
		s.counts.Lost = m.Lost
	case m.Type == msgFile && m.File != nil && len(m.File.Path) > 0:
		s.file(m.File)
	default:
		s.decode++
	}
}

// file takes one observation, new or with more known of it; mu is held.
func (s *Session) file(w *wireFile) {
	key := fmt.Sprintf("%d:%d:%q:%q", w.Device, w.Inode, w.Path, w.Image)
	o := s.files[key]
	if o == nil {
		at := time.Unix(0, w.At)
		o = &evidence.Observation{
			Path: w.Path, ImagePath: w.Image, Device: w.Device, Inode: w.Inode,
			Process: string(w.Command[:min(len(w.Command), 15)]), PID: w.PID, At: at, Phase: s.phaseAt(at),
		}
		if w.Joined {
			o.Phase = evidence.PhaseExec
		}
		s.files[key] = o
		s.fresh = append(s.fresh, o)
		s.counts.Files++
		select {
		case s.changed <- struct{}{}:
		default:
		}
	}
	before := o.Kinds
	o.Kinds, o.SHA256, o.Foreign = kindsOf(w.Kinds), w.SHA256, w.Foreign
	for kind, n := range map[evidence.Kind]*int{evidence.Exec: &s.counts.Execs, evidence.Map: &s.counts.Maps, evidence.Open: &s.counts.Opens} {
		if slices.Contains(o.Kinds, kind) && !slices.Contains(before, kind) {
			*n++
		}
	}
}
