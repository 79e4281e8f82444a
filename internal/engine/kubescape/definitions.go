package kubescape

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"helm.sh/helm/v3/pkg/chart"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/metadata"
)

// definitions are custom resource definitions. Helm makes those that a chart
// has in its folder crds, without a mark, and never removes them.
var definitions = schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}

// newDefinitions names those of a chart's definitions that the cluster does not
// have yet.
func (e *Engine) newDefinitions(ctx context.Context, c *chart.Chart) ([]string, error) {
	client, err := metadata.NewForConfig(e.cluster.Config)
	if err != nil {
		return nil, err
	}
	var fresh []string
	for _, file := range c.CRDObjects() {
		objects, err := decode(bytes.NewReader(file.File.Data), "the chart's "+text(file.Filename))
		if err != nil {
			return nil, err
		}
		for _, o := range objects {
			_, err := client.Resource(definitions).Get(ctx, o.GetName(), metav1.GetOptions{})
			switch {
			case isMissing(err):
				fresh = append(fresh, o.GetName())
			case err != nil:
				return nil, fmt.Errorf("looking for the chart's custom resource definitions: %w", err)
			}
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
