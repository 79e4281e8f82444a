package kubescape

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"helm.sh/helm/v3/pkg/chart"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/metadata"

	"github.com/vexxy/action/internal/fault"
)

// definitions are custom resource definitions. Helm makes those that a chart
// has in its folder crds, without a mark, and never removes them.
var definitions = schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}

// definitionsIn reads a chart's definitions.
func definitionsIn(c *chart.Chart) ([]*unstructured.Unstructured, error) {
	var all []*unstructured.Unstructured
	for _, file := range c.CRDObjects() {
		objects, err := decode(bytes.NewReader(file.File.Data), "the chart's "+text(file.Filename))
		if err != nil {
			return nil, err
		}
		all = append(all, objects...)
	}
	return all, nil
}

// makeDefinitions makes a chart's definitions in a cluster of the run's own and
// waits until they are served. Helm, which leaves alone what is there, would
// look for that every 2 s.
func (e *Engine) makeDefinitions(ctx context.Context, c *chart.Chart) error {
	wanted, err := definitionsIn(c)
	if err != nil {
		return err
	}
	client, err := dynamic.NewForConfig(e.cluster.Config)
	if err != nil {
		return err
	}
	for _, d := range wanted {
		_, err := client.Resource(definitions).Create(ctx, d, metav1.CreateOptions{FieldManager: fieldManager})
		if err != nil && !apierrors.IsAlreadyExists(err) {
			return fault.New(fault.Infra, "look at the chart", "making custom resource definition %s: %w", text(d.GetName()), err)
		}
	}
	for _, d := range wanted {
		err := await(ctx, servedTimeout, "custom resource definition "+text(d.GetName())+" not served", func(ctx context.Context) (bool, string, error) {
			now, err := client.Resource(definitions).Get(ctx, d.GetName(), metav1.GetOptions{})
			if err != nil {
				return false, "", err
			}
			return established(now), "", nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// servedTimeout is how long a definition may take.
const servedTimeout = 30 * time.Second

// established reports whether the API server has taken a definition.
func established(definition *unstructured.Unstructured) bool {
	conditions, _, _ := unstructured.NestedSlice(definition.Object, "status", "conditions")
	return slices.ContainsFunc(conditions, func(raw any) bool {
		c, _ := raw.(map[string]any)
		return c["type"] == "Established" && c["status"] == "True"
	})
}

// newDefinitions names those of a chart's definitions that the cluster does not
// have yet.
func (e *Engine) newDefinitions(ctx context.Context, c *chart.Chart) ([]string, error) {
	client, err := metadata.NewForConfig(e.cluster.Config)
	if err != nil {
		return nil, err
	}
	wanted, err := definitionsIn(c)
	if err != nil {
		return nil, err
	}
	var fresh []string
	for _, d := range wanted {
		_, err := client.Resource(definitions).Get(ctx, d.GetName(), metav1.GetOptions{})
		switch {
		case isMissing(err):
			fresh = append(fresh, d.GetName())
		case err != nil:
			return nil, fmt.Errorf("looking for the chart's custom resource definitions: %w", err)
		}
	}
	return fresh, nil
}

// markTimeout bounds the marking of definitions.
const markTimeout = 5 * time.Second

// markDefinitions gives the run's marks to definitions that it has made.
func (e *Engine) markDefinitions(ctx context.Context, names []string) error {
	if len(names) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), markTimeout) // also what a cancelled run has made
	defer cancel()
	client, err := metadata.NewForConfig(e.cluster.Config)
	if err != nil {
		return err
	}
	labels, annotations := e.marks()
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"labels": labels, "annotations": annotations}})
	if err != nil {
		return err
	}
	var errs []error
	for _, name := range names {
		_, err := client.Resource(definitions).Patch(ctx, name, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: fieldManager})
		errs = append(errs, present(err))
	}
	return errors.Join(errs...)
}

// removeDefinitions removes the definitions that runs have made.
func (e *Engine) removeDefinitions(ctx context.Context) error {
	client, err := metadata.NewForConfig(e.cluster.Config)
	if err != nil {
		return err
	}
	list, err := client.Resource(definitions).List(ctx, metav1.ListOptions{LabelSelector: labelRun})
	if apierrors.IsForbidden(err) { // who may not look has made none
		return nil
	}
	if err != nil {
		return fmt.Errorf("looking for custom resource definitions of runs: %w", err)
	}
	var errs []error
	for _, d := range list.Items {
		err := client.Resource(definitions).Delete(ctx, d.Name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &d.UID}})
		errs = append(errs, present(err))
	}
	return errors.Join(errs...)
}
