package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/vexxy/action/internal/config"
)

// componentJob is what is read of the component's job.
type componentJob struct {
	Stage        string
	Image        struct{ Name string }
	Extends      string
	Variables    map[string]any
	Rules        []struct{ If, When string }
	Script       []string
	AfterScript  []string `yaml:"after_script"`
	BeforeScript []string `yaml:"before_script"`
	Artifacts    struct {
		When     string
		ExpireIn string `yaml:"expire_in"`
		Paths    []string
		Reports  map[string]string
	}
}

// parts reads the header and the job.
func parts(t *testing.T) (component, componentJob) {
	t.Helper()
	text, err := os.ReadFile("../../templates/analyze.yml")
	if err != nil {
		t.Fatal(err)
	}
	header, err := parseComponent(text)
	if err != nil {
		t.Fatal(err)
	}
	_, body, ok := strings.Cut(string(text), "\n---\n")
	var jobs map[string]componentJob
	if err := yaml.Unmarshal([]byte(body), &jobs); err != nil || !ok {
		t.Fatalf("reading the job: %v", err)
	}
	job, ok := jobs["$[[ inputs.job-name ]]"]
	if !ok || len(jobs) != 3 {
		t.Fatalf("jobs: %v", jobs)
	}
	return header, job
}

// TestComponentHasEveryInput holds the component's inputs to the table of inputs
// by what is read from it, not by its text: each has a description, hands over
// nothing where it is not given, and is handed to the program.
func TestComponentHasEveryInput(t *testing.T) {
	header, job := parts(t)
	inputs := map[string]componentEntry{}
	for _, in := range header.Spec.Inputs {
		if _, twice := inputs[in.Name]; twice || in.Description == "" {
			t.Errorf("%s stands twice, or has no description", in.Name)
		}
		inputs[in.Name] = in
	}
	passed := 0
	for _, in := range config.Inputs() {
		got, ok := inputs[in.Name]
		if in.Host == config.GitHub {
			if ok {
				t.Errorf("the component has %s, which is of no use there", in.Name)
			}
			continue
		}
		passed++
		want := ""
		if in.Name == outputDir { // artifacts are taken from there
			want = in.Default
		}
		if got.Default.IsZero() || got.Default.Value != want || got.Type != "" || !strings.HasPrefix(got.Description, in.Doc) {
			t.Errorf("%s: default %q, %q", in.Name, got.Default.Value, got.Description)
		}
		for _, value := range in.Values {
			if !slices.Contains(got.Options, value) {
				t.Errorf("%s does not take %s", in.Name, value)
			}
		}
		if len(got.Options) > 0 && got.Options[0] != "" {
			t.Errorf("%s does not take to be left out", in.Name)
		}
		if in.Secret && !strings.Contains(got.Description, "masked variable") {
			t.Errorf("%s does not say where its secret belongs", in.Name)
		}
		shell := in.Kind == config.Words || strings.HasSuffix(in.Name, "-command")
		value := any("$[[ inputs." + in.Name + " ]]")
		if object, isObject := job.Variables[in.Variable()].(map[string]any); isObject && shell {
			if object["value"] != value || object["expand"] != false {
				t.Errorf("%s is passed as %v", in.Name, object)
			}
		} else if shell || job.Variables[in.Variable()] != value {
			t.Errorf("%s is passed as %v", in.Name, job.Variables[in.Variable()])
		}
	}
	if len(job.Variables) != passed || len(inputs) != passed+5 {
		t.Errorf("%d inputs, %d variables, want %d", len(inputs), len(job.Variables), passed)
	}
}

// TestComponentJob holds what the job promises.
func TestComponentJob(t *testing.T) {
	header, job := parts(t)
	inputs := map[string]componentEntry{}
	for _, in := range header.Spec.Inputs {
		inputs[in.Name] = in
	}
	name := regexp.MustCompile(inputs["job-name"].Regex)
	if !name.MatchString(inputs["job-name"].Default.Value) || name.MatchString("scan") || !name.MatchString("app: vexxy_container_scanning") {
		t.Errorf("job names: %s", name)
	}
	if job.Stage != "$[[ inputs.stage ]]" || inputs["stage"].Default.Value != "test" || job.Image.Name != "$[[ inputs.vexxy-image ]]:$[[ inputs.version ]]" || job.Extends != ".vexxy-dind-$[[ inputs.dind ]]" {
		t.Errorf("%+v", job)
	}
	// A release is named by whoever uses it: no tag of ours moves under them.
	if version := inputs["version"]; !version.Default.IsZero() || inputs["vexxy-image"].Default.Value != "ghcr.io/vexxy/action" {
		t.Errorf("image: %+v", inputs)
	}
	a := job.Artifacts
	if a.When != "always" || a.ExpireIn != "90 days" || a.Paths[0] != "$[[ inputs.output-dir ]]" {
		t.Errorf("artifacts: %+v", a)
	}
	for _, report := range a.Reports {
		if !slices.Contains(a.Paths, report) || !strings.Contains(job.BeforeScript[0], report) {
			t.Errorf("%s is no artifact, or may be of an earlier run", report)
		}
	}
	if !slices.Equal(job.Script, []string{"vexxy run"}) || job.AfterScript[0] != "vexxy cleanup || true" {
		t.Errorf("scripts: %q, %q", job.Script, job.AfterScript)
	}
	// A push to a merge request is looked at once, by the request's pipeline.
	if r := job.Rules; len(r) != 4 || r[0].If != "$CI_MERGE_REQUEST_IID" || r[1].When != "never" || !strings.Contains(r[1].If, "$CI_COMMIT_BRANCH && $CI_OPEN_MERGE_REQUESTS") || r[2].If != "$CI_COMMIT_BRANCH" || r[0].When+r[2].When != "" {
		t.Errorf("rules: %+v", r)
	}
	// An input in a script would be the shell's to run.
	for _, line := range slices.Concat(job.BeforeScript, job.Script, job.AfterScript) {
		if strings.Contains(line, "$[[") {
			t.Errorf("an input stands in a script: %q", line)
		}
	}
}

// TestComponentFetchesTheTarget runs what the job does before the program, in
// the shallow checkout that a runner makes: the target branch's newest commit is
// there and named, however old the one is that the request was branched off.
func TestComponentFetchesTheTarget(t *testing.T) {
	_, job := parts(t)
	dir := t.TempDir()
	git := func(in string, args ...string) string {
		t.Helper()
		out, err := exec.Command("git", append([]string{"-C", in, "-c", "user.name=t", "-c", "user.email=t@example"}, args...)...).CombinedOutput()
		if err != nil {
			t.Fatalf("git %v: %v: %s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	origin, checkout := filepath.Join(dir, "origin"), filepath.Join(dir, "checkout")
	git(dir, "init", "-q", "-b", "main", origin)
	git(origin, "config", "uploadpack.allowAnySHA1InWant", "true") // as GitLab's has it
	commit := func(text string) string {
		git(origin, "commit", "-q", "--allow-empty", "-m", text)
		return git(origin, "rev-parse", "HEAD")
	}
	branched := commit("loose policy")
	newest := commit("strict policy")
	git(origin, "switch", "-q", "-c", "change", branched)
	commit("change")
	for _, c := range []struct{ project, target, merged, want, there string }{
		{"11", "main", "", newest, newest}, {"11", "main", newest, "", newest}, {"11", "gone", "", "", branched}, {"12", "main", "", "", branched},
	} {
		if err := os.RemoveAll(checkout); err != nil {
			t.Fatal(err)
		}
		git(dir, "clone", "-q", "--depth", "1", "--branch", "change", "file://"+origin, checkout)
		cmd := exec.Command("sh", "-euc", job.BeforeScript[1]+"\necho \"named=${VEXXY_TARGET_SHA:-}\"")
		cmd.Dir = checkout
		cmd.Env = append(os.Environ(), "CI_MERGE_REQUEST_IID=7", "CI_PROJECT_ID="+c.project, "CI_MERGE_REQUEST_PROJECT_ID=11", "CI_MERGE_REQUEST_TARGET_BRANCH_NAME="+c.target,
			"CI_MERGE_REQUEST_TARGET_BRANCH_SHA="+c.merged, "CI_MERGE_REQUEST_DIFF_BASE_SHA="+branched)
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.HasSuffix(string(out), "named="+c.want+"\n") {
			t.Errorf("%+v: %v: %s", c, err, out)
		}
		git(checkout, "cat-file", "-e", c.there+"^{commit}")
	}
}

// TestReadmeNamesWhatTheComponentHas finds inputs and variables in the README's
// example that the component does not have.
func TestReadmeNamesWhatTheComponentHas(t *testing.T) {
	header, _ := parts(t)
	known := map[string]bool{}
	for _, in := range header.Spec.Inputs {
		known[in.Name] = true
	}
	_, section, _ := strings.Cut(string(readme(t)), "## In a GitLab pipeline\n")
	section, _, _ = strings.Cut(section, "\n## ")
	used, example := 0, ""
	snippets := regexp.MustCompile("(?ms)^( *)```yaml\n(.*?)^ *```$").FindAllStringSubmatch(section, -1)
	if len(snippets) != 2 {
		t.Errorf("README.md has %d snippets for GitLab", len(snippets))
	}
	for _, m := range snippets {
		var pipeline struct {
			Include []struct {
				Component string
				Inputs    map[string]string // all are texts
			}
			Jobs map[string]struct {
				Stage    string
				Tags     []string
				Needs    []string
				Script   []string
				IDTokens map[string]struct{ Aud string } `yaml:"id_tokens"`
			} `yaml:",inline"`
		}
		decoder := yaml.NewDecoder(strings.NewReader(regexp.MustCompile("(?m)^"+m[1]).ReplaceAllString(m[2], "")))
		decoder.KnownFields(true)
		if err := decoder.Decode(&pipeline); err != nil {
			t.Errorf("README.md has a snippet for GitLab that is none: %v\n%s", err, m[2])
		}
		if _, ok := pipeline.Jobs["vexxy_container_scanning"]; !ok {
			t.Errorf("a snippet does not name the component's job: %s", m[2])
		}
		for _, include := range pipeline.Include {
			for name := range include.Inputs {
				used++
				if !known[name] {
					t.Errorf("README.md uses the input %s, which there is not", name)
				}
			}
		}
		example += m[2]
	}
	for _, v := range regexp.MustCompile(`\$(VEX_[A-Z_]+)`).FindAllStringSubmatch(example, -1) {
		used++
		if !strings.Contains(section, "| `"+v[1]+"` |") {
			t.Errorf("README.md uses the variable %s, which there is not", v[1])
		}
	}
	if strings.Contains(example, "$VEXXY_") { // all of which the program takes for inputs
		t.Error("README.md names a variable of its own that would end the run")
	}
	if used < 8 {
		t.Errorf("README.md shows %d inputs and variables in use", used)
	}
}
