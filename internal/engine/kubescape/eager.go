package kubescape

import (
	"bytes"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// eager is Helm's post-renderer for a Kubescape of the run's own: what is ready
// is found out within a second. The chart's probes are made for installations
// that last, and look for the first time after ten. How long something may be
// unwell until it counts as unready stays as it was. What is deferred, where
// anything is, gets no pods yet. A chart that cannot be read so is installed as
// it is.
type eager struct{ *deferred }

func (r eager) Run(rendered *bytes.Buffer) (*bytes.Buffer, error) {
	objects, err := decode(bytes.NewReader(rendered.Bytes()), "the chart's output")
	if err != nil {
		return rendered, nil
	}
	for _, o := range objects {
		hasten(o)
		if r.deferred != nil {
			r.park(o)
		}
	}
	hastened, err := encode(objects)
	if err != nil {
		return rendered, nil
	}
	return hastened, nil
}

// probes are the fields of a container that say when it is ready.
var probes = []string{"startupProbe", "readinessProbe"}

// Kubernetes' defaults of a probe.
// https://kubernetes.io/docs/tasks/configure-pod-container/configure-liveness-readiness-startup-probes
const (
	defaultPeriod   = 10
	defaultFailures = 3
)

// hasten lets all probes of a workload ask every second. It changes the object
// in place.
func hasten(o *unstructured.Unstructured) {
	for _, path := range templates[o.GroupVersionKind().GroupKind()] {
		field := append(append([]string{}, path...), "spec", "containers")
		list, found, _ := unstructured.NestedSlice(o.Object, field...)
		if !found {
			continue
		}
		for _, raw := range list {
			c, _ := raw.(map[string]any)
			for _, name := range probes {
				if probe, ok := c[name].(map[string]any); ok {
					quicken(probe)
				}
			}
		}
		_ = unstructured.SetNestedSlice(o.Object, list, field...)
	}
}

func quicken(probe map[string]any) {
	patience := whole(probe, "periodSeconds", defaultPeriod) * whole(probe, "failureThreshold", defaultFailures)
	patience += whole(probe, "initialDelaySeconds", 0)
	delete(probe, "initialDelaySeconds")
	probe["periodSeconds"], probe["failureThreshold"] = int64(1), patience
}

// whole is a number of an object, of either of the types that decoders give it.
func whole(object map[string]any, field string, other int64) int64 {
	switch v := object[field].(type) {
	case int64:
		return v
	case float64:
		return int64(v)
	}
	return other
}
