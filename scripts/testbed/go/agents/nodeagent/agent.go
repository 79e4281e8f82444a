package main

import (
	"context"
	"fmt"
	"log"
	"strings"
	"time"

	core "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/tools/cache"

	"testbed.local/agents/cluster"
)

// agent follows the pods of one node.
type agent struct {
	config  config
	clients cluster.Clients
	eyes    *eyes
	started time.Time
	lives   map[string]*life // by container ID; only watch's goroutine uses it
}

// watch follows the pods until ctx ends.
func (a *agent) watch(ctx context.Context) error {
	pods := make(chan *core.Pod)
	send := func(o any) {
		if gone, ok := o.(cache.DeletedFinalStateUnknown); ok {
			o = gone.Obj
		}
		if pod, ok := o.(*core.Pod); ok {
			select {
			case pods <- pod.DeepCopy():
			case <-ctx.Done():
			}
		}
	}
	deleted := func(o any) {
		if gone, ok := o.(cache.DeletedFinalStateUnknown); ok {
			o = gone.Obj
		}
		if pod, ok := o.(*core.Pod); ok {
			pod = pod.DeepCopy()
			pod.Status.Phase = core.PodFailed
			send(pod)
		}
	}
	_, informer := cache.NewInformerWithOptions(cache.InformerOptions{
		ListerWatcher: cache.NewListWatchFromClient(a.clients.Core.CoreV1().RESTClient(), "pods", metav1.NamespaceAll,
			fields.OneTermEqualSelector("spec.nodeName", a.config.node)),
		ObjectType: &core.Pod{},
		Handler:    cache.ResourceEventHandlerFuncs{AddFunc: send, UpdateFunc: func(_, o any) { send(o) }, DeleteFunc: deleted},
	})
	go informer.RunWithContext(ctx)
	for {
		select {
		case pod := <-pods:
			if a.config.watches(pod.Namespace) && pod.Labels["kubescape.io/ignore"] != "true" {
				a.saw(ctx, pod)
			}
		case <-ctx.Done():
			return nil
		}
	}
}

// saw takes a pod's new state.
func (a *agent) saw(ctx context.Context, pod *core.Pod) {
	statuses := append(append([]core.ContainerStatus{}, pod.Status.InitContainerStatuses...), pod.Status.ContainerStatuses...)
	for _, s := range statuses {
		a.state(ctx, pod, s, s.ContainerID, s.State)
		if t := s.LastTerminationState.Terminated; t != nil && t.ContainerID != s.ContainerID {
			a.state(ctx, pod, s, t.ContainerID, s.LastTerminationState)
		}
	}
}

// state takes the state of one container.
func (a *agent) state(ctx context.Context, pod *core.Pod, s core.ContainerStatus, id string, state core.ContainerState) {
	_, id, _ = strings.Cut(id, "://")
	if id == "" || state.Running == nil && state.Terminated == nil {
		return
	}
	l := a.lives[id]
	if l == nil {
		started := time.Time{}
		if state.Running != nil {
			started = state.Running.StartedAt.Time
		} else {
			started = state.Terminated.StartedAt.Time
		}
		l = &life{agent: a, pod: pod, container: s.Name, id: id, imageID: s.ImageID, ended: make(chan int, 1)}
		// The status knows seconds only.
		l.late = started.Before(a.started.Truncate(time.Second))
		a.lives[id] = l
		log.Printf("%s is new (started %s, before this agent: %t)", l, started.Format(time.TimeOnly), l.late)
		go l.run(ctx)
	}
	code := -1
	switch {
	case state.Terminated != nil:
		code = int(state.Terminated.ExitCode)
	case pod.Status.Phase != core.PodFailed:
		return // it runs
	}
	select {
	case l.ended <- code:
	default: // known
	}
}

func (l *life) String() string {
	return fmt.Sprintf("%s/%s %s (%.12s)", l.pod.Namespace, l.pod.Name, l.container, l.id)
}
