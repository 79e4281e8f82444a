package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/vexxy/action/internal/host/gitlab/gitlabtest"
)

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
	tool, bin string
}

// Secrets of a job, beside gitlabtest.Token.
const (
	gitlabCanary     = "gitlabCanary-secret-of-the-job"
	gitlabStaleToken = "glpat-revoked-long-ago"
)

// unexpanded is a variable of a job that is not to be expanded: GitLab takes it
// as an object, gitlab-ci-local as a text alone.
var unexpanded = regexp.MustCompile(`\n +value: ('[^\n]*)\n +expand: false`)

// newGitLabJob makes a repository that has the component as it is but for what
// its runner cannot read, and puts vexxy onto the path. GitLab's runner starts a
// job in $CI_PROJECT_DIR; gitlab-ci-local names the folder of a container, even
// where there is none.
func newGitLabJob(t *testing.T) gitlabJob {
	t.Helper()
	g := gitlabJob{actionJob{dir: t.TempDir(), cache: t.TempDir()}, gitlabRunner(t), t.TempDir()}
	must(os.Mkdir(filepath.Join(g.dir, "templates"), 0o755))
	text := unexpanded.ReplaceAll(read(t, filepath.Join(root, "templates"), "analyze.yml"), []byte(" $1"))
	must(os.WriteFile(filepath.Join(g.dir, "templates", "analyze.yml"), text, 0o644))
	self, err := os.Executable() // it is vexxy where the environment says so
	must(err)
	wrapper := fmt.Sprintf("#!/bin/sh\n%s=1 VEXXY_STATE_DIR='%s' CI_PROJECT_DIR=\"$PWD\" exec '%s' \"$@\"\n", asCommand, g.cache, self)
	must(os.WriteFile(filepath.Join(g.bin, "vexxy"), []byte(wrapper), 0o755))
	g.git(t, "init", "-q", "-b", "main")
	g.git(t, "remote", "add", "origin", "https://gitlab.example/group/app.git")
	return g
}

// pipeline is the project's own file.
func (g gitlabJob) pipeline(text string) {
	must(os.WriteFile(filepath.Join(g.dir, ".gitlab-ci.yml"), []byte(text), 0o644))
}

// mergeRequest are the variables of a merge request's pipeline that was branched
// off at base.
func gitlabMerge(base string) []string {
	return []string{
		"CI_PIPELINE_SOURCE=merge_request_event", "CI_MERGE_REQUEST_IID=7", "CI_MERGE_REQUEST_PROJECT_ID=11", "CI_MERGE_REQUEST_SOURCE_PROJECT_ID=11",
		"CI_MERGE_REQUEST_DIFF_BASE_SHA=" + base, "CI_MERGE_REQUEST_PROJECT_URL=https://gitlab.example/group/app",
	}
}

// run runs the pipeline with variables that all of its jobs have, and gives the
// log, which tells no secret.
func (g gitlabJob) run(t *testing.T, variables []string, args ...string) (log string, failed bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	args = append([]string{g.tool, "--force-shell-executor"}, args...)
	for _, v := range append(variables, "GITLAB_CI=true", "NOTE_TOKEN="+gitlabtest.Token, "STALE_TOKEN="+gitlabStaleToken, "CANARY="+gitlabCanary) {
		args = append(args, "--variable", v)
	}
	cmd := exec.CommandContext(ctx, "node", args...)
	cmd.Dir = g.dir
	// The inputs are those of the component, and of no other host.
	cmd.Env = slices.DeleteFunc(os.Environ(), func(kv string) bool { return strings.HasPrefix(kv, "VEXXY_") || strings.HasPrefix(kv, "CI_") })
	cmd.Env = append(cmd.Env, "PATH="+g.bin+":"+os.Getenv("PATH"), "HOME="+g.cache, "GITHUB_ACTIONS=")
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || ctx.Err() != nil) {
		t.Fatalf("gitlab-ci-local: %v\n%s", err, out)
	}
	for _, secret := range []string{gitlabCanary, gitlabStaleToken, gitlabtest.Token} {
		if strings.Contains(string(out), secret) {
			t.Errorf("the log tells %s:\n%s", secret, out)
		}
	}
	return string(out), err != nil
}

func (g gitlabJob) says(t *testing.T, log string, all ...string) {
	t.Helper()
	for _, text := range all {
		if !strings.Contains(log, text) {
			t.Errorf("the log lacks %q:\n%s", text, log)
		}
	}
}

// gitlabEnded is the line that says how a job has ended.
var gitlabEnded = regexp.MustCompile(`(?m)^(\S.*?) +finished in .*?(?:  FAIL (\d+) )?$`)

// exitCodes gives those of the jobs that ran, by their names.
func gitlabExitCodes(log string) map[string]int {
	codes := map[string]int{}
	for _, m := range gitlabEnded.FindAllStringSubmatch(log, -1) {
		codes[m[1]], _ = strconv.Atoi(m[2]) // 0 where it has not failed
	}
	return codes
}
