package kubescape

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vexxy/action/internal/engine/kubescape/objects"
	"github.com/vexxy/action/internal/evidence"
	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/sensor"
	"github.com/vexxy/action/internal/source"
	"github.com/vexxy/action/internal/subject"
	"github.com/vexxy/action/internal/window"
)

// The longest times for a workload's first steps.
const (
	startTimeout  = 180 * time.Second
	claimTimeout  = 20 * time.Second
	removeTimeout = 20 * time.Second
)

// sighting is one image under observation.
type sighting struct {
	window.Watch
	engine    *Engine
	image     source.Image
	progress  Progress
	kubescape evidence.Kubescape

	workload  objects.Workload
	instance  instance
	command   []string // what runs, where that is not the image's own
	aside     []string // what runs the image unwatched, by its description
	target    *target
	agent     evidence.Agent
	egress    chan string // gets what is to be said of the network policy
	stopWatch context.CancelFunc
	// remove takes the workload out of the cluster.
	remove func(context.Context) error
}

// start makes the workload, waits for its container, and has the sensor claim
// it. It gives the time of the first exec.
func (s *sighting) start(ctx context.Context) (time.Time, error) {
	agents, err := s.engine.agentsBefore(ctx)
	if err != nil {
		return time.Time{}, err
	}
	l, err := s.deploy(ctx)
	if err != nil {
		return time.Time{}, err
	}
	if s.instance, err = s.engine.started(ctx, l, startTimeout); err != nil {
		return time.Time{}, err
	}
	s.agent = agents[s.instance.node]
	s.workload.Since = s.instance.startedAt // what is older is of another workload of that name
	s.target.instance = s.instance
	s.target.forward.engine, s.target.forward.instance = s.engine, s.instance
	s.Target = s.target
	watching, cancel := context.WithCancel(ctx)
	s.stopWatch = cancel
	go s.awaitEnd(watching)
	s.egress = make(chan string, 1)
	go func() { s.egress <- s.engine.probeEgress(watching, s.instance) }()
	return s.claim(ctx)
}

// deploy makes the Deployment, or what the user describes.
func (s *sighting) deploy(ctx context.Context) (locator, error) {
	e, img := s.engine, s.image
	if e.options.Packaged.given() {
		return s.deployPackaged(ctx)
	}
	pull, secret := corev1.PullNever, ""
	if !e.cluster.Own {
		pull = corev1.PullIfNotPresent
		var err error
		if secret, err = e.pullSecret(ctx, img); err != nil {
			return locator{}, err
		}
	}
	d := e.deployment(img, reference(img, e.options.RunID), pull, secret)
	deployments := e.cluster.Client.AppsV1().Deployments(Sandbox)
	s.remove = func(ctx context.Context) error {
		now, background := int64(0), metav1.DeletePropagationForeground
		err := deployments.Delete(ctx, d.Name, metav1.DeleteOptions{GracePeriodSeconds: &now, PropagationPolicy: &background})
		if apierrors.IsNotFound(err) {
			return nil
		}
		return err
	}
	e.undoing("deployment "+d.Name, s.remove)
	if _, err := deployments.Create(ctx, d, metav1.CreateOptions{}); err != nil {
		return locator{}, fault.New(fault.Infra, "the kubeconfig's user must be allowed to create deployments in "+Sandbox, "making the workload: %w", err)
	}
	s.command = slices.Concat(e.options.Pod.Command, e.options.Pod.Args)
	s.workload = objects.Workload{Namespace: Sandbox, Kind: "Deployment", Name: d.Name, Container: containerName}
	s.target = &target{
		engine: e, ports: ports(e.options.Pod.Ports, img), networked: e.options.Pod.Network != "none",
		probed: d.Spec.Template.Spec.Containers[0].ReadinessProbe != nil,
	}
	return locator{namespace: Sandbox, selector: labelWorkload + "=" + d.Name, container: containerName}, nil
}

// claim has the sensor find the container's processes. A container that is
// gone before it can be claimed is evidence of nothing, and no error.
func (s *sighting) claim(ctx context.Context) (time.Time, error) {
	first := s.instance.startedAt.UTC()
	if s.Sensor == nil {
		return first, nil
	}
	bounded, cancel := context.WithTimeoutCause(ctx, claimTimeout, fmt.Errorf("no program of it was seen within %s", claimTimeout))
	defer cancel()
	claimed, err := s.Sensor.Claim(bounded, s.instance.id, sensor.ClaimOptions{})
	if err == nil {
		return claimed.FirstExecAt, nil
	}
	if cause := context.Cause(ctx); cause != nil {
		return first, cause
	}
	s.kubescape.Sensor = "it could not find the container's processes: " + err.Error()
	s.Sensor.Stop(bounded)
	s.Sensor = nil
	return first, nil
}

// awaitEnd tells the window when the container's first run ends.
func (s *sighting) awaitEnd(ctx context.Context) {
	tick := time.NewTicker(2 * pollEvery)
	defer tick.Stop()
	failures := 0
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		f, err := s.engine.fareOf(ctx, s.instance)
		switch {
		case ctx.Err() != nil:
			return
		case apierrors.IsNotFound(err):
			s.Ended <- nil
			return
		case err != nil:
			if failures++; failures > 20 {
				s.Ended <- err
				return
			}
		case f.ended || f.replaced:
			s.Ended <- nil
			return
		default:
			failures = 0
		}
	}
}

// conclude takes the last canary, asks the sensor for all it saw, and the
// cluster for how the workload fared.
func (s *sighting) conclude(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, 60*time.Second, errors.New("the sensor or the API server did not answer within 60s"))
	defer cancel()
	if err := s.Conclude(ctx); err != nil {
		return err
	}
	f, err := s.engine.fareOf(ctx, s.instance)
	if apierrors.IsNotFound(err) {
		f, err = fate{ended: true, replaced: true, exitCode: -1, restarts: 1}, nil
	}
	if err != nil {
		return err
	}
	if got := &s.Evidence.Workload; got.ReadyBy == evidence.ReadyPorts && !f.ended && !s.target.listening(ctx) {
		got.ReadyBy, got.ReadyAt = evidence.ReadyNever, time.Time{} // it fell silent
	}
	egress := egressUnseen
	select {
	case egress = <-s.egress:
	case <-ctx.Done():
	}
	s.fared(f, egress)
	if s.engine.options.Packaged.given() {
		return s.elsewhere(ctx)
	}
	return nil
}

// fared settles readiness and the window's end, where both depend on how the
// workload did.
func (s *sighting) fared(f fate, egress string) {
	o := s.engine.options
	got := &s.Evidence.Workload
	got.ContainerID = s.instance.id
	got.ConfigDigest = runningConfig(s.instance.imageID, s.image.Subject)
	got.Restarts, got.Exited, got.ExitCode, got.OOMKilled = f.restarts, f.ended, f.exitCode, f.oomKilled
	got.Command = s.command
	got.Relaxed = s.engine.relaxed(egress)
	if !got.Exited {
		if got.ReadyBy == evidence.ReadyHealthcheck && !f.ready {
			got.ReadyBy, got.ReadyAt = evidence.ReadyNever, time.Time{}
		}
		return
	}
	s.Evidence.Window.Stopped = evidence.StopExited
	if f.replaced || got.ExitCode != 0 {
		if got.ReadyBy == evidence.ReadyRunning {
			got.ReadyBy, got.ReadyAt = evidence.ReadyNever, time.Time{}
		}
		return
	}
	switch {
	case got.ReadyBy == evidence.ReadyRunning:
		got.ReadyBy, got.ReadyAt = evidence.ReadyJob, s.Evidence.Window.End
	case got.ReadyBy == evidence.ReadyNever || !o.Window.Exercise.Declared():
		return
	}
	s.Evidence.Window.Stopped = evidence.StopJobDone
	if !s.instance.later && !o.Packaged.given() {
		// Kubernetes starts a finished job again: in a pod that keeps nothing,
		// that is the same run once more. What is packaged may keep what the
		// first run has prepared, and be another thing in the second.
		got.Restarts = 0
	}
}

// runningConfig gives the configuration digest of the image that runs. The
// runtime names an image by its manifest where it has one, whose bytes name the
// configuration, or by the index that it was once pulled by: by the first of
// all digests that it knows the configuration under. Pods ask for the manifest.
func runningConfig(imageID string, img subject.Subject) string {
	digest := imageID
	if i := strings.LastIndex(imageID, "@"); i >= 0 {
		digest = imageID[i+1:]
	}
	if digest != "" && (digest == img.ManifestDigest || digest == img.IndexDigest) {
		return img.ConfigDigest
	}
	return digest
}

// relaxed lists the protections that inputs took away, or that this cluster
// does not give.
func (e *Engine) relaxed(egress string) []string {
	var list []string
	if e.options.Pod.AllowPrivilegeEscalation {
		list = append(list, "privilege escalation allowed")
	}
	switch {
	case e.options.Pod.Network == "bridge":
		list = append(list, "network egress allowed")
	case egress != "":
		list = append(list, egress)
	}
	if !e.cluster.Own {
		list = append(list, "number of processes not limited: that is the existing cluster's to say")
	}
	return list
}

// forget takes the workload away once it was watched; Close does so again.
func (s *sighting) forget() {
	if s.stopWatch != nil {
		s.stopWatch()
	}
	if s.target != nil {
		s.target.forward.close()
	}
}

// agentsBefore is the state of node-agent on each node before the workload is
// made, as nobody knows yet on which node it will be.
func (e *Engine) agentsBefore(ctx context.Context) (map[string]evidence.Agent, error) {
	nodes, err := e.cluster.Client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fault.New(fault.Infra, "", "looking at the nodes: %w", err)
	}
	agents := map[string]evidence.Agent{}
	for _, n := range nodes.Items {
		if agents[n.Name], err = e.agent(ctx, n.Name); err != nil {
			return nil, err
		}
	}
	return agents, nil
}
