package kubescape

import (
	"fmt"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/vexxy/action/internal/fault"
)

// templates are the fields that hold a pod, by kind: [] for the object itself.
var templates = map[schema.GroupKind][][]string{
	{Group: "apps", Kind: "Deployment"}:  {{"spec", "template"}},
	{Group: "apps", Kind: "StatefulSet"}: {{"spec", "template"}},
	{Group: "apps", Kind: "DaemonSet"}:   {{"spec", "template"}},
	{Group: "apps", Kind: "ReplicaSet"}:  {{"spec", "template"}},
	{Group: "batch", Kind: "Job"}:        {{"spec", "template"}},
	{Group: "batch", Kind: "CronJob"}:    {{"spec", "jobTemplate", "spec", "template"}},
	{Group: "", Kind: "Pod"}:             {{}},
}

// candidate is a container that could be the observed one.
type candidate struct {
	object      *unstructured.Unstructured
	path        []string // of the pod template
	index       int
	name, image string
}

// String is the candidate as workload-container names it.
func (c candidate) String() string {
	return fmt.Sprintf("%s/%s/%s", strings.ToLower(c.object.GetKind()), c.object.GetName(), c.name)
}

// containersOf lists the containers of all workloads.
func containersOf(objects []*unstructured.Unstructured) ([]candidate, error) {
	var all []candidate
	for _, o := range objects {
		for _, path := range templates[o.GroupVersionKind().GroupKind()] {
			list, _, err := unstructured.NestedSlice(o.Object, append(append([]string{}, path...), "spec", "containers")...)
			if err != nil {
				return nil, malformed(o, err)
			}
			for i, raw := range list {
				m, ok := raw.(map[string]any)
				if !ok {
					return nil, malformed(o, fmt.Errorf("container %d is no map", i))
				}
				c := candidate{object: o, path: path, index: i}
				c.name, _ = m["name"].(string)
				c.image, _ = m["image"].(string)
				all = append(all, c)
			}
		}
	}
	return all, nil
}

// choose gives the container to observe: the wanted one, or else the only one
// whose image is of the repository, whatever its tag or digest.
func choose(all []candidate, wanted, repository string) (candidate, error) {
	var fitting []candidate
	for _, c := range all {
		if wanted != "" && c.called(wanted) || wanted == "" && sameRepository(c.image, repository) {
			fitting = append(fitting, c)
		}
	}
	what := "of image " + text(repository)
	switch {
	case wanted != "":
		what = "called " + text(wanted)
	case repository == "":
		what = "of an image without a name"
	}
	switch len(fitting) {
	case 1:
	case 0:
		hint := "the manifests make no pod"
		if len(all) > 0 {
			hint = "choose one by workload-container: " + listed(all)
		}
		return candidate{}, fault.New(fault.Usage, hint, "choosing the container: there is none %s", what)
	default:
		return candidate{}, fault.New(fault.Usage, "choose one by workload-container: "+listed(fitting),
			"choosing the container: there are %d %s", len(fitting), what)
	}
	c := fitting[0]
	if c.object.GetKind() == "CronJob" {
		return candidate{}, fault.New(fault.Usage, "describe it as a Job", "choosing the container: %s runs when the clock says so, which is no window", text(c.String()))
	}
	return c, nil
}

// called reports whether [KIND/NAME/]CONTAINER means the candidate.
func (c candidate) called(wanted string) bool {
	parts := strings.Split(wanted, "/")
	if len(parts) == 3 {
		return strings.EqualFold(parts[0], c.object.GetKind()) && parts[1] == c.object.GetName() && parts[2] == c.name
	}
	return wanted == c.name
}

// sameRepository compares the repositories of two images' names, each spelled as
// anybody likes, with or without tag and digest.
func sameRepository(image, other string) bool {
	a, err := name.ParseReference(image)
	if err != nil {
		return false
	}
	b, err := name.ParseReference(other)
	return err == nil && a.Context().Name() == b.Context().Name()
}

// listed names candidates, not too many of them.
func listed(all []candidate) string {
	var names []string
	for _, c := range all {
		names = append(names, text(c.String()))
	}
	slices.Sort(names)
	if len(names) > 10 {
		names = append(names[:10], fmt.Sprintf("and %d more", len(names)-10))
	}
	return strings.Join(names, ", ")
}
