package kubescape

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/foreign"
)

// pollEvery is the time between two looks at an object. A watch would serve as
// well, but Kubescape's own API has none that works, so that all waits are of
// one kind.
const pollEvery = 250 * time.Millisecond

// apiService is Kubescape's aggregated API, which no wait of Helm's covers.
const apiService = "v1beta1.spdx.softwarecomposition.kubescape.io"

// component labels Kubescape's workloads in the chart.
const component = "app.kubernetes.io/component"

// await polls until look is content. What it says meanwhile goes into the
// error when the time is over: "…: last state".
func await(ctx context.Context, limit time.Duration, what string, look func(context.Context) (bool, string, error)) error {
	last := "nothing seen of it"
	bounded, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		ok, state, err := look(bounded)
		switch {
		case errors.As(err, new(final)):
			return err
		case ok && err == nil:
			return nil
		case bounded.Err() == nil && err != nil && !strings.Contains(err.Error(), tooLate):
			last = err.Error()
		case state != "":
			last = state
		}
		select {
		case <-tick.C:
		case <-bounded.Done():
			if cause := context.Cause(ctx); cause != nil {
				return cause
			}
			return fmt.Errorf("%s after %s: %s", what, limit, last)
		}
	}
}

// tooLate is in the error of a client that would have to wait past the deadline
// before it may ask again: it says nothing about what is waited for.
const tooLate = "would exceed context deadline"

// final is the error of what will never come: no waiting mends it.
type final struct{ error }

func (f final) Unwrap() error { return f.error }

// ready waits until parts of Kubescape can do their work: storage's API is
// served, node-agent's tracers are there, the others run.
func (e *Engine) ready(ctx context.Context, parts ...string) error {
	g, gctx := errgroup.WithContext(ctx)
	wait := func(what string, look func(context.Context) (bool, string, error)) {
		g.Go(func() error {
			err := await(gctx, e.options.InstallTimeout, what+" not ready", look)
			if err == nil || context.Cause(gctx) != nil {
				return err
			}
			return fault.New(fault.Infra, whenUnready(what), "waiting for Kubescape: %w", e.explained(ctx, err))
		})
	}
	for _, part := range parts {
		switch part {
		case "node-agent":
			wait(part, e.agentReady)
			continue
		case "storage":
			wait("its API", e.apiAvailable)
		}
		wait(part, func(ctx context.Context) (bool, string, error) { return e.deploymentReady(ctx, part) })
	}
	return g.Wait()
}

// whenUnready says what to do about a part of Kubescape that does not get ready.
func whenUnready(what string) string {
	const look = "; --retain-cluster keeps an own cluster, and the logs in a support bundle"
	switch what {
	case "node-agent":
		return "it is ready once its eBPF tracers run: see its log, and whether the nodes' kernel has BTF" + look
	case "kubevuln":
		return "it is ready once it has its vulnerability database: see its log; where it cannot download one give it grypeOfflineDB by --values" + look
	}
	return "see the pods' states" + look
}

// apiAvailable looks at the APIService's condition.
func (e *Engine) apiAvailable(ctx context.Context) (bool, string, error) {
	raw, err := e.cluster.Client.Discovery().RESTClient().Get().AbsPath("/apis/apiregistration.k8s.io/v1/apiservices/" + apiService).DoRaw(ctx)
	if err != nil {
		return false, "", err
	}
	var s struct {
		Status struct {
			Conditions []struct{ Type, Status, Message string } `json:"conditions"`
		} `json:"status"`
	}
	if err := json.Unmarshal(raw, &s); err != nil {
		return false, "", err
	}
	for _, c := range s.Status.Conditions {
		if c.Type == "Available" {
			return c.Status == "True", c.Message, nil
		}
	}
	return false, "it has no condition yet", nil
}

func (e *Engine) deploymentReady(ctx context.Context, name string) (bool, string, error) {
	list, err := e.cluster.Client.AppsV1().Deployments(e.kubescape.namespace).List(ctx, metav1.ListOptions{LabelSelector: component + "=" + name})
	if err != nil {
		return false, "", err
	}
	if len(list.Items) == 0 {
		return false, "there is no such Deployment", nil
	}
	for _, d := range list.Items {
		if d.Spec.Replicas != nil && *d.Spec.Replicas == 0 {
			return false, "it is scaled to no pods", nil
		}
		if ok, state := rolledOut(d); !ok {
			return false, state, nil
		}
	}
	return true, "", nil
}

// rolledOut reports whether all of a Deployment's pods are new and ready.
func rolledOut(d appsv1.Deployment) (bool, string) {
	wanted := int32(1)
	if d.Spec.Replicas != nil {
		wanted = *d.Spec.Replicas
	}
	s := d.Status
	if s.ObservedGeneration >= d.Generation && s.UpdatedReplicas == wanted && s.ReadyReplicas == wanted && s.Replicas == wanted {
		return true, ""
	}
	return false, fmt.Sprintf("%d of %d pods ready, %d new", s.ReadyReplicas, wanted, s.UpdatedReplicas)
}

func (e *Engine) agentReady(ctx context.Context) (bool, string, error) {
	list, err := e.cluster.Client.AppsV1().DaemonSets(e.kubescape.namespace).List(ctx, metav1.ListOptions{LabelSelector: component + "=node-agent"})
	if err != nil {
		return false, "", err
	}
	if len(list.Items) == 0 {
		return false, "there is no such DaemonSet", nil
	}
	for _, d := range list.Items {
		s := d.Status
		if wanted := s.DesiredNumberScheduled; s.ObservedGeneration < d.Generation || wanted == 0 || s.NumberReady < wanted || s.UpdatedNumberScheduled < wanted {
			return false, fmt.Sprintf("%d of %d pods ready, %d new", s.NumberReady, wanted, s.UpdatedNumberScheduled), nil
		}
	}
	return true, "", nil
}

// explained adds to an error what Kubescape's pods say of themselves.
func (e *Engine) explained(ctx context.Context, err error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	pods, lerr := e.cluster.Client.CoreV1().Pods(e.kubescape.namespace).List(ctx, metav1.ListOptions{})
	if lerr != nil {
		return fmt.Errorf("%w (and the API server does not say why: %w)", err, lerr)
	}
	var states []string
	for _, p := range pods.Items {
		if state := trouble(p); state != "" && len(states) < 5 {
			states = append(states, p.Name+": "+state)
		}
	}
	if len(states) == 0 {
		return err
	}
	return fmt.Errorf("%w (%s)", err, strings.Join(states, "; "))
}

// trouble says in words what keeps a pod from running, "" for nothing.
func trouble(p corev1.Pod) string {
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse {
			return "not scheduled: " + foreign.Text(c.Message).Line(300)
		}
	}
	for _, s := range append(p.Status.InitContainerStatuses, p.Status.ContainerStatuses...) {
		switch w, t := s.State.Waiting, s.LastTerminationState.Terminated; {
		case w != nil && w.Reason != "" && w.Reason != "ContainerCreating" && w.Reason != "PodInitializing":
			return foreign.Text(strings.TrimSuffix(w.Reason+": "+w.Message, ": ")).Line(1000)
		case t != nil:
			return fmt.Sprintf("restarted %d times, last with exit code %d %s", s.RestartCount, t.ExitCode, foreign.Text(t.Reason).Line(100))
		case !s.Ready && s.State.Running != nil:
			return "runs and is not ready"
		}
	}
	return ""
}
