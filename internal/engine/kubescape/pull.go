package kubescape

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
	"helm.sh/helm/v3/pkg/action"
	"helm.sh/helm/v3/pkg/chart/loader"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// supply gives the nodes the images of Kubescape's watchers and of the user's
// own workload while the control plane boots: those in archives, and the others
// out of registries for as long as pulling lives.
func (e *Engine) supply(ctx, pulling context.Context, chart loaded, archives []string) error {
	kubescape, err := e.ownChart(ctx, chart)
	if err != nil && ctx.Err() == nil {
		e.progress.Note("nothing is pulled ahead: " + text(err.Error()))
	}
	soon, later := apart(kubescape)
	wanted, err := e.asked(ctx, soon)
	if err != nil && ctx.Err() == nil {
		e.progress.Note("not pulled ahead: " + text(err.Error()))
	}
	archives, err = e.deferred.put(archives, later, wanted)
	if err == nil {
		err = e.loadArchives(ctx, archives)
	}
	if err == nil {
		e.pullAhead(pulling, wanted)
	}
	return err
}

// ownChart gives what Kubescape's chart will make.
func (e *Engine) ownChart(ctx context.Context, chart loaded) ([]*unstructured.Unstructured, error) {
	r := kubescapeRelease
	var err error
	if r.values, err = chartValues(e.options.Window.Duration, true, e.options.Chart.Values); err != nil {
		return nil, err
	}
	return r.rendered(ctx, chart.path)
}

// pullAhead has the nodes pull images before the control plane is there to ask
// for them. It is a head start and no more: what does not come is pulled again
// by the kubelet, whose error is then the run's.
func (e *Engine) pullAhead(ctx context.Context, names []string) {
	if len(names) == 0 || ctx.Err() != nil {
		return
	}
	done := e.progress.Step("pull images")
	var g errgroup.Group
	g.SetLimit(atOnce() + 1) // of which some wait for the network
	for _, name := range names {
		g.Go(func() error {
			err := e.cluster.PullImage(ctx, name)
			if err != nil && ctx.Err() == nil {
				e.progress.Note("not pulled ahead: " + text(err.Error()))
			}
			return nil
		})
	}
	_ = g.Wait()
	done(nil)
}

// asked lists the images that these objects and the user's own workload will
// ask for, but for the subject's. A chart of the user's that has yet to be
// fetched is left out.
func (e *Engine) asked(ctx context.Context, kubescape []*unstructured.Unstructured) ([]string, error) {
	p := e.options.Packaged
	var theirs []*unstructured.Unstructured
	var err error
	switch {
	case len(p.Manifests) > 0:
		theirs, err = readManifests(p.Manifests)
	case p.Chart.Chart != "" && p.Chart.local():
		workload := release{name: "workload", namespace: Sandbox}
		if workload.values, err = valuesOf(p.Chart.Values); err == nil {
			theirs, err = workload.rendered(ctx, p.Chart.Chart)
		}
	}
	names := imagesIn(slices.Concat(kubescape, theirs))
	return slices.DeleteFunc(names, func(image string) bool {
		return slices.ContainsFunc(e.options.Requested, func(subject string) bool { return sameRepository(image, subject) })
	}), err
}

// rendered reads a chart and gives what a release of it would make, as Helm
// renders it without a cluster, hooks included. Rendering changes a chart:
// hence it is not the one that is installed.
func (r release) rendered(ctx context.Context, path string) ([]*unstructured.Unstructured, error) {
	c, err := loader.Load(path)
	if err != nil {
		return nil, fmt.Errorf("reading chart %s: %w", path, err)
	}
	i := action.NewInstall(&action.Configuration{Log: func(string, ...any) {}})
	i.DryRun, i.ClientOnly = true, true
	i.ReleaseName, i.Namespace = r.name, r.namespace
	rendered, err := i.RunWithContext(ctx, c, r.values)
	if err != nil {
		return nil, fmt.Errorf("rendering chart %s: %w", c.Name(), err)
	}
	manifests := []string{rendered.Manifest}
	for _, h := range rendered.Hooks {
		manifests = append(manifests, h.Manifest)
	}
	return decode(strings.NewReader(strings.Join(manifests, "\n---\n")), "the chart's output")
}

// imagesIn lists the images of all pods that objects make at once: what a
// CronJob runs, it runs when nobody waits for it.
func imagesIn(objects []*unstructured.Unstructured) []string {
	var images []string
	for _, o := range objects {
		if o.GetKind() == "CronJob" {
			continue
		}
		for _, path := range templates[o.GroupVersionKind().GroupKind()] {
			for _, field := range []string{"initContainers", "containers"} {
				list, _, _ := unstructured.NestedSlice(o.Object, append(slices.Clone(path), "spec", field)...)
				for _, raw := range list {
					c, _ := raw.(map[string]any)
					if image, _ := c["image"].(string); image != "" {
						images = append(images, image)
					}
				}
			}
		}
	}
	slices.Sort(images)
	return slices.Compact(images)
}
