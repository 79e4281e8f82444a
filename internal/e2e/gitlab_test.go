package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

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
	g := newGitLabJob(t)
	g.pipeline(fmt.Sprintf(gitlabPipeline, push(t, "go-app"), db))
	base := g.commit(t, "max-affected: 0\n")
	head := g.commit(t, "max-affected: 1000\ntest-command: touch /tmp/never\n")

	run := func(pipeline int, base string) (log string) {
		variables := append(gitlabMerge(base), "CI_COMMIT_SHA="+head, fmt.Sprint("CI_PIPELINE_ID=", pipeline), "CI_API_V4_URL="+api.URL)
		log, failed := g.run(t, variables, fmt.Sprint("--json-schema-validation=", pipeline == 1))
		if failed != (pipeline == 1) {
			t.Fatalf("pipeline %d failed: %v\n%s", pipeline, failed, log)
		}
		return log
	}

	log := run(1, base)
	first := api.Notes()
	if len(first) != 1 || !strings.Contains(first[0].Body, "vexxy: fail") || !strings.Contains(first[0].Body, "is ignored until it is merged") || strings.Contains(first[0].Body, gitlabCanary) {
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

	log = run(2, head)
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
