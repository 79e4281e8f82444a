package kubescape

import (
	_ "embed"
	"fmt"
	"os"
	"time"

	"helm.sh/helm/v3/pkg/chartutil"

	"github.com/vexxy/action/internal/fault"
)

//go:embed values.yaml
var standardValues []byte

// databaseInNode is where an own cluster's nodes have the vulnerability
// database, archivesInNode where they have archives of images; databaseInPod is
// where kubevuln looks for the database.
const (
	databaseInNode = "/vexxy/grype-db"
	archivesInNode = "/vexxy/archives"
	databaseInPod  = "/home/nonroot/.cache/grype/db/6"
)

// maxValues bounds a file of values.
const maxValues = 4 << 20

// chartValues are the values for CI, those of this run, and over both the
// user's files, the last on top.
func chartValues(window time.Duration, mounted bool, files []string) (map[string]any, error) {
	values, err := chartutil.ReadValues(standardValues)
	if err != nil {
		return nil, fmt.Errorf("reading the values for CI: %w", err)
	}
	ours := map[string]any{
		"includeNamespaces": Sandbox,
		"nodeAgent":         map[string]any{"config": map[string]any{"maxLearningPeriod": window.String()}},
	}
	if mounted {
		ours["kubevuln"] = map[string]any{
			// Nobody answers there: what is mounted is the run's, and stays it.
			"config":       map[string]any{"grypeDbListingURL": "http://127.0.0.1:1/none"},
			"volumes":      []any{map[string]any{"name": "vexxy-db", "hostPath": map[string]any{"path": databaseInNode, "type": "Directory"}}},
			"volumeMounts": []any{map[string]any{"name": "vexxy-db", "mountPath": databaseInPod}},
		}
	}
	merged := over(ours, values)
	for _, file := range files {
		theirs, err := readValues(file)
		if err != nil {
			return nil, err
		}
		merged = over(theirs, merged)
	}
	return merged, nil
}

// over lays values over others: maps are merged, everything else is replaced.
func over(top, bottom map[string]any) map[string]any {
	return chartutil.MergeTables(top, bottom)
}

// readValues reads a file of values.
func readValues(file string) (map[string]any, error) {
	const hint = "name a YAML file of Helm values"
	info, err := os.Stat(file)
	if err == nil && info.Size() > maxValues {
		err = fmt.Errorf("it has more than %d bytes", maxValues)
	}
	if err != nil {
		return nil, fault.New(fault.Usage, hint, "reading values: %w", err)
	}
	values, err := chartutil.ReadValuesFile(file)
	if err != nil {
		return nil, fault.New(fault.Usage, hint, "reading values %s: %w", file, err)
	}
	return values, nil
}

// valuesOf lays a user's files over each other, for a chart of the user's own.
func valuesOf(files []string) (map[string]any, error) {
	merged := map[string]any{}
	for _, file := range files {
		values, err := readValues(file)
		if err != nil {
			return nil, err
		}
		merged = over(values, merged)
	}
	return merged, nil
}
