package e2e

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/secure-systems-lab/go-securesystemslib/encrypted"

	"github.com/vexxy/action/internal/consume"
	"github.com/vexxy/action/internal/judge"
	"github.com/vexxy/action/internal/record"
)

const canaryPassword = "canary-password-3c41"

// attesting are the flags and the environment of a run that signs with a key of
// its own; secrets is what nothing may hold.
func attesting() (flags, env, secrets []string) {
	key := must1(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	der := must1(x509.MarshalPKCS8PrivateKey(key))
	sealed := must1(encrypted.Encrypt(der, []byte(canaryPassword)))
	text := string(pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED SIGSTORE PRIVATE KEY", Bytes: sealed}))
	return []string{"--attest", "key", "--attest-key", "env://SIGNING_KEY"}, []string{"SIGNING_KEY=" + text, "COSIGN_PASSWORD=" + canaryPassword},
		[]string{canaryPassword, strings.Split(text, "\n")[1]}
}

// A run attests, the program verifies, and consumers read from the registry the
// very document that the run wrote. The next run takes it for its baseline, and
// tells where a person's word is contradicted by what is seen. No secret is
// anywhere.
func TestAttest(t *testing.T) {
	flags, env, secrets := attesting()
	image := pushAs(t, "go-app", "attest")
	first := analyseEnv(t, env, slices.Concat(flags, serving, []string{image})...)
	if first.code != 0 || first.result.Verdict != "pass" {
		t.Fatalf("verdict %s, exit code %d\n%s", first.result.Verdict, first.code, first.stderr)
	}
	public := filepath.Join(t.TempDir(), "key.pub")
	must(os.WriteFile(public, must1(os.ReadFile(filepath.Join(first.dir, "attestations", "key.pub"))), 0o600))
	verified(t, public, image)

	document := attested(t, image, "https://openvex.dev/ns/v0.2.0")
	var compact bytes.Buffer
	must(json.Compact(&compact, must1(os.ReadFile(filepath.Join(first.dir, "vex.openvex.json")))))
	if !bytes.Equal(document, compact.Bytes()) {
		t.Errorf("the registry has\n%s\nnot\n%s", document, compact.Bytes())
	}
	rec := must1(record.Read(filepath.Join(first.dir, "record")))
	if got, err := consume.Check(t.Context(), document, rec, judge.Judge(rec)); err != nil || !got.OK || len(got.Intended) == 0 {
		t.Errorf("%v: %s", err, got)
	}

	// The next run: nothing is new, and a person is contradicted.
	vex := filepath.Join(t.TempDir(), "ann.openvex.json")
	must(os.WriteFile(vex, fmt.Appendf(nil, `{"@context":"https://openvex.dev/ns/v0.2.0","@id":"https://team.example/1","author":"Ann","timestamp":%q,"version":1,"statements":[
{"vulnerability":{"name":"CVE-2021-38561"},"products":[{"@id":%q,"subcomponents":[{"@id":"pkg:golang/golang.org/x/text"}]}],"status":"not_affected","justification":"vulnerable_code_not_in_execute_path"}]}`,
		time.Now().UTC().Format(time.RFC3339), "pkg:oci/attest@"+image[strings.Index(image, "sha256:"):]), 0o600))
	second := analyseEnv(t, env, slices.Concat(flags, serving, []string{
		"--baseline", "attestation", "--baseline-key", public, "--fail-on", "new", "--fail-on-severity", "unknown", "--vex-documents", vex, image})...)
	var told struct {
		Change struct {
			Baseline struct {
				Usable bool   `json:"usable"`
				RunID  string `json:"run_id"`
			} `json:"baseline"`
			Items []any `json:"items"`
		} `json:"change"`
		Triage struct {
			Effects map[string]int `json:"effects"`
		} `json:"triage"`
	}
	must(json.Unmarshal(must1(os.ReadFile(filepath.Join(second.dir, "result.json"))), &told))
	if second.code != 0 || second.result.Verdict != "pass" || !told.Change.Baseline.Usable || told.Change.Baseline.RunID != first.result.RunID || len(told.Change.Items) != 0 {
		t.Errorf("verdict %s, exit code %d, %+v\n%s", second.result.Verdict, second.code, told.Change, second.stderr)
	}
	if told.Triage.Effects["contradicted"] != 1 || !strings.Contains(second.stdout, "CONTRADICTION: 1 finding") {
		t.Errorf("%+v\n%s", told.Triage, second.stdout)
	}
	second.only(t, "golang.org/x/text", judge.Affected)
	verified(t, public, image)
	replay := vexxy(t, "replay", "--output-dir", t.TempDir(), filepath.Join(second.dir, "record"))
	if replay.code != 0 || !strings.Contains(replay.stdout, "pass") {
		t.Errorf("replayed with exit code %d\n%s%s", replay.code, replay.stdout, replay.stderr)
	}

	looked := 0
	look := func(what, text string) {
		looked += len(text)
		for _, s := range secrets {
			if strings.Contains(text, s) {
				t.Errorf("%s holds a secret", what)
			}
		}
	}
	for _, out := range []outcome{first, second} {
		look("standard output", out.stdout)
		look("standard error", out.stderr)
		must(filepath.WalkDir(out.dir, func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() {
				look(path, string(must1(os.ReadFile(path))))
			}
			return err
		}))
	}
	if looked < 100_000 {
		t.Errorf("only %d bytes were looked at", looked)
	}
}

// pushAs puts a fixture into a repository of the test's own: what is attested to
// an image is everyone's who has it.
func pushAs(t *testing.T, image, repository string) string {
	t.Helper()
	img := layoutImage(t, image)
	tag := must1(name.NewTag(bed.registry + "/fixtures/" + repository + ":v1"))
	must(remote.Write(tag, img))
	return tag.Context().Digest(must1(img.Digest()).String()).String()
}

// verified lets the program verify an image by a key.
func verified(t *testing.T, public, image string) {
	t.Helper()
	if got := vexxy(t, "verify", "--key", public, image); got.code != 0 || !strings.Contains(got.stdout, "Verified.") {
		t.Errorf("verify ends with %d\n%s%s", got.code, got.stdout, got.stderr)
	}
}

// attested gives the predicate of an image's one attestation of a type, as a
// client of the registry finds it: by the referrers of the image.
func attested(t *testing.T, image, predicateType string) []byte {
	t.Helper()
	ref := must1(name.NewDigest(image))
	index := must1(must1(remote.Referrers(ref)).IndexManifest())
	var found [][]byte
	for _, d := range index.Manifests {
		img := must1(remote.Image(ref.Context().Digest(d.Digest.String())))
		layers := must1(img.Layers())
		if len(layers) != 1 {
			t.Fatalf("%s has %d layers", d.Digest, len(layers))
		}
		var bundle struct {
			Envelope struct {
				Payload []byte `json:"payload"`
			} `json:"dsseEnvelope"`
		}
		must(json.Unmarshal(contents(layers[0]), &bundle))
		var statement struct {
			PredicateType string          `json:"predicateType"`
			Predicate     json.RawMessage `json:"predicate"`
		}
		must(json.Unmarshal(bundle.Envelope.Payload, &statement))
		if statement.PredicateType == predicateType {
			found = append(found, statement.Predicate)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d attestations of type %s", len(found), predicateType)
	}
	return found[0]
}

func contents(l v1.Layer) []byte {
	r := must1(l.Compressed())
	defer r.Close()
	return must1(io.ReadAll(r))
}

// Two runs at once that attest to one image by one key leave one whole set of
// attestations.
func TestAttestAtOnce(t *testing.T) {
	flags, env, _ := attesting()
	image := pushAs(t, "go-app", "attest-at-once")
	var outs [2]outcome
	var wg sync.WaitGroup
	for i := range outs {
		wg.Go(func() {
			outs[i] = analyseEnv(t, env, slices.Concat(flags, serving, []string{"--attestation-format", "bundle", image})...)
		})
	}
	wg.Wait()
	for i, out := range outs {
		if out.code != 0 {
			t.Fatalf("run %d: exit code %d\n%s", i, out.code, out.stderr)
		}
	}
	got := vexxy(t, "verify", "--key", filepath.Join(outs[0].dir, "attestations", "key.pub"), image)
	if got.code != 0 {
		t.Errorf("verify ends with %d\n%s%s", got.code, got.stdout, got.stderr)
	}
}

// A run that is killed between two pushes has attested nothing that verifies,
// and the next one finishes it.
func TestAttestKilled(t *testing.T) {
	flags, env, _ := attesting()
	state := "VEXXY_STATE_DIR=" + t.TempDir()
	pushed := pushAs(t, "go-app", "attest-killed")
	var stop atomic.Bool
	stop.Store(true)
	reached, end := make(chan struct{}), make(chan struct{})
	proxy := httputil.NewSingleHostReverseProxy(must1(url.Parse("http://" + bed.registry)))
	var manifests atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if stop.Load() && r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/manifests/") && manifests.Add(1) == 2 {
			close(reached)
			<-end
			panic(http.ErrAbortHandler)
		}
		proxy.ServeHTTP(w, r)
	}))
	defer server.Close()
	image := strings.Replace(pushed, bed.registry, strings.TrimPrefix(server.URL, "http://"), 1)

	dir, db := t.TempDir(), must1(database())
	args := slices.Concat([]string{"run", "--vulnerability-db", db, "--max-db-age", "0", "--output-dir", dir}, flags, serving, []string{image})
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := command(ctx, append(env, state), args...)
	must(cmd.Start())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case <-reached:
	case err := <-ended:
		t.Fatalf("the run ended before: %v", err)
	}
	must(cmd.Process.Kill())
	<-ended
	stop.Store(false)
	close(end)
	if got := vexxyEnv(t, []string{state}, "cleanup"); got.code != 0 {
		t.Errorf("cleanup ends with %d\n%s", got.code, got.stderr)
	}
	var left struct {
		Verdict string `json:"verdict"`
	}
	must(json.Unmarshal(must1(os.ReadFile(filepath.Join(dir, "result.json"))), &left))
	if left.Verdict != "error" {
		t.Errorf("the killed run has the verdict %s", left.Verdict)
	}
	public := filepath.Join(t.TempDir(), "key.pub")
	out := analyseEnv(t, env, slices.Concat(flags, serving, []string{image})...)
	if out.code != 0 {
		t.Fatalf("exit code %d\n%s", out.code, out.stderr)
	}
	must(os.WriteFile(public, must1(os.ReadFile(filepath.Join(out.dir, "attestations", "key.pub"))), 0o600))
	verified(t, public, image)
}
