package kubescape

import (
	"testing"

	"helm.sh/helm/v3/pkg/chart/loader"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func TestDefinitionsInAChart(t *testing.T) {
	c, err := loader.Load(testChart)
	if err != nil {
		t.Fatal(err)
	}
	got, err := definitionsIn(c)
	if err != nil || len(got) != 1 || got[0].GetName() != "operatorcommands.kubescape.io" || got[0].GetKind() != "CustomResourceDefinition" {
		t.Errorf("got %v, %v", got, err)
	}
}

// A definition is served once the API server says so, and not before.
func TestEstablished(t *testing.T) {
	condition := func(kind, status string) any { return map[string]any{"type": kind, "status": status} }
	for name, row := range map[string]struct {
		conditions []any
		want       bool
	}{
		"no condition yet":  {nil, false},
		"names accepted":    {[]any{condition("NamesAccepted", "True")}, false},
		"names in conflict": {[]any{condition("NamesAccepted", "False"), condition("Established", "False")}, false},
		"established":       {[]any{condition("NamesAccepted", "True"), condition("Established", "True")}, true},
		"no condition":      {[]any{"Established"}, false},
	} {
		d := &unstructured.Unstructured{Object: map[string]any{"status": map[string]any{"conditions": row.conditions}}}
		if got := established(d); got != row.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
