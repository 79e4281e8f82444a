package sensor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/cilium/ebpf/ringbuf"
	"golang.org/x/sys/unix"

	"github.com/vexxy/action/internal/evidence"
)

const (
	// mostWaiting bounds the events that are kept of groups nobody claimed yet.
	mostWaiting = 200_000
	// lookEvery is how often the ring is read without being woken: the kernel
	// side wakes its reader only for what is urgent.
	lookEvery = 20 * time.Millisecond
	// sampleEvery is how often the mappings of all processes are read.
	sampleEvery = 5 * time.Second
	// settleFor bounds what is still done at the end: index and digests.
	settleFor = 30 * time.Second
)

// watch turns the events of the ring buffer into files of the claimed container.
type watch struct {
	program *program
	send    *sender
	crew    *crew

	mu        sync.Mutex
	groups    map[uint64]*group
	waiting   int
	container string
	claimID   int
	answered  bool
	roots     []*root
	files     map[fileKey]*file
	hashed    map[identity]bool
	// loose says that a file which is not the image's was mapped, though not
	// executably: only such files can become executable unseen.
	loose bool
	// looking holds the processes whose mappings are about to be read.
	looking  map[uint32]bool
	lost     evidence.Lost
	blind    map[string]*evidence.Blind
	errs     []string
	canaries []evidence.Canary
	canary   *canaryRun

	barrier  chan struct{}
	unblock  chan struct{}
	ended    chan struct{}
	samplers sync.WaitGroup
	reader   sync.WaitGroup
}

// group is a control group in which a container's process executed.
type group struct {
	id   uint64
	path string
	// firstExec is kernel time; 0 while only the root is being made.
	firstExec uint64
	pid       uint32
	mine      bool
	root      *root
	events    []event
	overflow  uint64
	// settled is closed when the events that waited have been used.
	settled chan struct{}
}

func newWatch(p *program, send *sender, t tuning) *watch {
	w := &watch{
		program: p, send: send, crew: newCrew(2),
		groups: map[uint64]*group{}, files: map[fileKey]*file{},
		hashed: map[identity]bool{}, looking: map[uint32]bool{}, blind: map[string]*evidence.Blind{},
		barrier: make(chan struct{}, 1), unblock: make(chan struct{}), ended: make(chan struct{}),
	}
	if !t.blocked {
		close(w.unblock)
	}
	w.reader.Add(1)
	go w.read()
	w.samplers.Add(1)
	go w.sampleAgain()
	return w
}

// read is the goroutine that empties the ring buffer.
func (w *watch) read() {
	defer w.reader.Done()
	<-w.unblock
	var record ringbuf.Record
	w.program.ring.SetDeadline(time.Now().Add(lookEvery))
	for {
		err := w.program.ring.ReadInto(&record)
		switch {
		case err == nil:
			e, err := decode(record.RawSample)
			w.mu.Lock()
			if err != nil {
				w.lost.Decode++
			} else {
				w.handle(e)
			}
			w.mu.Unlock()
		case errors.Is(err, os.ErrDeadlineExceeded):
			w.program.ring.SetDeadline(time.Now().Add(lookEvery))
		case errors.Is(err, ringbuf.ErrFlushed):
			w.barrier <- struct{}{}
		case errors.Is(err, os.ErrClosed):
			return
		default:
			w.mu.Lock()
			w.complain("reading the ring buffer: %v", err)
			w.mu.Unlock()
			return
		}
	}
}

// flush waits until all events so far have been handled.
func (w *watch) flush(ctx context.Context) error {
	if err := w.program.ring.Flush(); err != nil {
		return fmt.Errorf("flushing the ring buffer: %w", err)
	}
	select {
	case <-w.barrier:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("flushing the ring buffer: %w", context.Cause(ctx))
	}
}

// complain notes a failure of the sensor itself; it is called with mu held.
func (w *watch) complain(format string, args ...any) {
	if len(w.errs) < 16 {
		w.errs = append(w.errs, fmt.Sprintf(format, args...))
	}
}

// handle takes one event; it is called with mu held.
func (w *watch) handle(e event) {
	if e.flags&flagCanary != 0 {
		w.canary.saw(e)
		return
	}
	switch e.kind {
	case eventGroup, eventPivot:
		w.begin(e)
		return
	}
	g := w.groups[e.group]
	switch {
	case g == nil: // dropped, or its announcement was lost and counted
	case g.mine && g.root.ready():
		w.use(g, e)
	case w.waiting < mostWaiting:
		g.events = append(g.events, e)
		w.waiting++
	default:
		g.overflow++
	}
}

// begin takes the announcement of a group.
func (w *watch) begin(e event) {
	g := w.groups[e.group]
	if g == nil {
		g = &group{id: e.group, path: string(e.path), settled: make(chan struct{})}
		w.groups[e.group] = g
	}
	if e.kind == eventGroup && g.firstExec == 0 {
		g.firstExec, g.pid = e.time, e.pid
	}
	if w.container != "" && !g.mine && !strings.Contains(g.path, w.container) {
		w.drop(g)
		return
	}
	if g.root == nil {
		g.root = openRoot(int(e.pid), w.program.at(e.time))
	}
	if w.container != "" {
		w.take(g)
	}
}

// drop forgets a group that is of no interest.
func (w *watch) drop(g *group) {
	w.waiting -= len(g.events)
	g.root.close()
	delete(w.groups, g.id)
	if g.firstExec == 0 {
		return
	}
	var kernel probeGroup
	if w.program.objects.Groups.Lookup(g.id, &kernel) == nil {
		kernel.Dropped = 1
		if err := w.program.objects.Groups.Put(g.id, &kernel); err != nil {
			w.complain("dropping a control group: %v", err)
		}
	}
}

// claim takes all groups of the container, now and from now on.
func (w *watch) claim(c command) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.container, w.claimID = c.Container, c.ID
	for _, g := range w.groups {
		if strings.Contains(g.path, w.container) {
			w.take(g)
		} else {
			w.drop(g)
		}
	}
}

// take makes a group the claimed container's.
func (w *watch) take(g *group) {
	if !g.mine {
		g.mine = true
		g.root = w.share(g.root)
		go w.settle(g)
	}
	if g.firstExec == 0 || w.answered {
		return
	}
	w.answered = true
	w.send.message(message{Type: msgClaimed, ID: w.claimID, Claimed: &Claimed{
		FirstExecAt: w.program.at(g.firstExec), RootPID: int(g.pid), Group: g.path,
	}})
}

// settle waits for the index of the group's root, then uses what has waited.
func (w *watch) settle(g *group) {
	<-g.root.done
	w.mu.Lock()
	defer w.mu.Unlock()
	defer close(g.settled)
	events := g.events
	g.events = nil
	w.waiting -= len(events)
	w.lost.Decode += g.overflow
	g.overflow = 0
	for _, e := range events {
		w.use(g, e)
	}
}

// health is the state so far, without what only the end can tell.
func (w *watch) health() evidence.Health {
	var name unix.Utsname
	kernel := "unknown"
	if unix.Uname(&name) == nil {
		kernel = unix.ByteSliceToString(name.Release[:])
	}
	return evidence.Health{Kernel: kernel, Programs: w.program.names, AttachedAt: w.program.attachedAt}
}

// close ends all goroutines and lets go of the kernel.
func (w *watch) close() {
	select {
	case <-w.ended:
	default:
		close(w.ended)
	}
	w.samplers.Wait()
	w.program.close()
	select {
	case <-w.unblock:
	default:
		close(w.unblock)
	}
	w.reader.Wait()
	w.crew.close()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, g := range w.groups {
		g.root.close()
	}
}
