package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"time"

	kind "sigs.k8s.io/kind/pkg/cluster"

	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/foreign"
)

// engine is the container engine that holds the nodes. It is spoken to as kind
// does: by its command.
type engine struct {
	binary string
	option kind.ProviderOption
	// network is the variable that names the network to kind; engines without
	// one share kind's network among all clusters.
	network string
}

// Docker's and Podman's variables are experimental by their names, and have
// been there since 2020.
func engineOf(provider string) (engine, error) {
	switch provider {
	case "", "docker":
		return engine{"docker", kind.ProviderWithDocker(), "KIND_EXPERIMENTAL_DOCKER_NETWORK"}, nil
	case "podman":
		return engine{"podman", kind.ProviderWithPodman(), "KIND_EXPERIMENTAL_PODMAN_NETWORK"}, nil
	case "nerdctl":
		return engine{"nerdctl", kind.ProviderWithNerdctl("nerdctl"), ""}, nil
	}
	return engine{}, fault.New(fault.Usage, "choose docker, podman or nerdctl", "%q is no provider of kind nodes", provider)
}

// The bounds of what is kept of a command's output.
const (
	maxOutput = 16 << 20
	maxErrors = 16 << 10
)

// answerTimeout bounds commands that only ask or remove.
const answerTimeout = 30 * time.Second

// run runs one command of the engine and gives what it printed. Its complaint
// is in the error.
func (e engine) run(ctx context.Context, stdin io.Reader, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, e.binary, args...)
	alone(cmd)
	cmd.WaitDelay = 2 * time.Second
	out, complaint := &head{max: maxOutput}, &tail{max: maxErrors}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, out, complaint
	err := cmd.Run()
	if cause := context.Cause(ctx); err != nil && cause != nil {
		return nil, fmt.Errorf("running %s %s: %w", e.binary, args[0], cause)
	}
	if err != nil {
		return nil, &refusal{fmt.Sprintf("%s %s", e.binary, args[0]), err, string(complaint.b)}
	}
	return out.b, nil
}

// ask runs a command that answers at once, and gives the lines of its answer.
func (e engine) ask(ctx context.Context, args ...string) ([]string, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, answerTimeout, fmt.Errorf("%s did not answer within %s", e.binary, answerTimeout))
	defer cancel()
	out, err := e.run(ctx, nil, args...)
	var lines []string
	for _, line := range strings.Split(string(out), "\n") {
		if line = strings.TrimRight(line, "\r"); line != "" {
			lines = append(lines, line)
		}
	}
	return lines, err
}

// reach checks that the engine answers.
func (e engine) reach(ctx context.Context) error {
	_, err := e.ask(ctx, "version", "--format", "{{.Server.Version}}")
	if e.binary != "docker" { // the others have no server, or no such field
		_, err = e.ask(ctx, "info")
	}
	switch {
	case err == nil || context.Cause(ctx) != nil:
		return err
	case errors.Is(err, exec.ErrNotFound):
		return fault.New(fault.Infra, "install "+e.binary+"'s command: kind makes its nodes with it", "making a kind cluster: %w", err)
	}
	return fault.New(fault.Infra, hintOf(err.Error(), e.binary), "making a kind cluster: %w", err)
}

// refusal is the error of a command that failed.
type refusal struct {
	command string
	err     error
	output  string
}

func (r *refusal) Error() string {
	last := lastLines(r.output, 3)
	if last == "" {
		return fmt.Sprintf("running %s: %v", r.command, r.err)
	}
	return fmt.Sprintf("running %s: %v: %s", r.command, r.err, last)
}

func (r *refusal) Unwrap() error { return r.err }

// maxLine is how much of a line is shown, in bytes.
const maxLine = 400

// lastLines gives the last lines of an output that say something, as one
// printable line. Of a long one the middle is left out: its end is the cause.
func lastLines(output string, n int) string {
	lines := sayings(output)
	lines = lines[max(0, len(lines)-n):]
	for i, l := range lines {
		if len(l) > maxLine {
			l = l[:maxLine/4] + " … " + l[len(l)-maxLine/2:]
		}
		lines[i] = foreign.Text(l).Line(maxLine)
	}
	return strings.Join(lines, "; ")
}

// head keeps the first max bytes written to it and drops the rest.
type head struct {
	b   []byte
	max int
}

func (h *head) Write(p []byte) (int, error) {
	h.b = append(h.b, p[:min(len(p), h.max-len(h.b))]...)
	return len(p), nil
}

// tail keeps the last max bytes written to it.
type tail struct {
	b   []byte
	max int
}

func (t *tail) Write(p []byte) (int, error) {
	t.b = append(t.b, p...)
	if over := len(t.b) - t.max; over > 0 {
		t.b = bytes.Clone(t.b[over:])
	}
	return len(p), nil
}
