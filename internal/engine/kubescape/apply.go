package kubescape

import (
	"context"
	"fmt"
	"slices"
	"time"

	"helm.sh/helm/v3/pkg/releaseutil"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/restmapper"

	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/foreign"
)

// fieldManager is the name under which vexxy writes fields.
const fieldManager = "vexxy"

// applier makes objects of any kind that the cluster knows.
type applier struct {
	engine *Engine
	client dynamic.Interface
	mapper *restmapper.DeferredDiscoveryRESTMapper
}

func (e *Engine) applier() (*applier, error) {
	client, err := dynamic.NewForConfig(e.cluster.Config)
	if err != nil {
		return nil, fmt.Errorf("making a client for manifests: %w", err)
	}
	return &applier{e, client, restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(e.cluster.Client.Discovery()))}, nil
}

// scope tells which kinds live in namespaces: the cluster knows, or a
// definition among the objects.
func (a *applier) scope(objects []*unstructured.Unstructured) func(schema.GroupVersionKind) (bool, error) {
	defined := map[schema.GroupKind]bool{}
	for _, o := range objects {
		if isDefinition(o) {
			group, _, _ := unstructured.NestedString(o.Object, "spec", "group")
			kind, _, _ := unstructured.NestedString(o.Object, "spec", "names", "kind")
			scope, _, _ := unstructured.NestedString(o.Object, "spec", "scope")
			defined[schema.GroupKind{Group: group, Kind: kind}] = scope == "Namespaced"
		}
	}
	return func(kind schema.GroupVersionKind) (bool, error) {
		if namespaced, found := defined[kind.GroupKind()]; found {
			return namespaced, nil
		}
		m, err := a.mapper.RESTMapping(kind.GroupKind(), kind.Version)
		if meta.IsNoMatchError(err) {
			return false, fault.New(fault.Usage, "check apiVersion and kind, or give the CustomResourceDefinition along with it",
				"adapting manifests: the cluster knows no %s of %s", text(kind.Kind), text(kind.GroupVersion().String()))
		}
		if err != nil {
			return false, fault.New(fault.Infra, "", "asking what the cluster knows: %w", err)
		}
		return m.Scope.Name() == meta.RESTScopeNameNamespace, nil
	}
}

func isDefinition(o *unstructured.Unstructured) bool {
	return o.GetKind() == "CustomResourceDefinition" && o.GroupVersionKind().Group == "apiextensions.k8s.io"
}

// apply makes the objects: definitions first, workloads after what they need,
// in Helm's order of kinds.
func (a *applier) apply(ctx context.Context, objects []*unstructured.Unstructured) error {
	rank := func(o *unstructured.Unstructured) int {
		if isDefinition(o) {
			return -1
		}
		if i := slices.Index(releaseutil.InstallOrder, o.GetKind()); i >= 0 {
			return i
		}
		return len(releaseutil.InstallOrder)
	}
	sorted := slices.Clone(objects)
	slices.SortStableFunc(sorted, func(x, y *unstructured.Unstructured) int { return rank(x) - rank(y) })
	for _, o := range sorted {
		if err := a.create(ctx, o); err != nil {
			return err
		}
	}
	return nil
}

// create makes one object, its removal registered before. Where one of the
// name is there already, nothing but the run's own cluster is changed: two
// runs may well describe the same.
func (a *applier) create(ctx context.Context, o *unstructured.Unstructured) error {
	at, err := a.resource(ctx, o)
	if err != nil {
		return err
	}
	if !a.engine.cluster.Own {
		a.engine.undoing(titleOf(o), func(ctx context.Context) error { return a.remove(ctx, at, o.GetName()) })
	}
	_, err = at.Create(ctx, o, metav1.CreateOptions{FieldManager: fieldManager})
	if apierrors.IsAlreadyExists(err) && a.engine.cluster.Own {
		_, err = at.Apply(ctx, o.GetName(), o, metav1.ApplyOptions{FieldManager: fieldManager, Force: true})
	}
	switch {
	case err == nil:
		return nil
	case context.Cause(ctx) != nil:
		return context.Cause(ctx)
	case apierrors.IsAlreadyExists(err):
		return fault.New(fault.Infra, "wait for the other run that uses it, or remove it from namespace "+Sandbox, "making %s: there is one already", titleOf(o))
	case apierrors.IsInvalid(err), apierrors.IsBadRequest(err):
		return fault.New(fault.Usage, "see `kubectl explain "+text(o.GetKind())+"`", "making %s: %s", titleOf(o), foreign.Text(err.Error()).Line(500))
	}
	return fault.New(fault.Infra, "", "making %s: %s", titleOf(o), foreign.Text(err.Error()).Line(500))
}

// resource gives the place of an object. A definition made just now needs a
// moment until the API server serves it.
func (a *applier) resource(ctx context.Context, o *unstructured.Unstructured) (dynamic.ResourceInterface, error) {
	kind := o.GroupVersionKind()
	var m *meta.RESTMapping
	err := await(ctx, definedTimeout, "the API server does not serve "+titleOf(o), func(context.Context) (bool, string, error) {
		var err error
		if m, err = a.mapper.RESTMapping(kind.GroupKind(), kind.Version); err != nil {
			a.mapper.Reset()
		}
		return err == nil, "", err
	})
	if err != nil {
		return nil, fault.New(fault.Infra, "", "making %s: %w", titleOf(o), err)
	}
	if m.Scope.Name() == meta.RESTScopeNameNamespace {
		return a.client.Resource(m.Resource).Namespace(Sandbox), nil
	}
	return a.client.Resource(m.Resource), nil
}

// definedTimeout is how long a new kind may take until it is served.
const definedTimeout = 30 * time.Second

// remove removes an object if it is this run's.
func (a *applier) remove(ctx context.Context, at dynamic.ResourceInterface, name string) error {
	o, err := at.Get(ctx, name, metav1.GetOptions{})
	if err != nil || o.GetLabels()[labelRun] != a.engine.options.RunID {
		return present(err)
	}
	uid, foreground := o.GetUID(), metav1.DeletePropagationForeground
	return present(at.Delete(ctx, name, metav1.DeleteOptions{PropagationPolicy: &foreground, Preconditions: &metav1.Preconditions{UID: &uid}}))
}
