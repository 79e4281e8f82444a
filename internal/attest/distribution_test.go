package attest

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vexxy/action/internal/attest/attesttest"
	"github.com/vexxy/action/internal/subject"
)

// Debian's docker-registry (Distribution 2.8: no referrers API, and nothing is
// deleted unless its configuration says so) keeps both layouts, and one of each
// statement after several runs. It is looked for at VEXXY_TEST_REGISTRY, then on
// the PATH.
func TestDistribution(t *testing.T) {
	program := os.Getenv("VEXXY_TEST_REGISTRY")
	if program == "" {
		var err error
		if program, err = exec.LookPath("docker-registry"); err != nil {
			t.Fatal("there is no docker-registry: scripts/setup/registry.sh brings it, or leave this test out by -skip '^TestDistribution'")
		}
	}
	for _, deletes := range []bool{false, true} {
		t.Run(fmt.Sprintf("deletes=%t", deletes), func(t *testing.T) {
			b := distribution(t, program, deletes)
			s := signer(t, newKey(t))
			for n, note := range []string{"one", "one", "two"} {
				out, err := quick(s, both...).Publish(t.Context(), b.subject, b.statements(t, note))
				if err != nil {
					t.Fatalf("run %d: %v", n, err)
				}
				if len(out.Receipts) != 6 || len(out.Notes) != 0 {
					t.Errorf("run %d: %+v", n, out)
				}
				if shelf := b.survey(t); len(shelf.found) != 6 || shelf.list.api {
					t.Errorf("run %d: %d attestations, api %t", n, len(shelf.found), shelf.list.api)
				}
			}
			v, err := Verify(t.Context(), b.subject.Repository, b.subject.ManifestDigest, nil, Policy{Trust: s.Trust(), Now: evidenceOf(t, b).Window.End})
			if err != nil || !v.Verified || len(v.Others) != 0 {
				t.Errorf("%v, %v, %v", v.Reasons, v.Others, err)
			}
		})
	}
}

// distribution starts the registry with one image in it.
func distribution(t *testing.T, program string, deletes bool) *bed {
	t.Helper()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	free.Close()
	dir := t.TempDir()
	config := fmt.Sprintf("version: 0.1\nlog: {level: error}\nstorage:\n  filesystem: {rootdirectory: %q}\n  delete: {enabled: %t}\nhttp: {addr: %q}\n", filepath.Join(dir, "data"), deletes, address)
	path := filepath.Join(dir, "config.yml")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "serve", path)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	for end := time.Now().Add(30 * time.Second); ; {
		resp, err := http.Get("http://" + address + "/v2/")
		if err == nil {
			resp.Body.Close()
			break
		}
		if time.Now().After(end) {
			t.Fatalf("the registry did not answer within 30 s: %v", err)
		}
		time.Sleep(50 * time.Millisecond)
	}
	ref, digest := attesttest.Push(t, address)
	return &bed{repository: ref.Context(), subject: subject.Subject{
		Requested: strings.TrimPrefix(ref.String(), "index.docker.io/"), Source: subject.SourceRegistry, Repository: ref.Context().Name(), ManifestDigest: digest,
	}}
}
