package embedded

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"github.com/vexxy/action/internal/exercise"
	"github.com/vexxy/action/internal/journal"
	"github.com/vexxy/action/internal/source"
)

// The longest times for the making of a network or container: at all, and once
// the run is cancelled.
const (
	makingTimeout = 60 * time.Second
	makingGrace   = 4 * time.Second
)

// dialTimeout is how long a port may take to accept.
const dialTimeout = time.Second

// The bounds of what a hostile workload may write to its log or print from a
// command.
const (
	logSize   = "8m"
	logFiles  = "1"
	maxOutput = 64 << 10
)

// workload is one container; it is an exercise.Target.
type workload struct {
	engine  *Engine
	id      string
	address string
	ports   []int
}

// create makes the workload's container, and its private network, without
// starting it. Everything that the workload does not need is taken away.
func (e *Engine) create(ctx context.Context, ref string, img source.Image) (*workload, error) {
	o := e.options
	name := "vexxy-" + o.RunID + "-" + img.ConfigDigest[len("sha256:"):][:12]
	labels := map[string]string{LabelRun: o.RunID}
	network := o.Network
	if network != "none" {
		if err := e.making(journal.Network, name, e.removeNetwork); err != nil {
			return nil, err
		}
		making, done := uncut(ctx)
		_, err := e.docker.NetworkCreate(making, name, client.NetworkCreateOptions{
			Driver: "bridge", Internal: o.Network == "internal", Labels: labels,
		})
		done()
		if err != nil {
			return nil, infra(err, "creating network %s", name)
		}
		network = name
	}
	if err := e.making(journal.Container, name, e.removeContainer); err != nil {
		return nil, err
	}
	config := &container.Config{
		Image: ref, Labels: labels, Env: o.Env, User: o.User,
		Entrypoint: o.Command, Cmd: o.Args,
	}
	host := &container.HostConfig{
		NetworkMode: container.NetworkMode(network),
		LogConfig:   container.LogConfig{Type: "json-file", Config: map[string]string{"max-size": logSize, "max-file": logFiles}},
		Resources: container.Resources{
			NanoCPUs: int64(o.CPU * 1e9), Memory: o.Memory, MemorySwap: o.Memory, PidsLimit: &o.Pids,
		},
	}
	if !o.AllowPrivilegeEscalation {
		host.SecurityOpt = []string{"no-new-privileges"}
	}
	making, done := uncut(ctx)
	defer done()
	created, err := e.docker.ContainerCreate(making, client.ContainerCreateOptions{Config: config, HostConfig: host, Name: name})
	if err != nil {
		return nil, infra(err, "creating container of %s", img.Requested)
	}
	return &workload{engine: e, id: created.ID, ports: ports(o.Ports, img)}, nil
}

// uncut gives a context for a request that makes something. It outlives the
// run's cancellation by a short grace: the engine carries out a request that
// nobody waits for any more, and what is made after the cleanup stays.
func uncut(ctx context.Context) (context.Context, context.CancelFunc) {
	making, cancel := context.WithTimeoutCause(ctx, makingTimeout,
		fmt.Errorf("the Docker engine did not answer within %s", makingTimeout))
	lingers, end := lingering(making)
	return lingers, func() { end(); cancel() }
}

// lingering gives a context that ends a short grace after ctx.
func lingering(ctx context.Context) (context.Context, context.CancelFunc) {
	lingers, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		time.AfterFunc(makingGrace, func() { cancel(context.Cause(ctx)) })
	})
	return lingers, func() { stop(); cancel(nil) }
}

// ports joins the declared ports with the TCP ports that the image exposes,
// declared ones first.
func ports(declared []int, img source.Image) []int {
	all := slices.Clone(declared)
	for _, p := range img.TCPPorts() {
		if !slices.Contains(all, p) {
			all = append(all, p)
		}
	}
	return all
}

// await begins the wait for the container's end, which lasts as long as ctx,
// and tells of it. Call it before start, so that the shortest life is not
// missed.
func (w *workload) await(ctx context.Context, ended chan<- error) {
	wait := w.engine.docker.ContainerWait(ctx, w.id, client.ContainerWaitOptions{Condition: container.WaitConditionNextExit})
	go func() {
		select {
		case <-wait.Result:
			ended <- nil
		case err := <-wait.Error:
			ended <- infra(err, "waiting for the container")
		case <-ctx.Done():
		}
	}()
}

// start starts the container and learns its address.
func (w *workload) start(ctx context.Context) error {
	starting, done := uncut(ctx)
	defer done()
	if _, err := w.engine.docker.ContainerStart(starting, w.id, client.ContainerStartOptions{}); err != nil {
		return infra(err, "starting container")
	}
	state, err := w.inspect(ctx)
	if err != nil {
		return err
	}
	for _, n := range state.NetworkSettings.Networks {
		if n.IPAddress.IsValid() {
			w.address = n.IPAddress.String()
		}
	}
	return nil
}

func (w *workload) inspect(ctx context.Context) (container.InspectResponse, error) {
	got, err := w.engine.docker.ContainerInspect(ctx, w.id, client.ContainerInspectOptions{})
	if err != nil {
		return container.InspectResponse{}, infra(err, "inspecting container")
	}
	if got.Container.State == nil || got.Container.NetworkSettings == nil {
		return container.InspectResponse{}, infra(errors.New("the engine gave no state"), "inspecting container")
	}
	return got.Container, nil
}

func (w *workload) Networked() bool { return w.address != "" }

func (w *workload) Ports() []int { return w.ports }

// Endpoint is the port at the container's own address: every port of it can be
// reached, also those that nobody named.
func (w *workload) Endpoint(_ context.Context, port int) (string, error) {
	return net.JoinHostPort(w.address, strconv.Itoa(port)), nil
}

func (w *workload) Accepts(ctx context.Context, port int) error {
	d := net.Dialer{Timeout: dialTimeout}
	c, err := d.DialContext(ctx, "tcp", net.JoinHostPort(w.address, strconv.Itoa(port)))
	if err != nil {
		return err
	}
	return c.Close()
}

func (w *workload) Env() []string {
	env := []string{"VEXXY_CONTAINER=" + w.id}
	if w.address != "" {
		env = append(env, "VEXXY_HOST="+w.address)
	}
	return env
}

func (w *workload) Health(ctx context.Context) (exercise.Health, error) {
	got, err := w.inspect(ctx)
	if err != nil {
		return exercise.HealthNone, err
	}
	if got.State.Health == nil {
		return exercise.HealthNone, nil
	}
	switch got.State.Health.Status {
	case container.Healthy:
		return exercise.HealthHealthy, nil
	case container.Unhealthy:
		return exercise.HealthUnhealthy, nil
	case container.Starting:
		return exercise.HealthStarting, nil
	default:
		return exercise.HealthNone, nil
	}
}

func (w *workload) Exec(ctx context.Context, argv []string) (int, string, error) {
	docker := w.engine.docker
	created, err := docker.ExecCreate(ctx, w.id, client.ExecCreateOptions{Cmd: argv, AttachStdout: true, AttachStderr: true})
	if err != nil {
		return 0, "", fmt.Errorf("creating command in container: %w", err)
	}
	attached, err := docker.ExecAttach(ctx, created.ID, client.ExecAttachOptions{})
	if err != nil {
		return 0, "", fmt.Errorf("starting command in container: %w", err)
	}
	defer attached.Close()
	stop := context.AfterFunc(ctx, attached.Close)
	defer stop()
	out := &head{max: maxOutput}
	if _, err := stdcopy.StdCopy(out, out, attached.Reader); err != nil {
		if cause := context.Cause(ctx); cause != nil {
			return 0, "", cause
		}
		return 0, "", fmt.Errorf("reading command's output: %w", err)
	}
	done, err := docker.ExecInspect(ctx, created.ID, client.ExecInspectOptions{})
	if err != nil {
		return 0, "", fmt.Errorf("inspecting command in container: %w", err)
	}
	return done.ExitCode, string(out.b), nil
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

var _ io.Writer = (*head)(nil)

func (e *Engine) removeContainer(ctx context.Context, name string) error {
	return removeContainer(ctx, e.docker, name)
}

func (e *Engine) removeNetwork(ctx context.Context, name string) error {
	_, err := e.docker.NetworkRemove(ctx, name, client.NetworkRemoveOptions{})
	if cerrdefs.IsNotFound(err) {
		return nil
	}
	return err
}
