// Package exercise waits until a workload is ready and puts it to use: by the
// user's test command on the host, by a command inside the workload and by
// HTTP requests. What it did, and whether that passed, becomes evidence.
package exercise

import (
	"context"
	"strings"
	"time"

	"github.com/vexxy/action/internal/evidence"
)

// Target is the workload as an engine offers it.
type Target interface {
	// Ports are the TCP ports that the workload is expected to listen at.
	Ports() []int
	// Endpoint is where a port of the workload can be reached from here, as
	// host:port. The error says why it cannot.
	Endpoint(ctx context.Context, port int) (string, error)
	// Accepts tries whether the workload listens at the port.
	Accepts(ctx context.Context, port int) error
	// Networked says that the workload has a network at all.
	Networked() bool
	// Health is the state of the image's own health check.
	Health(ctx context.Context) (Health, error)
	// Exec runs a command inside the workload and waits for its end. out is
	// the bounded tail of what it printed.
	Exec(ctx context.Context, argv []string) (exitCode int, out string, err error)
	// Env are variables for the test command beside the common ones.
	Env() []string
}

// Health is the state of an image's HEALTHCHECK.
type Health string

// The states of a health check.
const (
	HealthNone      Health = "" // the image has none
	HealthStarting  Health = "starting"
	HealthHealthy   Health = "healthy"
	HealthUnhealthy Health = "unhealthy"
)

// Plan says how to tell that the workload is ready and how to use it.
type Plan struct {
	// ReadyURL is polled until it answers with a status below 400: a path
	// ("/healthz"), or a URL in which the host name "workload" stands for the
	// workload's address.
	ReadyURL string
	// ReadyCommand is run in the workload until it exits 0.
	ReadyCommand []string
	ReadyTimeout time.Duration
	// TestCommand is run on this host by sh.
	TestCommand string
	// ExecCommand is run in the workload.
	ExecCommand []string
	// TestTimeout bounds each command.
	TestTimeout time.Duration
	// HTTPProbe are paths or URLs, as ReadyURL, each requested once.
	HTTPProbe []string
	// Environ is the environment of the test command.
	Environ []string
	// Dir is the test command's working directory; empty for the present one.
	Dir string
	// Redact takes secrets out of what is recorded of commands and outcomes.
	Redact func(string) string
}

// Declared reports whether there is anything to exercise the workload with.
func (p Plan) Declared() bool {
	return p.TestCommand != "" || len(p.ExecCommand) > 0 || len(p.HTTPProbe) > 0
}

// Run puts the workload to use in each way that the plan names: probes first,
// then the command in the workload, then the test command. A failure does not
// keep the next from running; all are in the result. The error is the
// context's cause when the run was cut short; what was not begun then is in the
// result as failed, so that half an exercise never counts as one.
func (p Plan) Run(ctx context.Context, t Target) ([]evidence.Exercise, error) {
	var done []evidence.Exercise
	add := func(kind, what string, f func(context.Context) (bool, string)) {
		e := evidence.Exercise{Kind: kind, What: p.redact(what), Start: time.Now().UTC()}
		if cause := context.Cause(ctx); cause != nil {
			e.Outcome = "not begun: " + cause.Error()
		} else {
			e.Passed, e.Outcome = f(ctx)
		}
		e.Outcome = p.redact(e.Outcome)
		e.End = time.Now().UTC()
		done = append(done, e)
	}
	for _, path := range p.HTTPProbe {
		add("http-probe", path, func(ctx context.Context) (bool, string) { return p.probe(ctx, t, path) })
	}
	if len(p.ExecCommand) > 0 {
		add("exec-command", strings.Join(p.ExecCommand, " "), func(ctx context.Context) (bool, string) { return p.exec(ctx, t) })
	}
	if p.TestCommand != "" {
		add("test-command", p.TestCommand, func(ctx context.Context) (bool, string) { return p.test(ctx, t) })
	}
	return done, context.Cause(ctx)
}

func (p Plan) redact(s string) string {
	if p.Redact == nil {
		return s
	}
	return p.Redact(s)
}
