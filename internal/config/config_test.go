package config

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/gate"
	"github.com/vexxy/action/internal/inventory"
)

// files is a file system of texts by path.
type files map[string]string

func (f files) read(path string) ([]byte, error) {
	if s, ok := f[path]; ok {
		return []byte(s), nil
	}
	return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
}

// load loads with the file's text, which may be empty.
func load(t *testing.T, file string, environ []string, args ...string) (Config, error) {
	t.Helper()
	f := files{}
	if file != "" {
		f[DefaultFile] = file
	}
	return Load(args, environ, f.read, Options{})
}

// must is load where an error fails the test.
func must(t *testing.T, file string, environ []string, args ...string) Config {
	t.Helper()
	c, err := load(t, file, environ, args...)
	if err != nil {
		t.Fatalf("loading %q, %q, %q: %v", file, environ, args, err)
	}
	return c
}

// refused checks that loading ends in a usage fault whose text and hint hold
// each of the parts.
func refused(t *testing.T, err error, parts ...string) {
	t.Helper()
	var f *fault.Error
	if !errors.As(err, &f) || f.Code != fault.Usage {
		t.Fatalf("error %v is no usage fault", err)
	}
	if f.Hint == "" {
		t.Errorf("error %q has no hint", err)
	}
	for _, p := range parts {
		if !strings.Contains(err.Error()+"\n"+f.Hint, p) {
			t.Errorf("error %q with hint %q lacks %q", err, f.Hint, p)
		}
	}
}

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

// TestPrecedence sets every input in each source, strongest last, and sees
// each win over those below it.
func TestPrecedence(t *testing.T) {
	for _, in := range Inputs() {
		if in.Name == "config" {
			continue // TestConfigurationFile
		}
		values, ok := samples[in.Name]
		if !ok {
			t.Errorf("input %s has no sample values", in.Name)
			continue
		}
		given := values
		for i := range given {
			given[i] = strings.ReplaceAll(given[i], redacted, "x")
		}
		t.Run(in.Name, func(t *testing.T) {
			var image []string
			if in.Name != "image" {
				image = []string{"some:image"}
			}
			file := fmt.Sprintf("%s: %q\n", in.Name, given[3])
			if in.NoFile {
				file = ""
			}
			own := append(companions(in), in.Variable()+"="+given[2])
			github := append(own, "INPUT_"+strings.ToUpper(in.Name)+"="+given[1], "GITHUB_ACTIONS=true")
			flag := append([]string{"--" + in.Name + "=" + given[0]}, image...)

			steps := []struct {
				file    string
				environ []string
				args    []string
				want    string
				origin  string
			}{
				{file, companions(in), image, values[3], DefaultFile + ":1"},
				{file, own, image, values[2], in.Variable()},
				{file, github, image, values[1], "INPUT_" + strings.ToUpper(in.Name)},
				{file, github, flag, values[0], "--" + in.Name},
			}
			if in.Name != "image" {
				c := must(t, "", nil, image...)
				if got := c.Origin(in.Name); got != "default" || c.Given(in.Name) {
					t.Errorf("without a value its origin is %q", got)
				}
				want := in.Default
				if in.Kind == Duration {
					d, _ := parseDuration(in.Default)
					want = formatDuration(d)
				}
				switch in.Name {
				case "early-stop":
					want = "true"
				case "engine":
					want = EngineEmbedded
				}
				if got := c.Settings()[in.Name]; got != want {
					t.Errorf("by default it is %q, want %q", got, want)
				}
			}
			if in.NoFile {
				steps = steps[1:]
			}
			for _, s := range steps {
				if in.NoFile {
					s.file = ""
				}
				c := must(t, s.file, s.environ, s.args...)
				if got := c.Settings()[in.Name]; got != s.want {
					t.Errorf("from %q, %q, %q it is %q, want %q", s.file, s.environ, s.args, got, s.want)
				}
				if got := c.Origin(in.Name); got != s.origin {
					t.Errorf("its origin is %q, want %q", got, s.origin)
				}
			}
		})
	}
}

// TestNearMisses misspells every input in every source.
func TestNearMisses(t *testing.T) {
	for _, in := range Inputs() {
		wrong := in.Name[:len(in.Name)-1] + "x"
		_, err := load(t, "", nil, "--"+wrong+"=secret", "a")
		refused(t, err, "--"+wrong, "did you mean --"+in.Name+"?")
		if strings.Contains(err.Error(), "secret") {
			t.Errorf("the value of an unknown flag is printed: %v", err)
		}
		upper := strings.ToUpper(strings.ReplaceAll(wrong, "-", "_"))
		_, err = load(t, "", []string{"VEXXY_" + upper + "=1"}, "a")
		refused(t, err, "VEXXY_"+upper, "did you mean "+in.Variable()+"?")
		_, err = load(t, "", []string{"GITHUB_ACTIONS=true", "INPUT_" + strings.ToUpper(wrong) + "=1"}, "a")
		refused(t, err, "INPUT_"+strings.ToUpper(wrong), "did you mean INPUT_"+strings.ToUpper(in.Name)+"?")
		_, err = load(t, "# nothing\n"+wrong+": 1\n", nil, "a")
		refused(t, err, DefaultFile+":2", wrong)
		if !in.NoFile {
			refused(t, err, "did you mean "+in.Name+"?")
		}
	}
}

// TestInvalidValues gives what each input must refuse, from each source.
func TestInvalidValues(t *testing.T) {
	for _, c := range []struct{ name, text, part string }{
		{"duration", "5 minutes", "is not a duration"},
		{"duration", "0", "from 1s to 1d"},
		{"duration", "25h", "from 1s to 1d"},
		{"duration", "-5s", "from 1s"},
		{"max-db-age", "9999999999d", "is not a duration"},
		{"max-db-age", "200000d", "is not a duration"},
		{"engine", "embeded", "did you mean embedded?"},
		{"early-stop", "maybe", "write true or false"},
		{"memory-limit", "4 gigs", "such as 512Mi"},
		{"memory-limit", "1", "16Mi"},
		{"memory-limit", "99999999999Ti", "is not a size"},
		{"cpu-limit", "NaN", "such as 2"},
		{"cpu-limit", "0x10", "such as 2"},
		{"cpu-limit", "0", "0.01"},
		{"pids-limit", "1e3", "not a whole number"},
		{"ports", "80,http", "1 to 65535"},
		{"ports", "53/udp", "TCP"},
		{"ports", "65536", "1 to 65535"},
		{"digest", "sha256:ABC", "64 hexadecimal"},
		{"platform", "amd64", "linux/amd64"},
		{"platform", "windows/amd64", "only Linux"},
		{"network", "host", "internal, bridge, none"},
		{"user", "root; id", "name or number"},
		{"ready-url", "https://example.com/", "does not name the workload"},
		{"ready-url", "healthz", "neither a path nor a URL"},
		{"http-probe", "/ok,ftp://workload/", "neither a path nor a URL"},
		{"http-probe", ":99999/x", "neither a path"},
		{"fail-on-severity", "hihg", "did you mean high?"},
		{"fail-on", "news", "did you mean new?"},
		{"max-affected", "critical=few", "critical=0,high=3"},
		{"max-affected", "-1", "critical=0,high=3"},
		{"on-inconclusive", "pass", "fail, warn"},
		{"command", `"open`, "not closed"},
		{"args", `["a", 1]`, "JSON array"},
		{"env", "TOKEN", "item 1 is not NAME=value"},
		{"image", "-x", "is not an image"},
	} {
		if c.name == "http-probe" && strings.HasPrefix(c.text, ":") {
			c.part = "" // refused by the URL parser or by the port's range
		}
		in := newTable(Inputs())[c.name]
		var image []string
		if c.name != "image" {
			image = []string{"a"}
		}
		sources := map[string]func() error{
			"--" + c.name:  func() error { _, err := load(t, "", nil, append(image, "--"+c.name+"="+c.text)...); return err },
			in.Variable():  func() error { _, err := load(t, "", []string{in.Variable() + "=" + c.text}, image...); return err },
			".vexxy.yml:1": func() error { _, err := load(t, fmt.Sprintf("%s: %q", c.name, c.text), nil, image...); return err },
		}
		for where, f := range sources {
			t.Run(where+"="+c.text, func(t *testing.T) { refused(t, f(), c.name, where, c.part) })
		}
	}
}

func TestContradictions(t *testing.T) {
	for _, c := range []struct {
		args []string
		part string
	}{
		{nil, "no image is given"},
		{[]string{"a", "b", "--digest=" + digest("a")}, "digest (--digest) is given for 2 images"},
		{[]string{"a", "--ready-url=/x", "--ready-command=y"}, "both given"},
		{[]string{"a", "--network=none", "--http-probe=/"}, "http-probe (--http-probe) needs a network"},
		{[]string{"a", "--network=none", "--ready-url=/"}, "ready-url (--ready-url) needs a network"},
		{[]string{"a", "--duration=5s", "--early-stop", "--quiet=5s"}, "quiet 5s (--quiet) is not shorter than duration 5s (--duration)"},
		{[]string{"a", "--quiet=10m"}, "duration 5m (default)"},
		{[]string{"a", "--duration=1h", "--deadline=1h"}, "deadline 1h (--deadline) is not longer"},
		{[]string{"a", "--chart=x"}, "chart (--chart) has no meaning for engine embedded (default)"},
		{[]string{"a", "--engine=kubescape", "--early-stop"}, "early-stop (--early-stop): Kubescape's profile ends with the window"},
		{[]string{"a", "--engine=kubescape", "--user=www"}, `user "www" (--user)`},
		{[]string{"a", "--engine=kubescape", "--kubeconfig=x", "--node-image=y"}, "node-image (--node-image) has no meaning for an existing cluster (--kubeconfig)"},
		{[]string{"a", "--engine=kubescape", "--context=x", "--retain-cluster"}, "retain-cluster (--retain-cluster) has no meaning for an existing cluster (--context)"},
		{[]string{"a", "--engine=kubescape", "--manifests=x", "--helm-chart=y"}, "manifests (--manifests) and helm-chart (--helm-chart) are both given"},
		{[]string{"a", "--engine=kubescape", "--helm-values=x"}, "helm-values (--helm-values) is given without helm-chart"},
		{[]string{"a", "--engine=kubescape", "--workload-container=x"}, "workload-container (--workload-container) is given without them"},
		{[]string{"a", "b", "--engine=kubescape", "--manifests=x"}, "manifests (--manifests) is given for 2 images"},
		{[]string{"a", "--engine=kubescape", "--helm-chart=x", "--args=y"}, "args (--args): what runs is described by helm-chart"},
	} {
		_, err := load(t, "", nil, c.args...)
		refused(t, err, c.part)
	}
}

// TestEarlyStop holds the one default that depends on another input.
func TestEarlyStop(t *testing.T) {
	for _, c := range []struct {
		args []string
		want bool
	}{
		{[]string{"a"}, true},
		{[]string{"a", "--duration=300s"}, false},
		{[]string{"a", "--duration=300s", "--early-stop"}, true},
		{[]string{"a", "--early-stop=false"}, false},
		{[]string{"a", "--duration=5s", "--early-stop"}, true}, // quiet's default is no contradiction
	} {
		if got := must(t, "", nil, c.args...).EarlyStop; got != c.want {
			t.Errorf("%q: early stop is %t", c.args, got)
		}
	}
	if must(t, "duration: 20s", nil, "a").EarlyStop {
		t.Error("a duration in the file leaves early stop on")
	}
}

// TestDefaultEngine is kubescape under CI hosts alone; a file that serves both
// engines is no contradiction for either.
func TestDefaultEngine(t *testing.T) {
	for variable, want := range map[string]string{
		"HOME=/": EngineEmbedded, "GITHUB_ACTIONS=true": EngineKubescape, "GITLAB_CI=true": EngineKubescape, "GITHUB_ACTIONS=false": EngineEmbedded,
	} {
		c := must(t, "chart-version: 1.2.3", []string{variable}, "a")
		if c.Engine != want || c.EarlyStop != (want == EngineEmbedded) {
			t.Errorf("with %s the engine is %s, early stop %t", variable, c.Engine, c.EarlyStop)
		}
	}
}

func TestDeadline(t *testing.T) {
	if got := must(t, "", nil, "a").Deadline; got != 30*time.Minute {
		t.Errorf("by default it is %s", got)
	}
	if got, want := must(t, "", nil, "a", "--duration=2h").Deadline, 2*time.Hour+21*time.Minute; got != want {
		t.Errorf("for a long observation it is %s, want %s", got, want)
	}
}

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

func TestPolicyDefaults(t *testing.T) {
	for _, c := range []struct {
		args []string
		want gate.Policy
	}{
		{[]string{"a"}, gate.Policy{Max: gate.Unlimited}},
		{[]string{"a", "--fail-on-severity=high"}, gate.Policy{FailOn: inventory.High, Max: 0}},
		{[]string{"a", "--max-affected=7"}, gate.Policy{Max: 7}},
		{[]string{"a", "--fail-on-severity=none", "--max-affected=7"}, gate.Policy{Max: 7}},
	} {
		loaded := must(t, "", nil, c.args...)
		if got := loaded.Policy(); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%q: policy %+v, want %+v", c.args, got, c.want)
		}
		got, err := PolicyFromSettings(loaded.Settings())
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%q: from settings %+v, %v", c.args, got, err)
		}
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

func TestPortsToAsk(t *testing.T) {
	for _, c := range []struct {
		args    []string
		exposed []int
		refused string
	}{
		{[]string{"a"}, nil, ""},
		{[]string{"a", "--http-probe=/x"}, []int{80}, ""},
		{[]string{"a", "--http-probe=/x", "--ports=80"}, nil, ""},
		{[]string{"a", "--http-probe=:80/x", "--ready-url=http://workload:81/"}, nil, ""},
		{[]string{"a", "--http-probe=:80/x,/y"}, nil, `http-probe (--http-probe) asks for "/y"`},
		{[]string{"a", "--ready-url=/z"}, nil, ":8080/z"},
	} {
		err := must(t, "", nil, c.args...).CheckPorts(c.exposed)
		if c.refused == "" && err != nil {
			t.Errorf("%q: %v", c.args, err)
		}
		if c.refused != "" {
			refused(t, err, c.refused)
		}
	}
}
