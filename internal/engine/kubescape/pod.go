package kubescape

import (
	"context"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/foreign"
)

// instance is one container of one pod, as it first ran.
type instance struct {
	namespace, pod, node string
	container            string
	// id is the container's in the runtime, imageID what the runtime says it
	// runs: a repository with a digest, or a digest alone.
	id, imageID string
	startedAt   time.Time
	// later says that it is not the container's first run: those before it
	// were not seen.
	later bool
}

// locator finds the pod of one workload.
type locator struct {
	namespace, selector, container string
}

// find gives the newest pod, nil when there is none yet.
func (e *Engine) find(ctx context.Context, l locator) (*corev1.Pod, error) {
	pods, err := e.cluster.Client.CoreV1().Pods(l.namespace).List(ctx, metav1.ListOptions{LabelSelector: l.selector})
	if err != nil {
		return nil, err
	}
	var newest *corev1.Pod
	for i := range pods.Items {
		p := &pods.Items[i]
		if p.DeletionTimestamp == nil && (newest == nil || p.CreationTimestamp.After(newest.CreationTimestamp.Time)) {
			newest = p
		}
	}
	return newest, nil
}

// status gives a container's status within its pod.
func status(p *corev1.Pod, container string) (corev1.ContainerStatus, bool) {
	i := slices.IndexFunc(p.Status.ContainerStatuses, func(s corev1.ContainerStatus) bool { return s.Name == container })
	if i < 0 {
		return corev1.ContainerStatus{}, false
	}
	return p.Status.ContainerStatuses[i], true
}

// hopeless are reasons of a waiting container that no waiting mends, each with
// what to do.
var hopeless = map[string]string{
	"ErrImageNeverPull": "the image did not reach the node; run again",
	"InvalidImageName":  "check the image's name",
	"RunContainerError": "check command and arguments: the program must be in the image, and for this platform",
}

// stubborn are reasons that may pass, as when a Secret comes late, but rarely
// do.
var stubborn = map[string]string{
	"ErrImagePull":               "log in to the registry with `docker login`, or check the image's name",
	"ImagePullBackOff":           "log in to the registry with `docker login`, or check the image's name",
	"CreateContainerConfigError": "check the container's configuration; an image whose user is a name needs --user with a number",
	"CreateContainerError":       "check command and arguments: the program must be in the image",
}

// patience is how long such a reason may stand before the run gives up.
const patience = 30 * time.Second

// started waits until the container has started for the first time.
func (e *Engine) started(ctx context.Context, l locator, limit time.Duration) (instance, error) {
	var got instance
	var failing time.Time
	err := await(ctx, limit, "the workload has not started", func(ctx context.Context) (bool, string, error) {
		p, err := e.find(ctx, l)
		if err != nil || p == nil {
			return false, "there is no pod yet", err
		}
		s, ok := status(p, l.container)
		if !ok {
			return false, trouble(*p), nil
		}
		if first, ok := firstRun(s); ok {
			first.namespace, first.pod, first.node, first.container = p.Namespace, p.Name, p.Spec.NodeName, l.container
			got = first
			return true, "", nil
		}
		state := trouble(*p)
		w := s.State.Waiting
		if w == nil {
			return false, state, nil
		}
		if hint, found := hopeless[w.Reason]; found {
			return false, "", final{fault.New(fault.Infra, hint, "%s", state)}
		}
		if hint, found := stubborn[w.Reason]; found {
			if failing.IsZero() {
				failing = time.Now()
			}
			if time.Since(failing) > patience {
				return false, "", final{fault.New(fault.Infra, hint, "%s", state)}
			}
		}
		return false, state, nil
	})
	if err != nil {
		return got, fault.New(fault.Infra, fault.HintOf(err), "starting the workload: %w", err)
	}
	return got, nil
}

// firstRun gives the earliest run of the container that its status still knows:
// the last, when it has been started again, else the present one.
func firstRun(s corev1.ContainerStatus) (instance, bool) {
	last := s.LastTerminationState.Terminated
	take := func(id string, at metav1.Time, before int32) (instance, bool) {
		return instance{id: bareID(id), imageID: s.ImageID, startedAt: at.Time, later: s.RestartCount != before}, id != ""
	}
	switch now := s.State; {
	case last != nil:
		return take(last.ContainerID, last.StartedAt, 1)
	case now.Terminated != nil:
		return take(now.Terminated.ContainerID, now.Terminated.StartedAt, 0)
	case now.Running != nil:
		return take(s.ContainerID, now.Running.StartedAt, 0)
	}
	return instance{}, false
}

// bareID takes the runtime's name off a container's ID.
func bareID(id string) string {
	if _, rest, found := strings.Cut(id, "://"); found {
		return rest
	}
	return id
}

// fate is how a container's first run fares.
type fate struct {
	ended     bool
	exitCode  int
	oomKilled bool
	// restarts counts the runs after the first, replaced says that the pod
	// itself is another one or gone.
	restarts int
	replaced bool
	ready    bool
	imageID  string
	reason   string
}

// fareOf looks at a container's first run.
func (e *Engine) fareOf(ctx context.Context, in instance) (fate, error) {
	p, err := e.cluster.Client.CoreV1().Pods(in.namespace).Get(ctx, in.pod, metav1.GetOptions{})
	if err != nil {
		return fate{}, fault.New(fault.Infra, "", "looking at pod %s: %w", in.pod, err)
	}
	return fateOf(p, in), nil
}

// fateOf reads it out of the pod's status.
func fateOf(p *corev1.Pod, in instance) fate {
	s, ok := status(p, in.container)
	if !ok {
		return fate{replaced: true}
	}
	f := fate{restarts: int(s.RestartCount), ready: s.Ready, imageID: s.ImageID}
	end := s.State.Terminated
	if end == nil || bareID(end.ContainerID) != in.id {
		end = s.LastTerminationState.Terminated
	}
	switch {
	case end != nil && bareID(end.ContainerID) == in.id:
		f.ended, f.exitCode = true, int(end.ExitCode)
		f.oomKilled, f.reason = end.Reason == "OOMKilled", foreign.Text(end.Reason).Line(100)
	case bareID(s.ContainerID) != in.id:
		f.ended, f.replaced = true, true // by what end, nobody knows any more
	}
	return f
}
