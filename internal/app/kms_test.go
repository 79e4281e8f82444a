package app

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"

	"github.com/vexxy/action/internal/attest/attesttest"
	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/journal"
	"github.com/vexxy/action/internal/record"
	"github.com/vexxy/action/internal/run"
)

// asProgram holds the arguments, a line each, with which a process of this test
// is vexxy itself: the clients of clouds read their environment once.
const asProgram = "TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if args := os.Getenv(asProgram); args != "" {
		os.Unsetenv(asProgram)
		os.Exit(Main(strings.Split(args, "\n"), Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Environ: os.Environ()}))
	}
	os.Exit(m.Run())
}

// program runs vexxy in a process with an environment of its own, in a folder.
func program(t *testing.T, dir string, environ []string, args ...string) (code fault.Code, output string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Dir, cmd.Env = dir, append(slices.Clone(environ), journal.StateVariable+"="+t.TempDir(), asProgram+"="+strings.Join(args, "\n"))
	out, err := cmd.CombinedOutput()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return fault.Code(cmd.ProcessState.ExitCode()), string(out)
}

// managed are the key management systems whose clients are linked, each with a
// key and an environment that may use it.
func managed(t *testing.T) map[string]*attesttest.Cloud {
	t.Helper()
	all := map[string]*attesttest.Cloud{"AWS": attesttest.NewAWS(t), "Azure": attesttest.NewAzure(t), "GCP": attesttest.NewGCP(t)}
	c := &attesttest.Cloud{Ref: "hashivault://release"}
	v := attesttest.NewVault(t, newSigningKey(t), false)
	v.Spoil = func(w http.ResponseWriter, req *http.Request) bool {
		if c.Refuse {
			w.WriteHeader(http.StatusForbidden)
			io.WriteString(w, `{"errors":["for `+attesttest.VaultToken+`\n::error::no"]}`)
		}
		return c.Refuse
	}
	c.Environ = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "VAULT_ADDR=" + v.URL, "VAULT_TOKEN=" + attesttest.VaultToken}
	all["Vault"] = c
	return all
}

// A key that never leaves its system signs what another job has observed, and
// verifies it by its name and by the file that the run leaves; one that may not
// be used, or whose system cannot be reached, ends both in time with the
// documented codes; and what opens the system is in nothing that is left.
func TestKeysOfEverySystem(t *testing.T) {
	for name, c := range managed(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var mu sync.Mutex
			var seen bytes.Buffer
			h := registry.New(registry.WithReferrersSupport(true), registry.Logger(log.New(io.Discard, "", 0)))
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
				body, err := io.ReadAll(req.Body)
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				seen.WriteString(req.URL.String())
				seen.Write(body)
				for k, v := range req.Header {
					seen.WriteString(k + strings.Join(v, ","))
				}
				mu.Unlock()
				req.Body = io.NopCloser(bytes.NewReader(body))
				h.ServeHTTP(w, req)
			}))
			defer server.Close()
			ref := strings.TrimPrefix(server.URL, "http://") + "/team/app:v1"
			img := push(t, ref)
			dir := left(t, record.Origin{}, func(r *record.Record) {
				r.Subject = img.Subject
				r.Evidence.Workload.ConfigDigest = img.ConfigDigest
			})
			work := t.TempDir()
			all := ""
			vexxy := func(environ []string, want fault.Code, says string, args ...string) {
				t.Helper()
				begin := time.Now()
				code, out := program(t, work, environ, args...)
				if code != want || !strings.Contains(out, says) {
					t.Errorf("%q: code %d, not %d\n%s", args, code, want, out)
				}
				if took := time.Since(begin); took > 2*time.Minute {
					t.Errorf("%q took %s", args, took)
				}
				all += out
			}
			attest := []string{"attest", "--attest", "key", "--attest-key", c.Ref, "--image", ref, dir}
			verify := []string{"verify", "--key", c.Ref, ref}
			vexxy(c.Environ, fault.Pass, "Verify it with", attest...)
			vexxy(c.Environ, fault.Pass, "Verified.", verify...)
			results := filepath.Join(work, "vexxy-results")
			public := filepath.Join(results, run.AttestationsFolder, "key.pub")
			vexxy([]string{"PATH=/"}, fault.Pass, "Verified.", "verify", "--key", public, ref)
			if err := filepath.WalkDir(results, func(path string, d fs.DirEntry, err error) error {
				if err != nil || d.IsDir() {
					return err
				}
				raw, err := os.ReadFile(path)
				all += string(raw)
				return err
			}); err != nil {
				t.Fatal(err)
			}

			c.Refuse = true
			vexxy(c.Environ, fault.Attest, "its system answers with status 40", attest...)
			vexxy(c.Environ, fault.Infra, "its system answers with status 40", verify...)
			nowhere := slices.Clone(c.Environ)
			for i, kv := range nowhere {
				for _, name := range []string{"HTTPS_PROXY", "HTTP_PROXY", "VAULT_ADDR"} {
					if strings.HasPrefix(kv, name+"=") {
						nowhere[i] = name + "=http://127.0.0.1:1"
					}
				}
			}
			vexxy(nowhere, fault.Infra, "the key "+c.Ref, verify...)
			if len(all) < 20000 || seen.Len() < 20000 {
				t.Errorf("%d bytes were left, and %d sent", len(all), seen.Len())
			}
			for _, text := range []string{all, seen.String()} {
				if at := strings.Index(text, "canary-"); at >= 0 {
					t.Errorf("a secret is left: %.200q", text[max(0, at-100):])
				}
				if strings.Contains(text, "\n::error::no") {
					t.Error("a system's answer is a line of its own")
				}
			}
		})
	}
}

// A key that is not there is the user's to mend, in whatever way its system says
// so; a system that has no time is asked again later.
func TestKeysThatAreNotThere(t *testing.T) {
	verify := func(c *attesttest.Cloud, ref string) (fault.Code, string) {
		return program(t, t.TempDir(), c.Environ, "verify", "--key", ref, "127.0.0.1:1/team/app")
	}
	for name, c := range managed(t) {
		if code, out := verify(c, c.Ref+"r"); code != fault.Usage || !strings.Contains(out, "its system answers with status 404") && !strings.Contains(out, "its system has nothing by this name") {
			t.Errorf("%s: code %d\n%s", name, code, out)
		}
	}
	c := attesttest.NewAWS(t)
	for host := range c.Hosts {
		c.Hosts[host] = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusBadRequest)
			io.WriteString(w, `{"__type":"ThrottlingException"}`)
		})
	}
	if code, out := verify(c, c.Ref); code != fault.Infra || !strings.Contains(out, "ThrottlingException") || !strings.Contains(out, "limits requests") {
		t.Errorf("busy: code %d\n%s", code, out)
	}
}

// What was attested by a key in a Vault is a baseline by that key's name, and by
// no other's; a Vault that gives no key leaves a baseline that makes nothing old.
func TestBaselineByAKeyInAVault(t *testing.T) {
	y := newYard(t, nil)
	v := attesttest.NewVault(t, newSigningKey(t), false)
	y.key, y.getenv = "hashivault://release", v.Getenv
	y.guard = func(path string, _ int64) ([]byte, bool, error) {
		t.Errorf("the file %s is asked for", path)
		return nil, false, nil
	}
	docs, _ := y.attest(t, nil)
	args := []string{"--baseline", "attestation", "--baseline-key", y.key}
	if b, notes := y.look(t, docs, args...); !b.Usable() {
		t.Errorf("%+v, %v", b, notes)
	}
	other := attesttest.NewVault(t, newSigningKey(t), false)
	y.getenv = other.Getenv
	if b, notes := y.look(t, docs, args...); b.Usable() || !strings.Contains(b.Problem, "by whom") || len(notes) != 1 {
		t.Errorf("by another's: %+v, %v", b, notes)
	}
	for name, c := range map[string]struct {
		spoil   func()
		problem string
	}{
		"no right": {func() {
			v.Spoil = func(w http.ResponseWriter, _ *http.Request) bool {
				w.WriteHeader(http.StatusForbidden)
				io.WriteString(w, `{"errors":["for `+attesttest.VaultToken+`"]}`)
				return true
			}
		}, "status 403"},
		"down":       {func() { v.Close() }, "refused"},
		"not set up": {func() { y.getenv = func(string) string { return "" } }, "VAULT_ADDR is not set"},
	} {
		v = attesttest.NewVault(t, newSigningKey(t), false)
		y.getenv = v.Getenv
		c.spoil()
		b, notes := y.look(t, docs, args...)
		if b.Usable() || !strings.Contains(b.Problem, c.problem) || len(notes) != 1 || !strings.Contains(notes[0], c.problem) || strings.Contains(notes[0], canary) {
			t.Errorf("%s: %+v, %v", name, b, notes)
		}
	}
	args[3] = "hashivault://a/b"
	if _, err := attestedBaseline(t.Context(), load(t, args...), "", y.getenv, nil, y.guard, nil); fault.CodeOf(t.Context(), err) != fault.Usage {
		t.Errorf("a name that is none: %v", err)
	}
}

// Of all the images of a run its key is asked for once.
func TestBaselineAsksForItsKeyOnce(t *testing.T) {
	y := newYard(t, nil)
	v := attesttest.NewVault(t, newSigningKey(t), false)
	docs, _ := composed(t, y.host, nil)
	cfg := load(t, "--baseline", "attestation", "--baseline-key", "hashivault://release")
	find, err := attestedBaseline(t.Context(), cfg, "", v.Getenv, nil, y.guard, func(string) {})
	if err != nil || v.Read.Load() != 0 {
		t.Fatalf("%v, asked %d times", err, v.Read.Load())
	}
	for range 3 {
		if b := find(t.Context(), docs.Image.Record.Subject, false); !strings.Contains(b.Problem, "by whom") {
			t.Errorf("%+v", b)
		}
	}
	if n := v.Read.Load(); n != 1 {
		t.Errorf("asked %d times", n)
	}
}

// A job that may not use the baseline's key publishes all the same: everything
// is new to it.
func TestBaselineKeysThatAJobCannotUse(t *testing.T) {
	y := newYard(t, nil)
	docs, _ := composed(t, y.host, nil)
	dir := left(t, record.Origin{}, func(r *record.Record) { r.Subject = docs.Image.Record.Subject })
	for says, args := range map[string][]string{
		"VAULT_ADDR is not set":      {"--baseline-key", "hashivault://release"},
		"nothing here serves":        {"--baseline-key", "nosuchkms://release"},
		"the key awskms:///alias/no": {"--baseline-key", "awskms:///alias/no"},
	} {
		environ := []string{"PATH=/", "HOME=" + t.TempDir(), "AWS_EC2_METADATA_DISABLED=true"}
		code, out := program(t, t.TempDir(), environ, append(append([]string{"publish", "--baseline", "attestation"}, args...), dir)...)
		if code != fault.Pass || !strings.Contains(out, "everything counts as new: ") || !strings.Contains(out, says) {
			t.Errorf("%v: code %d\n%s", args, code, out)
		}
	}
}

// What opens a key's system is withheld from the user's programs, by whatever
// variable it comes; vexxy itself and its helpers keep it.
func TestKeySystemsAreClosedToPrograms(t *testing.T) {
	for key, names := range map[string][]string{
		"hashivault://release": {"VAULT_TOKEN", "VAULT_HEADERS", "VAULT_CLIENT_KEY"},
		"awskms:///alias/release": {
			"AWS_SECRET_ACCESS_KEY", "AWS_SECRET_KEY", "AWS_SESSION_TOKEN", "AWS_WEB_IDENTITY_TOKEN_FILE",
			"AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE", "AWS_LOGIN_CACHE_DIRECTORY",
			"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI",
			"AWS_CONTAINER_AUTHORIZATION_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
		},
		"azurekms://team.vault.azure.net/release": {
			"AZURE_CLIENT_SECRET", "AZURE_PASSWORD", "AZURE_CLIENT_CERTIFICATE_PATH", "AZURE_CLIENT_CERTIFICATE_PASSWORD",
			"AZURE_FEDERATED_TOKEN_FILE", "IDENTITY_HEADER", "MSI_SECRET",
		},
		"gcpkms://projects/p/locations/l/keyRings/r/cryptoKeys/release": {"GOOGLE_APPLICATION_CREDENTIALS"},
	} {
		kept := []string{"PATH=/bin", "VAULT_ADDR=http://127.0.0.1:1", "AWS_REGION=eu-west-1", "OTHER=not the system's"}
		environ := append(slices.Clone(kept), "COPY="+canary+names[0])
		for _, name := range names {
			environ = append(environ, name+"="+canary+name)
			t.Setenv(name, canary+name)
		}
		for _, args := range [][]string{{"--attest", "key", "--attest-key", key}, {"--baseline", "attestation", "--baseline-key", key}} {
			cfg := load(t, args...)
			if got := withoutSecrets(cfg, environ); !slices.Equal(got, kept) {
				t.Errorf("%v: a test command sees %q", args, got)
			}
			made := making{cfg: cfg, streams: Streams{Environ: environ}}
			if got := made.redact("it says " + canary + names[0]); got != "it says REDACTED" {
				t.Errorf("%v: the record has %q", args, got)
			}
			hideSecrets(cfg)
			if os.Getenv(names[0]) == "" {
				t.Errorf("%s is gone before it is used", names[0])
			}
		}
		if got := withoutSecrets(load(t), environ); len(got) != len(environ) {
			t.Errorf("with no key there, a test command sees %q", got)
		}
	}
}
