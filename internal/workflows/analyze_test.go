package workflows

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// Credentials that can push are the signing job's alone, and those of the others
// reach the program.
func TestAnalyzePullsAndPushes(t *testing.T) {
	for name, job := range jobsOf(t, "analyze.yml") {
		text, err := yaml.Marshal(job)
		if err != nil {
			t.Fatal(err)
		}
		signs := name == "attest"
		if push, pull := strings.Contains(string(text), "secrets.docker-config"), strings.Contains(string(text), "secrets.pull-config"); push != signs || pull == signs {
			t.Errorf("job %s: push %t, pull %t", name, push, pull)
		}
		step := map[bool]string{true: "Credentials to push with", false: "Credentials to pull with"}[signs]
		for config, want := range map[string]string{`{"auths":{"r.example":{}}}`: "r.example", "": `"ghcr.io":{"auth":"YTp0"}`} {
			dir := t.TempDir()
			out, err := bash(dir, script(t, job, step), "CONFIG="+config, "ACTOR=a", "TOKEN=t", "DOCKER_CONFIG="+filepath.Join(dir, "docker"))
			got, rerr := os.ReadFile(filepath.Join(dir, "docker", "config.json"))
			if err != nil || rerr != nil || !strings.Contains(string(got), want) {
				t.Errorf("job %s with %q: %s, %v, %v: %s", name, config, got, err, rerr, out)
			}
		}
		for _, step := range items(get(job, "steps")) {
			if value(get(step, "uses")) == "vexxy/action@v1" && value(get(get(step, "env"), "DOCKER_CONFIG")) != "${{ runner.temp }}/docker" {
				t.Errorf("job %s: the program does not read the credentials", name)
			}
		}
	}
}

// What an earlier attempt left, or a failed observation, passes nothing.
func TestAnalyzeReportsOnThisAttempt(t *testing.T) {
	jobs := jobsOf(t, "analyze.yml")
	observe, report := jobs["observe"], jobs["report"]
	uploads := 0
	for _, step := range items(get(observe, "steps")) {
		if value(get(step, "id")) == "upload" && value(get(get(step, "with"), "if-no-files-found")) == "error" {
			uploads++
		}
	}
	if uploads != 1 || value(get(get(observe, "outputs"), "uploaded")) != "${{ steps.upload.outcome }}" {
		t.Error("observe does not tell that it has uploaded")
	}
	if got := value(get(get(report, "outputs"), "verdict")); !strings.Contains(got, "needs.observe.result == 'success' && ") || !strings.HasSuffix(got, " || 'error' }}") {
		t.Errorf("the verdict is %s", got)
	}
	steps := items(get(report, "steps"))
	if value(get(get(steps[0], "env"), "UPLOADED")) != "${{ needs.observe.outputs.uploaded }}" {
		t.Error("report does not begin by asking for the upload")
	}
	for name, variable := range map[string]string{"The results are of this attempt": "UPLOADED", "The observation succeeded": "RESULT"} {
		for state, passes := range map[string]bool{"success": true, "failure": false, "cancelled": false, "skipped": false, "": false} {
			if out, err := bash(t.TempDir(), script(t, report, name), variable+"="+state); (err == nil) != passes {
				t.Errorf("%s, %q: %v: %s", name, state, err, out)
			}
		}
	}
}
