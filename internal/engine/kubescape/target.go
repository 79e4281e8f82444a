package kubescape

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/remotecommand"
	"k8s.io/client-go/util/exec"

	"github.com/vexxy/action/internal/exercise"
)

// maxOutput bounds what a command in the workload may print.
const maxOutput = 64 << 10

// target is one container of a pod; it is an exercise.Target.
type target struct {
	engine    *Engine
	instance  instance
	ports     []int
	probed    bool // a readiness probe tells its health
	networked bool
	forward   forwarder
}

func (t *target) Networked() bool { return t.networked }

func (t *target) Ports() []int { return t.ports }

func (t *target) Endpoint(_ context.Context, port int) (string, error) {
	return t.forward.endpoint(port)
}

// Accepts asks from within the pod's network, where the answer is plain, in a
// cluster of the run's own. Elsewhere it can only be seen whether a forwarded
// connection is complained of.
func (t *target) Accepts(ctx context.Context, port int) error {
	c := t.engine.cluster
	if !c.Own {
		return t.forward.accepts(ctx, port)
	}
	for _, host := range []string{"127.0.0.1", "::1"} {
		reached, err := c.Reaches(ctx, t.instance.node, t.instance.id, net.JoinHostPort(host, strconv.Itoa(port)))
		if reached || err != nil {
			return err
		}
	}
	return fmt.Errorf("nothing listens at port %d", port)
}

// listening reports whether all ports still accept.
func (t *target) listening(ctx context.Context) bool {
	for _, port := range t.ports {
		if t.Accepts(ctx, port) != nil {
			return false
		}
	}
	return true
}

// Env tells the test command where the cluster and the pod are.
func (t *target) Env() []string {
	return []string{
		"KUBECONFIG=" + t.engine.cluster.Kubeconfig,
		"VEXXY_NAMESPACE=" + t.instance.namespace, "VEXXY_POD=" + t.instance.pod, "VEXXY_CONTAINER=" + t.instance.id,
	}
}

func (t *target) Health(ctx context.Context) (exercise.Health, error) {
	if !t.probed {
		return exercise.HealthNone, nil
	}
	f, err := t.engine.fareOf(ctx, t.instance)
	switch {
	case err != nil:
		return exercise.HealthNone, err
	case f.ready:
		return exercise.HealthHealthy, nil
	}
	return exercise.HealthStarting, nil
}

// Exec runs a command in the container and gives its exit code and the head of
// what it printed.
func (t *target) Exec(ctx context.Context, argv []string) (int, string, error) {
	c := t.engine.cluster
	request := c.Client.CoreV1().RESTClient().Post().Resource("pods").Namespace(t.instance.namespace).Name(t.instance.pod).SubResource("exec").
		VersionedParams(&corev1.PodExecOptions{Container: t.instance.container, Command: argv, Stdout: true, Stderr: true}, scheme.ParameterCodec)
	executor, err := remotecommand.NewSPDYExecutor(c.Config, "POST", request.URL())
	if err != nil {
		return 0, "", fmt.Errorf("preparing command in container: %w", err)
	}
	out := &head{max: maxOutput}
	// Its context ends a stream, but not the wait for an API server's answer.
	_, err = within(ctx, func() (struct{}, error) {
		return struct{}{}, executor.StreamWithContext(ctx, remotecommand.StreamOptions{Stdout: out, Stderr: out})
	}, func(struct{}) {})
	var exit exec.CodeExitError
	switch {
	case err == nil:
		return 0, out.String(), nil
	case errors.As(err, &exit):
		return exit.Code, out.String(), nil
	case context.Cause(ctx) != nil:
		return 0, "", context.Cause(ctx)
	}
	return 0, "", fmt.Errorf("running command in container: %w", err)
}

// head keeps the first max bytes written to it and drops the rest.
type head struct {
	mu  sync.Mutex
	b   []byte
	max int
}

func (h *head) String() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return string(h.b)
}

func (h *head) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.b = append(h.b, p[:min(len(p), h.max-len(h.b))]...)
	return len(p), nil
}
