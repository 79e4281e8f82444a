package app

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/vexxy/action/internal/attest/attesttest"
	"github.com/vexxy/action/internal/baseline"
	"github.com/vexxy/action/internal/gate"
	"github.com/vexxy/action/internal/judge"
	"github.com/vexxy/action/internal/run"
)

// keyless attests to documents by the identity that an instance certifies.
func keyless(t *testing.T, i *attesttest.Instance, docs run.Documents) {
	t.Helper()
	a, err := newAttester(t.Context(), load(t, "--attest", "keyless", "--sigstore-signing-config", i.SigningConfig, "--sigstore-trusted-root", i.TrustedRoot), i.Getenv, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := a.Attest(t.Context(), docs, t.TempDir()); err != nil || len(got.Attestations) != 6 || got.Attestations[0].Identity != i.Identity {
		t.Fatalf("%+v, %v", got, err)
	}
}

// trusting are the inputs of a run that trusts a root.
func trusting(i *attesttest.Instance, root string, more ...string) []string {
	return append([]string{"--sigstore-signing-config", i.SigningConfig, "--sigstore-trusted-root", root}, more...)
}

// What an image's predecessor was attested by a job's identity is the baseline of
// the next by the word of that identity and its issuer; by nobody else's, and not
// where what vouches for them is another's or has expired.
func TestAttestedBaselineByAnIdentity(t *testing.T) {
	y, i, other := newYard(t, nil), attesttest.NewInstance(t, false), attesttest.NewInstance(t, false)
	old, _ := composed(t, y.host, nil)
	keyless(t, i, old)
	next, _ := composed(t, y.host, nil)
	subject := old.Image.Record.Subject
	named := "attestation:" + subject.Repository + "@" + subject.ManifestDigest
	of := func(identity, issuer string) []string {
		return []string{"--baseline", named, "--baseline-identity", identity, "--baseline-issuer", issuer}
	}
	like := func(pattern string) []string {
		return []string{"--baseline", named, "--baseline-identity-regexp", pattern, "--baseline-issuer", attesttest.Issuer}
	}
	for name, args := range map[string][]string{
		"by its name":  of(attesttest.Identity, attesttest.Issuer),
		"by a pattern": like(`https://github\.com/team/app/\.github/workflows/ci\.yml@refs/heads/.*`),
	} {
		b, notes := y.look(t, next, trusting(i, i.TrustedRoot, args...)...)
		if !b.Usable() || len(notes) != 0 || b.RunID != old.Image.Record.Run.ID || b.Digest != subject.ManifestDigest {
			t.Fatalf("%s: %+v, %v", name, b, notes)
		}
		c := baseline.Compare(b, next.Image.Judgement)
		if len(c.Items) != 0 || c.Counts[baseline.Unchanged] == 0 || c.Before[judge.Affected] != old.Image.Judgement.Summary.Affected {
			t.Errorf("%s: %+v, %+v", name, c.Counts, c.Items)
		}
		if d := gate.Decide(gate.Policy{OnlyNew: true}, next.Image.Judgement, c); d.Verdict != gate.VerdictPass {
			t.Errorf("%s: %s: %v", name, d.Verdict, d.Causes)
		}
	}

	key := newYard(t, nil)
	_, folder := key.attest(t, nil)
	for name, c := range map[string]struct {
		root string
		args []string
	}{
		"another workflow":           {i.TrustedRoot, of(strings.Replace(attesttest.Identity, "ci.yml", "other.yml", 1), attesttest.Issuer)},
		"another branch":             {i.TrustedRoot, of(strings.Replace(attesttest.Identity, "main", "next", 1), attesttest.Issuer)},
		"another repository's":       {i.TrustedRoot, of(strings.Replace(attesttest.Identity, "team/app", "evil/app", 1), attesttest.Issuer)},
		"the beginning of its name":  {i.TrustedRoot, like(`https://github\.com/team/`)},
		"another issuer":             {i.TrustedRoot, of(attesttest.Identity, "https://gitlab.com")},
		"an issuer that begins so":   {i.TrustedRoot, of(attesttest.Identity, attesttest.Issuer+".example.com")},
		"another instance":           {other.TrustedRoot, of(attesttest.Identity, attesttest.Issuer)},
		"an authority that was over": {validUntil(t, i.TrustedRoot, "certificateAuthorities", time.Now().Add(-30*time.Minute)), of(attesttest.Identity, attesttest.Issuer)},
		"a log that was over":        {validUntil(t, i.TrustedRoot, "tlogs", time.Now().Add(-30*time.Minute)), of(attesttest.Identity, attesttest.Issuer)},
		"a key":                      {i.TrustedRoot, []string{"--baseline", named, "--baseline-key", filepath.Join(folder, "key.pub")}},
	} {
		t.Run(name, func(t *testing.T) {
			b, notes := y.look(t, next, trusting(i, c.root, c.args...)...)
			if b.Usable() || len(b.Statements) != 0 || !strings.Contains(b.Problem, "no evidence is attested by whom the policy trusts; 6 attestations are by others or damaged") ||
				len(notes) != 1 || !strings.HasPrefix(notes[0], "everything counts as new: ") {
				t.Errorf("%+v, %v", b, notes)
			}
			c := baseline.Compare(b, next.Image.Judgement)
			if d := gate.Decide(gate.Policy{OnlyNew: true}, next.Image.Judgement, c); d.Verdict != gate.VerdictFail {
				t.Errorf("something is old all the same: %s", d.Verdict)
			}
		})
	}
	// What a key attested is none by an identity.
	y.attest(t, nil)
	if b, _ := y.look(t, next, trusting(i, i.TrustedRoot, "--baseline", "attestation", "--baseline-identity", attesttest.Identity, "--baseline-issuer", attesttest.Issuer)...); b.Usable() {
		t.Errorf("by a key: %+v", b)
	}
}

// A stranger's newer evidence beside the trusted one counts for nothing, though
// the same instance certifies both.
func TestAttestedBaselineBesideAStrangers(t *testing.T) {
	y, i := newYard(t, nil), attesttest.NewInstance(t, true)
	old, _ := composed(t, y.host, nil)
	keyless(t, i, old)
	forged := old
	forged.Image.Record.Run.ID = "forged"
	forged.Image.Record.Evidence.Window.End = old.Image.Record.Evidence.Window.End.Add(time.Minute)
	i.Identity = strings.Replace(attesttest.Identity, "team/app", "evil/app", 1)
	keyless(t, i, forged)
	args := trusting(i, i.TrustedRoot, "--baseline", "attestation", "--baseline-issuer", attesttest.Issuer, "--baseline-identity")
	b, notes := y.look(t, old, append(args, attesttest.Identity)...)
	if !b.Usable() || b.RunID != old.Image.Record.Run.ID || len(notes) != 0 {
		t.Errorf("%+v, %v", b, notes)
	}
	if b, _ := y.look(t, old, append(args, i.Identity)...); !b.Usable() || b.RunID != "forged" {
		t.Errorf("the stranger's own: %+v", b)
	}
}

// A pull request that brings its own trusted root says nothing by it.
func TestAttestedBaselineByTheBasesRoot(t *testing.T) {
	y, i, other := newYard(t, nil), attesttest.NewInstance(t, false), attesttest.NewInstance(t, false)
	docs, _ := composed(t, y.host, nil)
	keyless(t, other, docs) // as the pull request's author can
	base, err := os.ReadFile(i.TrustedRoot)
	if err != nil {
		t.Fatal(err)
	}
	args := trusting(i, other.TrustedRoot, "--baseline", "attestation", "--baseline-identity", attesttest.Identity, "--baseline-issuer", attesttest.Issuer)
	if b, _ := y.look(t, docs, args...); !b.Usable() {
		t.Fatalf("where nothing guards: %+v", b)
	}
	y.guard = func(path string, _ int64) ([]byte, bool, error) {
		if path != other.TrustedRoot {
			t.Errorf("asked for %s", path)
		}
		return base, true, nil
	}
	if b, _ := y.look(t, docs, args...); b.Usable() || !strings.Contains(b.Problem, "by whom") {
		t.Errorf("%+v", b)
	}
}

// validUntil writes a trusted root anew, with what it holds of a kind valid up to
// a time.
func validUntil(t *testing.T, root, kind string, end time.Time) string {
	t.Helper()
	raw, err := os.ReadFile(root)
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(raw, &all); err != nil {
		t.Fatal(err)
	}
	date := regexp.MustCompile(`("end":\s*)"[^"]*"`)
	if !date.Match(all[kind]) {
		t.Fatalf("%s has no end: %s", kind, all[kind])
	}
	all[kind] = date.ReplaceAll(all[kind], []byte(`${1}"`+end.UTC().Format(time.RFC3339)+`"`))
	if raw, err = json.Marshal(all); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "trusted_root.json")
	write(t, path, string(raw))
	return path
}
