package attest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/vexxy/action/internal/fault"
)

// sbomOf gives the statements of a run with an SBOM, whose own has so many bytes.
func sbomOf(t *testing.T, b *bed, size, limit int) []Statement {
	t.Helper()
	rec, j := recorded(t, b.subject.Repository, b.subject.ManifestDigest)
	for pad := 0; ; {
		all, err := Statements(rec, j, "pass", []Document{
			{"sbom", "sbom.runtime.cdx.json", TypeCycloneDX, fmt.Appendf(nil, `{"bomFormat":"CycloneDX","x":%q}`, strings.Repeat("x", pad))},
		}, limit)
		if err != nil {
			t.Fatal(err)
		}
		if pad > 0 || len(all) == 1 {
			return all
		}
		pad = size - len(all[1].Payload)
	}
}

// The largest statement is attested whole and read again; one of a byte more is
// not written at all.
func TestLargestStatement(t *testing.T) {
	b := newBed(t, true, nil)
	s := signer(t, newKey(t))
	if all := sbomOf(t, b, MaxStatement+1, MaxStatement); len(all) != 1 {
		t.Errorf("beyond: %d statements, the last of %d bytes", len(all), len(all[1].Payload))
	}
	all := sbomOf(t, b, MaxStatement, MaxStatement)
	if len(all) != 2 || len(all[1].Payload) != MaxStatement {
		t.Fatalf("%d statements", len(all))
	}
	out, err := quick(s, LayoutBundle).Publish(t.Context(), b.subject, all)
	if err != nil || len(out.Receipts) != 2 || len(out.Bundles["sbom"]) > maxBundle {
		t.Fatalf("%d receipts, a bundle of %d bytes, %v", len(out.Receipts), len(out.Bundles["sbom"]), err)
	}
	// Certificate, log entry and time stamp fit beside it, too.
	i := newInstance(t, true)
	small := b.statements(t, "x")[:1]
	if out, err = quick(i.signer(t), both...).Publish(t.Context(), b.subject, small); err != nil {
		t.Fatal(err)
	}
	if around := len(out.Bundles["evidence"]) - (len(small[0].Payload)+2)/3*4; around > maxBundle-MaxStatement/3*4 {
		t.Errorf("%d bytes around a statement", around)
	}
}

// What a limit allows is attested in one piece, and a byte more in parts.
func TestStatementsAtALimit(t *testing.T) {
	b := newBed(t, true, nil)
	doc := largeVEX(200_000)
	whole, err := newStatement("openvex", TypeOpenVEX, b.subject, doc)
	if err != nil {
		t.Fatal(err)
	}
	size := len(whole.Payload)
	for limit, pieces := range map[int]int{size + 1: 1, size: 1, size - 1: 2} {
		got, err := parts(Document{"openvex", "vex.openvex.json", TypeOpenVEX, doc}, b.subject, limit)
		if err != nil || len(got) != pieces {
			t.Errorf("a limit of %d for %d: %d pieces, %v", limit, size, len(got), err)
		}
		for _, st := range got {
			if len(st.Payload) > limit {
				t.Errorf("a limit of %d: a piece has %d bytes", limit, len(st.Payload))
			}
		}
	}
	for limit, want := range map[int]int{70_000: 2, 69_999: 1} {
		if all := sbomOf(t, b, 70_000, limit); len(all) != want {
			t.Errorf("an SBOM of 70000 by a limit of %d: %d statements", limit, len(all))
		}
	}
	// As many parts as there may be, and one more.
	for vulnerabilities, want := range map[int]error{maxParts: nil, maxParts + 1: ErrTooLarge} {
		var all []string
		for n := range vulnerabilities {
			all = append(all, fmt.Sprintf(`{"vulnerability":{"name":"CVE-2026-%06d"},"status":"affected","action_statement":%q}`, n, strings.Repeat("x", 40_000)))
		}
		data := `{"@context":"https://openvex.dev/ns/v0.2.0","@id":"https://github.com/vexxy/action/vex/run/sha256:1","statements":[` + strings.Join(all, ",") + `]}`
		if !json.Valid([]byte(data)) {
			t.Fatal("it is no document")
		}
		got, err := parts(Document{"openvex", "vex.openvex.json", TypeOpenVEX, []byte(data)}, b.subject, LeastLimit)
		if !errors.Is(err, want) || want == nil && len(got) != maxParts || want != nil && !strings.Contains(err.Error(), "101 parts, at most 100") {
			t.Errorf("%d vulnerabilities: %d parts, %v", vulnerabilities, len(got), err)
		}
	}
}

// Of one registry no more is read than is allowed in all, however many pieces it
// comes in.
func TestNoMoreIsReadThanAllowed(t *testing.T) {
	r := registry{left: 100, code: fault.Infra}
	for _, n := range []int{60, 40} {
		if got, err := r.read(t.Context(), strings.NewReader(strings.Repeat("x", n)), 60); err != nil || len(got) != n {
			t.Errorf("%d bytes, %v", len(got), err)
		}
	}
	if _, err := r.read(t.Context(), io.LimitReader(strings.NewReader("xx"), 1), 60); fault.CodeOf(t.Context(), err) != fault.Infra || !strings.Contains(err.Error(), "more than the 0 bytes") {
		t.Errorf("%v", err)
	}
}
