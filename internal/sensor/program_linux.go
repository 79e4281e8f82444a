package sensor

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/link"
	"github.com/cilium/ebpf/ringbuf"
	"github.com/cilium/ebpf/rlimit"
	"golang.org/x/sys/unix"
)

// program is the eBPF program, loaded and attached.
type program struct {
	objects probeObjects
	links   []link.Link
	names   []string
	ring    *ringbuf.Reader
	// uring says that opens through io_uring are counted one by one; without
	// it the mere set-up of an io_uring counts as a blind spot.
	uring bool
	// wall is what to add to the kernel's monotonic time to get wall time.
	wall       int64
	attachedAt time.Time
}

// attach loads the program and attaches it to all its tracepoints.
func attach(t tuning) (_ *program, err error) {
	// Where memory is charged to the control group the limit is not needed,
	// and some sandboxes refuse to raise it: loading tells.
	_ = rlimit.RemoveMemlock()
	p := &program{uring: true}
	defer func() {
		if err != nil {
			p.close()
		}
	}()
	spec, err := loadProbe()
	if err != nil {
		return nil, fmt.Errorf("reading the embedded program: %w", err)
	}
	kernel, err := btf.LoadKernelSpec()
	if err != nil {
		return nil, fmt.Errorf("reading the kernel's types: %w: %w", ErrUnsupported, err)
	}
	var tracepoint *btf.Typedef
	if kernel.TypeByName("btf_trace_io_uring_submit_req", &tracepoint) != nil {
		p.uring = false
	}
	if t.ring != 0 {
		spec.Maps[probeMapEvents].MaxEntries = t.ring
	}
	if t.files != 0 {
		spec.Maps[probeMapSeen].MaxEntries = t.files
	}
	if err := p.load(spec); err != nil {
		return nil, explain(err)
	}
	for _, t := range p.programs() {
		l, err := link.AttachTracing(link.TracingOptions{Program: t.program})
		if err != nil {
			return nil, explain(fmt.Errorf("attaching %s: %w", t.name, err))
		}
		p.links = append(p.links, l)
		p.names = append(p.names, "tp_btf/"+t.name)
	}
	if p.ring, err = ringbuf.NewReader(p.objects.Events); err != nil {
		return nil, fmt.Errorf("opening the ring buffer: %w", err)
	}
	p.wall = wallOffset()
	p.attachedAt = time.Now()
	return p, nil
}

// load puts the objects into the kernel, without the program for io_uring
// where its tracepoint does not exist.
func (p *program) load(spec *ebpf.CollectionSpec) error {
	if p.uring {
		return spec.LoadAndAssign(&p.objects, nil)
	}
	delete(spec.Programs, probeProgOnUring)
	var programs struct {
		OnExec    *ebpf.Program `ebpf:"on_exec"`
		OnExit    *ebpf.Program `ebpf:"on_exit"`
		OnFork    *ebpf.Program `ebpf:"on_fork"`
		OnSysExit *ebpf.Program `ebpf:"on_sys_exit"`
		probeMaps
		probeVariables
	}
	if err := spec.LoadAndAssign(&programs, nil); err != nil {
		return err
	}
	p.objects = probeObjects{
		probePrograms: probePrograms{
			OnExec: programs.OnExec, OnExit: programs.OnExit,
			OnFork: programs.OnFork, OnSysExit: programs.OnSysExit,
		},
		probeMaps:      programs.probeMaps,
		probeVariables: programs.probeVariables,
	}
	return nil
}

type namedProgram struct {
	name    string
	program *ebpf.Program
}

// programs lists what is attached, in the order of attaching: the one that
// marks processes comes last, so that no mark is older than a hook.
func (p *program) programs() []namedProgram {
	list := []namedProgram{
		{"sys_exit", p.objects.OnSysExit},
		{"sched_process_exit", p.objects.OnExit},
		{"sched_process_fork", p.objects.OnFork},
	}
	if p.uring {
		list = append(list, namedProgram{"io_uring_submit_req", p.objects.OnUring})
	}
	return append(list, namedProgram{"sched_process_exec", p.objects.OnExec})
}

// detach ends the observation; the ring can still be read to its end.
func (p *program) detach() {
	for _, l := range p.links {
		l.Close()
	}
	p.links = nil
}

func (p *program) close() {
	p.detach()
	if p.ring != nil {
		p.ring.Close()
	}
	p.objects.Close()
}

// missed counts runs of the programs that the kernel left out.
func (p *program) missed() (uint64, error) {
	var n uint64
	for _, t := range p.programs() {
		stats, err := t.program.Stats()
		if err != nil {
			return 0, fmt.Errorf("reading the statistics of %s: %w", t.name, err)
		}
		n += stats.RecursionMisses
	}
	return n, nil
}

// at turns the kernel's monotonic nanoseconds into wall time.
func (p *program) at(monotonic uint64) time.Time {
	return time.Unix(0, int64(monotonic)+p.wall)
}

// wallOffset is the difference between the two clocks, read as close together
// as possible.
func wallOffset() int64 {
	var best int64
	shortest := time.Hour
	for range 5 {
		var before, after unix.Timespec
		_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &before)
		wall := time.Now().UnixNano()
		_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &after)
		if took := time.Duration(after.Nano() - before.Nano()); took < shortest {
			shortest = took
			best = wall - (before.Nano()+after.Nano())/2
		}
	}
	return best
}

// explain adds to a loading error whether permission or the kernel is lacking.
func explain(err error) error {
	switch {
	case errors.Is(err, os.ErrPermission), errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES) && os.Geteuid() != 0:
		return fmt.Errorf("%w: %w", ErrPermission, err)
	case errors.Is(err, ebpf.ErrNotSupported), errors.Is(err, btf.ErrNotFound):
		return fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	return err
}

// device turns the kernel's encoding of a device number into that of stat.
func device(kernel uint32) uint64 {
	return unix.Mkdev(kernel>>20, kernel&(1<<20-1))
}
