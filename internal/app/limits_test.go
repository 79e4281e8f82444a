package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/vexxy/action/internal/attest"
	"github.com/vexxy/action/internal/attest/attesttest"
	"github.com/vexxy/action/internal/config"
	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/host/github"
	"github.com/vexxy/action/internal/run"
	"github.com/vexxy/action/internal/sbom"
)

// large gives documents the one OpenVEX document whose statement has so many
// bytes, and an SBOM whose statement has as many.
func large(t *testing.T, docs run.Documents, vex, bom int) run.Documents {
	t.Helper()
	write := func(pad, more int) map[string][]byte {
		var all []string
		for n := range 20 {
			all = append(all, fmt.Sprintf(`{"vulnerability":{"name":"CVE-2026-%06d"},"status":"affected","action_statement":"%s"}`, n, strings.Repeat("x", pad/20)))
		}
		all[0] = strings.Replace(all[0], `"x`, `"`+strings.Repeat("x", 1+pad%20), 1)
		return map[string][]byte{
			run.VEXFile:           []byte(`{"@context":"https://openvex.dev/ns/v0.2.0","@id":"https://github.com/vexxy/action/vex/run/sha256:1","statements":[` + strings.Join(all, ",") + `]}`),
			sbom.RuntimeCycloneDX: []byte(`{"bomFormat":"CycloneDX","x":"` + strings.Repeat("x", more) + `"}`),
		}
	}
	r := docs.Image.Record
	sizes := func(files map[string][]byte) (int, int) {
		all, err := attest.Statements(r, docs.Image.Judgement, "pass", []attest.Document{
			{Name: "openvex", File: run.VEXFile, PredicateType: attest.TypeOpenVEX, Data: files[run.VEXFile]},
			{Name: "sbom", File: sbom.RuntimeCycloneDX, PredicateType: attest.TypeCycloneDX, Data: files[sbom.RuntimeCycloneDX]},
		}, attest.MaxStatement)
		if err != nil || len(all) != 3 {
			t.Fatalf("%d statements, %v", len(all), err)
		}
		return len(all[1].Payload), len(all[2].Payload)
	}
	a, b := sizes(write(20, 20))
	files := write(20+vex-a, 20+bom-b)
	if a, b = sizes(files); a != vex || b != bom {
		t.Fatalf("the statements have %d and %d bytes, not %d and %d", a, b, vex, bom)
	}
	docs.Files = files
	return docs
}

// What GitHub's store takes is sent to it whole, and no more: a document of a
// byte beyond goes in parts, an SBOM is left out, and both are told.
func TestLimitOfGitHubsStore(t *testing.T) {
	const takes = 16 << 20 // bytes of a request, by GitHub's own action
	y := newYard(t, nil)
	docs, _ := composed(t, y.host, nil)
	for name, c := range map[string]struct {
		vex, bom int
		stored   int
		notes    []string
	}{
		"just below": {attest.StoreLimit, attest.StoreLimit, 3, nil},
		"just beyond": {attest.StoreLimit + 1, attest.StoreLimit + 1, 3, []string{
			fmt.Sprintf("vex.openvex.json is attested in 2 parts, as at most %d bytes fit into an attestation", attest.StoreLimit),
			fmt.Sprintf("and at most %d fit into an attestation; it stays among the results", attest.StoreLimit),
		}},
	} {
		t.Run(name, func(t *testing.T) {
			largest := 0
			beside := func(config.Config) (store, error) {
				return func(_ context.Context, _ string, bundle []byte) (github.Stored, error) {
					if largest = max(largest, len(bundle)); len(bundle) > takes-len(`{"bundle":}`) {
						t.Errorf("a bundle of %d bytes is sent", len(bundle))
					}
					return github.Stored{ID: 1}, nil
				}, nil
			}
			a, err := newAttester(t.Context(), load(t, "--attest", "key", "--attest-key", y.key, "--attest-github-store", "--attestation-format", "bundle", "--attestation-limit", "32Mi"), y.getenv, "", beside)
			if err != nil {
				t.Fatal(err)
			}
			got, err := a.Attest(t.Context(), large(t, docs, c.vex, c.bom), t.TempDir())
			if err != nil || len(got.Stored) != c.stored || len(got.Attestations) != c.stored || len(got.Notes) != len(c.notes) {
				t.Fatalf("%d stored, %d attested, %v, %v", len(got.Stored), len(got.Attestations), got.Notes, err)
			}
			for i, note := range c.notes {
				if !strings.Contains(got.Notes[i], note) {
					t.Errorf("note %q", got.Notes[i])
				}
			}
			if c.notes == nil && largest < takes-256<<10 {
				t.Errorf("the largest bundle has %d bytes: far less than may be sent", largest)
			}
		})
	}
}

// The same holds for a log that keeps statements whole, which is asked no more
// than it takes; the store beside it is asked no more than that.
func TestLimitOfTheLog(t *testing.T) {
	y, i := newYard(t, nil), attesttest.NewInstance(t, false)
	docs, _ := composed(t, y.host, nil)
	for size, logged := range map[int]int32{attest.LogLimit: 3, attest.LogLimit + 1: 3} {
		before := i.Logged.Load()
		a, err := newAttester(t.Context(), load(t, "--attest", "keyless", "--sigstore-signing-config", i.SigningConfig, "--sigstore-trusted-root", i.TrustedRoot), i.Getenv, "", nil)
		if err != nil {
			t.Fatal(err)
		}
		got, err := a.Attest(t.Context(), large(t, docs, size, size), t.TempDir())
		told := strings.Join(got.Notes, "\n")
		if err != nil || i.Logged.Load()-before != logged || strings.Contains(told, "in 2 parts") != (size > attest.LogLimit) || strings.Contains(told, "is not attested") != (size > attest.LogLimit) {
			t.Errorf("%d bytes: %d entries, notes %s, %v", size, i.Logged.Load()-before, told, err)
		}
	}
}

// A registry that takes next to nothing is asked for less and less, and then the
// run ends with what is in its way.
func TestRegistryThatTakesNothing(t *testing.T) {
	writes, full := 0, false
	y := newYard(t, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			if full && (req.Method == http.MethodPatch || req.Method == http.MethodPut) {
				if n, err := io.Copy(io.Discard, req.Body); err != nil || n > 0 {
					writes++
					w.WriteHeader(http.StatusRequestEntityTooLarge)
					return
				}
			}
			h.ServeHTTP(w, req)
		})
	})
	docs, _ := composed(t, y.host, nil)
	full = true
	a, err := newAttester(t.Context(), load(t, "--attest", "key", "--attest-key", y.key), y.getenv, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := a.Attest(t.Context(), large(t, docs, 1<<20, 100_000), t.TempDir())
	if !errors.Is(err, attest.ErrTooLarge) || fault.CodeOf(t.Context(), err) != fault.Attest || !strings.Contains(fault.HintOf(err), "attestation-limit") || len(got.Attestations) != 0 || writes > 50 {
		t.Errorf("%+v, %v (%s), %d writes", got, err, fault.HintOf(err), writes)
	}
}
