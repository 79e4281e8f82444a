package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"

	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/foreign"
)

// readyTimeout bounds the wait for the nodes, and pulseEvery is the time
// between two looks at whether their containers run at all.
const (
	readyTimeout = 4 * time.Minute
	pulseEvery   = 3 * time.Second
)

// system is the namespace of what Kubernetes itself runs in pods.
const system = "kube-system"

// WaitReady waits until pods can run. In a cluster of the run's own that is:
// every node is ready, and so is all of kube-system, which holds the network
// of the pods and the proxy, and with resolving the name service as well. Of a
// cluster that was there one node must be ready and take pods; what else it
// needs is not ours to judge.
func (c *Cluster) WaitReady(ctx context.Context, resolving bool) error {
	bounded, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	changed := make(chan struct{}, 1)
	look := c.watch(bounded, changed, resolving)
	pulse := time.NewTicker(pulseEvery)
	defer pulse.Stop()
	for missing := ""; ; {
		select {
		case <-changed:
		case <-pulse.C:
			if err := c.Alive(bounded); err != nil && context.Cause(ctx) == nil {
				return err
			}
			continue
		case <-bounded.Done():
			if cause := context.Cause(ctx); cause != nil {
				return fmt.Errorf("waiting for the nodes: %w", cause)
			}
			if missing == "" {
				missing = "the API server gave no news of them"
			}
			return fault.New(fault.Infra, hintOf(missing, c.engine.binary), "cluster %s not ready after %s: %s", c.Name, readyTimeout, missing)
		}
		var err error
		if missing, err = look(); err != nil {
			return fault.New(fault.Infra, "", "waiting for the nodes: %w", err)
		}
		if missing == "" {
			return nil
		}
	}
}

// Alive is an error if a node's container of an own cluster runs no more, with
// the node's last words.
func (c *Cluster) Alive(ctx context.Context) error {
	if !c.Own {
		return nil
	}
	running, err := c.engine.ask(ctx, "ps", "--filter", "label="+labelCluster+"="+c.Name, "--format", "{{.Names}}")
	if err != nil {
		return fmt.Errorf("looking at the nodes: %w", err)
	}
	for _, n := range c.nodes {
		if !slices.Contains(running, n) {
			return fault.New(fault.Infra, "see what ended it: memory that ran out, or another program that cleans up",
				"cluster %s: node %s runs no more: %s", c.Name, n, lastLines(c.complaints(ctx), 3))
		}
	}
	return nil
}

// watch follows what WaitReady wants to know. The function that it gives says
// in words what is missing, "" for nothing.
func (c *Cluster) watch(ctx context.Context, changed chan<- struct{}, resolving bool) func() (string, error) {
	factory := informers.NewSharedInformerFactoryWithOptions(c.Client, 0, informers.WithNamespace(system))
	nodes := factory.Core().V1().Nodes()
	sets := factory.Apps().V1().DaemonSets()
	deployments := factory.Apps().V1().Deployments()
	watched := []cache.SharedIndexInformer{nodes.Informer()}
	if c.Own {
		watched = append(watched, sets.Informer(), deployments.Informer())
	}
	tell := func() {
		select {
		case changed <- struct{}{}:
		default:
		}
	}
	var synced []cache.InformerSynced
	for _, w := range watched {
		// Without it the library prints to the process's stderr. It tries again.
		w.SetWatchErrorHandler(func(*cache.Reflector, error) {})
		w.AddEventHandler(cache.ResourceEventHandlerFuncs{
			AddFunc: func(any) { tell() }, UpdateFunc: func(any, any) { tell() }, DeleteFunc: func(any) { tell() },
		})
		synced = append(synced, w.HasSynced)
	}
	factory.Start(ctx.Done())
	go func() {
		if cache.WaitForCacheSync(ctx.Done(), synced...) {
			tell()
		}
	}()
	return func() (string, error) {
		for _, s := range synced {
			if !s() {
				return "the API server has not told of all nodes yet", nil
			}
		}
		all, err1 := nodes.Lister().List(labels.Everything())
		if !c.Own {
			return lacking(all, 1), err1
		}
		daemons, err2 := sets.Lister().List(labels.Everything())
		deployed, err3 := deployments.Lister().List(labels.Everything())
		missing := []string{lacking(all, len(c.config.Nodes))}
		for _, d := range daemons {
			missing = append(missing, unready(d))
		}
		if !resolving {
			return joined(missing), errors.Join(err1, err2)
		}
		for _, d := range deployed {
			missing = append(missing, undeployed(d))
		}
		if len(deployed) == 0 {
			missing = append(missing, "coredns is not there")
		}
		return joined(missing), errors.Join(err1, err2, err3)
	}
}

// lacking says what keeps a number of nodes from taking pods.
func lacking(nodes []*corev1.Node, want int) string {
	var missing []string
	ready := 0
	for _, n := range nodes {
		why := "node " + n.Name + " has no state yet"
		for _, c := range n.Status.Conditions {
			if c.Type != corev1.NodeReady {
				continue
			}
			if c.Status == corev1.ConditionTrue {
				why = ""
			} else {
				why = "node " + n.Name + " is not ready: " + foreign.Text(c.Message).Line(300)
			}
		}
		if n.Spec.Unschedulable {
			why = "node " + n.Name + " takes no pods"
		}
		if why == "" {
			ready++
		} else {
			missing = append(missing, why)
		}
	}
	if ready >= want {
		return ""
	}
	if len(missing) == 0 {
		return fmt.Sprintf("%d of %d nodes have joined", len(nodes), want)
	}
	return joined(missing)
}

func unready(d *appsv1.DaemonSet) string {
	s := d.Status
	if s.ObservedGeneration >= d.Generation && s.DesiredNumberScheduled > 0 && s.NumberReady >= s.DesiredNumberScheduled {
		return ""
	}
	return fmt.Sprintf("%s has %d of %d pods ready", d.Name, s.NumberReady, max(1, s.DesiredNumberScheduled))
}

// undeployed is content with one pod: of two CoreDNS the second changes
// nothing.
func undeployed(d *appsv1.Deployment) string {
	if d.Status.ReadyReplicas > 0 || d.Spec.Replicas != nil && *d.Spec.Replicas == 0 {
		return ""
	}
	return d.Name + " has no pod ready"
}

// joined joins what is not empty.
func joined(parts []string) string {
	var said []string
	for _, p := range parts {
		if p != "" {
			said = append(said, p)
		}
	}
	return strings.Join(said, "; ")
}
