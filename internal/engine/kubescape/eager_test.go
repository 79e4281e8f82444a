package kubescape

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Kubescape's probes ask every second, for as long as they did before; all else
// of the chart stays as it is.
func TestEager(t *testing.T) {
	values, err := chartValues(0, true, nil)
	if err != nil {
		t.Fatal(err)
	}
	r := kubescapeRelease
	r.values = values
	plain, err := r.rendered(t.Context(), testChart)
	if err != nil {
		t.Fatal(err)
	}
	in, err := encode(plain)
	if err != nil {
		t.Fatal(err)
	}
	out, err := eager{}.Run(in)
	if err != nil {
		t.Fatal(err)
	}
	hastened, err := decode(out, "the output")
	if err != nil || len(hastened) != len(plain) {
		t.Fatalf("%d objects, want %d: %v", len(hastened), len(plain), err)
	}
	var got []string
	for i, o := range hastened {
		for _, probe := range probes {
			got = append(got, probed(t, o, probe)...)
			take(o, probe)
			take(plain[i], probe)
		}
		if before, after := sprint(plain[i].Object), sprint(o.Object); before != after {
			t.Errorf("%s was\n%s\nand is\n%s", titleOf(o), before, after)
		}
	}
	want := []string{ // name, probe: delay, period, failures
		"kubevuln readinessProbe: <nil> 1 30", "node-agent startupProbe: <nil> 1 300", "node-agent readinessProbe: <nil> 1 9",
		"operator readinessProbe: <nil> 1 25", "apiserver readinessProbe: <nil> 1 30",
	}
	for _, w := range want {
		if !strings.Contains("\n"+strings.Join(got, "\n")+"\n", "\n"+w+"\n") {
			t.Errorf("there is no %s", w)
		}
	}
	if len(got) != len(want) {
		t.Errorf("the probes are %q", got)
	}
	const other = "kind: [this is not what Helm renders"
	if out, err := (eager{}).Run(bytes.NewBufferString(other)); err != nil || out.String() != other {
		t.Errorf("what cannot be read becomes %q, %v", out, err)
	}
}

// probed describes the probes of a workload's containers.
func probed(t *testing.T, o *unstructured.Unstructured, probe string) []string {
	t.Helper()
	var all []string
	for _, path := range templates[o.GroupVersionKind().GroupKind()] {
		list, _, err := unstructured.NestedSlice(o.Object, append(append([]string{}, path...), "spec", "containers")...)
		if err != nil {
			t.Fatal(err)
		}
		for _, raw := range list {
			c := raw.(map[string]any)
			if p, ok := c[probe].(map[string]any); ok {
				all = append(all, fmt.Sprintf("%v %s: %v %v %v", c["name"], probe, p["initialDelaySeconds"], p["periodSeconds"], p["failureThreshold"]))
			}
		}
	}
	return all
}

// take removes what may differ of a probe.
func take(o *unstructured.Unstructured, probe string) {
	for _, path := range templates[o.GroupVersionKind().GroupKind()] {
		field := append(append([]string{}, path...), "spec", "containers")
		list, _, _ := unstructured.NestedSlice(o.Object, field...)
		for _, raw := range list {
			if p, ok := raw.(map[string]any)[probe].(map[string]any); ok {
				for _, f := range []string{"initialDelaySeconds", "periodSeconds", "failureThreshold"} {
					delete(p, f)
				}
			}
		}
		if len(list) > 0 {
			_ = unstructured.SetNestedSlice(o.Object, list, field...)
		}
	}
}
