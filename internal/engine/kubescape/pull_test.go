package kubescape

import (
	"path/filepath"
	"slices"
	"testing"
)

// What is pulled ahead is what the pods of Kubescape and of the user's own
// workload ask for, each once; not the subject, which the run brings, and not
// what runs by a clock.
func TestAsked(t *testing.T) {
	dir := t.TempDir()
	manifests := filepath.Join(dir, "shop.yaml")
	write(t, manifests, `
apiVersion: apps/v1
kind: Deployment
metadata: {name: shop}
spec:
  template:
    spec:
      initContainers: [{name: wait, image: "example.com/wait:1"}]
      containers: [{name: shop, image: "example.com/shop:latest"}, {name: db, image: "postgres:17"}]
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: nightly}
spec: {jobTemplate: {spec: {template: {spec: {containers: [{name: sum, image: "example.com/sum:1"}]}}}}}
---
apiVersion: v1
kind: Pod
metadata: {name: cache}
spec: {containers: [{name: db, image: "postgres:17"}]}
`)
	kubescape := []string{
		"vexxy.test/kubevuln:v0.3.154", "vexxy.test/node-agent-stand-in:v0.3.158", "vexxy.test/operator-stand-in:1", "vexxy.test/storage:v0.0.290",
	}
	for _, c := range []struct {
		name     string
		packaged Packaged
		want     []string
	}{
		{"Kubescape", Packaged{}, kubescape},
		{"manifests", Packaged{Manifests: []string{manifests}}, append([]string{"example.com/wait:1", "postgres:17"}, kubescape...)},
		{"a chart to be fetched", Packaged{Chart: ChartSource{Chart: "oci://example.com/charts/shop"}}, kubescape},
		{"a chart that is here", Packaged{Chart: ChartSource{Chart: testChart}}, kubescape},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := &Engine{options: Options{Packaged: c.packaged, Requested: []string{"example.com/shop@sha256:0000000000000000000000000000000000000000000000000000000000000000"}}}
			objects, err := e.ownChart(t.Context(), loaded{path: testChart})
			if err != nil {
				t.Fatal(err)
			}
			got, err := e.asked(t.Context(), objects)
			if err != nil || !slices.Equal(got, c.want) {
				t.Errorf("got %q, %v; want %q", got, err, c.want)
			}
		})
	}
	e := &Engine{options: Options{Packaged: Packaged{Manifests: []string{filepath.Join(dir, "none.yaml")}}}}
	if got, err := e.asked(t.Context(), nil); err == nil || len(got) > 0 {
		t.Errorf("without the manifests: %q, %v", got, err)
	}
	if _, err := e.ownChart(t.Context(), loaded{path: dir}); err == nil {
		t.Error("a folder without a chart is no error")
	}
}
