package objects

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// listEvery is how many looks pass before an object that is not there under its
// expected name is looked for by its labels, in a list of all metadata.
const listEvery = 10

// found gets a document of the container: by the instance's slug, or by its
// labels. It gives nil for one that is not there,
// is of the whole image, or was there before and has not changed.
func found[T any, P interface {
	*T
	metav1.Object
}](h *hunt, name, kind string, get func(string) (P, error), list func() ([]T, error)) (P, error) {
	got, err := get(name)
	if err != nil {
		if err = scanRefused(kind, err); err != nil {
			return nil, err
		}
		if h.looks%listEvery != 0 {
			return nil, nil
		}
		items, err := list()
		if err != nil {
			return nil, scanRefused(kind, err)
		}
		got = nil
		for i := range items {
			if item := P(&items[i]); h.ours(metaOf(item)) {
				if got, err = get(item.GetName()); err != nil {
					return nil, scanRefused(kind, err)
				}
				break
			}
		}
		if got == nil {
			return nil, nil
		}
	}
	m := metaOf(got)
	if !h.ours(m) || m.Labels[keyContext] != contextFiltered {
		return nil, nil
	}
	if before(m, h.profile.CreationTimestamp.Time) {
		known, ok := h.stale[kind]
		if !ok && h.askedAt.IsZero() {
			h.stale[kind] = m.ResourceVersion
			return nil, nil
		}
		if !ok || known == m.ResourceVersion {
			return nil, nil
		}
	}
	return got, nil
}

// ours reports whether an object's labels name the container of the profile.
func (h *hunt) ours(m metav1.ObjectMeta) bool {
	p := h.profile.Labels
	w := Workload{Namespace: p[keyNamespace], Kind: p[keyKind], Name: p[keyName], Container: p[keyContainer], Template: p[keyTemplate]}
	return w.of(m.Labels)
}

// metaOf is what this package asks of an object.
func metaOf(o metav1.Object) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Name: o.GetName(), Labels: o.GetLabels(), Annotations: o.GetAnnotations(),
		CreationTimestamp: o.GetCreationTimestamp(), ResourceVersion: o.GetResourceVersion(),
	}
}

// itemsOf gives a list's items, none beside an error.
func itemsOf[L, T any](list *L, err error, items func(*L) []T) ([]T, error) {
	if err != nil {
		return nil, err
	}
	return items(list), nil
}

func scanRefused(kind string, err error) error {
	return refused("get and list", fmt.Sprintf("%s.spdx.softwarecomposition.kubescape.io in Kubescape's namespace", kind), err)
}
