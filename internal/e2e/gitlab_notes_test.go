package e2e

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/vexxy/action/internal/host/gitlab/gitlabtest"
	"github.com/vexxy/action/internal/sticky"
)

// settings are inputs of the component, or variables of a job.
type gitlabVars = map[string]string

// noteUse is one use of the component: a job of each pipeline that it has a run
// for, with an API of its own, where a stranger has written a note.
type noteUse struct {
	name   string
	inputs gitlabVars // beside those that all have
	// variables are those of its pipelines, nil for a merge request's.
	variables gitlabVars
	// The job has a leg for each value of this variable; where that is the
	// pipeline's number, the legs are many pipelines with one job each.
	leg    string
	values []string
	runs   []noteRun
	// front stands before the API.
	front func(api http.Handler) http.Handler

	api   *gitlabtest.Server
	url   string
	asked int // how many requests came before this pipeline
}

// noteRun is a use in one pipeline: what goes wrong, and what its user sees.
type noteRun struct {
	inputs, variables gitlabVars
	before            func(t *testing.T, u *noteUse)
	faults            map[string][]gitlabtest.Fault // by the requests' kind
	// verdict is the pipeline's where it is empty.
	verdict string
	// did is what the log says that was done with the note, empty for nothing.
	// wrote has the methods of the requests that wanted to write. Both may be any.
	did, wrote string
	// notice has the lines of all remarks in the log.
	notice []string
	// tells is the number of the pipeline that the notes tell of, 0 where there
	// are none.
	tells int
	// more holds what else is to be seen.
	more func(t *testing.T, u *noteUse)
}

const (
	anyOf         = "any"
	firstPipeline = 101
	pipelineID    = "CI_PIPELINE_ID"
)

var verdictCode = map[string]int{"pass": 0, "fail": 2, "inconclusive": 4, "error": 5}

func (u *noteUse) job() string { return u.name + "_container_scanning" }

// start starts the use's API.
func (u *noteUse) start(t *testing.T) {
	u.api = gitlabtest.New()
	t.Cleanup(u.api.Close)
	u.url = u.api.URL
	u.api.Add(gitlabtest.Note{Author: 5, Body: "nice"})
	if u.front != nil {
		server := httptest.NewServer(u.front(u.api))
		t.Cleanup(server.Close)
		u.url = server.URL + "/api/v4"
	}
}

// jobs are the jobs of a use by their names.
func (u *noteUse) jobs() (all []string) {
	if u.leg == "" {
		return []string{u.job()}
	}
	for _, value := range u.values {
		all = append(all, fmt.Sprintf("%s: [%s]", u.job(), value))
	}
	return all
}

// gitlabFile is the project's file of pipeline i. The end of the jobs
// (after_script) is left out, for gitlab-ci-local empties their folders before
// it: TestGitLabComponent has it.
func gitlabFile(uses []*noteUse, i int, inputs, variables gitlabVars) string {
	doc := map[string]any{}
	var include []any
	for _, u := range uses {
		with, env := gitlabVars{"job-name": u.job()}, gitlabVars{"CI_API_V4_URL": u.url, pipelineID: fmt.Sprint(firstPipeline + i)}
		for _, some := range []gitlabVars{inputs, u.inputs, u.runs[i].inputs} {
			maps.Copy(with, some)
		}
		pipeline := variables
		if u.variables != nil {
			pipeline = u.variables
		}
		for _, some := range []gitlabVars{pipeline, u.runs[i].variables} {
			maps.Copy(env, some)
		}
		job := map[string]any{"variables": env, "after_script": []string{}}
		if u.leg != "" {
			job["parallel"] = map[string]any{"matrix": []any{map[string]any{u.leg: u.values}}}
		}
		if u.leg == pipelineID {
			env["CI_JOB_NAME"] = u.job()
		}
		doc[u.job()] = job
		include = append(include, map[string]any{"component": "$CI_SERVER_FQDN/$CI_PROJECT_PATH/analyze@$CI_COMMIT_SHA", "inputs": with})
	}
	doc["include"] = include
	text, err := yaml.Marshal(doc)
	must(err)
	return string(text)
}

// unsafeInFiles is what gitlab-ci-local writes otherwise in the names of files.
var unsafeInFiles = regexp.MustCompile(`[^\w-]+`)

// of gives the path of what gitlab-ci-local keeps of a job.
func (g gitlabJob) of(kind, job string) string {
	safe := unsafeInFiles.ReplaceAllStringFunc(job, func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) })
	return filepath.Join(g.dir, ".gitlab-ci-local", kind, safe)
}

// pipelineEnd is how a pipeline has ended.
type pipelineEnd struct {
	codes   map[string]int // by the names of its jobs
	verdict string         // of its jobs, but for those that have their own
	numbers gitlabVars     // of what is affected, by the image's digest
}

// check holds what a use's run has left to what it should have.
func (u *noteUse) check(t *testing.T, g gitlabJob, run noteRun, end pipelineEnd) {
	verdict := cmp.Or(run.verdict, end.verdict)
	notes, told := u.notes(t, run.tells), map[string]bool{}
	for _, job := range u.jobs() {
		log := string(read(t, g.of("output", ""), filepath.Base(g.of("output", job))+".log"))
		if got, ran := end.codes[job]; !ran || got != verdictCode[verdict] {
			t.Errorf("%s: exit code %d, want %d:\n%s", job, got, verdictCode[verdict], log)
		}
		tellsNoSecret(t, log)
		url := u.remarked(t, run, log)
		if url != "" {
			told[url] = true
		}
		artifacts := g.of("artifacts", job)
		env := gitlabDotenv(t, filepath.Join(artifacts, ".gitlab-ci-reports", "dotenv"))
		if env["VEX_VERDICT"] != verdict || env["VEX_EXIT_CODE"] != fmt.Sprint(verdictCode[verdict]) || env["VEX_NOTE_URL"] != url {
			t.Errorf("%s: want %s and the note %q, the dotenv report has %v", job, verdict, url, env)
		}
		gitlabReported(t, artifacts, env)
		numbers := fmt.Sprint(env["VEX_AFFECTED"], " of ", env["VEX_TOTAL"])
		if digest := env["VEX_DIGEST"]; cmp.Or(end.numbers[digest], numbers) != numbers {
			t.Errorf("%s are affected, elsewhere %s", numbers, end.numbers[digest])
		} else if digest != "" {
			end.numbers[digest] = numbers
		}
		must(filepath.WalkDir(artifacts, func(path string, file fs.DirEntry, err error) error {
			if err == nil && file.Type().IsRegular() {
				tellsNoSecret(t, string(read(t, artifacts, strings.TrimPrefix(path, artifacts))))
			}
			return err
		}))
	}
	if want := len(notes); run.did == "" && len(told) > 0 || run.did != "" && run.did != "not needed" && len(told) != want {
		t.Errorf("the jobs tell of the notes %v, there are %d", told, want)
	}
	for url := range told {
		if fresh := run.did == "posted" || run.did == "updated"; notes[url] == "" || fresh && !strings.Contains(notes[url], "vexxy: "+verdict) {
			t.Errorf("the note %s does not say %s: %q", url, verdict, notes[url])
		}
	}
	if got := notesWritten(u.api, u.asked); got != run.wrote && run.wrote != anyOf {
		t.Errorf("the requests to write are %q, want %q", got, run.wrote)
	}
	if run.more != nil {
		run.more(t, u)
	}
}

// notes gives the texts of our notes by their addresses, each of which is to tell
// of one pipeline. The stranger's is as it was.
func (u *noteUse) notes(t *testing.T, tells int) map[string]string {
	all := u.api.Notes()
	if len(all) == 0 || all[0].Body != "nice" {
		t.Fatalf("the stranger's note is gone: %+v", all)
	}
	want := min(tells, 1)
	if u.leg != "" && u.leg != pipelineID {
		want *= len(u.values)
	}
	if len(all)-1 != want {
		t.Errorf("there are %d notes, want %d: %+v", len(all)-1, want, all)
	}
	notes := map[string]string{}
	for _, n := range all[1:] {
		notes[fmt.Sprintf("https://gitlab.example/group/app/-/merge_requests/7#note_%d", n.ID)] = n.Body
		if _, _, ours := sticky.ReadMark(n.Body); !ours || !strings.Contains(n.Body, fmt.Sprintf("pipeline %d]", tells)) {
			t.Errorf("the note does not tell of pipeline %d: %q", tells, n.Body)
		}
		tellsNoSecret(t, n.Body)
	}
	return notes
}

func tellsNoSecret(t *testing.T, text string) {
	t.Helper()
	for _, secret := range []string{gitlabCanary, gitlabStaleToken, gitlabtest.Token} {
		if strings.Contains(text, secret) {
			t.Errorf("this tells %s:\n%s", secret, text)
		}
	}
}

// noteLine is what the log says of a note that was looked after.
var noteLine = regexp.MustCompile(`(?m)^note (posted|updated|kept|left to a newer run|not needed) (\S*)$`)

// remarked holds the log to what it should say of the note, and gives the note's
// address.
func (u *noteUse) remarked(t *testing.T, run noteRun, log string) (url string) {
	did := ""
	for _, m := range noteLine.FindAllStringSubmatch(log, -1) {
		did, url = did+m[1], m[2]
	}
	if did != run.did && run.did != anyOf {
		t.Errorf("the log says that the note was %q, not %q:\n%s", did, run.did, log)
	}
	var notice []string
	remark := false
	for line := range strings.Lines(log) {
		weight, _, _ := strings.Cut(line, ":")
		remark = remark && strings.HasPrefix(line, "  ") || slices.Contains([]string{"notice", "warning", "error", "hint"}, weight)
		if remark {
			notice = append(notice, strings.TrimSuffix(line, "\n"))
		}
	}
	if !slices.Equal(notice, run.notice) {
		t.Errorf("the log remarks\n%s\nand should\n%s\n%s", strings.Join(notice, "\n"), strings.Join(run.notice, "\n"), log)
	}
	return url
}

// gitlabDotenv reads a job's dotenv report.
func gitlabDotenv(t *testing.T, dir string) gitlabVars {
	t.Helper()
	got := gitlabVars{}
	for line := range strings.Lines(string(read(t, dir, "vexxy.env"))) {
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		got[name] = value
	}
	return got
}

// gitlabReported holds a job's artifacts to its dotenv report.
func gitlabReported(t *testing.T, dir string, env gitlabVars) {
	t.Helper()
	var r result
	if env["VEX_RESULT"] != "" || env["VEX_VERDICT"] != "error" {
		must(json.Unmarshal(read(t, dir, env["VEX_RESULT"]), &r))
		if r.Verdict != env["VEX_VERDICT"] || fmt.Sprint(r.ExitCode) != env["VEX_EXIT_CODE"] {
			t.Errorf("the dotenv report has %v, the result %+v", env, r)
		}
	}
	if env["VEX_VERDICT"] == "error" {
		if _, err := os.Stat(filepath.Join(dir, "gl-container-scanning-report.json")); err == nil || env["VEX_VEX"]+env["VEX_AFFECTED"] != "" {
			t.Errorf("what was not judged is reported: %v", env)
		}
		return
	}
	if fmt.Sprint(r.Summary.Affected, r.Summary.NotAffected, r.Summary.Total) != fmt.Sprintf("%s %s %s", env["VEX_AFFECTED"], env["VEX_NOT_AFFECTED"], env["VEX_TOTAL"]) {
		t.Errorf("the dotenv report has %v, the result %+v", env, r.Summary)
	}
	var scan struct{ Vulnerabilities []json.RawMessage }
	must(json.Unmarshal(read(t, dir, "gl-container-scanning-report.json"), &scan))
	if (len(scan.Vulnerabilities) > 0) != (r.Summary.Affected > 0) {
		t.Errorf("%d affected, the security report has %d", r.Summary.Affected, len(scan.Vulnerabilities))
	}
	for _, name := range []string{env["VEX_VEX"], env["VEX_SBOM"], env["VEX_RUNTIME_SBOM"], "gl-sbom-vexxy.cdx.json"} {
		if none := name == "" && env["VEX_TOTAL"] == "0"; !none && !json.Valid(read(t, dir, name)) {
			t.Errorf("%s is no JSON", name)
		}
	}
	if text := read(t, dir, env["VEX_OUTPUT_DIR"]+"/comment.md"); !strings.Contains(string(text), "vexxy: "+r.Verdict) {
		t.Errorf("comment.md has %q", text)
	}
}

// notesWritten gives the requests that wanted to write, since the first n.
func notesWritten(s *gitlabtest.Server, n int) string {
	var all []string
	for _, r := range s.Requests("")[n:] {
		if r.Method == "POST" || r.Method == "PUT" || r.Method == "DELETE" {
			all = append(all, r.Method)
		}
	}
	return strings.Join(all, " ")
}

// notesAtOnce lets the jobs that ask who they are wait for each other, so that
// all n begin at the same moment.
func notesAtOnce(n int) func(http.Handler) http.Handler {
	var mu sync.Mutex
	waiting, all := n, make(chan struct{})
	return func(api http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/api/v4/user" {
				mu.Lock()
				if waiting--; waiting == 0 {
					close(all)
				}
				mu.Unlock()
				select {
				case <-all:
				case <-r.Context().Done(): // it asks again
				}
			}
			api.ServeHTTP(w, r)
		})
	}
}

// begin lets fail what is to fail in a run.
func (u *noteUse) begin(t *testing.T, run noteRun) {
	if run.before != nil {
		run.before(t, u)
	}
	for kind, faults := range run.faults {
		u.api.Fail(kind, faults...)
	}
	u.asked = len(u.api.Requests(""))
}
