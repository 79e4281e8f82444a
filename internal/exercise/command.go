package exercise

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"
)

// maxOutput is how many bytes of a command's output are kept: its end.
const maxOutput = 2 << 10

// killDelay is how long a cancelled test command may take to end before its
// pipes are closed.
const killDelay = 3 * time.Second

// exec runs the plan's command in the workload.
func (p Plan) exec(ctx context.Context, t Target) (bool, string) {
	ctx, cancel := p.bounded(ctx)
	defer cancel()
	code, out, err := t.Exec(ctx, p.ExecCommand)
	switch {
	case err != nil && context.Cause(ctx) != nil:
		return false, context.Cause(ctx).Error()
	case err != nil:
		return false, err.Error()
	}
	return code == 0, outcome(code, out)
}

// test runs the test command on this host, in a process group of its own that
// is killed as a whole when the context ends. The command finds the workload
// by VEXXY_HOST, VEXXY_PORT and VEXXY_URL.
func (p Plan) test(ctx context.Context, t Target) (bool, string) {
	ctx, cancel := p.bounded(ctx)
	defer cancel()
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", p.TestCommand)
	cmd.Dir = p.Dir
	address, err := addressEnv(ctx, t)
	if err != nil {
		return false, err.Error()
	}
	cmd.Env = slices.Concat(p.Environ, t.Env(), address)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = killDelay
	var out tail
	cmd.Stdout, cmd.Stderr = &out, &out
	err = cmd.Run()
	var exit *exec.ExitError
	switch {
	case context.Cause(ctx) != nil:
		return false, context.Cause(ctx).Error()
	case errors.As(err, &exit):
		return false, outcome(exit.ExitCode(), out.String())
	case err != nil:
		return false, err.Error()
	}
	return true, outcome(0, "")
}

// addressEnv tells the test command where the workload is: VEXXY_HOST,
// VEXXY_PORT and VEXXY_URL stand for its first port, and VEXXY_ENDPOINT_8080 for
// its port 8080, as host:port.
func addressEnv(ctx context.Context, t Target) ([]string, error) {
	if !t.Networked() {
		return nil, nil
	}
	var env []string
	for i, port := range t.Ports() {
		at, err := t.Endpoint(ctx, port)
		if err != nil {
			return nil, fmt.Errorf("reaching port %d: %w", port, err)
		}
		env = append(env, fmt.Sprintf("VEXXY_ENDPOINT_%d=%s", port, at))
		if i > 0 {
			continue
		}
		host, mapped, err := net.SplitHostPort(at)
		if err != nil {
			return nil, fmt.Errorf("reaching port %d: %w", port, err)
		}
		env = append(env, "VEXXY_HOST="+host, "VEXXY_PORT="+mapped, "VEXXY_URL=http://"+at)
	}
	return env, nil
}

// bounded applies the plan's limit for one command.
func (p Plan) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	if p.TestTimeout <= 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeoutCause(ctx, p.TestTimeout, fmt.Errorf("not done after %s", p.TestTimeout))
}

func outcome(code int, out string) string {
	if out = strings.TrimSpace(out); code == 0 || out == "" {
		return fmt.Sprintf("exit code %d", code)
	}
	return fmt.Sprintf("exit code %d: %s", code, out)
}

// tail keeps the last maxOutput bytes written to it.
type tail struct{ b []byte }

func (t *tail) Write(p []byte) (int, error) {
	t.b = append(t.b, p...)
	if len(t.b) > maxOutput {
		t.b = append(t.b[:0], t.b[len(t.b)-maxOutput:]...)
	}
	return len(p), nil
}

func (t *tail) String() string { return string(t.b) }
