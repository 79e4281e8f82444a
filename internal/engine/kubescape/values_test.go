package kubescape

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"helm.sh/helm/v3/pkg/chartutil"

	"github.com/vexxy/action/internal/fault"
)

// realChart is what is known of Kubescape's own chart.
const realChart = "../../../testdata/chart/1.40.3"

// The values are those that the chart was rendered with, but for the window
// and the database.
func TestChartValues(t *testing.T) {
	want, err := chartutil.ReadValuesFile(filepath.Join(realChart, "ci-values.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	want["nodeAgent"].(map[string]any)["config"].(map[string]any)["maxLearningPeriod"] = "45s"
	got, err := chartValues(45*time.Second, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, map[string]any(want)) {
		t.Errorf("the values are\n%v\nnot\n%v", got, want)
	}

	mounted, err := chartValues(45*time.Second, true, nil)
	if err != nil {
		t.Fatal(err)
	}
	kubevuln := mounted["kubevuln"].(map[string]any)
	for key, want := range map[string]string{"volumes": databaseInNode, "volumeMounts": databaseInPod} {
		list, _ := kubevuln[key].([]any)
		if len(list) != 1 || !strings.Contains(sprint(list[0]), want) {
			t.Errorf("kubevuln.%s is %v", key, list)
		}
		delete(kubevuln, key)
	}
	config := kubevuln["config"].(map[string]any)
	if listing := config["grypeDbListingURL"]; listing != "http://127.0.0.1:1/none" {
		t.Errorf("kubevuln would look for another database at %v", listing)
	}
	delete(config, "grypeDbListingURL")
	if !reflect.DeepEqual(mounted, got) {
		t.Error("the database's mount changes other values")
	}
}

// A key that the chart does not know would be ignored without a word.
func TestChartKnowsKeys(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join(realChart, "value-keys.txt"))
	if err != nil {
		t.Fatal(err)
	}
	known := strings.Fields(string(raw))
	values, err := chartValues(time.Minute, true, nil)
	if err != nil {
		t.Fatal(err)
	}
	leaves := leavesOf("", values)
	if len(leaves) < 40 {
		t.Fatalf("only %d values were found", len(leaves))
	}
	for _, key := range leaves {
		if !slices.Contains(known, key) {
			t.Errorf("the chart has no value %s", key)
		}
	}
}

func leavesOf(path string, value any) (leaves []string) {
	m, ok := value.(map[string]any)
	if !ok {
		return []string{strings.TrimPrefix(path, ".")}
	}
	for key, v := range m {
		leaves = append(leaves, leavesOf(path+"."+key, v)...)
	}
	return leaves
}

// What the user gives is on top, the last file most of all.
func TestUserValues(t *testing.T) {
	dir := t.TempDir()
	first, second := filepath.Join(dir, "1.yaml"), filepath.Join(dir, "2.yaml")
	write(t, first, "clusterName: first\nkubevuln: {config: {scanTimeout: 9m}}\ncapabilities: {relevancy: disable}\nnodeAgent: {env: []}\n")
	write(t, second, "clusterName: second\nnodeAgent: {config: {maxLearningPeriod: 5m}}\n")
	got, err := chartValues(time.Minute, true, []string{first, second})
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"clusterName":                        "second",
		"nodeAgent.config.maxLearningPeriod": "5m",
		"nodeAgent.config.updatePeriod":      "24h",
		"nodeAgent.env":                      "[]",
		"capabilities.relevancy":             "disable",
		"capabilities.vexGeneration":         "enable",
		"kubevuln.config.scanTimeout":        "9m",
		"kubevuln.config.storeFilteredSboms": "true",
	} {
		var at any = got
		for _, key := range strings.Split(path, ".") {
			at = at.(map[string]any)[key]
		}
		if sprint(at) != want {
			t.Errorf("%s is %v, not %s", path, at, want)
		}
	}
	alone, err := valuesOf([]string{first, second})
	if err != nil || alone["clusterName"] != "second" || len(alone) != 4 {
		t.Errorf("the files alone give %v, %v", alone, err)
	}
	if again, _ := chartValues(time.Minute, false, nil); again["clusterName"] != "ci" {
		t.Error("one run's values got into another's")
	}
}

func TestBadValues(t *testing.T) {
	dir := t.TempDir()
	text, list, large := filepath.Join(dir, "text"), filepath.Join(dir, "list"), filepath.Join(dir, "large")
	write(t, text, "a: b: c")
	write(t, list, "- a\n")
	write(t, large, strings.Repeat("#", maxValues+1))
	for _, file := range []string{text, list, large, dir, filepath.Join(dir, "none")} {
		if _, err := chartValues(time.Minute, false, []string{file}); fault.CodeOf(t.Context(), err) != fault.Usage || fault.HintOf(err) == "" {
			t.Errorf("%s: %v", filepath.Base(file), err)
		}
	}
	if _, err := readValues(filepath.Join(dir, "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing file is %v", err)
	}
}
