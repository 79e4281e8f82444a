package sensor

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/vexxy/action/internal/evidence"
)

// Flags of marks, as in maps.h.
const (
	markJoined = 1
	markCanary = 2
)

// stop ends the observation: last look at the mappings, detach, read the ring
// to its end, wait for what is still being resolved, then sum up.
func (w *watch) stop(ctx context.Context) evidence.Health {
	close(w.ended)
	w.samplers.Wait()
	w.sample()
	w.program.detach()
	detached := time.Now()

	ctx, cancel := context.WithTimeoutCause(ctx, settleFor, fmt.Errorf("the files of the container were not resolved within %s", settleFor))
	defer cancel()
	err := w.flush(ctx)
	if err == nil {
		err = w.resolved(ctx)
	}
	health := w.health()
	health.DetachedAt = detached
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil {
		w.complain("%v", err)
	}
	if w.container != "" && !w.answered {
		w.complain("no process of the container was executed")
	}
	w.sum(&health)
	return health
}

// resolved waits for all indexes of the claim and all jobs.
func (w *watch) resolved(ctx context.Context) error {
	w.mu.Lock()
	var settled []*group
	for _, g := range w.groups {
		if g.mine {
			settled = append(settled, g)
		}
	}
	w.mu.Unlock()
	for _, g := range settled {
		select {
		case <-g.settled:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	select {
	case <-w.crew.idle():
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// losses adds the kernel's counters to those of this process; mu is held.
func (w *watch) losses() (evidence.Lost, probeGroup) {
	lost, total := w.lost, probeGroup{}
	for id, g := range w.groups {
		var kernel probeGroup
		if !g.mine || w.program.objects.Groups.Lookup(id, &kernel) != nil {
			continue
		}
		total.UringOpen += kernel.UringOpen
		total.UringSetup += kernel.UringSetup
		lost.Ring += kernel.LostRing
		lost.Map += kernel.LostMap
		lost.Vanish += kernel.LostVanish
		lost.Unknown += kernel.LostUnknown
	}
	var anywhere uint64
	if err := w.program.objects.LostAnywhere.Get(&anywhere); err != nil {
		w.complain("reading a counter: %v", err)
	}
	lost.Ring += anywhere
	missed, err := w.program.missed()
	if err != nil {
		w.complain("%v", err)
	}
	lost.Unknown += missed
	return lost, total
}

// tellLost tells the client of losses so far.
func (w *watch) tellLost() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if lost, _ := w.losses(); lost.Total() > 0 {
		w.send.message(message{Type: msgLost, Lost: lost.Total()})
	}
}

// sum fills in the health's counters; mu is held.
func (w *watch) sum(health *evidence.Health) {
	lost, kernel := w.losses()
	health.Lost = lost
	for _, g := range w.groups {
		if g.mine && g.firstExec != 0 {
			if at := w.program.at(g.firstExec); health.FirstExecAt.IsZero() || at.Before(health.FirstExecAt) {
				health.FirstExecAt = at
			}
		}
	}
	uring := kernel.UringOpen
	if !w.program.uring {
		uring = kernel.UringSetup
	}
	if uring > 0 {
		health.Blind = append(health.Blind, evidence.Blind{What: "io_uring", Count: uring})
	}
	for _, b := range w.blind {
		health.Blind = append(health.Blind, *b)
	}
	slices.SortFunc(health.Blind, func(a, b evidence.Blind) int { return strings.Compare(a.What, b.What) })
	health.Canaries = slices.Clone(w.canaries)
	health.Errors = slices.Clone(w.errs)
}
