package config

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/vexxy/action/internal/fault"
)

func TestCommandLine(t *testing.T) {
	c := must(t, "", nil, "a", "--duration", "7s", "b,c", "--images=d,e", "--only-fixed", "--image", "a", "--", "f")
	if want := []string{"d", "e", "a", "b,c", "f"}; !reflect.DeepEqual(c.Images, want) {
		t.Errorf("images %q, want %q", c.Images, want)
	}
	if !c.OnlyFixed || c.Settings()["duration"] != "7s" {
		t.Error("flags between images are lost")
	}
	for _, args := range [][]string{{"-h"}, {"a", "--help"}} {
		if _, err := load(t, "", nil, args...); err != ErrHelp {
			t.Errorf("%q: %v", args, err)
		}
	}
	_, err := load(t, "", nil, "a", "--duration")
	refused(t, err, "--duration has no value", "--duration VALUE")
	_, err = load(t, "", nil, "a", "--no-only-fixed")
	refused(t, err, "--only-fixed=false")
	_, err = load(t, "", nil, "a", "-duration=3s")
	refused(t, err, "did you mean --duration?")
	if got := must(t, "", nil, "a", "--duration=1s", "--duration=2s").Settings()["duration"]; got != "2s" {
		t.Errorf("of a repeated flag %s stands", got)
	}
}

func TestLine(t *testing.T) {
	inputs := []Input{{Name: "output-dir", Kind: Text}, {Name: "all", Kind: Switch}}
	line, err := ParseLine([]string{"dir", "--all", "--output-dir", "x", "-"}, inputs)
	if err != nil {
		t.Fatal(err)
	}
	all, err := line.Switch("all")
	text, found := line.Text("output-dir")
	if !all || err != nil || !found || text != "x" || !reflect.DeepEqual(line.Rest, []string{"dir", "-"}) {
		t.Errorf("parsed %+v", line)
	}
	if _, found := line.Text("nothing"); found {
		t.Error("a flag that was not given is found")
	}
	line, err = ParseLine([]string{"--all=perhaps"}, inputs)
	if err != nil {
		t.Fatal(err)
	}
	_, err = line.Switch("all")
	refused(t, err, "all", "true or false")
	_, err = ParseLine([]string{"--ouput-dir=x"}, inputs)
	refused(t, err, "did you mean --output-dir?")
}

func TestEnvironment(t *testing.T) {
	github := "GITHUB_ACTIONS=true"
	if c := must(t, "", []string{"INPUT_DURATION=9s", "INPUT_NONSENSE=1"}, "a"); c.Given("duration") {
		t.Error("INPUT_* counts outside GitHub")
	}
	if c := must(t, "duration: 8s", []string{github, "INPUT_DURATION= ", "VEXXY_QUIET="}, "a"); c.Settings()["duration"] != "8s" || c.Given("quiet") {
		t.Error("an empty variable counts as given")
	}
	c := must(t, "", []string{github, "INPUT_IMAGES=b\nc", "INPUT_IMAGE=a", "INPUT_FAIL_ON_SEVERITY=low", "VEXXY_FAIL_ON_SEVERITY=high"})
	if !reflect.DeepEqual(c.Images, []string{"a", "b", "c"}) || c.FailOnSeverity != "low" {
		t.Errorf("images %q, severity %s", c.Images, c.FailOnSeverity)
	}
	both := []string{github, "INPUT_FAIL_ON_SEVERITY=low", "INPUT_FAIL-ON-SEVERITY=high"}
	if c := must(t, "", both, "a"); c.FailOnSeverity != "high" {
		t.Error("the runner's own spelling does not win")
	}
	if _, err := Load([]string{"a"}, []string{"VEXXY_BINARY=x"}, files{}.read, Options{Ignore: []string{"VEXXY_BINARY"}}); err != nil {
		t.Error(err)
	}
	_, err := load(t, "", []string{"VEXXY_BINARY=x"}, "a")
	refused(t, err, "VEXXY_BINARY")
	_, err = load(t, "", []string{"VEXXY_duration=1s"}, "a")
	refused(t, err, "did you mean VEXXY_DURATION?")
}

func TestConfigurationFile(t *testing.T) {
	c := must(t, `
# comment
image: [a, "b,c"]
duration: 120
only-fixed: yes
cpu-limit: .5
memory-limit: 512Mi
command: [sh, -c, "echo  a b"]
args: --port 80 'x y'
env:
  A: 1
  B: "two, three"
ports: [80, 443/tcp]
max-affected: {critical: 0, high: 3}
quiet: ~
user: ""
`, nil)
	settings := c.Settings()
	for name, want := range map[string]string{
		"image": "a\nb,c", "duration": "2m", "only-fixed": "true", "cpu-limit": "0.5", "memory-limit": "512Mi",
		"command": `["sh","-c","echo  a b"]`, "args": `["--port","80","x y"]`, "env": "A=REDACTED\nB=REDACTED",
		"ports": "80,443", "max-affected": "critical=0,high=3", "quiet": "10s", "user": "", "config": DefaultFile,
	} {
		if settings[name] != want {
			t.Errorf("%s is %q, want %q", name, settings[name], want)
		}
	}
	if got := c.Env[1].Value.Reveal(); got != "two, three" {
		t.Errorf("variable B is %q", got)
	}
	c = must(t, "env:\n  - A=1,2\n  - B=\n", []string{"VEXXY_IMAGE=a"})
	if len(c.Env) != 2 || c.Env[0].Value.Reveal() != "1,2" || c.Env[1].Name != "B" {
		t.Errorf("env is %v", c.Env)
	}

	f := files{"other.yml": "quiet: 3s", DefaultFile: "quiet: 4s"}
	other, err := Load([]string{"a", "--config", "other.yml"}, nil, f.read, Options{})
	if err != nil || other.Settings()["quiet"] != "3s" || other.Origin("quiet") != "other.yml:1" || other.File != "other.yml" {
		t.Errorf("another file: %+v, %v", other, err)
	}
	if other, err := Load([]string{"a"}, []string{"VEXXY_CONFIG=other.yml"}, f.read, Options{}); err != nil || other.File != "other.yml" {
		t.Errorf("another file by the environment: %v", err)
	}
	_, err = Load([]string{"a", "--config=missing.yml"}, nil, f.read, Options{})
	refused(t, err, "missing.yml")
	_, err = Load([]string{"a"}, nil, files{likelyFile: "x"}.read, Options{})
	refused(t, err, "rename it to "+DefaultFile)
	if must(t, "", nil, "a").File != "" {
		t.Error("a file that is not there was read")
	}
}

func TestBadFiles(t *testing.T) {
	bomb := "a: &a [x,x,x,x,x,x,x,x,x]\n"
	for c := 'b'; c < 'j'; c++ {
		bomb += fmt.Sprintf("%c: &%c [%s]\n", c, c, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*%c,", c-1), 9), ","))
	}
	for name, c := range map[string]struct{ text, part string }{
		"tab":            {"duration:\n\t- 3", "write it as YAML"},
		"list":           {"- a", "not a mapping"},
		"text":           {"hello", "not a mapping"},
		"two documents":  {"duration: 1s\n---\nduration: 2s", "more than one YAML document"},
		"twice":          {"duration: 1s\nquiet: 1s\nduration: 2s", `.vexxy.yml:3: key "duration" stands in line 1 already`},
		"underscore":     {"fail_on_severity: high", "did you mean fail-on-severity?"},
		"nested":         {"image: [[a]]", "more than plain values"},
		"mapping":        {"image: {a: b}", "cannot be a mapping"},
		"list of scalar": {"duration: [1s, 2s]", "write one value"},
		"binary":         {"user: !!binary aGk=", "tag"},
		"own tag":        {"user: !evil x", "tag"},
		"key is a list":  {"[a, b]: c", "unknown key"},
		"merge":          {"<<: {duration: 1s}", "unknown key"},
		"config":         {"config: other.yml", "cannot stand in the file"},
		"large":          {"# " + strings.Repeat("x", maxFile), "more than"},
		"bomb":           {bomb, "unknown key"},
		"bomb in a key":  {"image: &a [b]\nargs: [*a, *a]", "more than plain values"},
		"own alias":      {"image: &a [*a]", ""},
		"NUL":            {`user: "a\0b"`, "NUL"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := load(t, c.text, nil, "a")
			refused(t, err, DefaultFile, c.part)
		})
	}
	if c := must(t, "ready-timeout: &d 7s\ntest-timeout: *d\n", nil, "a"); c.Settings()["test-timeout"] != "7s" {
		t.Error("an alias of a value is not followed")
	}
	for _, empty := range []string{"\n", "# nothing", "~", "---\n"} {
		must(t, empty, nil, "a")
	}
}

func TestWords(t *testing.T) {
	for text, want := range map[string][]string{
		`a b  c`:           {"a", "b", "c"},
		`a 'b  c' "d\"e"`:  {"a", "b  c", `d"e`},
		`a\ b '' ""`:       {"a b", "", ""},
		`"\a\\"`:           {`\a\`},
		`x'y'"z"`:          {"xyz"},
		`["a b", "c\nd"]`:  {"a b", "c\nd"},
		"a\nb":             {"a", "b"},
		`$HOME *.go 'it'`:  {"$HOME", "*.go", "it"},
		" ":                nil,
		`--name="x y" 'é'`: {"--name=x y", "é"},
	} {
		got, err := splitWords(text)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %q, %v", text, got, err)
		}
		back, err := splitWords(joinWords(got))
		if err != nil || !reflect.DeepEqual(back, got) {
			t.Errorf("%q does not come back: %q, %v", got, back, err)
		}
	}
}

// TestSecretsNeverPrint prints a configuration with a secret in every way.
func TestSecretsNeverPrint(t *testing.T) {
	const secret = "hunter2-canary"
	c := must(t, "", []string{"VEXXY_ENV=TOKEN=" + secret}, "a")
	if c.Env[0].Value.Reveal() != secret || len(c.Secrets()) != 1 || c.Secrets()[0].Reveal() != secret {
		t.Fatal("the secret is lost")
	}
	type wrapped struct {
		hidden Secret
		Shown  *Secret
	}
	w := wrapped{c.Env[0].Value, &c.Env[0].Value}
	asJSON, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	asYAML, err := yaml.Marshal(c.Env)
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "c", c.Env[0].Value, "env", c.Env)
	printed := []string{string(asJSON), string(asYAML), log.String(), fmt.Sprint(c.Settings()), c.Env[0].Value.String()}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		printed = append(printed, fmt.Sprintf(verb, c), fmt.Sprintf(verb, w), fmt.Sprintf(verb, c.Env[0].Value))
	}
	for _, p := range printed {
		if strings.Contains(p, secret) || strings.Contains(p, fmt.Sprintf("%x", secret)) {
			t.Errorf("the secret is printed: %s", p)
		}
	}
	if !strings.Contains(string(asJSON), redacted) || !strings.Contains(string(asYAML), redacted) {
		t.Error("a secret should show as redacted")
	}
	for _, bad := range []string{secret, "A B=" + secret, "=" + secret, "A=1\n" + secret} {
		_, err := load(t, "", []string{"VEXXY_ENV=" + bad}, "a")
		refused(t, err, "VEXXY_ENV")
		if strings.Contains(err.Error(), secret) {
			t.Errorf("an error prints the secret: %v", err)
		}
	}
}

// TestTokenIsNoFileInput keeps a token out of a file that is committed.
func TestTokenIsNoFileInput(t *testing.T) {
	_, err := load(t, "github-token: ghp_secret\n", nil, "a")
	refused(t, err, "github-token", "VEXXY_GITHUB_TOKEN")
	if strings.Contains(err.Error(), "ghp_secret") {
		t.Errorf("the token is printed: %v", err)
	}
	c := must(t, "", []string{"GITHUB_ACTIONS=true", "INPUT_GITHUB-TOKEN=ghs_x"}, "a")
	if c.Publication.GitHubToken.Reveal() != "ghs_x" || len(c.Secrets()) != 1 || c.Settings()["github-token"] != redacted {
		t.Errorf("token %q, secrets %d", c.Publication.GitHubToken.Reveal(), len(c.Secrets()))
	}
}

// TestFaultOfTheReader keeps the code and the hint of a reader's own.
func TestFaultOfTheReader(t *testing.T) {
	_, err := Load([]string{"a"}, nil, func(string) ([]byte, error) {
		return nil, fault.New(fault.Infra, "fetch it", "reading the base commit: no")
	}, Options{})
	if fault.CodeOf(t.Context(), err) != fault.Infra || fault.HintOf(err) != "fetch it" {
		t.Errorf("%v: code %d, hint %q", err, fault.CodeOf(t.Context(), err), fault.HintOf(err))
	}
}
