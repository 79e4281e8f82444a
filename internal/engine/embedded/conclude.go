package embedded

import (
	"context"
	"fmt"
	"time"

	"github.com/moby/moby/api/types/container"

	"github.com/vexxy/action/internal/evidence"
	"github.com/vexxy/action/internal/source"
	"github.com/vexxy/action/internal/subject"
)

// concludeTimeout bounds the last questions to the sensor and the engine.
const concludeTimeout = 60 * time.Second

// conclude takes the last canary, asks the sensor for all it saw, and the
// engine for how the workload fared.
func (w *observation) conclude(ctx context.Context, img source.Image) error {
	ctx, cancel := context.WithTimeoutCause(ctx, concludeTimeout,
		fmt.Errorf("the sensor or the Docker engine did not answer within %s", concludeTimeout))
	defer cancel()
	if err := w.Conclude(ctx); err != nil {
		return err
	}
	return w.fared(ctx, img)
}

// fared asks the engine how the workload did, and settles readiness and the
// window's end where both depend on it.
func (w *observation) fared(ctx context.Context, img source.Image) error {
	state, err := w.workload.inspect(ctx)
	if err != nil {
		return err
	}
	got := &w.Evidence.Workload
	got.ContainerID = w.workload.id
	got.ConfigDigest = runningConfig(state, img.Subject)
	got.Restarts = state.RestartCount
	got.OOMKilled = state.State.OOMKilled
	got.Exited = !state.State.Running
	got.ExitCode = state.State.ExitCode
	o := w.engine.options
	got.Command = append(append(got.Command, o.Command...), o.Args...)
	got.Relaxed = relaxed(o)
	if !got.Exited {
		if fellIll(got.ReadyBy, state.State) {
			got.ReadyBy, got.ReadyAt = evidence.ReadyNever, time.Time{}
		}
		return nil
	}
	w.Evidence.Window.Stopped = evidence.StopExited
	switch {
	case got.ExitCode != 0:
		if got.ReadyBy == evidence.ReadyRunning {
			got.ReadyBy, got.ReadyAt = evidence.ReadyNever, time.Time{}
		}
	case got.ReadyBy == evidence.ReadyRunning:
		// Nothing says that it should go on: it is a job, and it is done.
		got.ReadyBy, got.ReadyAt = evidence.ReadyJob, w.Evidence.Window.End
		w.Evidence.Window.Stopped = evidence.StopJobDone
	case got.ReadyBy != evidence.ReadyNever && o.Exercise.Declared():
		w.Evidence.Window.Stopped = evidence.StopJobDone
	}
	return nil
}

// fellIll reports whether a workload that was ready by its health check is
// unhealthy at the window's end: what it did since shows little of its work.
func fellIll(by evidence.Ready, state *container.State) bool {
	return by == evidence.ReadyHealthcheck && (state.Health == nil || state.Health.Status == container.Unhealthy)
}

// runningConfig gives the configuration digest of the image that runs. The
// classic image store names an image by it; the containerd store names it by a
// manifest or index, whose bytes name the configuration in turn.
func runningConfig(state container.InspectResponse, s subject.Subject) string {
	running := state.Image
	if state.ImageManifestDescriptor != nil {
		running = state.ImageManifestDescriptor.Digest.String()
	}
	if running != "" && (running == s.ManifestDigest || running == s.IndexDigest) {
		return s.ConfigDigest
	}
	return running
}

// relaxed lists the protections that inputs took away.
func relaxed(o Options) []string {
	var list []string
	if o.AllowPrivilegeEscalation {
		list = append(list, "privilege escalation allowed")
	}
	if o.Network == "bridge" {
		list = append(list, "network egress allowed")
	}
	return list
}
