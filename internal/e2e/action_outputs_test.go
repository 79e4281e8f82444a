package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"go.yaml.in/yaml/v3"
)

// observe runs the demo's image for real: the first comment. What action.yml
// promises to later steps has reached one, and is what the documents say.
func (b *actionBed) observe(t *testing.T) *sight {
	t.Helper()
	image := push(t, "demo")
	seen := b.play(t, "pull_request", pullOf(b.commitSHA, b.commitSHA, 1), 1, legInputs{"first": {
		"image": image, "vulnerability-db": must1(database()), "duration": "5s",
		"http-probe": "/,/search?q=march,/feed,/healthz", "max-affected": "0", "env": "CANARY=" + bedCanary,
		"attest": "key", "attest-key": "env://SIGNING_KEY", "attest-key-password": bedPassword,
	}}, "")["first"]
	var meta struct{ Outputs map[string]any }
	must(yaml.Unmarshal(must1(os.ReadFile(filepath.Join(root, "action.yml"))), &meta))
	for name := range meta.Outputs {
		if _, ok := seen.Outputs[name]; !ok {
			t.Errorf("the output %s does not arrive", name)
		}
	}
	if len(seen.Outputs) != len(meta.Outputs) || len(meta.Outputs) < 24 {
		t.Errorf("%d of %d outputs arrive: %v", len(seen.Outputs), len(meta.Outputs), seen.Outputs)
	}

	var r result
	must(json.Unmarshal(read(t, filepath.Join(seen.dir, results), "result.json"), &r))
	_, digest, _ := strings.Cut(image, "@")
	comments := b.api("first").Comments()
	if len(comments) != 2 || !strings.Contains(comments[1].Body, "vexxy: fail") || !strings.Contains(comments[1].Body, "[run 1, attempt 1]") {
		t.Fatalf("comments %+v\n%s", comments, seen.log)
	}
	number := strconv.Itoa
	want := map[string]string{
		"run-id": r.RunID, "digest": digest,
		"affected": number(r.Summary.Affected), "not-affected": number(r.Summary.NotAffected), "total": number(r.Summary.Total),
		"under-investigation": number(r.Summary.UnderInvestigation), "fixed": number(r.Summary.Fixed),
		"comment-url": fmt.Sprintf("%s/octo/app/pull/7#issuecomment-%d", b.api("first").URL, comments[1].ID),
	}
	for name, value := range want {
		if seen.Outputs[name] != value {
			t.Errorf("the output %s is %q, want %q", name, seen.Outputs[name], value)
		}
	}
	if !seen.ended([3]string{"failure", "fail", "2"}) || r.Summary.Affected == 0 || r.Summary.NotAffected == 0 || len(r.RunID) != 24 {
		t.Errorf("%s, outputs %v", seen.Outcome, seen.Outputs)
	}
	sum := 0
	for name, value := range seen.Outputs {
		if strings.HasPrefix(name, "affected-") {
			sum += must1(strconv.Atoi(value))
		}
	}
	if sum != r.Summary.Affected {
		t.Errorf("the numbers by severity make %d, not %d: %v", sum, r.Summary.Affected, seen.Outputs)
	}
	for name, file := range map[string]string{
		"vex": "vex.openvex.json", "sbom": "sbom.cdx.json", "runtime-sbom": "sbom.runtime.cdx.json", "sarif": "results.sarif", "result": "result.json", "summary": "summary.md",
	} {
		if path := seen.Outputs[name]; path != filepath.Join(seen.Outputs["output-dir"], file) || len(read(t, filepath.Join(seen.dir, results), file)) == 0 {
			t.Errorf("%s is %q", name, path)
		}
	}
	b.attested(t, seen, digest)
	note := fmt.Sprintf("error: vexxy: fail: %s: %d affected vulnerabilities, 0 allowed", image, r.Summary.Affected)
	if !slices.Equal(seen.notes, []string{note}) || !strings.Contains(seen.log, "::group::✓ observe") || !strings.Contains(seen.log, "\ncomment posted ") {
		t.Errorf("annotations %q, log\n%s", seen.notes, seen.log)
	}
	if !strings.Contains(seen.summary, "vexxy: fail") {
		t.Errorf("the job's summary is %q", seen.summary)
	}
	return seen
}

// attested holds the references of what was attested against the registry, and
// looks for secrets in all that the run has left.
func (b *actionBed) attested(t *testing.T, seen *sight, digest string) {
	t.Helper()
	lines := strings.Split(seen.Outputs["attestations"], "\n")
	statements := map[string]bool{}
	for _, line := range lines {
		m := regexp.MustCompile(`^(\S+) (bundle|legacy) (\S+@sha256:[0-9a-f]{64})$`).FindStringSubmatch(line)
		if m == nil {
			t.Errorf("no attestation: %q", line)
			continue
		}
		statements[m[1]+" "+m[2]] = true
		if _, err := remote.Head(must1(name.ParseReference(m[3]))); err != nil || strings.HasSuffix(m[3], digest) {
			t.Errorf("%s: %v", line, err)
		}
	}
	if len(statements) != len(lines) || !statements["evidence bundle"] || !statements["openvex legacy"] {
		t.Errorf("attestations %q", lines)
	}
	must(filepath.WalkDir(seen.dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		for _, secret := range b.secrets() {
			if bytes.Contains(data, []byte(secret)) {
				t.Errorf("%s holds %.12q…", path, secret)
			}
		}
		return err
	}))
}
