package kubescape

import (
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/vexxy/action/internal/fault"
)

// adapter makes objects that a user describes fit a run. All of them go into
// the sandbox and bear the run's marks, on pods as well. One container is the
// observed one: it gets the run's image by its digest, its pods get the label
// of the window, and there is one of them where its kind has a number of them.
type adapter struct {
	labels, annotations map[string]string
	// workload is the value of the label by which the observed pod is found.
	workload, window string
	// reference is the image's name in the cluster; repository is its
	// published one, which tells the observed container.
	reference, repository string
	pull                  corev1.PullPolicy
	secret                string
	// wanted is Packaged.Container.
	wanted string
	// subject tells the run's image, by any name that it may have.
	subject func(image, imageID string) bool
	// own says that the cluster is the run's own, and may be filled with
	// objects of no namespace.
	own bool
	// scope reports whether objects of a kind live in namespaces.
	scope func(schema.GroupVersionKind) (namespaced bool, err error)
}

// adapt changes the objects in place and gives the observed container.
func (a adapter) adapt(objects []*unstructured.Unstructured) (observed, error) {
	seen := map[string]bool{}
	accounts := map[string]bool{}
	for _, o := range objects {
		if err := a.place(o); err != nil {
			return observed{}, err
		}
		if id := o.GetAPIVersion() + " " + o.GetKind() + " " + o.GetName(); seen[id] {
			return observed{}, fault.New(fault.Usage, "everything runs in the one namespace "+Sandbox+": give them different names", "adapting manifests: %s is there twice", titleOf(o))
		} else {
			seen[id] = true
		}
		if o.GetKind() == "ServiceAccount" {
			accounts[o.GetName()] = true
		}
	}
	candidates, err := containersOf(objects)
	if err != nil {
		return observed{}, err
	}
	chosen, err := choose(candidates, a.wanted, a.repository)
	if err != nil {
		return observed{}, err
	}
	for _, o := range objects {
		rebind(o, accounts)
		for _, path := range templates[o.GroupVersionKind().GroupKind()] {
			if err := a.mark(o, path); err != nil {
				return observed{}, err
			}
		}
	}
	aside := passing(objects, chosen.object, a.subject)
	got, err := a.observe(chosen)
	got.aside = aside
	return got, err
}

// place puts an object into the sandbox, with the run's marks.
func (a adapter) place(o *unstructured.Unstructured) error {
	if o.GetName() == "" { // a random name would be known too late
		o.SetName(o.GetGenerateName() + a.workload)
		o.SetGenerateName("")
	}
	kind := o.GroupVersionKind()
	if kind.Group == "" && kind.Kind == "Namespace" {
		return fault.New(fault.Usage, "leave it away: everything runs in namespace "+Sandbox, "adapting manifests: %s cannot be made", titleOf(o))
	}
	namespaced, err := a.scope(kind)
	if err != nil {
		return err
	}
	switch {
	case namespaced:
		o.SetNamespace(Sandbox)
	case !a.own:
		return clusterWide(kind.Kind, o.GetName())
	}
	return a.label(o, nil)
}

// clusterWide is the error of an object that an existing cluster is spared.
func clusterWide(kind, name string) error {
	return fault.New(fault.Usage, "leave it away, or leave kubeconfig and context away: a cluster of the run's own takes it",
		"adapting manifests: %s %s belongs to no namespace, and the cluster is not the run's own", text(kind), text(name))
}

// with gives a map with more in it.
func with(m, more map[string]string) map[string]string {
	all := maps.Clone(m)
	if all == nil {
		all = map[string]string{}
	}
	maps.Copy(all, more)
	return all
}

// rebind lets a binding mean the service accounts that moved to the sandbox.
func rebind(o *unstructured.Unstructured, accounts map[string]bool) {
	if o.GroupVersionKind().Group != groupRBAC {
		return
	}
	subjects, found, err := unstructured.NestedSlice(o.Object, "subjects")
	if err != nil || !found {
		return // which the API server says better
	}
	for _, s := range subjects {
		if m, ok := s.(map[string]any); ok && m["kind"] == "ServiceAccount" {
			if name, _ := m["name"].(string); accounts[name] || m["namespace"] == nil {
				m["namespace"] = Sandbox
			}
		}
	}
	_ = unstructured.SetNestedSlice(o.Object, subjects, "subjects")
}

// mark puts the run's marks on the pods that an object makes, and gives up
// the volumes that a StatefulSet claims when it goes.
func (a adapter) mark(o *unstructured.Unstructured, path []string) error {
	if err := a.label(o, path); err != nil || o.GetKind() != "StatefulSet" {
		return err
	}
	err := unstructured.SetNestedStringMap(o.Object, map[string]string{"whenDeleted": "Delete", "whenScaled": "Delete"}, "spec", "persistentVolumeClaimRetentionPolicy")
	if err != nil {
		return malformed(o, err)
	}
	return nil
}

// label puts the run's marks on an object, or on what its path leads to.
func (a adapter) label(o *unstructured.Unstructured, path []string) error {
	for field, more := range map[string]map[string]string{"labels": a.labels, "annotations": a.annotations} {
		at := slices.Concat(path, []string{"metadata", field})
		m, _, err := unstructured.NestedStringMap(o.Object, at...)
		if err == nil {
			err = unstructured.SetNestedStringMap(o.Object, with(m, more), at...)
		}
		if err != nil {
			return malformed(o, err)
		}
	}
	return nil
}

func malformed(o *unstructured.Unstructured, err error) error {
	return fault.New(fault.Usage, "see `kubectl explain "+text(o.GetKind())+"`", "adapting manifests: %s: %w", titleOf(o), err)
}

// observed is the observed container as the cluster is given it.
type observed struct {
	kind, name string
	container  corev1.Container
	// aside are objects that run the image once, and unwatched.
	aside []string
}

// observe gives the chosen container the run's image, and its pods the labels
// by which node-agent and the engine know them.
func (a adapter) observe(c candidate) (observed, error) {
	o, path := c.object, c.path
	labels := slices.Concat(path, []string{"metadata", "labels"})
	m, _, err := unstructured.NestedStringMap(o.Object, labels...)
	if err == nil {
		m = with(m, map[string]string{labelWindow: a.window, labelWorkload: a.workload})
		err = unstructured.SetNestedStringMap(o.Object, m, labels...)
	}
	if err != nil {
		return observed{}, malformed(o, err)
	}
	spec, _, _ := unstructured.NestedMap(o.Object, slices.Concat(path, []string{"spec"})...)
	var pod corev1.PodSpec
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(spec, &pod); err != nil {
		return observed{}, malformed(o, err)
	}
	containers, _, _ := unstructured.NestedSlice(spec, "containers")
	container := containers[c.index].(map[string]any)
	container["image"], container["imagePullPolicy"] = a.reference, string(a.pull)
	if err := unstructured.SetNestedSlice(spec, containers, "containers"); err != nil {
		return observed{}, malformed(o, err)
	}
	if a.secret != "" {
		secrets, _, err := unstructured.NestedSlice(spec, "imagePullSecrets")
		if err == nil {
			err = unstructured.SetNestedSlice(spec, append(secrets, any(map[string]any{"name": a.secret})), "imagePullSecrets")
		}
		if err != nil {
			return observed{}, malformed(o, err)
		}
	}
	if err := unstructured.SetNestedMap(o.Object, spec, slices.Concat(path, []string{"spec"})...); err != nil {
		return observed{}, malformed(o, err)
	}
	switch o.GetKind() {
	case "Deployment", "StatefulSet", "ReplicaSet": // two would share the requests and the profile
		if err := unstructured.SetNestedField(o.Object, int64(1), "spec", "replicas"); err != nil {
			return observed{}, malformed(o, err)
		}
	}
	return observed{kind: o.GetKind(), name: o.GetName(), container: pod.Containers[c.index]}, nil
}

// ports are the given TCP ports and those that the container declares.
func (o observed) ports(first []int) []int {
	all := first
	have := map[int]bool{}
	for _, p := range first {
		have[p] = true
	}
	for _, p := range o.container.Ports {
		if n := int(p.ContainerPort); !have[n] && (p.Protocol == "" || p.Protocol == corev1.ProtocolTCP) {
			have[n], all = true, append(all, n)
		}
	}
	return all
}

func (o observed) String() string { return fmt.Sprintf("%s/%s/%s", o.kind, o.name, o.container.Name) }
