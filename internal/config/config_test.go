package config

import (
	"errors"
	"fmt"
	"io/fs"
	"reflect"
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
