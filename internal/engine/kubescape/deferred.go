package kubescape

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/vexxy/action/internal/cluster"
	"github.com/vexxy/action/internal/fault"
)

// Kubescape's parts by component: those that watch, and those that are of no
// use before there is a profile, which are kubevuln and the operator that asks
// it where the run cannot.
var (
	watchers = []string{"storage", "node-agent"}
	matchers = []string{"kubevuln", "operator"}
)

// deferred is what an own cluster's Kubescape gets only once the workload runs.
// Until then processors, disk and network are the control plane's and the
// watchers'.
type deferred struct {
	turn     chan struct{}    // holds whoever starts it
	archives []string         // of its images
	parked   map[string]int64 // its Deployments, and how many pods each is to have
	over     bool             // it was started, or failed
	err      error            // of that
}

func newDeferred() *deferred {
	return &deferred{turn: make(chan struct{}, 1), parked: map[string]int64{}}
}

// park takes the pods out of a Deployment of the matchers, and notes how many
// it is to have. It changes the object in place.
func (d *deferred) park(o *unstructured.Unstructured) {
	if o.GetKind() != "Deployment" || !slices.Contains(matchers, o.GetLabels()[component]) {
		return
	}
	spec, _ := o.Object["spec"].(map[string]any)
	if spec == nil {
		return
	}
	d.parked[o.GetName()] = whole(spec, "replicas", 1)
	spec["replicas"] = int64(0)
}

// apart tells what is wanted from the beginning from what is the matchers'.
func apart(kubescape []*unstructured.Unstructured) (soon, later []*unstructured.Unstructured) {
	for _, o := range kubescape {
		if slices.Contains(matchers, o.GetLabels()[component]) {
			later = append(later, o)
		} else {
			soon = append(soon, o)
		}
	}
	return soon, later
}

// put sets aside the archives that have nothing but images of the matchers, and
// none of those that are wanted before, and gives the others.
func (d *deferred) put(archives []string, later []*unstructured.Unstructured, wanted []string) ([]string, error) {
	images := slices.DeleteFunc(imagesIn(later), func(image string) bool {
		return slices.ContainsFunc(wanted, func(other string) bool { return sameRepository(image, other) })
	})
	var now []string
	for _, file := range archives {
		names, err := cluster.Names(file)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(names, func(name string) bool {
			return !slices.ContainsFunc(images, func(image string) bool { return sameRepository(image, name) })
		}) {
			now = append(now, file)
		} else {
			d.archives = append(d.archives, file)
		}
	}
	return now, nil
}

// complete starts what was deferred, once for all images, and waits until it is
// ready. Who is cancelled meanwhile leaves it to the next.
func (e *Engine) complete(ctx context.Context) error {
	d := e.deferred
	if d == nil {
		return nil
	}
	select {
	case d.turn <- struct{}{}:
		defer func() { <-d.turn }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if d.over {
		return d.err
	}
	done := e.progress.Step("start " + strings.Join(matchers, " and "))
	err := e.startMatchers(ctx)
	done(err)
	if context.Cause(ctx) == nil {
		d.over, d.err = true, err
	}
	return err
}

func (e *Engine) startMatchers(ctx context.Context) error {
	if err := e.unpark(ctx); err != nil {
		return err
	}
	if err := e.ready(ctx, matchers...); err != nil {
		return err
	}
	return e.noteImages(ctx)
}

// unpark gives the parked Deployments their images and pods.
func (e *Engine) unpark(ctx context.Context) error {
	d := e.deferred
	if len(d.parked) == 0 { // Kubescape was not installed, or as it is
		return nil
	}
	if err := e.loadArchives(ctx, d.archives); err != nil {
		return err
	}
	d.archives = nil
	deployments := e.cluster.Client.AppsV1().Deployments(e.kubescape.namespace)
	for _, name := range slices.Sorted(maps.Keys(d.parked)) {
		patch := fmt.Appendf(nil, `{"spec":{"replicas":%d}}`, d.parked[name])
		if _, err := deployments.Patch(ctx, name, types.StrategicMergePatchType, patch, metav1.PatchOptions{}); err != nil {
			return fault.New(fault.Infra, "", "starting %s: %w", name, err)
		}
	}
	return nil
}

// reserved is what the pods that are still to come ask for.
func (e *Engine) reserved(ctx context.Context) (share, error) {
	var all share
	if e.deferred == nil {
		return all, nil
	}
	for name, pods := range e.deferred.parked {
		d, err := e.cluster.Client.AppsV1().Deployments(e.kubescape.namespace).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return all, err
		}
		for _, c := range d.Spec.Template.Spec.Containers {
			all.cpu += float64(pods) * c.Resources.Requests.Cpu().AsApproximateFloat64()
			all.memory += pods * c.Resources.Requests.Memory().Value()
		}
	}
	return all, nil
}
