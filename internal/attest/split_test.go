package attest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/vexxy/action/internal/fault"
)

// largeVEX is an OpenVEX document as vexxy writes it, of about n bytes.
func largeVEX(n int) []byte {
	var out bytes.Buffer
	out.WriteString(`{"@context":"https://openvex.dev/ns/v0.2.0","@id":"https://github.com/vexxy/action/vex/run/sha256:1","author":"vexxy","timestamp":"2026-03-01T12:00:00Z","version":1,"tooling":"vexxy v1","statements":[`)
	for i := 0; out.Len() < n; i++ {
		if i > 0 {
			out.WriteByte(',')
		}
		fmt.Fprintf(&out, "\n"+`{"vulnerability":{"name":"CVE-2026-%06d"},"products":[{"@id":"pkg:oci/app@sha256:1","subcomponents":[{"@id":"pkg:deb/debian/p%d@1"}]}],"status":"not_affected","status_notes":"a <b> & \",\"statements\":[ c","justification":"vulnerable_code_not_in_execute_path"}`, i, i)
	}
	out.WriteString("\n]}\n")
	return out.Bytes()
}

func (b *bed) split(t *testing.T, size, limit int) ([]byte, []Statement) {
	t.Helper()
	rec, j := recorded(t, b.subject.Repository, b.subject.ManifestDigest)
	doc := largeVEX(size)
	all, err := Statements(rec, j, "pass", []Document{
		{"openvex", "vex.openvex.json", TypeOpenVEX, doc},
		{"sbom", "sbom.runtime.cdx.json", TypeCycloneDX, fmt.Appendf(nil, `{"bomFormat":"CycloneDX","x":%q}`, strings.Repeat("x", size))},
	}, limit)
	if err != nil {
		t.Fatal(err)
	}
	return doc, all
}

// A document that is too large is attested in parts, each an OpenVEX document
// of its own and within the limit, and verify reads them as the one that they
// were, byte for byte. An SBOM has no parts.
func TestPartsAreOneDocument(t *testing.T) {
	b := newBed(t, true, nil)
	s := signer(t, newKey(t))
	const limit = 100_000
	doc, all := b.split(t, 450_000, limit)
	if len(all) < 6 || all[0].Name != "evidence" || all[1].Name != "openvex-1" {
		t.Fatalf("%d statements", len(all))
	}
	total := 0
	for _, st := range all[1:] {
		var part struct {
			ID         string            `json:"@id"`
			Context    string            `json:"@context"`
			Author     string            `json:"author"`
			Statements []json.RawMessage `json:"statements"`
		}
		if err := json.Unmarshal(st.Predicate, &part); err != nil || part.Author != "vexxy" || part.Context == "" || len(part.Statements) == 0 || st.PredicateType != TypeOpenVEX {
			t.Errorf("%s: %v, %.300s", st.Name, err, st.Predicate)
		}
		if want := fmt.Sprintf("https://github.com/vexxy/action/vex/run/sha256:1#part-%s-of-%d", strings.TrimPrefix(st.Name, "openvex-"), len(all)-1); part.ID != want {
			t.Errorf("@id is %s, not %s", part.ID, want)
		}
		if len(st.Payload) > limit {
			t.Errorf("%s has %d bytes", st.Name, len(st.Payload))
		}
		total += len(part.Statements)
	}
	if want := bytes.Count(doc, []byte(`"vulnerability"`)); total != want {
		t.Errorf("%d statements, not %d", total, want)
	}
	follows(t, EvidenceSchema(), all[0].Predicate, "schemaVersion")

	out, err := quick(s, both...).Publish(t.Context(), b.subject, all)
	if err != nil || len(out.Receipts) != 2*len(all) {
		t.Fatalf("%d receipts, %v", len(out.Receipts), err)
	}
	if got := Commands(out, "k", ""); len(got) != 3 {
		t.Errorf("%d commands: %q", len(got), got)
	}
	v := verified(t, b, s, nil)
	joined, err := v.OpenVEX()
	if !v.Verified || err != nil || !bytes.Equal(joined, doc) || !bytes.Equal(v.Joined, doc) || len(v.Others) != 0 {
		t.Errorf("%v, %v, %d bytes of %d", v.Reasons, err, len(joined), len(doc))
	}
	data, err := v.JSON()
	if err != nil {
		t.Fatal(err)
	}
	follows(t, VerificationSchema(), data, "verified")

	// Attested whole again, the parts are gone.
	_, whole := b.split(t, 450_000, MaxStatement)
	if _, err := quick(s, both...).Publish(t.Context(), b.subject, whole); err != nil {
		t.Fatal(err)
	}
	if v := verified(t, b, s, nil); !v.Verified || len(v.Attestations) != 3 || v.Joined != nil {
		t.Errorf("%v, %d attestations", v.Reasons, len(v.Attestations))
	}
}

// A part that is missing, or evidence that names parts which do not make the
// document, is not verified.
func TestPartsThatAreNoDocument(t *testing.T) {
	forge := func(change func(*Evidence)) func(*bed, []Statement) []Statement {
		return func(b *bed, all []Statement) []Statement {
			e, err := readEvidence(all[0].Predicate)
			if err != nil {
				t.Fatal(err)
			}
			change(&e)
			data, err := json.Marshal(e)
			if err != nil {
				t.Fatal(err)
			}
			own, err := newStatement("evidence", TypeEvidence, b.subject, data)
			if err != nil {
				t.Fatal(err)
			}
			return append([]Statement{own}, all[1:]...)
		}
	}
	for name, c := range map[string]struct {
		change func(*bed, []Statement) []Statement
		reason string
	}{
		"a part is missing":     {func(_ *bed, all []Statement) []Statement { return all[:len(all)-1] }, "is not attested"},
		"a part is not named":   {forge(func(e *Evidence) { e.Documents = e.Documents[1:] }), "all parts"},
		"two are the same part": {forge(func(e *Evidence) { e.Documents[1] = e.Documents[0] }), "all parts"},
		"in another order":      {forge(func(e *Evidence) { e.Documents[0].Part, e.Documents[1].Part = 2, 1 }), "do not make"},
		"of another whole": {forge(func(e *Evidence) {
			for i := range e.Documents {
				e.Documents[i].SHA256 = strings.Repeat("0", 64)
			}
		}), "do not make"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBed(t, true, nil)
			s := signer(t, newKey(t))
			_, all := b.split(t, 250_000, 100_000)
			if _, err := quick(s, LayoutBundle).Publish(t.Context(), b.subject, c.change(b, all)); err != nil {
				t.Fatal(err)
			}
			v := verified(t, b, s, nil)
			if v.Verified || !strings.Contains(strings.Join(v.Reasons, ";"), c.reason) {
				t.Errorf("%t, %v", v.Verified, v.Reasons)
			}
			if _, err := v.OpenVEX(); err == nil {
				t.Error("it is read all the same")
			}
		})
	}
}

// What cannot be split is an error that says so.
func TestWhatCannotBeSplit(t *testing.T) {
	rec, j := recorded(t, "example.com/app", digestA)
	whole := string(largeVEX(100_000))
	one := strings.Replace(string(largeVEX(1000)), "a <b>", strings.Repeat("a", 100_000), 1)
	for name, doc := range map[string]string{
		"one large statement": one, "no statements": `{"x":"` + strings.Repeat("x", 100_000) + `"}`,
		"statements first": `{"statements":[],` + whole[1:len(whole)-2] + `,"z":1}`, "no id": strings.Replace(whole, `"@id":"https://github`, `"id":"https://github`, 1),
	} {
		_, err := Statements(rec, j, "pass", []Document{{"openvex", "vex.openvex.json", TypeOpenVEX, []byte(doc)}}, 70_000)
		if err == nil || name == "one large statement" && (!errors.Is(err, ErrTooLarge) || fault.HintOf(err) == "") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A log, or a registry, that refuses a statement for its size is told as such,
// however it refuses: with a status, or by hanging up as the public log does.
func TestServicesThatTakeLess(t *testing.T) {
	const most = 600_000 // bytes of a request
	hangUp := func(w http.ResponseWriter) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err == nil {
			conn.Close()
		}
	}
	for name, refuse := range map[string]func(http.ResponseWriter){
		"413":      func(w http.ResponseWriter) { w.WriteHeader(http.StatusRequestEntityTooLarge) },
		"502":      func(w http.ResponseWriter) { w.WriteHeader(http.StatusBadGateway) },
		"hangs up": hangUp,
	} {
		t.Run("log "+name, func(t *testing.T) {
			t.Parallel()
			i, b := newInstance(t, false), newBed(t, true, nil)
			i.Spoil = func(w http.ResponseWriter, req *http.Request) bool {
				if !strings.HasPrefix(req.URL.Path, "/api/v1") || req.ContentLength <= most && req.ContentLength >= 0 {
					return false
				}
				io.CopyN(io.Discard, req.Body, most)
				refuse(w)
				return true
			}
			s := i.signer(t)
			if s.Limit() != LogLimit {
				t.Errorf("the limit is %d", s.Limit())
			}
			_, all := b.split(t, 550_000, s.Limit())
			begin := time.Now()
			out, err := quick(s, both...).Publish(t.Context(), b.subject, all)
			if !errors.Is(err, ErrTooLarge) || fault.CodeOf(t.Context(), err) != fault.Attest || !strings.Contains(fault.HintOf(err), "attestation-limit") || len(out.Receipts) != 0 {
				t.Errorf("%v (%s)", err, fault.HintOf(err))
			}
			if took := time.Since(begin); took > 30*time.Second {
				t.Errorf("it took %s", took)
			}
			_, all = b.split(t, 550_000, 300_000)
			if out, err = quick(s, both...).Publish(t.Context(), b.subject, all); err != nil || len(out.Receipts) != 2*len(all) {
				t.Errorf("in smaller parts: %v", err)
			}
		})
	}
	t.Run("registry", func(t *testing.T) {
		t.Parallel()
		b := newBed(t, true, func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
				if body, err := io.ReadAll(io.LimitReader(req.Body, most+1)); err != nil || len(body) > most {
					w.WriteHeader(http.StatusRequestEntityTooLarge)
					return
				} else {
					req.Body = io.NopCloser(bytes.NewReader(body))
				}
				h.ServeHTTP(w, req)
			})
		})
		s := signer(t, newKey(t))
		if s.Limit() != MaxStatement {
			t.Errorf("the limit is %d", s.Limit())
		}
		_, all := b.split(t, 550_000, s.Limit())
		if _, err := quick(s, both...).Publish(t.Context(), b.subject, all); !errors.Is(err, ErrTooLarge) || !strings.Contains(fault.HintOf(err), "attestation-limit") {
			t.Errorf("%v (%s)", err, fault.HintOf(err))
		}
		_, all = b.split(t, 550_000, 300_000)
		if _, err := quick(s, both...).Publish(t.Context(), b.subject, all); err != nil {
			t.Error(err)
		}
	})
	// A log that is down is not taken for one that takes less, and small
	// statements are none that are too large.
	i, b := newInstance(t, false), newBed(t, true, nil)
	i.Spoil = func(w http.ResponseWriter, req *http.Request) bool {
		if strings.HasPrefix(req.URL.Path, "/api/v1") {
			w.WriteHeader(http.StatusBadGateway)
			return true
		}
		return false
	}
	if _, err := quick(i.signer(t), both...).Publish(t.Context(), b.subject, b.statements(t, "x")); err == nil || errors.Is(err, ErrTooLarge) {
		t.Errorf("a log that is down: %v", err)
	}
}

// What is said of one vulnerability is in one part: a reader of another part
// alone would take half of it for all.
func TestPartsKeepVulnerabilitiesTogether(t *testing.T) {
	statement := func(cve, product int) string {
		return fmt.Sprintf(`{"vulnerability":{"name":"CVE-2026-%06d"},"products":[{"@id":"pkg:oci/app@sha256:1","subcomponents":[{"@id":"pkg:deb/debian/p%d@1"}]}],"status":"affected","action_statement":%q}`,
			cve, product, strings.Repeat("x", 1000))
	}
	document := func(cves, each int) []byte {
		var all []string
		for cve := range cves {
			for product := range each {
				all = append(all, statement(cve, product))
			}
		}
		return []byte(`{"@context":"https://openvex.dev/ns/v0.2.0","@id":"https://github.com/vexxy/action/vex/run/sha256:1","author":"vexxy","version":1,"statements":[` +
			"\n" + strings.Join(all, ",\n") + "\n]}\n")
	}
	b := newBed(t, true, nil)
	split := func(data []byte, limit int) ([]Statement, error) {
		return parts(Document{"openvex", "vex.openvex.json", TypeOpenVEX, data}, b.subject, limit)
	}
	got, err := split(document(40, 7), 64<<10)
	if err != nil || len(got) < 4 {
		t.Fatalf("%d parts, %v", len(got), err)
	}
	in := map[string]int{}
	for i, part := range got {
		for cve := range 40 {
			name := fmt.Sprintf("CVE-2026-%06d", cve)
			n := strings.Count(string(part.Payload), name)
			if n == 0 {
				continue
			}
			if before, found := in[name]; found || n != 7 {
				t.Errorf("%s: %d statements in part %d, and some in %d", name, n, i, before)
			}
			in[name] = i
		}
	}
	if len(in) != 40 {
		t.Errorf("%d vulnerabilities are left", len(in))
	}
	if _, err := split(document(1, 100), 64<<10); !errors.Is(err, ErrTooLarge) {
		t.Errorf("one vulnerability that fits into no part: %v", err)
	}
	if _, err := split(document(maxParts*12, 5), 64<<10); !errors.Is(err, ErrTooLarge) {
		t.Errorf("more parts than there may be: %v", err)
	}
}
