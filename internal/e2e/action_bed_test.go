package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/vexxy/action/internal/host/github/githubtest"
)

// bedWorkflow uses the action in each leg of a matrix: the legs are the cases.
const bedWorkflow = `name: scan
on: [push, pull_request, release, schedule, workflow_run]
permissions:
  contents: read
  pull-requests: write
jobs:
  scan:
    runs-on: ubuntu-latest
    strategy:
      fail-fast: false
      max-parallel: 64
      matrix:
        leg: %s
    steps:
      - uses: actions/checkout@v4
      - uses: ./action
        id: vexxy
        continue-on-error: true
        env:
          SIGNING_KEY: ${{ secrets.SIGNING_KEY }}
        with: %s
      - if: always()
        env:
          SEEN: ${{ toJSON(steps.vexxy) }}
        run: |
          mkdir -p "%[3]s/${{ matrix.leg }}"
          cd "%[3]s/${{ matrix.leg }}"
          printf '%%s' "$SEEN" > seen.json
          cp -R "$GITHUB_WORKSPACE"/vexxy-results%[4]s .
`

// bedRun is the ID of all runs, so that each may publish what one has observed.
const bedRun = "4242"

const bedPassword, bedCanary = "canary-password-91ab", "canary-secret-of-the-demo"

// actionBed is a repository that uses the action, and GitHub's API as it is for
// each leg: its token says whose server is asked, and by which
// run.
type actionBed struct {
	actionJob
	commitSHA string
	key       string
	crowd     *crowd // of the leg race

	mu   sync.Mutex
	apis map[string]*githubtest.Server
}

func newActionBed(t *testing.T) *actionBed {
	t.Helper()
	b := &actionBed{key: splitKey(t, bedPassword), crowd: newCrowd(), apis: map[string]*githubtest.Server{}}
	front := httptest.NewServer(b)
	t.Cleanup(func() {
		front.Close()
		for _, api := range b.apis {
			api.Close()
		}
	})
	b.actionJob = newActionJob(t, front.URL)
	b.files(t, "on: push\n")
	b.commitSHA = b.commit(t, "")
	return b
}

// secrets are what nothing may tell.
func (b *actionBed) secrets() []string {
	return []string{githubtest.Token, bedPassword, bedCanary, strings.Split(b.key, "\n")[1]}
}

// api gives a leg's server, with a stranger's comment in the thread.
func (b *actionBed) api(leg string) *githubtest.Server {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.apis[leg] == nil {
		s := githubtest.New()
		s.Add("octocat", "nice")
		b.apis[leg] = s
	}
	return b.apis[leg]
}

// ServeHTTP hands a request over to the server of its leg.
func (b *actionBed) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	suffix, is := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "+githubtest.Token+"-")
	leg, number, _ := strings.Cut(suffix, "_")
	b.mu.Lock()
	api := b.apis[leg]
	b.mu.Unlock()
	if !is || api == nil {
		http.Error(w, `{"message":"Bad credentials"}`, http.StatusUnauthorized)
		return
	}
	if leg == raceLeg && r.Method == http.MethodGet && !b.crowd.joined(number) {
		http.Error(w, `{"message":"later"}`, http.StatusServiceUnavailable)
		return
	}
	r.Header.Set("Authorization", "Bearer "+githubtest.Token)
	api.ServeHTTP(w, r)
}

// legInputs are the inputs of each leg.
type legInputs map[string]map[string]string

// workflow writes one whose legs have these inputs, and gives its path. keep is
// what the last step copies of the results, out the folder that it does so to.
func (b *actionBed) workflow(t *testing.T, legs legInputs, keep, out string) string {
	t.Helper()
	binary := must1(os.Executable()) // it is vexxy where the environment says so
	with := map[string]string{"binary": binary, "github-token": "${{ secrets.GITHUB_TOKEN }}-${{ matrix.leg }}_${{ github.run_number }}", "engine": "embedded", "max-db-age": "0"}
	byInput := map[string]map[string]string{}
	for leg, inputs := range legs {
		for name, value := range inputs {
			if byInput[name] == nil {
				byInput[name] = map[string]string{}
			}
			byInput[name][leg] = value
		}
	}
	for name, values := range byInput {
		with[name] = "${{ fromJSON('" + strings.ReplaceAll(string(must1(json.Marshal(values))), "'", "''") + "')[matrix.leg] }}"
	}
	// JSON is YAML, too.
	text := fmt.Sprintf(bedWorkflow, must1(json.Marshal(slices.Sorted(maps.Keys(legs)))), must1(json.Marshal(with)), out, keep)
	path := filepath.Join(t.TempDir(), "scan.yml")
	must(os.WriteFile(path, []byte(text), 0o644))
	return path
}

// sight is what a user sees of one leg.
type sight struct {
	Outcome string            `json:"outcome"`
	Outputs map[string]string `json:"outputs"`

	log     string   // every line of it
	notes   []string // annotations: kind, title and text
	summary string   // of the job
	dir     string   // what was kept of the results
}

// play runs a workflow with these legs for an event, as the run of a number.
func (b *actionBed) play(t *testing.T, event, payload string, number int, legs legInputs, keep string) map[string]*sight {
	t.Helper()
	seen, err := b.tryPlay(t, event, payload, number, legs, keep)
	if err != nil {
		t.Fatalf("%s: %v", event, err)
	}
	return seen
}

func (b *actionBed) tryPlay(t *testing.T, event, payload string, number int, legs legInputs, keep string) (map[string]*sight, error) {
	t.Helper()
	out := t.TempDir()
	seen := map[string]*sight{}
	for leg := range legs {
		seen[leg] = &sight{dir: filepath.Join(out, leg)}
		b.api(leg)
	}
	log, err := b.runner(t, event, payload, number, "-W", b.workflow(t, legs, keep, out), "--json", "--concurrent-jobs", "64",
		// What is not masked by the action shows.
		"--insecure-secrets", "-s", "SIGNING_KEY="+b.key, "-s", "SIGNING_PASSWORD="+bedPassword, "--env", "GITHUB_RUN_ID="+bedRun)
	read := readLog(log, seen)
	if err != nil {
		return nil, fmt.Errorf("act: %w\n%s", err, read)
	}
	for leg, s := range seen {
		told := read + s.summary
		for _, c := range b.api(leg).Comments() {
			told += c.Body
		}
		for _, secret := range b.secrets() {
			if strings.Contains(told, secret) {
				t.Errorf("%s: %s: log, summary or comment tells %.12q…", event, leg, secret)
			}
		}
		data, err := os.ReadFile(filepath.Join(s.dir, "seen.json"))
		if err == nil {
			err = json.Unmarshal(data, s)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: no step came after: %w\n%s", leg, err, s.log)
		}
	}
	return seen, nil
}

// readLog gives each leg its part of the runner's log, and all that a reader of
// it sees.
func readLog(log string, seen map[string]*sight) (all string) {
	for line := range strings.Lines(log) {
		var l struct {
			Message string `json:"msg"`
			Matrix  map[string]string
			// Command is one that the step has given the runner.
			Command    string
			Properties map[string]string `json:"kvPairs"`
			Arg        string
			Content    string
		}
		if json.Unmarshal([]byte(line), &l) != nil {
			all += line
			continue
		}
		all += strings.TrimSuffix(l.Message, "\n") + "\n"
		s := seen[l.Matrix["leg"]]
		if s == nil {
			continue
		}
		s.log += strings.TrimSuffix(l.Message, "\n") + "\n"
		switch l.Command {
		case "error", "warning", "notice":
			s.notes = append(s.notes, fmt.Sprintf("%s: %s: %s", l.Command, l.Properties["title"], l.Arg))
		case "summary":
			s.summary += l.Content
		}
	}
	return all
}
