package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/secure-systems-lab/go-securesystemslib/encrypted"

	"github.com/vexxy/action/internal/host/github/githubtest"
)

// splitWorkflow calls the reusable workflow as its users do.
const splitWorkflow = `name: scan
on: [push, pull_request, schedule]
permissions:
  actions: read
  contents: read
  id-token: write
  packages: write
  pull-requests: write
  security-events: write
jobs:
  analyze:
    uses: ./.github/workflows/analyze.yml
    with:
      image: %s
      attest: key
    secrets:
      attest-key: ${{ secrets.SIGNING_KEY }}
      attest-key-password: ${{ secrets.SIGNING_PASSWORD }}
  after:
    needs: analyze
    if: always()
    runs-on: ubuntu-latest
    steps:
      - run: |
          {
            echo "verdict=${{ needs.analyze.outputs.verdict }}"
            echo "digest=${{ needs.analyze.outputs.digest }}"
            echo "attestations=${{ needs.analyze.outputs.attestations }}"
          } > "%s/after"
`

// The runner has no network, so what keeps artifacts is played by two actions
// that copy folders.
const (
	uploads = `name: upload
inputs:
  name: {}
  path: {}
  retention-days: {}
  overwrite: {}
runs:
  using: composite
  steps:
    - shell: bash
      env: {NAME: '${{ inputs.name }}', FROM: '${{ inputs.path }}'}
      run: rm -rf "$VEXXY_TEST_STORE/$NAME" && cp -R "$FROM" "$VEXXY_TEST_STORE/$NAME"
`
	downloads = `name: download
inputs:
  name: {}
  path: {}
  run-id: {}
  github-token: {}
runs:
  using: composite
  steps:
    - shell: bash
      env: {NAME: '${{ inputs.name }}', TO: '${{ inputs.path }}'}
      run: mkdir -p "$TO" && cp -R "$VEXXY_TEST_STORE/$NAME/." "$TO"
`
)

const splitPassword = "canary-password-77d0"

// split is a repository that uses the workflows of this one, without a network.
type split struct {
	actionJob
	api               *githubtest.Server
	image, store, key string
	db                string
	more              []string // arguments of act
}

func newSplit(t *testing.T) *split {
	t.Helper()
	db, err := database()
	must(err)
	self, err := os.Executable()
	must(err)
	api := githubtest.New()
	t.Cleanup(api.Close)
	s := &split{
		actionJob: newActionJob(t, api.URL), api: api,
		image: push(t, "go-app"), store: t.TempDir(), key: splitKey(t, splitPassword),
	}
	s.files(t, fmt.Sprintf(splitWorkflow, s.image, s.out))
	actions := t.TempDir()
	for ref, text := range map[string]string{"upload-artifact": uploads, "download-artifact": downloads} {
		must(os.MkdirAll(filepath.Join(actions, ref), 0o755))
		must(os.WriteFile(filepath.Join(actions, ref, "action.yml"), []byte(text), 0o644))
	}
	// The action itself, with the binary that was just built.
	must(os.Rename(filepath.Join(s.dir, "action"), filepath.Join(actions, "action")))
	text := string(read(t, filepath.Join(actions, "action"), "action.yml"))
	text = strings.Replace(text, "\n  binary:\n", "\n  binary:\n    default: '"+self+"'\n", 1)
	must(os.WriteFile(filepath.Join(actions, "action", "action.yml"), []byte(text), 0o644))
	pins := map[string]string{}
	for _, file := range []string{"analyze.yml", "comment.yml"} {
		text := read(t, filepath.Join(root, ".github", "workflows"), file)
		must(os.WriteFile(filepath.Join(s.dir, ".github", "workflows", file), text, 0o644))
		for _, m := range regexp.MustCompile(`uses: actions/((?:up|down)load-artifact)@([0-9a-f]{40})`).FindAllStringSubmatch(string(text), -1) {
			pins["actions/"+m[1]+"@"+m[2]] = filepath.Join(actions, m[1])
		}
	}
	pins["vexxy/action@v1"] = filepath.Join(actions, "action")
	if len(pins) != 3 {
		t.Fatalf("the workflows use %v", pins)
	}
	for ref, dir := range pins {
		s.more = append(s.more, "--local-repository", ref+"="+dir)
	}
	s.more = append(s.more, "-P", "ubuntu-24.04=-self-hosted", "-s", "SIGNING_KEY="+s.key, "-s", "SIGNING_PASSWORD="+splitPassword, "--env", "VEXXY_TEST_STORE="+s.store)
	s.db = db
	return s
}

// configure commits a configuration whose test command tells all that it can
// read of the environment.
func (s *split) configure(t *testing.T, limit int) (commit string) {
	t.Helper()
	return s.commit(t, fmt.Sprintf("engine: embedded\nduration: 5s\nvulnerability-db: %s\nmax-db-age: 0\nmax-affected: %d\nhttp-probe: /\ntest-command: cat /proc/self/environ /proc/$PPID/environ > %s/environ\n", s.db, limit, s.out))
}

// splitKey is a private key as cosign writes it, under a password.
func splitKey(t *testing.T, password string) string {
	t.Helper()
	key := must1(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	data := must1(encrypted.Encrypt(must1(x509.MarshalPKCS8PrivateKey(key)), []byte(password)))
	return string(pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED SIGSTORE PRIVATE KEY", Bytes: data}))
}

// event runs the workflow of a file for an event, as the run of a number and of
// the same ID. An error is of a job that failed.
func (s *split) event(t *testing.T, file, event, payload string, number int) (log string, err error) {
	t.Helper()
	more := append([]string{"-W", filepath.Join(".github", "workflows", file), "--env", fmt.Sprint("GITHUB_RUN_ID=", number)}, s.more...)
	out, err := s.runner(t, event, payload, number, more...)
	for _, secret := range []string{splitPassword, strings.Split(s.key, "\n")[1], githubtest.Token} {
		if strings.Contains(out, secret) {
			t.Errorf("%s: the log tells a secret", event)
		}
	}
	return out, err
}

// said gives what the job after the workflow has seen of it.
func (s *split) said(t *testing.T, log string) string {
	t.Helper()
	path := filepath.Join(s.out, "after")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("no job came after: %v\n%s", err, log)
	}
	must(os.Remove(path))
	return string(text)
}

// referrers counts what is attached to the image.
func (s *split) referrers(t *testing.T) int {
	t.Helper()
	ref, err := name.ParseReference(s.image)
	must(err)
	desc := must1(remote.Head(ref))
	index, err := remote.Referrers(ref.Context().Digest(desc.Digest.String()))
	must(err)
	return len(must1(index.IndexManifest()).Manifests)
}

// TestSplitWorkflow runs the three jobs of the reusable workflow, and the
// companion of forks, with a runner that does what GitHub's does.
func TestSplitWorkflow(t *testing.T) {
	s := newSplit(t)
	// A pull request of the repository itself.
	base := s.configure(t, 1000)
	log, err := s.event(t, "scan.yml", "pull_request", pullOf(base, base, 1), 1)
	if err != nil {
		t.Fatalf("%v\n%s", err, log)
	}
	said := s.said(t, log)
	if !strings.Contains(said, "verdict=pass\n") || !regexp.MustCompile(`digest=sha256:[0-9a-f]{64}\n`).MatchString(said) || !strings.Contains(said, "attestations=evidence bundle ") {
		t.Errorf("the jobs gave\n%s\n%s", said, log)
	}
	if n := s.referrers(t); n != 3 {
		t.Errorf("%d attestations", n)
	}
	comments := s.api.Comments()
	if len(comments) != 1 || !strings.Contains(comments[0].Body, "vexxy: pass") {
		t.Fatalf("comments %+v\n%s", comments, log)
	}
	// What runs beside the image can read neither key nor what else is granted.
	environ := string(read(t, s.out, "environ"))
	for _, secret := range []string{"SIGNING_KEY", splitPassword, "ENCRYPTED SIGSTORE", "ID_TOKEN_REQUEST"} {
		if strings.Contains(environ, secret) {
			t.Errorf("the job that observes holds %s", secret)
		}
	}
	if !strings.Contains(environ, "INPUT_IMAGE=") {
		t.Error("the environment of the job that observes was not seen")
	}

	// A schedule has nobody to comment to, and what is attested already stays.
	log, err = s.event(t, "scan.yml", "schedule", `{}`, 2)
	if err != nil || !strings.Contains(s.said(t, log), "verdict=pass\n") || len(s.api.Comments()) != 1 {
		t.Errorf("on a schedule: %v\n%s", err, log)
	}

	// The gate fails in the job that reports, and in no other.
	strict := s.configure(t, 0)
	log, err = s.event(t, "scan.yml", "push", `{"ref":"refs/heads/main"}`, 3)
	if err == nil || len(s.api.Comments()) != 1 {
		t.Errorf("on a push: %v\n%s", err, log)
	}
	for job, ends := range map[string]string{"observe": "succeeded", "attest": "succeeded", "report": "failed"} {
		if !regexp.MustCompile(`analyze/` + job + ` *\] 🏁  Job ` + ends).MatchString(log) {
			t.Errorf("%s has not %s\n%s", job, ends, log)
		}
	}

	// From a fork the same jobs run to their ends; what they leave is brought to
	// the pull request by the companion.
	log, err = s.event(t, "scan.yml", "pull_request", pullOf(strict, strict, forkRepo), 4)
	if err == nil || !strings.Contains(log, "no comment") || strings.Contains(log, "analyze/attest") || len(s.api.Comments()) != 1 {
		t.Errorf("from a fork: %v\n%s", err, log)
	}
	trigger := fmt.Sprintf(`{"workflow_run":{"id":4,"run_number":4,"run_attempt":1,"event":"pull_request","head_sha":%q,"head_branch":"change","head_repository":{"id":%d,"full_name":"mallory/app","owner":{"login":"mallory"}}}}`, strict, forkRepo)
	s.api.Heads = []githubtest.Head{{Number: 7, SHA: strict, Branch: "change", Owner: "mallory", Repo: forkRepo}}
	log, err = s.event(t, "comment.yml", "workflow_run", trigger, 71)
	comments = s.api.Comments()
	if err != nil || len(comments) != 2 || !strings.Contains(comments[1].Body, "vexxy: fail") || comments[1].Pull != 7 {
		t.Errorf("the companion: %v, %+v\n%s", err, comments, log)
	}
	// An artifact of another run is refused, and nothing is said for it.
	log, err = s.event(t, "comment.yml", "workflow_run", strings.Replace(trigger, `"id":4,"run_number":4`, `"id":9,"run_number":5`, 1), 72)
	if err == nil || !strings.Contains(log, "it is of run 4 at commit") || len(s.api.Comments()) != 2 {
		t.Errorf("another run's artifact: %v\n%s", err, log)
	}
}
