package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"github.com/vexxy/action/internal/host/gitlab/gitlabtest"
)

// gitlabPipeline uses the component of its own repository and commit, and its
// variables in a later job.
const gitlabPipeline = `include:
  - component: $CI_SERVER_FQDN/$CI_PROJECT_PATH/analyze@$CI_COMMIT_SHA
    inputs:
      version: none
      image: %s
      engine: embedded
      duration: 5s
      vulnerability-db: %s
      max-db-age: "0"
      http-probe: /
      env: CANARY=$CANARY
      gitlab-token: $NOTE_TOKEN
stages: [test, deploy]
later:
  stage: deploy
  when: always
  needs: [vexxy_container_scanning]
  script:
    - echo "later verdict=$VEX_VERDICT exit-code=$VEX_EXIT_CODE affected=$VEX_AFFECTED note=$VEX_NOTE_URL"
    - echo "later statements=$(grep -c not_affected "$VEX_VEX") reports=$(cat gl-*.json | grep -c 2>/dev/null gitlab:meta:schema_version)"
`

// TestGitLabComponent runs the component with a program that does what GitLab's
// runner does (gitlab-ci-local), on this machine, with GitLab's API played by a
// server. A merge request loosens its policy: the verdict is the base's. Then it
// is merged, in words: the same note says so.
func TestGitLabComponent(t *testing.T) {
	db, err := database()
	if err != nil {
		t.Fatalf("building database: %v", err)
	}
	api := gitlabtest.New()
	defer api.Close()
	g := gitlabJob{actionJob: actionJob{dir: t.TempDir(), cache: t.TempDir()}, api: api, tool: gitlabRunner(t), bin: t.TempDir()}
	g.files(t, fmt.Sprintf(gitlabPipeline, push(t, "go-app"), db))
	base := g.commit(t, "max-affected: 0\n")
	head := g.commit(t, "max-affected: 1000\ntest-command: touch /tmp/never\n")

	log := g.run(t, 1, base, head)
	first := api.Notes()
	if len(first) != 1 || !strings.Contains(first[0].Body, "vexxy: fail") || !strings.Contains(first[0].Body, "is ignored until it is merged") || strings.Contains(first[0].Body, "canary-secret") {
		t.Fatalf("notes: %+v\n%s", first, log)
	}
	// gitlab-ci-local ends a value at a #, which GitLab takes for a character.
	g.says(t, log, "later verdict=fail exit-code=2 affected=3 note=https://gitlab.example/group/app/-/merge_requests/7\n", "later statements=3 reports=1",
		"section_start:", "✓ observe", "note posted", "is ignored until it is merged", "nothing to clean up")
	if want := fmt.Sprintf("VEX_NOTE_URL=https://gitlab.example/group/app/-/merge_requests/7#note_%d\n", first[0].ID); !strings.Contains(string(read(t, g.dir, "vexxy.env")), want) {
		t.Errorf("the dotenv report lacks %q", want)
	}
	for _, name := range []string{"gl-container-scanning-report.json", "gl-sbom-vexxy.cdx.json", "vexxy-results/result.json"} {
		if !json.Valid(read(t, g.dir, name)) {
			t.Errorf("%s is no JSON", name)
		}
	}

	log = g.run(t, 2, head, head)
	second := api.Notes()
	if len(second) != 1 || second[0].ID != first[0].ID || !strings.Contains(second[0].Body, "vexxy: pass") || !strings.Contains(second[0].Body, "pipeline 2") {
		t.Errorf("notes: %+v\n%s", second, log)
	}
	g.says(t, log, "later verdict=pass exit-code=0 affected=3 note=https://", "later statements=3")
}

// The component is as GitLab's own schema of pipelines asks, which
// gitlab-ci-local brings along.
func TestGitLabComponentSchema(t *testing.T) {
	script := "import(process.argv[1]).then(m => console.log(JSON.stringify(m.schema)))"
	out, err := exec.Command("node", "-e", script, filepath.Join(filepath.Dir(gitlabRunner(t)), "schema", "schema.js")).Output()
	must(err)
	raw, err := jsonschema.UnmarshalJSON(bytes.NewReader(out))
	must(err)
	c := jsonschema.NewCompiler()
	must(c.AddResource("https://gitlab.example/ci.json", raw))
	schema, err := c.Compile("https://gitlab.example/ci.json")
	must(err)
	_, job, _ := strings.Cut(string(read(t, filepath.Join(root, "templates"), "analyze.yml")), "\n---\n")
	valid := func(text string) error {
		var doc any
		must(yaml.Unmarshal([]byte(text), &doc))
		data, err := json.Marshal(doc)
		must(err)
		value, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
		must(err)
		return schema.Validate(value)
	}
	if err := valid(job); err != nil {
		t.Error(err)
	}
	for old, bad := range map[string]string{"when: always": "when: perhaps", "expire_in: 90 days": "expire_in: [90]", "dotenv: vexxy.env": "dotenv: {}"} {
		if changed := strings.Replace(job, old, bad, 1); changed == job || valid(changed) == nil {
			t.Errorf("the schema takes %s", bad)
		}
	}
}

// gitlabRunner gives gitlab-ci-local's program, for node.
func gitlabRunner(t *testing.T) string {
	t.Helper()
	cache, err := filepath.Abs(filepath.Join(root, ".cache"))
	must(err)
	cmd := exec.Command("scripts/setup/gitlab.sh", cache)
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("setting up gitlab-ci-local: %v", err)
	}
	return strings.TrimSpace(string(out))
}

// gitlabJob is a repository with a pipeline, and what runs it.
type gitlabJob struct {
	actionJob
	api       *gitlabtest.Server
	tool, bin string
}

// unexpanded is a variable of a job that is not to be expanded: GitLab takes it
// as an object, gitlab-ci-local as a text alone.
var unexpanded = regexp.MustCompile(`\n +value: ('[^\n]*)\n +expand: false`)

// files puts the pipeline into the repository, the component as it is but for
// what its runner cannot read, and vexxy onto the path.
func (g gitlabJob) files(t *testing.T, pipeline string) {
	t.Helper()
	must(os.WriteFile(filepath.Join(g.dir, ".gitlab-ci.yml"), []byte(pipeline), 0o644))
	must(os.Mkdir(filepath.Join(g.dir, "templates"), 0o755))
	text := unexpanded.ReplaceAll(read(t, filepath.Join(root, "templates"), "analyze.yml"), []byte(" $1"))
	must(os.WriteFile(filepath.Join(g.dir, "templates", "analyze.yml"), text, 0o644))
	self, err := os.Executable() // it is vexxy where the environment says so
	must(err)
	wrapper := fmt.Sprintf("#!/bin/sh\n%s=1 VEXXY_STATE_DIR='%s' exec '%s' \"$@\"\n", asCommand, g.cache, self)
	must(os.WriteFile(filepath.Join(g.bin, "vexxy"), []byte(wrapper), 0o755))
	g.git(t, "init", "-q", "-b", "main")
	g.git(t, "remote", "add", "origin", "https://gitlab.example/group/app.git")
}

// run runs the pipeline for a merge request and gives the log.
func (g gitlabJob) run(t *testing.T, pipeline int, base, head string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	args := []string{g.tool, "--force-shell-executor", fmt.Sprint("--json-schema-validation=", pipeline == 1)}
	for _, v := range []string{
		"GITLAB_CI=true", "CI_PROJECT_DIR=" + g.dir, "CI_API_V4_URL=" + g.api.URL, "CI_PIPELINE_SOURCE=merge_request_event", fmt.Sprint("CI_PIPELINE_ID=", pipeline),
		"CI_MERGE_REQUEST_IID=7", "CI_MERGE_REQUEST_PROJECT_ID=11", "CI_MERGE_REQUEST_SOURCE_PROJECT_ID=11", "CI_MERGE_REQUEST_DIFF_BASE_SHA=" + base,
		"CI_MERGE_REQUEST_PROJECT_URL=https://gitlab.example/group/app", "CI_COMMIT_SHA=" + head, "NOTE_TOKEN=" + gitlabtest.Token, "CANARY=canary-secret-of-the-job",
	} {
		args = append(args, "--variable", v)
	}
	cmd := exec.CommandContext(ctx, "node", args...)
	cmd.Dir = g.dir
	// The inputs are those of the component, and of no other host.
	cmd.Env = slices.DeleteFunc(os.Environ(), func(kv string) bool { return strings.HasPrefix(kv, "VEXXY_") || strings.HasPrefix(kv, "CI_") })
	cmd.Env = append(cmd.Env, "PATH="+g.bin+":"+os.Getenv("PATH"), "HOME="+g.cache, "GITHUB_ACTIONS=")
	out, err := cmd.CombinedOutput()
	if failed := err != nil; failed != (pipeline == 1) {
		t.Fatalf("gitlab-ci-local: %v\n%s", err, out)
	}
	if log := string(out); strings.Contains(log, "canary-secret") || strings.Contains(log, gitlabtest.Token) {
		t.Errorf("the log tells a secret:\n%s", log)
	}
	return string(out)
}

func (g gitlabJob) says(t *testing.T, log string, all ...string) {
	t.Helper()
	for _, text := range all {
		if !strings.Contains(log, text) {
			t.Errorf("the log lacks %q:\n%s", text, log)
		}
	}
}
