// Package tools: besides pinning the helm command, its test holds the chart of
// testdata/chart to what is known of the real one.
package tools

import (
	"encoding/json"
	"fmt"
	"os"
	"path"
	"reflect"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"sigs.k8s.io/yaml"
)

const charts = "../../../../testdata/chart"

// leftOut are objects of the real chart that nothing of ours or of the bed's
// programs reads.
var leftOut = []string{
	"ConfigMap/cs-matching-rules", "ConfigMap/kubescape-cronjob-template", "ConfigMap/kubevuln-cronjob-template",
	"ConfigMap/registry-scan-cronjob-template", "CustomResourceDefinition/seccompprofiles.kubescape.io",
}

// leftOutMounts are places that the stand-ins do not look at.
var leftOutMounts = []string{
	"/lib/modules", "/sys/kernel/debug", "/boot", "/clamav", // node-agent
	"/etc/config/matchingRules.json", // operator
}

type object = map[string]any

func TestChartRendersTheRealOnesObjects(t *testing.T) {
	ours := render(t)
	for _, real := range realObjects(t) {
		name := fmt.Sprint(real["kind"], "/", real["name"])
		our, ok := ours[name]
		switch {
		case slices.Contains(leftOut, name):
			if ok {
				t.Errorf("%s is rendered: take it off the list of what is left out", name)
			}
			continue
		case !ok:
			t.Errorf("%s is not rendered", name)
			continue
		}
		if got := at(our, "metadata", "namespace"); !reflect.DeepEqual(got, real["namespace"]) {
			t.Errorf("%s is in namespace %v, the real one in %v", name, got, real["namespace"])
		}
		compare(t, name, our, real)
	}
}

// compare checks what the description tells of a real object of this kind.
func compare(t *testing.T, name string, our, real object) {
	equal := func(what string, got, want any) {
		t.Helper()
		if plain(got) != plain(want) {
			t.Errorf("%s: %s is %s, the real one's %s", name, what, plain(got), plain(want))
		}
	}
	switch real["kind"] {
	case "ConfigMap":
		data, _ := our["data"].(object)
		for _, key := range list(real["keys"]) {
			if _, ok := data[key.(string)]; !ok {
				t.Errorf("%s: the key %s is missing", name, key)
			}
		}
	case "Service":
		equal("its ports", at(our, "spec", "ports"), real["ports"])
		equal("its selector", at(our, "spec", "selector"), real["selector"])
	case "APIService":
		spec, _ := our["spec"].(object)
		delete(spec, "caBundle")
		equal("its specification", spec, real["spec"])
	case "DaemonSet", "Deployment":
		equal("its selector", at(our, "spec", "selector"), real["selector"])
		equal("its pods' labels", at(our, "spec", "template", "metadata", "labels"), real["podLabels"])
		equal("hostPID", at(our, "spec", "template", "spec", "hostPID"), real["hostPID"])
		compareContainer(t, name, equal, list(at(our, "spec", "template", "spec", "containers"))[0].(object), list(real["containers"])[0].(object))
	}
}

func compareContainer(t *testing.T, name string, equal func(string, any, any), our, real object) {
	for _, key := range []string{"name", "readinessProbe", "startupProbe", "resources"} {
		equal(key, our[key], real[key])
	}
	ports, env, mounts, wanted := []any{}, []any{}, []any{}, []any{}
	for _, p := range list(our["ports"]) {
		ports = append(ports, p.(object)["containerPort"])
	}
	for _, e := range list(our["env"]) {
		env = append(env, e.(object)["name"])
	}
	for _, m := range list(our["volumeMounts"]) {
		mounts = append(mounts, m.(object)["mountPath"])
	}
	for _, m := range list(real["mounts"]) {
		if !slices.Contains(leftOutMounts, m.(string)) {
			wanted = append(wanted, m)
		}
	}
	equal("ports", ports, list(real["ports"]))
	equal("environment", env, real["env"])
	equal("mounts", mounts, wanted)
}

// The values of ours and those for CI must be values that the real chart has:
// a misspelt one would be ignored without a word.
func TestValuesAreTheRealOnes(t *testing.T) {
	text, err := os.ReadFile(path.Join(charts, "1.40.3/value-keys.txt"))
	if err != nil {
		t.Fatal(err)
	}
	known := strings.Fields(string(text))
	for _, file := range []string{"1.40.3/ci-values.yaml", "kubescape-operator/values.yaml"} {
		values, err := chartutil.ReadValuesFile(path.Join(charts, file))
		if err != nil {
			t.Fatal(err)
		}
		keys := leaves("", values.AsMap())
		if len(keys) < 20 {
			t.Fatalf("%s has only %d keys", file, len(keys))
		}
		for _, key := range keys {
			if !slices.ContainsFunc(known, func(k string) bool { return k == key || strings.HasPrefix(k, key+".") || strings.HasPrefix(key, k+".") }) {
				t.Errorf("%s: the real chart has no value %s", file, key)
			}
		}
	}
}

func render(t *testing.T) map[string]object {
	t.Helper()
	c, err := loader.Load(path.Join(charts, "kubescape-operator"))
	if err != nil {
		t.Fatal(err)
	}
	values, err := chartutil.ReadValuesFile(path.Join(charts, "1.40.3/ci-values.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	options := chartutil.ReleaseOptions{Name: "kubescape", Namespace: "kubescape", IsInstall: true}
	all, err := chartutil.ToRenderValues(c, values, options, nil)
	if err != nil {
		t.Fatal(err)
	}
	files, err := engine.Render(c, all)
	if err != nil {
		t.Fatal(err)
	}
	objects := map[string]object{}
	for name, text := range files {
		if path.Ext(name) != ".yaml" {
			continue
		}
		for _, document := range strings.Split(text, "\n---\n") {
			var o object
			if err := yaml.Unmarshal([]byte(document), &o); err != nil {
				t.Fatalf("reading %s: %v\n%s", name, err, document)
			}
			if o != nil {
				objects[fmt.Sprint(o["kind"], "/", at(o, "metadata", "name"))] = o
			}
		}
	}
	return objects
}

func realObjects(t *testing.T) []object {
	t.Helper()
	text, err := os.ReadFile(path.Join(charts, "1.40.3/objects.json"))
	if err != nil {
		t.Fatal(err)
	}
	var objects []object
	if err := json.Unmarshal(text, &objects); err != nil {
		t.Fatal(err)
	}
	if len(objects) < 30 {
		t.Fatalf("the description has only %d objects", len(objects))
	}
	return objects
}

func at(value any, keys ...string) any {
	for _, key := range keys {
		m, ok := value.(object)
		if !ok {
			return nil
		}
		value = m[key]
	}
	return value
}

func list(value any) []any {
	l, _ := value.([]any)
	return l
}

// plain is a value as JSON, in which 2 and 2.0 are one and keys are sorted.
func plain(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// leaves are the paths of all values that are no maps.
func leaves(prefix string, value any) []string {
	m, ok := value.(object)
	if !ok || len(m) == 0 {
		return []string{prefix}
	}
	var keys []string
	for key, v := range m {
		keys = append(keys, leaves(strings.TrimPrefix(prefix+"."+key, "."), v)...)
	}
	return keys
}
