package kubescape

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The engine waits for, finds and asks parts of Kubescape by their names: they
// are those of its own chart.
func TestNamesOfRealChart(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join(realChart, "objects.json"))
	if err != nil {
		t.Fatal(err)
	}
	var objects []struct {
		Kind, Name, Namespace string
		PodLabels             map[string]string
		Ports                 []struct{ Port int }
	}
	if err := json.Unmarshal(raw, &objects); err != nil {
		t.Fatal(err)
	}
	var workloads, named []string
	for _, o := range objects {
		switch o.Kind {
		case "Deployment", "DaemonSet":
			workloads = append(workloads, o.Kind+" "+o.PodLabels[component])
			if o.Namespace != Namespace {
				t.Errorf("%s %s is in namespace %s", o.Kind, o.Name, o.Namespace)
			}
		case "APIService":
			named = append(named, o.Name)
		case "Service":
			if o.Name == "kubevuln" && len(o.Ports) == 1 && o.Ports[0].Port == 8080 {
				named = append(named, "http:kubevuln:8080")
			}
		}
	}
	slices.Sort(workloads)
	if got, want := strings.Join(workloads, ", "), "DaemonSet node-agent, Deployment kubevuln, Deployment operator, Deployment storage"; got != want {
		t.Errorf("the chart's workloads are %s", got)
	}
	slices.Sort(named)
	if got, want := strings.Join(named, ", "), "http:kubevuln:8080, "+apiService; got != want {
		t.Errorf("the chart has %s, the engine wants %s", got, want)
	}
}
