package main

import (
	"context"
	"fmt"
	"log"
	"path"
	"slices"
	"strings"
	"time"

	keys "github.com/kubescape/k8s-interface/instanceidhandler/v1/helpers"
	core "k8s.io/api/core/v1"
)

// life is one container from its start to the end of its window or its own.
type life struct {
	agent     *agent
	pod       *core.Pod
	container string
	id        string
	imageID   string
	late      bool     // it began before the agent
	ended     chan int // its exit code

	who       identity
	execs     map[string]bool
	opens     map[string]bool
	fresh     bool // something to save
	partial   bool
	series    string
	told      time.Time // the last save
	toldState string
}

// run observes and reports as the real one does: the profile is saved after
// the first delay, then periodically, and a last time when the window or the
// container ends. See pkg/containerprofilemanager of node-agent v0.3.158.
func (l *life) run(ctx context.Context) {
	a := l.agent
	e, early, err := a.eyes.take(ctx)
	if err != nil {
		log.Printf("%s: %v", l, err)
		return
	}
	if err := e.turn(l.id); err != nil {
		log.Printf("%s: %v", l, err)
	}
	l.execs, l.opens = map[string]bool{}, map[string]bool{}
	l.partial = l.late || !early
	l.series = newSeries()
	if l.who, err = identify(ctx, a, l.pod, l.container, l.imageID); err != nil {
		log.Printf("%s: %v", l, err)
		e.close()
		return
	}
	go l.postSBOM(ctx)

	window := a.config.window
	if text, ok := l.pod.Labels["kubescape.io/max-sniffing-time"]; ok {
		if d, err := time.ParseDuration(text); err == nil {
			window = d
		}
	}
	l.who.window = window
	end, save := time.NewTimer(window), time.NewTicker(a.config.first)
	defer end.Stop()
	defer save.Stop()
	lines, first := e.lines, true
	for {
		select {
		case line, ok := <-lines:
			if !ok {
				l.partial, lines = true, nil // a receive that never happens
				continue
			}
			l.saw(line)
		case <-save.C:
			if first {
				first = false
				save.Reset(a.config.period)
			}
			l.save(ctx, keys.Learning, false)
		case <-end.C:
			l.finish(ctx, e, keys.Completed)
			return
		case code := <-l.ended:
			status := keys.Failed
			if code == 0 {
				status = keys.Completed
			}
			log.Printf("%s has ended with %d", l, code)
			l.finish(ctx, e, status)
			return
		case <-ctx.Done():
			e.close()
			return
		}
	}
}

// finish reads what the eye still has and saves the profile for good.
func (l *life) finish(ctx context.Context, e *eye, status string) {
	e.shut()
	killer := time.AfterFunc(closeFor, func() { _ = e.command.Process.Kill() })
	defer killer.Stop()
	whole := false
	for line := range e.lines {
		l.saw(line)
		whole = whole || line.End != nil
	}
	l.partial = l.partial || !whole
	l.save(ctx, status, true)
}

// saw takes one line of the eye, as far as the real node-agent sees it.
func (l *life) saw(line seen) {
	if line.End != nil && line.End.Lost > 0 {
		log.Printf("%s: %d events were lost", l, line.End.Lost)
		l.partial = true
	}
	if line.File == nil {
		return
	}
	c := &l.agent.config
	name := strings.ToValidUTF8(string(line.File.Path), "\uFFFD")
	if slices.ContainsFunc(c.faults.drop, func(pattern string) bool {
		ok, err := path.Match(pattern, path.Base(name))
		return ok && err == nil
	}) {
		l.partial = l.partial || c.faults.dropTold
		return
	}
	for _, kind := range line.File.Kinds {
		into := l.opens
		if kind == "exec" {
			into = l.execs
		}
		if slices.Contains(c.kinds, kind) && !into[name] {
			into[name], l.fresh = true, true
		}
	}
}

// save posts what is new since the last save. Without force it posts nothing
// when there is nothing.
func (l *life) save(ctx context.Context, status string, force bool) {
	c := &l.agent.config
	completion := keys.Full
	if l.partial {
		completion = keys.Partial
	}
	if force && c.faults.status != "" {
		status = c.faults.status
	}
	if c.faults.completion != "" {
		completion = c.faults.completion
	}
	state := fmt.Sprint(status, completion)
	if !force && !l.fresh && state == l.toldState {
		return
	}
	profile := l.who.profile(l, status, completion, time.Now())
	// The real one's queue is emptied at a fixed beat.
	select {
	case <-time.After(time.Until(time.Now().Truncate(c.queue).Add(c.queue))):
	case <-ctx.Done():
		return
	}
	if err := l.agent.postProfile(ctx, profile); err != nil {
		log.Printf("%s: %v", l, err)
		return
	}
	log.Printf("%s: profile %s posted: %s, %s, %d execs, %d opens", l, profile.Name, status, completion, len(l.execs), len(l.opens))
	l.told, l.toldState, l.fresh = time.Now(), state, false
	l.execs, l.opens = map[string]bool{}, map[string]bool{}
}
