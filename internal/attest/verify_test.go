package attest

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/judge"
)

// verified publishes and verifies with a policy that change makes of the
// signer's own.
func verified(t *testing.T, b *bed, s *Signer, change func(*Policy)) Verification {
	t.Helper()
	e := evidenceOf(t, b)
	p := Policy{Trust: s.Trust(), Now: e.Window.End.Add(time.Hour)}
	if change != nil {
		change(&p)
	}
	v, err := Verify(t.Context(), b.subject.Repository, b.subject.ManifestDigest, nil, p)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func evidenceOf(t *testing.T, b *bed) Evidence {
	t.Helper()
	e, err := readEvidence(b.statements(t, "x")[0].Predicate)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// Who attested what and when is told, in both layouts as one, and the policy
// is held to each of its parts.
func TestVerify(t *testing.T) {
	i, b := newInstance(t, true), newBed(t, true, nil)
	keyed, keyless := signer(t, newKey(t)), i.signer(t)
	for _, s := range []*Signer{keyed, keyless} {
		if _, err := quick(s, both...).Publish(t.Context(), b.subject, b.statements(t, "x")); err != nil {
			t.Fatal(err)
		}
	}
	v := verified(t, b, keyed, nil)
	if !v.Verified || len(v.Attestations) != 3 || len(v.Others) != 6 || v.Evidence == nil {
		t.Fatalf("%v, %d attestations, others %+v", v.Reasons, len(v.Attestations), v.Others)
	}
	for _, a := range v.Attestations {
		if len(a.Layouts) != 2 || len(a.References) != 2 || a.Signature.Key != fingerprint(keyed.public) {
			t.Errorf("attestation is %+v", a)
		}
	}
	for _, change := range []func(*Policy){nil, func(p *Policy) { p.Trust = i.trust(t) }, func(p *Policy) { p.Trust = signer(t, newKey(t)).Trust() }} {
		data, err := verified(t, b, keyed, change).JSON()
		if err != nil {
			t.Fatal(err)
		}
		follows(t, VerificationSchema(), data, "verified")
	}
	if v := verified(t, b, keyless, func(p *Policy) { p.Trust = i.trust(t) }); !v.Verified || v.Attestations[0].Signature.Identity != testIdentity || v.Attestations[0].Signature.At.IsZero() {
		t.Errorf("keyless: %v, %+v", v.Reasons, v.Attestations)
	}
	length := v.Evidence.Window.End.Sub(v.Evidence.Window.Start)
	for name, c := range map[string]struct {
		change func(*Policy)
		reason string // empty: it is verified
	}{
		"window just met":  {func(p *Policy) { p.MinWindow = length }, ""},
		"window too short": {func(p *Policy) { p.MinWindow = length + time.Second }, "watched for"},
		"young enough":     {func(p *Policy) { p.MaxAge = 61 * time.Minute }, ""},
		"too old":          {func(p *Policy) { p.MaxAge = 59 * time.Minute }, "ago"},
		"from the future":  {func(p *Policy) { p.Now = p.Now.Add(-2 * time.Hour) }, "future"},
		"a little skew":    {func(p *Policy) { p.Now = p.Now.Add(-65 * time.Minute) }, ""},
		"another key":      {func(p *Policy) { p.Trust = signer(t, newKey(t)).Trust() }, "by whom the policy trusts"},
		"identity by pattern": {func(p *Policy) {
			p.Trust = i.trust(t)
			p.Trust.Identity, p.Trust.IdentityPattern = "", `https://github\.com/team/.*`
		}, ""},
		"a part of the identity": {func(p *Policy) {
			p.Trust = i.trust(t)
			p.Trust.Identity, p.Trust.IdentityPattern = "", `github\.com/team/app`
		}, "by whom"},
		"another identity": {func(p *Policy) { p.Trust = i.trust(t); p.Trust.Identity = "https://github.com/other/app" }, "by whom"},
		"another issuer":   {func(p *Policy) { p.Trust = i.trust(t); p.Trust.Issuer = "https://gitlab.com" }, "by whom"},
		"another root":     {func(p *Policy) { p.Trust = newInstance(t, true).trust(t) }, "by whom"},
	} {
		t.Run(name, func(t *testing.T) {
			v := verified(t, b, keyed, c.change)
			if v.Verified != (c.reason == "") || !strings.Contains(strings.Join(v.Reasons, ";"), c.reason) {
				t.Errorf("verified %t: %v", v.Verified, v.Reasons)
			}
		})
	}
}

// An image without evidence, with inconclusive evidence, or without the
// document that the evidence is for is not verified.
func TestNotVerified(t *testing.T) {
	s := signer(t, newKey(t))
	b := newBed(t, true, nil)
	if v := verified(t, b, s, nil); v.Verified || len(v.Reasons) != 1 || v.Reasons[0] != "no evidence is attested" {
		t.Errorf("bare image: %+v", v)
	}
	if _, err := quick(s, LayoutBundle).Publish(t.Context(), b.subject, b.statements(t, "x")[:2]); err != nil {
		t.Fatal(err)
	}
	if v := verified(t, b, s, nil); v.Verified || !strings.Contains(strings.Join(v.Reasons, ";"), "sbom.runtime.cdx.json") {
		t.Errorf("without the SBOM: %+v", v.Reasons)
	}
	// The evidence of one run with the document of another.
	other := b.statements(t, "x")
	doc, err := newStatement("openvex", TypeOpenVEX, b.subject, []byte(`{"@context":"https://openvex.dev/ns/v0.2.0","author":"vexxy","statements":[1]}`))
	if err != nil {
		t.Fatal(err)
	}
	other[1] = doc
	if _, err := quick(s, LayoutBundle).Publish(t.Context(), b.subject, other); err != nil {
		t.Fatal(err)
	}
	if v := verified(t, b, s, nil); v.Verified || !strings.Contains(strings.Join(v.Reasons, ";"), "vex.openvex.json") {
		t.Errorf("with another document: %+v", v.Reasons)
	}
	rec, _ := recorded(t, b.subject.Repository, b.subject.ManifestDigest)
	rec.Evidence.Health.Lost.Ring = 1
	ill, err := Statements(rec, judge.Judge(rec), "inconclusive", nil, MaxStatement)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := quick(s, LayoutBundle).Publish(t.Context(), b.subject, ill); err != nil {
		t.Fatal(err)
	}
	if v := verified(t, b, s, nil); v.Verified || !strings.Contains(strings.Join(v.Reasons, ";"), "inconclusive") {
		t.Errorf("inconclusive: %+v", v.Reasons)
	}
	if v := verified(t, b, s, func(p *Policy) { p.Inconclusive = true }); !v.Verified {
		t.Errorf("inconclusive, and allowed: %+v", v.Reasons)
	}
}

// A registry that deletes nothing keeps an older run's documents, with good
// signatures, beside the newest ones: they do not count, whichever was attached
// last.
func TestOlderDocumentsDoNotCount(t *testing.T) {
	for name, order := range map[string][]int{"newest last": {0, 1}, "newest first": {1, 0}} {
		t.Run(name, func(t *testing.T) {
			b := newBed(t, true, func(h http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
					if req.Method == http.MethodDelete {
						w.WriteHeader(http.StatusMethodNotAllowed)
						return
					}
					h.ServeHTTP(w, req)
				})
			})
			s := signer(t, newKey(t))
			var runs [2][]Statement
			var ends [2]time.Time
			for i := range runs {
				rec, j := recorded(t, b.subject.Repository, b.subject.ManifestDigest)
				rec.Run.ID = fmt.Sprint("run ", i)
				rec.Evidence.Window.End = rec.Evidence.Window.End.Add(time.Duration(i) * time.Minute)
				ends[i] = rec.Evidence.Window.End
				docs := []Document{
					{"openvex", "vex.openvex.json", TypeOpenVEX, fmt.Appendf(nil, `{"@context":"https://openvex.dev/ns/v0.2.0","author":"vexxy","version":%d,"statements":[]}`, i+1)},
					{"sbom", "sbom.runtime.cdx.json", TypeCycloneDX, fmt.Appendf(nil, `{"bomFormat":"CycloneDX","specVersion":"1.6","version":%d}`, i+1)},
				}
				var err error
				if runs[i], err = Statements(rec, j, "pass", docs, MaxStatement); err != nil {
					t.Fatal(err)
				}
			}
			for _, i := range order {
				out, err := quick(s, LayoutBundle).Publish(t.Context(), b.subject, runs[i])
				if err != nil {
					t.Fatal(err)
				}
				if last := i == order[1]; last != (len(out.Notes) == 3) {
					t.Fatalf("notes are %v", out.Notes)
				}
			}
			v := verified(t, b, s, func(p *Policy) { p.Now = ends[1].Add(time.Hour) })
			if !v.Verified || v.Evidence.Run.ID != "run 1" {
				t.Fatalf("%v, evidence of %+v", v.Reasons, v.Evidence)
			}
			var counted []string
			for _, a := range v.Attestations {
				if a.PredicateType != TypeEvidence {
					counted = append(counted, a.PayloadSHA256)
				}
			}
			if want := []string{sum(runs[1][2].Payload), sum(runs[1][1].Payload)}; !slices.Equal(counted, want) {
				t.Errorf("%v count, not %v", counted, want)
			}
			types := map[string]int{}
			for _, o := range v.Others {
				types[o.PredicateType]++
				if o.Layout != LayoutBundle || !strings.HasPrefix(o.Reference, b.subject.Repository+"@sha256:") || !strings.Contains(o.Why, "older run") {
					t.Errorf("set aside is %+v", o)
				}
			}
			if len(v.Others) != 2 || types[TypeOpenVEX] != 1 || types[TypeCycloneDX] != 1 {
				t.Errorf("set aside are %+v", v.Others)
			}
			data, err := v.JSON()
			if err != nil {
				t.Fatal(err)
			}
			follows(t, VerificationSchema(), data, "verified")
		})
	}
}

// Policies that would trust anyone, or no one, are refused.
func TestPoliciesThatAreNone(t *testing.T) {
	i := newInstance(t, false)
	for name, trust := range map[string]Trust{
		"nothing":     {},
		"no issuer":   {Identity: "a", Root: i.trust(t).Root},
		"no identity": {Issuer: "a", Root: i.trust(t).Root},
		"no root":     {Identity: "a", Issuer: "b"},
		"bad pattern": {IdentityPattern: "(", Issuer: "b", Root: i.trust(t).Root},
		"log unknown": {Key: signer(t, newKey(t)).public, Logged: true},
	} {
		if _, err := Verify(t.Context(), "example.com/app", digestA, nil, Policy{Trust: trust}); fault.CodeOf(t.Context(), err) != fault.Usage {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The commands that are printed name everything that is needed, and a shell
// reads them as they are.
func TestCommands(t *testing.T) {
	p := Published{Receipts: []Receipt{
		{PredicateType: TypeEvidence, Layout: LayoutBundle, Subject: "r/a@" + digestA, Signature: Signature{Key: "SHA256:x", LogIndex: -1}},
		{PredicateType: TypeEvidence, Layout: LayoutLegacy, Subject: "r/a@" + digestA, Signature: Signature{Key: "SHA256:x", LogIndex: -1}},
	}}
	got := strings.Join(Commands(p, "out dir/key.pub", ""), "\n")
	want := "vexxy verify --key 'out dir/key.pub' r/a@" + digestA + "\n" +
		"cosign verify-attestation --key 'out dir/key.pub' --insecure-ignore-tlog=true --type https://github.com/vexxy/action/evidence/v1 --new-bundle-format r/a@" + digestA
	if got != want {
		t.Errorf("commands are\n%s\nnot\n%s", got, want)
	}
	p.Receipts = p.Receipts[1:]
	p.Receipts[0].Signature = Signature{Identity: "who's", Issuer: "https://i", LogIndex: 7}
	own := `vexxy verify --identity 'who'\''s' --issuer https://i`
	theirs := `cosign verify-attestation --certificate-identity 'who'\''s' --certificate-oidc-issuer https://i`
	about := ` --type https://github.com/vexxy/action/evidence/v1 `
	// Cosign takes a private instance's root for bundles alone.
	if got, want := strings.Join(Commands(p, "", "root.json"), "\n"), own+" --sigstore-trusted-root root.json r/a@"+digestA; got != want {
		t.Errorf("commands are\n%s\nnot\n%s", got, want)
	}
	if got, want := strings.Join(Commands(p, "", ""), "\n"), own+" r/a@"+digestA+"\n"+theirs+about+"--new-bundle-format=false r/a@"+digestA; got != want {
		t.Errorf("commands are\n%s\nnot\n%s", got, want)
	}
	p.Receipts[0].Layout = LayoutBundle
	if got, want := Commands(p, "", "root.json")[1], theirs+" --trusted-root root.json"+about+"--new-bundle-format r/a@"+digestA; got != want {
		t.Errorf("the command is\n%s\nnot\n%s", got, want)
	}
}

// Keys, passwords and tokens reach neither bundles nor the registry.
func TestCanaries(t *testing.T) {
	var sent bytes.Buffer
	b := newBed(t, false, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			body, _ := io.ReadAll(req.Body)
			fmt.Fprintln(&sent, req.URL, req.Header)
			sent.Write(body)
			req.Body = io.NopCloser(bytes.NewReader(body))
			h.ServeHTTP(w, req)
		})
	})
	key := sealedKey(t)
	out, err := quick(signer(t, key), both...).Publish(t.Context(), b.subject, b.statements(t, "x"))
	if err != nil {
		t.Fatal(err)
	}
	keyless, err := quick(newInstance(t, true).signer(t), both...).Publish(t.Context(), b.subject, b.statements(t, "x"))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(key)
	if err != nil {
		t.Fatal(err)
	}
	all := fmt.Sprintf("%+v %+v", out, keyless) + sent.String()
	for name := range out.Bundles {
		all += string(out.Bundles[name]) + string(keyless.Bundles[name])
	}
	if len(sent.String()) < 10000 {
		t.Fatalf("only %d bytes were sent", sent.Len())
	}
	noCanary(t, all)
	for _, line := range strings.Split(string(raw), "\n")[1:3] {
		if strings.Contains(all, line) {
			t.Error("the key is printed")
		}
	}
	if strings.Contains(all, filepath.Dir(key)) {
		t.Error("the key's folder is printed")
	}
}
