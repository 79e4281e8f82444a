package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/vexxy/action/internal/attest"
	"github.com/vexxy/action/internal/baseline"
	"github.com/vexxy/action/internal/config"
	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/gate"
	"github.com/vexxy/action/internal/host/github"
	"github.com/vexxy/action/internal/judge"
	"github.com/vexxy/action/internal/record"
	"github.com/vexxy/action/internal/run"
)

// yard is a registry, and a key to attest with.
type yard struct {
	host, key string
	run       string // the ID of the run that looks for a baseline
	guard     baseline.Guard
	getenv    func(string) string
}

func newYard(t *testing.T, around func(http.Handler) http.Handler) yard {
	t.Helper()
	h := http.Handler(registry.New(registry.WithReferrersSupport(true), registry.Logger(log.New(io.Discard, "", 0))))
	if around != nil {
		h = around(h)
	}
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	y := yard{guard: unguarded, host: strings.TrimPrefix(server.URL, "http://"), key: filepath.Join(t.TempDir(), "key")}
	write(t, y.key, sealed(t))
	y.getenv = func(n string) string { return map[string]string{"COSIGN_PASSWORD": canary}[n] }
	return y
}

func unguarded(string, int64) ([]byte, bool, error) { return nil, false, nil }

// attest attests to the recorded run on a new image, and gives the folder.
func (y yard) attest(t *testing.T, change func(*record.Record), args ...string) (docs run.Documents, dir string) {
	t.Helper()
	docs, _ = composed(t, y.host, change)
	return docs, y.sign(t, docs, args...)
}

// sign attests to documents, and gives the folder.
func (y yard) sign(t *testing.T, docs run.Documents, args ...string) string {
	t.Helper()
	a, err := newAttester(t.Context(), load(t, append([]string{"--attest", "key", "--attest-key", y.key}, args...)...), y.getenv, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if _, err := a.Attest(t.Context(), docs, dir); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, run.AttestationsFolder)
}

// look gives the baseline of an image by the inputs.
func (y yard) look(t *testing.T, docs run.Documents, args ...string) (baseline.Baseline, []string) {
	t.Helper()
	cfg := load(t, args...)
	own, err := newAttester(t.Context(), cfg, y.getenv, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	var notes []string
	find, err := attestedBaseline(t.Context(), cfg, y.run, y.getenv, own, y.guard, func(n string) { notes = append(notes, n) })
	if err != nil {
		t.Fatal(err)
	}
	return find(t.Context(), docs.Image.Record.Subject, true), notes
}

// What was attested to an image's predecessor is the baseline of the next: once
// it is verified, and by nobody else's word.
func TestAttestedBaseline(t *testing.T) {
	y := newYard(t, nil)
	// The same record at another image: what the first run attested, whole and in parts.
	old, folder := y.attest(t, nil)
	was := old.Image.Judgement
	public := filepath.Join(folder, "key.pub")
	next, image := composed(t, y.host, nil) // takes the tag
	if next.Image.Record.Subject.ManifestDigest == old.Image.Record.Subject.ManifestDigest {
		t.Fatal("it is the same image")
	}
	named := "attestation:" + old.Image.Record.Subject.Repository + "@" + old.Image.Record.Subject.ManifestDigest
	for name, args := range map[string][]string{
		"by its digest":  {"--baseline", named, "--baseline-key", public},
		"by our own key": {"--baseline", named, "--attest", "key", "--attest-key", y.key},
	} {
		b, notes := y.look(t, next, args...)
		if !b.Usable() || len(notes) != 0 || b.RunID != old.Image.Record.Run.ID || !strings.HasPrefix(b.From, "attestation:") {
			t.Fatalf("%s: %+v, %v", name, b, notes)
		}
		c := baseline.Compare(b, next.Image.Judgement)
		if len(c.Items) != 0 || c.Counts[baseline.Unchanged] == 0 || c.Before[judge.Affected] != was.Summary.Affected || c.Before[judge.NotAffected] != was.Summary.NotAffected {
			t.Errorf("%s: %+v, %+v", name, c.Counts, c.Items)
		}
		if d := gate.Decide(gate.Policy{OnlyNew: true}, next.Image.Judgement, c); d.Verdict != gate.VerdictPass {
			t.Errorf("%s: %s: %v", name, d.Verdict, d.Causes)
		}
	}
	// The image itself has nothing, its tag names it, and there is no latest.
	if b, _ := y.look(t, next, "--baseline", "attestation", "--baseline-key", public); b.Usable() {
		t.Errorf("found %+v", b)
	}
	// The tag latest names the older one.
	ref, err := name.ParseReference(old.Image.Record.Subject.Repository + "@" + old.Image.Record.Subject.ManifestDigest)
	if err != nil {
		t.Fatal(err)
	}
	desc, err := remote.Get(ref)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Tag(ref.Context().Tag("latest"), desc); err != nil {
		t.Fatal(err)
	}
	if b, notes := y.look(t, next, "--baseline", "attestation", "--baseline-key", public); !b.Usable() || b.Digest != old.Image.Record.Subject.ManifestDigest || len(notes) != 0 {
		t.Errorf("by latest: %+v, %v", b, notes)
	}

	stranger := newYard(t, nil)
	_, folder = stranger.attest(t, nil)
	for name, c := range map[string]struct {
		args    []string
		problem string
	}{
		"another key":        {[]string{"--baseline", named, "--baseline-key", filepath.Join(folder, "key.pub")}, "by whom"},
		"another repository": {[]string{"--baseline", "attestation:" + strings.Replace(image, "team/app", "team/other", 1), "--baseline-key", public}, "looking for"},
		"no such image":      {[]string{"--baseline", named[:len(named)-64] + strings.Repeat("0", 64), "--baseline-key", public}, "looking for"},
		"no registry":        {[]string{"--baseline", "attestation:127.0.0.1:1/team/app:v1", "--baseline-key", public}, "127.0.0.1:1"},
	} {
		b, notes := y.look(t, next, c.args...)
		if b.Usable() || !strings.Contains(b.Problem, c.problem) || len(b.Statements) != 0 || len(notes) != 1 {
			t.Errorf("%s: %+v, %v", name, b, notes)
		}
	}
	local := next
	local.Image.Record.Subject.ManifestDigest = ""
	if b, _ := y.look(t, local, "--baseline", "attestation", "--baseline-key", public); b.Usable() || !strings.Contains(b.Problem, "never pushed") {
		t.Errorf("a local image: %+v", b)
	}
}

// Insufficient evidence makes nothing old, and parts are the one document that
// they were.
func TestAttestedBaselineOfEveryKind(t *testing.T) {
	y := newYard(t, nil)
	ill, folder := y.attest(t, func(r *record.Record) { r.Evidence.Health.Lost.Ring = 1 }, "--attest-inconclusive")
	public := filepath.Join(folder, "key.pub")
	at := func(docs run.Documents) string {
		return "attestation:" + docs.Image.Record.Subject.Repository + "@" + docs.Image.Record.Subject.ManifestDigest
	}
	next, _ := composed(t, y.host, nil)
	if b, _ := y.look(t, next, "--baseline", at(ill), "--baseline-key", public); b.Usable() || !strings.Contains(b.Problem, "insufficient") {
		t.Errorf("%+v", b)
	}
	clean, _ := y.attest(t, func(r *record.Record) { r.Inventory.Findings = nil })
	if b, _ := y.look(t, next, "--baseline", at(clean), "--baseline-key", public); !b.Usable() || len(b.Statements) != 0 {
		t.Errorf("without findings: %+v", b)
	}
	other, _ := y.attest(t, func(r *record.Record) { r.Subject.Platform.Architecture = "arm64" })
	if b, _ := y.look(t, next, "--baseline", at(other), "--baseline-key", public); b.Usable() || !strings.Contains(b.Problem, "linux/arm64") {
		t.Errorf("another platform: %+v", b)
	}
}

// A run that failed its gate is attested, and its second try finds nothing old
// by that; nor does a run by itself.
func TestAttestedBaselineOfARunThatFailed(t *testing.T) {
	y := newYard(t, nil)
	failed, _ := composed(t, y.host, nil)
	failed.Image.Decision.Verdict = gate.VerdictFail
	public := filepath.Join(y.sign(t, failed), "key.pub")
	args := []string{"--baseline", "attestation", "--baseline-key", public}
	if b, notes := y.look(t, failed, args...); b.Usable() || !strings.Contains(b.Problem, "did not pass") || len(notes) != 1 {
		t.Errorf("its own: %+v, %v", b, notes)
	}
	passed, _ := y.attest(t, nil)
	if b, _ := y.look(t, passed, args...); !b.Usable() {
		t.Errorf("a second try of what passed: %+v", b)
	}
	y.run = passed.Image.Record.Run.ID
	if b, _ := y.look(t, passed, args...); b.Usable() || !strings.Contains(b.Problem, "this very run") {
		t.Errorf("of the same run: %+v", b)
	}
}

// Of a pull request's files none says whose word on what is old counts.
func TestAttestedBaselineByTheBasesKey(t *testing.T) {
	y := newYard(t, nil)
	docs, folder := y.attest(t, nil)
	strangers := newYard(t, nil)
	_, theirs := strangers.attest(t, nil)
	base, err := os.ReadFile(filepath.Join(folder, "key.pub"))
	if err != nil {
		t.Fatal(err)
	}
	head := filepath.Join(theirs, "key.pub")
	args := []string{"--baseline", "attestation", "--baseline-key", head}
	y.guard = func(path string, max int64) ([]byte, bool, error) {
		if path != head || max < int64(len(base)) {
			t.Errorf("asked for %d bytes of %s", max, path)
		}
		return base, true, nil
	}
	if b, _ := y.look(t, docs, args...); !b.Usable() {
		t.Errorf("by the base's: %+v", b)
	}
	refused := errors.New("the base has no such file")
	cfg := load(t, args...)
	_, err = attestedBaseline(t.Context(), cfg, "", y.getenv, nil, func(string, int64) ([]byte, bool, error) { return nil, false, refused }, nil)
	if !errors.Is(err, refused) || fault.CodeOf(t.Context(), err) != fault.Usage {
		t.Errorf("%v", err)
	}
}

// Nobody is trusted for lack of a word on it.
func TestAttestedBaselineAsksForTrust(t *testing.T) {
	for _, args := range [][]string{
		{"--baseline", "attestation"}, {"--baseline", "attestation:"}, {"--baseline", "attestation:a", "--baseline-identity", "x"},
		{"--baseline", "attestation", "--baseline-issuer", "x"}, {"--baseline", "attestation", "--baseline-issuer", "x", "--baseline-identity", "a", "--baseline-identity-regexp", "b"},
		{"--baseline", "attestation", "--baseline-key", "k", "--baseline-issuer", "x"}, {"--baseline", "attestation", "--attest", "keyless"},
	} {
		if _, err := config.Load(append(args, "image"), nil, func(string) ([]byte, error) { return nil, os.ErrNotExist }, config.Options{}); err == nil {
			t.Errorf("%v is taken", args)
		}
	}
	cfg := load(t, "--baseline", "attestation", "--baseline-key", "/none")
	if _, err := attestedBaseline(t.Context(), cfg, "", func(string) string { return "" }, nil, unguarded, nil); err == nil {
		t.Error("a key that is not there is taken")
	}
}

// A job that signs nothing does not know the key that would have signed: nothing
// is old to it, and it says why.
func TestAttestedBaselineWithoutASigner(t *testing.T) {
	y := newYard(t, nil)
	docs, _ := y.attest(t, nil)
	dir := left(t, record.Origin{}, func(r *record.Record) { r.Subject = docs.Image.Record.Subject })
	args := []string{"--baseline", "attestation", "--attest", "key", "--attest-key", y.key}
	cfg := load(t, args...)
	fork := "pull requests from forks have no identity to sign with"
	barred, err := newAttester(t.Context(), cfg, y.getenv, fork, nil)
	if err != nil {
		t.Fatal(err)
	}
	for why, own := range map[string]run.Attester{fork: barred, "this job signs nothing": nil} {
		var notes []string
		find, err := attestedBaseline(t.Context(), cfg, "", y.getenv, own, y.guard, func(n string) { notes = append(notes, n) })
		if err != nil {
			t.Errorf("%s: %v", why, err)
			continue
		}
		b := find(t.Context(), docs.Image.Record.Subject, true)
		if b.Usable() || !strings.Contains(b.Problem, why) || !strings.Contains(b.Problem, "baseline-key") || len(notes) != 1 {
			t.Errorf("%+v, %v", b, notes)
		}
	}
	code, out := program(t, t.TempDir(), []string{"PATH=/"}, append(append([]string{"publish"}, args...), dir)...)
	if code != fault.Pass || !strings.Contains(out, "everything counts as new: ") || !strings.Contains(out, "this job signs nothing") {
		t.Errorf("publish: code %d\n%s", code, out)
	}
}

// attest-key as a file that the change may have brought signs, but its own word
// on what is old does not count.
func TestAttestedBaselineByAKeyOfTheChange(t *testing.T) {
	y := newYard(t, nil)
	docs, _ := y.attest(t, nil)
	args := []string{"--baseline", "attestation", "--attest", "key", "--attest-key", y.key}
	own, err := newAttester(t.Context(), load(t, args...), y.getenv, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		instead bool
		err     error
		usable  bool
	}{
		"the workflow's own": {false, nil, true},
		"also in the base":   {true, nil, false},
		"of the change":      {false, errors.New("the base has no such file"), false},
	} {
		guard := func(path string, _ int64) ([]byte, bool, error) {
			if path != y.key {
				t.Errorf("asked for %s", path)
			}
			return nil, c.instead, c.err
		}
		find, err := attestedBaseline(t.Context(), load(t, args...), "", y.getenv, own, guard, func(string) {})
		if err != nil {
			t.Fatal(err)
		}
		if b := find(t.Context(), docs.Image.Record.Subject, true); b.Usable() != c.usable || !c.usable && !strings.Contains(b.Problem, "may have brought") {
			t.Errorf("%s: %+v", name, b)
		}
	}
}

// A registry that takes less than a statement has is given smaller parts, and
// that is told; verify reads the document whole.
func TestSmallerPartsAreTried(t *testing.T) {
	const most = 250_000
	y := newYard(t, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			body, err := io.ReadAll(io.LimitReader(req.Body, most+1))
			if err != nil || len(body) > most {
				w.WriteHeader(http.StatusRequestEntityTooLarge)
				return
			}
			req.Body = io.NopCloser(bytes.NewReader(body))
			h.ServeHTTP(w, req)
		})
	})
	docs, image := composed(t, y.host, func(r *record.Record) {
		for i := range 700 { // findings with statements of their own
			f := r.Inventory.Findings[0]
			f.ID, f.Aliases = fmt.Sprintf("CVE-2020-%06d", i), nil
			r.Inventory.Findings = append(r.Inventory.Findings, f)
		}
	})
	if n := len(docs.Files[run.VEXFile]); n < most {
		t.Fatalf("the document has %d bytes only", n)
	}
	a, err := newAttester(t.Context(), load(t, "--attest", "key", "--attest-key", y.key, "--attest-sbom", "none"), y.getenv, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	got, err := a.Attest(t.Context(), docs, dir)
	if err != nil {
		t.Fatal(err)
	}
	notes := strings.Join(got.Notes, "\n")
	if !strings.Contains(notes, "tried again with parts of at most") || !strings.Contains(notes, "is attested in") || len(got.Attestations) < 6 {
		t.Errorf("%d attestations, notes\n%s", len(got.Attestations), notes)
	}
	public := filepath.Join(dir, run.AttestationsFolder, "key.pub")
	code, out, errs := vexxy(t, "verify", "--output", "json", "--key", public, image)
	var told struct {
		Verified bool            `json:"verified"`
		OpenVEX  json.RawMessage `json:"openvex"`
	}
	if err := json.Unmarshal([]byte(out), &told); err != nil || code != 0 || !told.Verified || bytes.Count(told.OpenVEX, []byte(`"vulnerability"`)) != bytes.Count(docs.Files[run.VEXFile], []byte(`"vulnerability"`)) {
		t.Errorf("code %d, %v, %.300s %s", code, err, out, errs)
	}
	// An SBOM has no parts: it is left out, and that is told.
	a, err = newAttester(t.Context(), load(t, "--attest", "dry-run", "--attestation-limit", "64Ki"), y.getenv, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	docs.Files["sbom.runtime.cdx.json"] = []byte(`{"bomFormat":"CycloneDX","x":"` + strings.Repeat("x", 70_000) + `"}`)
	if got, err = a.Attest(t.Context(), docs, t.TempDir()); err != nil || !strings.Contains(strings.Join(got.Notes, "\n"), "sbom.runtime.cdx.json is not attested: it has 70") {
		t.Errorf("%v, %v", err, got.Notes)
	}
}

// What the registry has goes into GitHub's store too, where that is asked for;
// a store that refuses is a failure of attesting.
func TestStoreBesideTheRegistry(t *testing.T) {
	y := newYard(t, nil)
	docs, _ := composed(t, y.host, nil)
	var stored []string
	var refusal error
	beside := func(config.Config) (store, error) {
		return func(_ context.Context, digest string, bundle []byte) (github.Stored, error) {
			if !json.Valid(bundle) || digest != docs.Image.Record.Subject.ManifestDigest {
				t.Errorf("%s: %.100s", digest, bundle)
			}
			stored = append(stored, string(bundle))
			return github.Stored{ID: int64(len(stored))}, refusal
		}, nil
	}
	a, err := newAttester(t.Context(), load(t, "--attest", "key", "--attest-key", y.key, "--attest-github-store"), y.getenv, "", beside)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second run finds the registry's
		stored = nil
		got, err := a.Attest(t.Context(), docs, t.TempDir())
		if err != nil || len(stored) != 3 || len(got.Stored) != 3 || got.Stored[0].Statement != "evidence" || got.Stored[2].ID != 3 {
			t.Errorf("%d stored, %+v, %v", len(stored), got.Stored, err)
		}
	}
	refusal = attest.ErrLocal
	if got, err := a.Attest(t.Context(), docs, t.TempDir()); err == nil || len(got.Stored) != 0 || len(got.Attestations) != 6 {
		t.Errorf("%+v, %v", got.Stored, err)
	}
	// Outside of GitHub there is no such store.
	if _, err := newAttester(t.Context(), load(t, "--attest", "key", "--attest-key", y.key, "--attest-github-store"), y.getenv, "", (&terminal{}).store); err == nil {
		t.Error("there is a store without GitHub")
	}
}
