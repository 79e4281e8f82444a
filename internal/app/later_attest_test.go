package app

import (
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/record"
	"github.com/vexxy/action/internal/run"
	"github.com/vexxy/action/internal/sbom"
	"github.com/vexxy/action/internal/source"
)

// push gives a new image to a registry under a tag, and its subject.
func push(t *testing.T, ref string) source.Image {
	t.Helper()
	img, err := random.Image(64, 1)
	if err != nil {
		t.Fatal(err)
	}
	config, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	config.OS, config.Architecture = "linux", "amd64"
	if img, err = mutate.ConfigFile(img, config); err != nil {
		t.Fatal(err)
	}
	tag, err := name.ParseReference(ref)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(tag, img); err != nil {
		t.Fatal(err)
	}
	got, err := source.Resolve(t.Context(), ref, source.Options{Platform: "linux/amd64"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { got.Close() })
	return got
}

// attached counts what refers to an image in its registry.
func attached(t *testing.T, img source.Image) int {
	t.Helper()
	ref, err := name.NewDigest(img.Repository + "@" + img.ManifestDigest)
	if err != nil {
		t.Fatal(err)
	}
	index, err := remote.Referrers(ref)
	if err != nil {
		t.Fatal(err)
	}
	m, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	return len(m.Manifests)
}

// The job that signs takes nothing on trust: the image is the one that it was
// told, as the registry has it, and what it signs follows from the record.
func TestAttestLater(t *testing.T) {
	forged := `{"@context":"https://openvex.dev/ns/v0.2.0","statements":[]}`
	for what, c := range map[string]struct {
		change func(*record.Record)
		spoil  func(t *testing.T, dir, ref string)
		args   []string
		code   fault.Code
		says   string
		signed bool
	}{
		"as it was observed":       {code: fault.Pass, says: "Verify it with", signed: true},
		"by its digest":            {args: []string{"--digest", "{digest}"}, code: fault.Pass, says: "Verify it with", signed: true},
		"by another digest":        {args: []string{"--digest", "sha256:" + strings.Repeat("a", 64)}, code: fault.Integrity, says: "it is not of sha256:aaaa"},
		"the record alone":         {spoil: func(t *testing.T, dir, _ string) { keepRecord(t, dir) }, code: fault.Pass, says: "Verify it with", signed: true},
		"a forged result":          {spoil: func(t *testing.T, dir, _ string) { write(t, filepath.Join(dir, run.ResultFile), `{"verdict":"fail"}`) }, code: fault.Pass, says: "Verify it with", signed: true},
		"a forged document":        {spoil: func(t *testing.T, dir, _ string) { write(t, filepath.Join(dir, run.VEXFile), forged) }, code: fault.Integrity, says: "vex.openvex.json with its record: it is not what follows"},
		"a longer document":        {spoil: func(t *testing.T, dir, _ string) { appendTo(t, filepath.Join(dir, sbom.RuntimeCycloneDX)) }, code: fault.Integrity, says: "sbom.runtime.cdx.json with its record"},
		"a link for a document":    {spoil: func(t *testing.T, dir, _ string) { link(t, "/etc/passwd", filepath.Join(dir, run.VEXFile)) }, code: fault.Integrity, says: "no regular file"},
		"another repository":       {change: func(r *record.Record) { r.Subject.Repository = "registry.example/victim" }, code: fault.Integrity, says: `repository is "registry.example/victim", not`},
		"another manifest":         {change: func(r *record.Record) { r.Subject.ManifestDigest = "sha256:" + strings.Repeat("b", 64) }, code: fault.Integrity, says: `manifest is "sha256:bbbb`},
		"an index that is not its": {change: func(r *record.Record) { r.Subject.IndexDigest = "sha256:" + strings.Repeat("c", 64) }, code: fault.Integrity, says: `index is "sha256:cccc`},
		"the tag has moved":        {spoil: func(t *testing.T, _, ref string) { push(t, ref) }, code: fault.Integrity, says: "name the image by its digest"},
		"insufficient evidence":    {change: func(r *record.Record) { r.Evidence.Health.Lost.Ring = 1 }, code: fault.Inconclusive, says: "Not attested: the evidence is insufficient"},
		"a record that asks to be signed nonetheless": {change: func(r *record.Record) {
			r.Evidence.Health.Lost.Ring = 1
			r.Run.Settings["attest-inconclusive"] = "true"
		}, code: fault.Inconclusive, says: "Not attested: the evidence is insufficient"},
		"an old database, which the record allows": {change: func(r *record.Record) {
			r.Run.Settings["max-db-age"] = "0s"
			r.Inventory.Database.Built = r.Run.StartedAt.AddDate(-1, 0, 0)
		}, code: fault.Integrity, says: "give this job the inputs of the job that observed, such as max-db-age"},
	} {
		t.Run(what, func(t *testing.T) {
			server := httptest.NewServer(registry.New(registry.WithReferrersSupport(true), registry.Logger(log.New(io.Discard, "", 0))))
			defer server.Close()
			ref := strings.TrimPrefix(server.URL, "http://") + "/team/app:v1"
			img := push(t, ref)
			dir := left(t, record.Origin{}, func(r *record.Record) {
				r.Subject = img.Subject
				r.Evidence.Workload.ConfigDigest = img.ConfigDigest
				if c.change != nil {
					c.change(r)
				}
			})
			if c.spoil != nil {
				c.spoil(t, dir, ref)
			}
			key := filepath.Join(t.TempDir(), "key")
			write(t, key, sealed(t))
			t.Chdir(t.TempDir())
			args := append([]string{"attest", "--attest", "key", "--attest-key", key, "--attest-key-password", canary, "--image", ref}, c.args...)
			for i := range args {
				args[i] = strings.ReplaceAll(args[i], "{digest}", img.ManifestDigest)
			}
			code, out, errs := vexxy(t, append(args, dir)...)
			if code != int(c.code) || !strings.Contains(out+errs, c.says) {
				t.Errorf("code %d\n%s%s", code, out, errs)
			}
			if n := attached(t, img); (n == 3) != c.signed || n != 0 && !c.signed {
				t.Errorf("%d attestations", n)
			}
			if !c.signed {
				return
			}
			public := filepath.Join("vexxy-results", run.AttestationsFolder, "key.pub")
			if code, out, errs := vexxy(t, "verify", "--key", public, ref); code != 0 {
				t.Errorf("verifying: code %d\n%s%s", code, out, errs)
			}
			rec, err := record.Read(filepath.Join(dir, recordFolder))
			if err != nil {
				t.Fatal(err)
			}
			if text, err := os.ReadFile(filepath.Join("vexxy-results", run.AttestationsFolder, "evidence.intoto.json")); err != nil || !strings.Contains(string(text), rec.Digest) {
				t.Errorf("the evidence does not name the record: %v", err)
			}
		})
	}
}

func appendTo(t *testing.T, path string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, string(data)+" ")
}

// keepRecord leaves nothing but the record, as the folder itself.
func keepRecord(t *testing.T, dir string) {
	t.Helper()
	if err := os.Rename(filepath.Join(dir, recordFolder), dir+"-"); err != nil {
		t.Fatal(err)
	}
	remove(t, dir)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(dir+"-", filepath.Join(dir, recordFolder)); err != nil {
		t.Fatal(err)
	}
}

// In a job on GitHub the outputs say what was attested where; what was found is
// told by another job.
func TestAttestLaterInAJob(t *testing.T) {
	server := httptest.NewServer(registry.New(registry.WithReferrersSupport(true), registry.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	ref := strings.TrimPrefix(server.URL, "http://") + "/team/app:v1"
	img := push(t, ref)
	j := newJob(t, "pull_request", "", "")
	dir := left(t, j.own(), func(r *record.Record) {
		r.Subject = img.Subject
		r.Evidence.Workload.ConfigDigest = img.ConfigDigest
	})
	key := filepath.Join(t.TempDir(), "key")
	write(t, key, sealed(t))
	j.environ = append(j.environ, "INPUT_IMAGE="+ref, "INPUT_ATTEST=key", "INPUT_ATTEST-KEY="+key, "INPUT_ATTEST-KEY-PASSWORD="+canary)
	if code := j.main(t, "attest", dir); code != fault.Pass {
		t.Fatalf("code %d\n%s", code, j.read(t, j.log))
	}
	got := j.outputs(t)
	lines := strings.Split(got["attestations"], "\n")
	if len(lines) != 6 || !strings.HasPrefix(lines[0], "evidence bundle "+img.Repository+"@sha256:") || got["verdict"] != "pass" || got["digest"] != img.ManifestDigest {
		t.Errorf("outputs %v", got)
	}
	if _, err := os.Stat(j.page); err == nil || len(j.api.Requests("")) != 0 {
		t.Errorf("page %v, requests %v", err, j.api.Requests(""))
	}
	if log := j.read(t, j.log); !strings.Contains(log, "::add-mask::"+canary) || strings.Count(log, canary) != 1 {
		t.Errorf("log:\n%s", log)
	}
}

// A run that this one follows may be a fork's: what it has left is told, and
// never signed.
func TestAttestNothingOfAFollowedRun(t *testing.T) {
	j := newJob(t, "workflow_run", "", "")
	dir := left(t, record.Origin{Repository: "octo/app", Commit: forkSHA, Run: "55"}, nil)
	key := filepath.Join(t.TempDir(), "key")
	write(t, key, sealed(t))
	j.environ = append(j.environ, "INPUT_IMAGE="+imageOf(t), "INPUT_ATTEST=key", "INPUT_ATTEST-KEY="+key, "INPUT_ATTEST-KEY-PASSWORD="+canary)
	if code := j.main(t, "attest", dir); code != fault.Integrity || !strings.Contains(j.read(t, j.log), "it is of run 55") {
		t.Errorf("code %d\n%s", code, j.read(t, j.log))
	}
}
