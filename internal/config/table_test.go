package config

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/vexxy/action/internal/gate"
	"github.com/vexxy/action/internal/inventory"
)

// samples are four distinct values for each input, as they are written in the
// settings: for the flag, the two variables and the file.
var samples = map[string][4]string{
	"image":                      {"a:1", "b:2", "c:3", "d:4"},
	"digest":                     {digest("a"), digest("b"), digest("c"), digest("d")},
	"platform":                   {"linux/amd64", "linux/arm64", "linux/arm/v7", "linux/s390x"},
	"engine":                     {"embedded", "kubescape", "embedded", "kubescape"},
	"duration":                   {"11s", "12s", "13s", "14s"},
	"early-stop":                 {"true", "false", "true", "false"},
	"quiet":                      {"1s", "2s", "3s", "4s"},
	"deadline":                   {"11m", "12m", "13m", "14m"},
	"command":                    {`["a"]`, `["b"]`, `["c"]`, `["d"]`},
	"args":                       {`["a","x y"]`, `["b"]`, `["c"]`, `["d"]`},
	"env":                        {"A=REDACTED", "B=REDACTED", "C=REDACTED", "D=REDACTED"},
	"ports":                      {"1", "2", "3", "4"},
	"user":                       {"a", "b", "1000", "1000:1000"},
	"network":                    {"none", "bridge", "none", "bridge"},
	"cpu-limit":                  {"0.5", "1", "1.5", "4"},
	"memory-limit":               {"64Mi", "1Gi", "3Gi", "5Gi"},
	"pids-limit":                 {"1", "2", "3", "4"},
	"allow-privilege-escalation": {"true", "false", "true", "false"},
	"ready-url":                  {"/a", "/b", ":80/c", "http://workload:1/d"},
	"ready-command":              {"a b", "b", "c", "d"},
	"ready-timeout":              {"1s", "2s", "3s", "4s"},
	"http-probe":                 {"/a", "/b", "/c", "/d"},
	"exec-command":               {"a", "b", "c", "d"},
	"test-command":               {"a", "b", "c", "d"},
	"test-timeout":               {"1s", "2s", "3s", "4s"},
	"vulnerability-db":           {"a", "b", "c", "d"},
	"max-db-age":                 {"1d", "2d", "36h", "9d"},
	"dockerfile":                 {"a/Dockerfile", "b", "c", "d"},
	"sarif-open":                 {"true", "false", "true", "false"},
	"upload-sarif":               {"true", "false", "true", "false"},
	"fail-on":                    {"new", "all", "new", "all"},
	"baseline":                   {"a.json", "b.json", "c.json", "d.json"},
	"baseline-key":               {"a", "env://B", "c", "d"},
	"baseline-identity":          {"a", "b", "c", "d"},
	"baseline-identity-regexp":   {"a", "b", "c", "d"},
	"baseline-issuer":            {"a", "b", "c", "d"},
	"vex-documents":              {"a", "b", "c", "d"},
	"vex-discovery":              {"false", "true", "false", "false"},
	"vex-max-age":                {"1d", "2d", "36h", "9d"},
	"attestation-limit":          {"64Ki", "1Mi", "2Mi", "3Mi"},
	"attest-github-store":        {"true", "false", "true", "false"},
	"fail-on-severity":           {"critical", "high", "medium", "none"},
	"max-affected":               {"1", "2", "critical=0,high=3", "4"},
	"only-fixed":                 {"true", "false", "true", "false"},
	"on-inconclusive":            {"warn", "fail", "warn", "fail"},
	"warn-only":                  {"true", "false", "true", "false"},
	"comment":                    {"on-change", "on-affected", "never", "always"},
	"github-token":               {"REDACTED", "REDACTED", "REDACTED", ""},
	"gitlab-token":               {"REDACTED", "REDACTED", "REDACTED", ""},
	"output-dir":                 {"a", "b", "c", "d"},
	"kubeconfig":                 {"a", "b", "c", "d"},
	"context":                    {"a", "b", "c", "d"},
	"cluster-provider":           {"podman", "nerdctl", "podman", "nerdctl"},
	"node-image":                 {"a", "b", "c", "d"},
	"kind-config":                {"a", "b", "c", "d"},
	"registry-mirror":            {"a=http://x", "b=https://x/y", "c=http://x", "d=http://x"},
	"image-archives":             {"a", "b", "c", "d"},
	"retain-cluster":             {"true", "false", "true", "false"},
	"chart":                      {"a", "b", "c", "d"},
	"chart-version":              {"a", "b", "c", "d"},
	"chart-digest":               {digest("a"), digest("b"), digest("c"), digest("d")},
	"values":                     {"a", "b", "c", "d"},
	"cpu-request":                {"0.5", "1.5", "2.5", "4"},
	"memory-request":             {"64Mi", "1Gi", "3Gi", "5Gi"},
	"manifests":                  {"a", "b", "c", "d"},
	"helm-chart":                 {"a", "b", "c", "d"},
	"helm-values":                {"a", "b", "c", "d"},
	"install-timeout":            {"1s", "2s", "3s", "4s"},
	"workload-container":         {"a", "b", "deployment/c/d", "d"},
	"parallel":                   {"1", "2", "3", "4"},
	"attest":                     {"dry-run", "off", "dry-run", "off"},
	"attestation-format":         {"bundle", "legacy", "both", "bundle"},
	"attest-sbom":                {"spdx", "none", "cyclonedx", "spdx"},
	"attest-inconclusive":        {"true", "false", "true", "false"},
	"attest-key":                 {"a", "env://B", "c", "d"},
	"attest-key-password":        {redacted, redacted, redacted, redacted},
	"sigstore-trusted-root":      {"a", "b", "c", "d"},
	"sigstore-signing-config":    {"a", "b", "c", "d"},
}

// companions are what an input cannot be without, as variables.
func companions(in Input) []string {
	var env []string
	switch {
	case in.Name == "engine":
	case strings.HasPrefix(in.Group, "Cluster"):
		env = append(env, "VEXXY_ENGINE=kubescape")
	default:
		env = append(env, "VEXXY_ENGINE=embedded")
	}
	if in.Name == "helm-values" || in.Name == "workload-container" {
		env = append(env, "VEXXY_HELM_CHART=chart")
	}
	switch in.Name {
	case "sigstore-trusted-root":
		env = append(env, "VEXXY_SIGSTORE_SIGNING_CONFIG=file")
	case "attest-github-store":
		env = append(env, "VEXXY_ATTEST=keyless")
	case "sigstore-signing-config":
		env = append(env, "VEXXY_SIGSTORE_TRUSTED_ROOT=file")
	}
	return env
}

func digest(c string) string { return "sha256:" + strings.Repeat(c, 64) }

// TestSettingsAreWhole sees every input in the settings, the same each time,
// and the policy come back from them.
func TestSettingsAreWhole(t *testing.T) {
	args := []string{"a", "--fail-on-severity=high", "--max-affected=critical=0,high=3", "--fail-on=new", "--only-fixed", "--on-inconclusive=warn", "--warn-only"}
	c := must(t, "", nil, args...)
	settings := c.Settings()
	if !maps.Equal(settings, must(t, "", nil, args...).Settings()) {
		t.Error("equal inputs give different settings")
	}
	for _, in := range Inputs() {
		if _, ok := settings[in.Name]; !ok {
			t.Errorf("the settings lack %s", in.Name)
		}
	}
	want := gate.Policy{
		FailOn: inventory.High, Max: gate.Unlimited,
		MaxBySeverity: map[inventory.Severity]int{inventory.Critical: 0, inventory.High: 3},
		OnlyNew:       true, OnlyFixed: true, WarnOnInconclusive: true, WarnOnly: true,
	}
	if !reflect.DeepEqual(c.Policy(), want) {
		t.Errorf("the policy is %+v", c.Policy())
	}
	got, err := PolicyFromSettings(settings)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("from the settings the policy is %+v, %v", got, err)
	}
	for _, name := range policyInputs {
		less := maps.Clone(settings)
		delete(less, name)
		if slices.Contains(laterInputs[:], name) {
			if got, err := PolicyFromSettings(less); err != nil || got.OnlyNew {
				t.Errorf("without %s the policy is %+v, %v", name, got, err)
			}
		} else {
			_, err := PolicyFromSettings(less)
			refused(t, err, name+" is missing")
		}
		less[name] = "?"
		_, err = PolicyFromSettings(less)
		refused(t, err, name)
	}
}

// TestTable holds what every row must have.
func TestTable(t *testing.T) {
	var names []string
	for _, in := range Inputs() {
		names = append(names, in.Name)
		if in.Doc == "" || in.Group == "" || in.Kind == "" || strings.HasSuffix(in.Doc, ".") {
			t.Errorf("row %s is not whole: %+v", in.Name, in)
		}
		if (in.Default == "") == (in.Unset == "") {
			t.Errorf("row %s must say what stands by default, once", in.Name)
		}
		if in.Kind == Choice && in.Default != "" && !slices.Contains(in.Values, in.Default) {
			t.Errorf("row %s: its default is not among its values", in.Name)
		}
		if !strings.Contains(Table(), "| `"+in.Name+"`") {
			t.Errorf("the Markdown table lacks %s", in.Name)
		}
	}
	slices.Sort(names)
	if len(slices.Compact(names)) != len(Inputs()) {
		t.Error("a name stands twice")
	}
	var help strings.Builder
	if err := WriteHelp(&help, Inputs()); err != nil {
		t.Fatal(err)
	}
	for _, l := range strings.Split(help.String(), "\n") {
		if len(l) > helpWidth {
			t.Errorf("help line of %d columns: %q", len(l), l)
		}
	}
	for _, in := range Inputs() {
		if !strings.Contains(help.String(), "\n  --"+in.Name) {
			t.Errorf("the help lacks %s", in.Name)
		}
	}
}
