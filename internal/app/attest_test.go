package app

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"io/fs"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/secure-systems-lab/go-securesystemslib/encrypted"

	"github.com/vexxy/action/internal/attest"
	"github.com/vexxy/action/internal/attest/attesttest"
	"github.com/vexxy/action/internal/config"
	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/gate"
	"github.com/vexxy/action/internal/record"
	"github.com/vexxy/action/internal/report"
	"github.com/vexxy/action/internal/run"
	"github.com/vexxy/action/internal/source"
	"github.com/vexxy/action/internal/subject"
)

const canary = "canary-password-91b3"

// pushed gives the documents of a recorded run, as if its image were one that
// is in a registry now.
func pushed(t *testing.T, change func(*record.Record)) (docs run.Documents, image string) {
	t.Helper()
	server := httptest.NewServer(registry.New(registry.WithReferrersSupport(true), registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	return composed(t, strings.TrimPrefix(server.URL, "http://"), change)
}

// composed pushes an image to the registry at a host, and gives the documents of
// the recorded run on it.
func composed(t *testing.T, host string, change func(*record.Record)) (docs run.Documents, image string) {
	t.Helper()
	ref, digest := attesttest.Push(t, host)
	rec, err := record.Read("../../testdata/runs/go-app")
	if err != nil {
		t.Fatal(err)
	}
	rec.Subject.Source, rec.Subject.Repository, rec.Subject.ManifestDigest = subject.SourceRegistry, ref.Context().Name(), digest
	rec.Subject.Tag = ref.Identifier()
	if change != nil {
		change(&rec)
	}
	docs, err = run.Compose(t.Context(), rec, gate.Policy{Max: gate.Unlimited})
	if err != nil {
		t.Fatal(err)
	}
	return docs, ref.String()
}

func newSigningKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// sealed is a private key as cosign writes it, guarded by the canary.
func sealed(t *testing.T) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(newSigningKey(t))
	if err != nil {
		t.Fatal(err)
	}
	data, err := encrypted.Encrypt(der, []byte(canary))
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED SIGSTORE PRIVATE KEY", Bytes: data}))
}

func load(t *testing.T, args ...string) config.Config {
	t.Helper()
	cfg, err := config.Load(append(args, "image"), nil, func(string) ([]byte, error) { return nil, fs.ErrNotExist }, config.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// vexxy runs the program and gives exit code and output.
func vexxy(t *testing.T, args ...string) (code int, out, errs string) {
	t.Helper()
	dir := t.TempDir()
	open := func(name string) *os.File {
		f, err := os.Create(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	s := Streams{Out: open("out"), Err: open("err")}
	code = Main(args, s)
	s.Out.Close()
	s.Err.Close()
	read := func(name string) string {
		raw, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(raw)
	}
	return code, read("out"), read("err")
}

// A run's documents are attested with a key out of the environment; the
// commands that it prints verify them; no secret is in anything it leaves.
func TestAttestAndVerify(t *testing.T) {
	docs, image := pushed(t, nil)
	key := sealed(t)
	env := map[string]string{"SIGNING_KEY": key, "COSIGN_PASSWORD": canary}
	a, err := newAttester(t.Context(), load(t, "--attest", "key", "--attest-key", "env://SIGNING_KEY"), func(n string) string { return env[n] }, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "results")
	got, err := a.Attest(t.Context(), docs, dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Attestations) != 6 || len(got.Commands) != 4 || got.Mode != "key" {
		t.Fatalf("attested is %+v", got)
	}
	var files []string
	all, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := os.ReadFile(path)
		files, all = append(files, d.Name()), append(all, raw...)
		return err
	})
	slices.Sort(files)
	if want := []string{"evidence.intoto.json", "evidence.sigstore.json", "key.pub", "openvex.intoto.json", "openvex.sigstore.json", "sbom.intoto.json", "sbom.sigstore.json"}; err != nil || !slices.Equal(files, want) {
		t.Errorf("files are %v, %v", files, err)
	}

	words := strings.Fields(got.Commands[0])
	code, out, errs := vexxy(t, words[1:]...)
	if code != 0 || !strings.Contains(out, "Verified.") || !strings.Contains(out, "not_affected") || !strings.Contains(out, attest.TypeOpenVEX) {
		t.Errorf("%v: code %d\n%s%s", words, code, out, errs)
	}
	all = append(all, out+errs...)

	public := filepath.Join(dir, run.AttestationsFolder, "key.pub")
	for what, c := range map[string]struct {
		args []string
		code int
		part string
	}{
		"by its tag":          {[]string{"--key", public, image}, 0, "Verified."},
		"watched too briefly": {[]string{"--key", public, "--min-window", "1d", image}, 6, "NOT VERIFIED: the workload was watched for"},
		"too long ago":        {[]string{"--key", public, "--max-age", "1s", image}, 6, "NOT VERIFIED"},
		"nobody to trust":     {[]string{image}, 3, "whom to trust"},
		"two to trust":        {[]string{"--key", public, "--issuer", "x", image}, 3, "both"},
		"no such image":       {[]string{"--key", public, strings.Replace(image, "v1", "v2", 1)}, 3, "check the name"},
		"no registry":         {[]string{"--key", public, "127.0.0.1:1/team/app"}, 5, "127.0.0.1:1"},
		"no such output":      {[]string{"--output", "xml", "--key", public, image}, 3, "text, json"},
		"no such length":      {[]string{"--max-age", "often", "--key", public, image}, 3, "not a duration"},
		"no image":            {[]string{"--key", public}, 3, "one image"},
	} {
		code, out, errs := vexxy(t, append([]string{"verify"}, c.args...)...)
		if code != c.code || !strings.Contains(out+errs, c.part) {
			t.Errorf("%s: code %d, not %d\n%s%s", what, code, c.code, out, errs)
		}
	}

	code, out, _ = vexxy(t, "verify", "--output", "json", "--key", public, image)
	var told struct {
		SchemaVersion int  `json:"schema_version"`
		Verified      bool `json:"verified"`
		Attestations  []struct {
			PredicateType string          `json:"predicate_type"`
			Statement     json.RawMessage `json:"statement"`
		} `json:"attestations"`
		Evidence attest.Evidence `json:"evidence"`
	}
	if err := json.Unmarshal([]byte(out), &told); err != nil || code != 0 || !told.Verified || told.SchemaVersion != 1 || len(told.Attestations) != 3 || told.Evidence.Record.Digest == "" {
		t.Errorf("code %d, %v, %.300s", code, err, out)
	}
	all = append(all, out...)
	if strings.Contains(string(all), canary) || strings.Contains(string(all), strings.Split(key, "\n")[1]) {
		t.Error("a secret is in what the run leaves")
	}
	if len(all) < 20000 {
		t.Errorf("only %d bytes were looked at", len(all))
	}
}

// Insufficient evidence is attested when that is asked for alone, and a dry run
// signs and pushes nothing.
func TestWhatIsNotAttested(t *testing.T) {
	ill := func(r *record.Record) { r.Evidence.Health.Lost.Ring = 1 }
	local := func(r *record.Record) {
		r.Subject.Source, r.Subject.ManifestDigest, r.Subject.IndexDigest = subject.SourceDaemon, "", ""
	}
	path := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(path, []byte(sealed(t)), 0o600); err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]struct {
		change    func(*record.Record)
		args      []string
		attested  int
		statement bool
		skipped   string
		err       error
	}{
		"inconclusive":           {ill, []string{"--attest", "key", "--attest-key", path}, 0, false, "insufficient, and attest-inconclusive is off", nil},
		"inconclusive and asked": {ill, []string{"--attest", "key", "--attest-key", path, "--attest-inconclusive", "--attest-sbom", "none", "--attestation-format", "bundle"}, 2, true, "", nil},
		"warned of alone":        {ill, []string{"--attest", "key", "--attest-key", path, "--on-inconclusive", "warn"}, 0, false, "insufficient, and with on-inconclusive: warn", nil},
		"dry run":                {nil, []string{"--attest", "dry-run"}, 0, true, "signs nothing", nil},
		"dry run, inconclusive":  {ill, []string{"--attest", "dry-run"}, 0, false, "insufficient", nil},
		"dry run, local":         {local, []string{"--attest", "dry-run"}, 0, false, "never pushed", nil},
		"local":                  {local, []string{"--attest", "key", "--attest-key", path}, 0, false, "", attest.ErrLocal},
	} {
		t.Run(what, func(t *testing.T) {
			docs, image := pushed(t, c.change)
			a, err := newAttester(t.Context(), load(t, c.args...), func(n string) string { return map[string]string{"COSIGN_PASSWORD": canary}[n] }, "", nil)
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			got, err := a.Attest(t.Context(), docs, dir)
			if !errors.Is(err, c.err) || len(got.Attestations) != c.attested || c.skipped == "" && got.Skipped != "" || !strings.Contains(got.Skipped, c.skipped) {
				t.Errorf("%+v, %v", got, err)
			}
			if _, err := os.Stat(filepath.Join(dir, run.AttestationsFolder, "evidence.intoto.json")); (err == nil) != c.statement {
				t.Errorf("the statement: %v", err)
			}
			ref, err := name.ParseReference(image)
			if err != nil {
				t.Fatal(err)
			}
			desc, err := remote.Get(ref)
			if err != nil {
				t.Fatal(err)
			}
			index, err := remote.Referrers(ref.Context().Digest(desc.Digest.String()))
			if err != nil {
				t.Fatal(err)
			}
			m, err := index.IndexManifest()
			if err != nil || len(m.Manifests) != c.attested {
				t.Errorf("%d referrers, %v", len(m.Manifests), err)
			}
		})
	}
}

// A run that could not sign ends before anything runs.
func TestSigningIsPreparedFirst(t *testing.T) {
	for _, args := range [][]string{{"--attest", "key", "--attest-key", "/none"}, {"--attest", "keyless"}} {
		_, err := newAttester(t.Context(), load(t, args...), func(string) string { return "" }, "", nil)
		if fault.CodeOf(context.Background(), err) != fault.Usage {
			t.Errorf("%v: %v", args, err)
		}
	}
	// A job that never has an identity runs nonetheless, and says so.
	const fork = "no identity here"
	for _, args := range [][]string{{"--attest", "keyless"}, {"--attest", "key", "--attest-key", "/none"}} {
		a, err := newAttester(t.Context(), load(t, args...), nil, fork, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := a.Attest(t.Context(), run.Documents{}, t.TempDir()); err != nil || got.Skipped != fork || len(got.Attestations) != 0 {
			t.Errorf("%v: %+v, %v", args, got, err)
		}
	}
	if a, err := newAttester(t.Context(), load(t), nil, "", nil); a != nil || err != nil {
		t.Errorf("attest is off, and there is %v, %v", a, err)
	}
}

// Programs that a run starts see neither tokens nor passwords nor keys.
func TestSecretsAreHidden(t *testing.T) {
	cfg := load(t, "--attest", "key", "--attest-key", "env://MY_KEY")
	secret := []string{"MY_KEY", "COSIGN_PASSWORD", "VEXXY_ATTEST_KEY_PASSWORD", "INPUT_ATTEST-KEY-PASSWORD", "SIGSTORE_ID_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_URL"}
	environ := []string{"PATH=/bin", "OTHER_TOKEN=no secret input's"}
	for _, name := range secret {
		environ = append(environ, name+"="+canary)
		t.Setenv(name, canary)
	}
	if got := withoutSecrets(cfg, environ); !slices.Equal(got, environ[:2]) {
		t.Errorf("a test command sees %v", got)
	}
	hideSecrets(cfg)
	for _, kv := range os.Environ() {
		if strings.Contains(kv, canary) {
			t.Errorf("the process still has %s", strings.SplitN(kv, "=", 2)[0])
		}
	}
}

// A secret input's value is hidden by whatever variable it came, and what every
// program needs stays.
func TestSecretsAreHiddenByValue(t *testing.T) {
	const token, path = "ghs_0123456789", "/opt/image/bin"
	cfg, err := config.Load([]string{"image"}, []string{"VEXXY_GITHUB_TOKEN=" + token, "VEXXY_ENV=PATH=" + path + "\nMODE=on\nDB=hunter2222"},
		func(string) ([]byte, error) { return nil, fs.ErrNotExist }, config.Options{})
	if err != nil {
		t.Fatal(err)
	}
	kept := []string{"PATH=" + path, "DEBUG=on", "OTHER_TOKEN=ghs_9876543210"}
	environ := append(slices.Clone(kept), "GITHUB_TOKEN="+token, "GH_TOKEN= "+token+"\n", "DB_PASSWORD=hunter2222")
	if got := withoutSecrets(cfg, environ); !slices.Equal(got, kept) {
		t.Errorf("a test command sees %q", got)
	}
}

// An image that no registry published is refused before it runs, where it is to
// be attested.
func TestLocalImagesAreRefused(t *testing.T) {
	var local, published source.Image
	published.ManifestDigest = "sha256:1"
	signs, off := load(t, "--attest", "key", "--attest-key", "k"), load(t)
	if err := attestable(signs, local); fault.CodeOf(t.Context(), err) != fault.Usage || fault.HintOf(err) == "" {
		t.Errorf("error is %v", err)
	}
	for _, err := range []error{attestable(signs, published), attestable(off, local), attestable(load(t, "--attest", "dry-run"), local)} {
		if err != nil {
			t.Error(err)
		}
	}
}

// What was attached is told with the commands, whatever stands in it.
func TestPrintAttested(t *testing.T) {
	var out strings.Builder
	printAttested(&out, nil)
	printAttested(&out, &report.Attested{Skipped: "the evidence is insufficient"})
	printAttested(&out, &report.Attested{
		Attestations: []report.Attestation{{Statement: "evidence", Layout: "bundle", Outcome: "attested", Subject: "r@d", Reference: "r@e", Identity: "who\x1b[31m\n::error::"}},
		Notes:        []string{"one"}, Commands: []string{"vexxy verify r@d"},
	})
	want := "Not attested: the evidence is insufficient.\n" +
		"Attested to r@d by who\\x1b[31m\\x0a::error:::\n" +
		"  attested  evidence  bundle  r@e\nnote: one\nVerify it with:\n  vexxy verify r@d\n"
	if out.String() != want {
		t.Errorf("printed\n%s\nnot\n%s", out.String(), want)
	}
}
