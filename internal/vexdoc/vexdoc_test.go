package vexdoc_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/openvex/go-vex/pkg/vex"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/vexxy/action/internal/evidence"
	"github.com/vexxy/action/internal/inventory"
	"github.com/vexxy/action/internal/judge"
	"github.com/vexxy/action/internal/judge/judgetest"
	"github.com/vexxy/action/internal/record"
	"github.com/vexxy/action/internal/vexdoc"
)

// sample has every status, an alias, a vulnerability of mixed status, a
// package without URL and one in an archive.
func sample() record.Record {
	r := judgetest.Good()
	judgetest.AddPackage(&r, judgetest.Deb("libused", "used", "/usr/lib/used.so"), "CVE-2026-1")
	judgetest.AddPackage(&r, judgetest.Deb("libidle", "idle", "/usr/lib/idle.so"), "CVE-2026-1", "CVE-2026-2")
	judgetest.AddPackage(&r, judgetest.Deb("libidle2", "idle", "/usr/lib/idle2.so"), "CVE-2026-2")
	judgetest.AddPackage(&r, judgetest.Deb("empty", "empty"), "CVE-2026-3")
	fixed := judgetest.Deb("mended", "mended", "/usr/lib/mended.so")
	judgetest.AddPackage(&r, fixed)
	judgetest.AddFinding(&r, inventory.Finding{ID: "GHSA-x", Aliases: []string{"CVE-2026-4"}, PackageID: fixed.ID, FixState: "fixed", FixVersions: []string{fixed.Version}})
	nameless := judgetest.Deb("nameless", "", "/usr/lib/n.so")
	nameless.PURL = ""
	judgetest.AddPackage(&r, nameless, "CVE-2026-5")
	judgetest.Observe(&r, "/usr/lib/used.so", evidence.Map)
	return r
}

func local(r record.Record) record.Record {
	r.Subject.IndexDigest, r.Subject.ManifestDigest, r.Subject.Repository = "", "", ""
	return r
}

func build(t *testing.T, r record.Record) ([]byte, *vex.VEX) {
	t.Helper()
	data, err := vexdoc.Build(r, judge.Judge(r))
	if err != nil {
		t.Fatal(err)
	}
	doc, err := vex.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	return data, doc
}

func schema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	f, err := os.Open(filepath.FromSlash("../../testdata/schemas/openvex-0.2.0.schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	doc, err := jsonschema.UnmarshalJSON(f)
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("openvex.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("openvex.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestDocumentMeetsSchemaAndGoVEX(t *testing.T) {
	s := schema(t)
	for name, r := range map[string]record.Record{"registry": sample(), "local": local(sample())} {
		data, doc := build(t, r)
		value, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Validate(value); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		statuses := map[vex.Status]bool{}
		for i := range doc.Statements {
			statuses[doc.Statements[i].Status] = true
			if err := doc.Statements[i].Validate(); err != nil {
				t.Errorf("%s: statement %d: %v", name, i, err)
			}
		}
		if len(statuses) != 4 {
			t.Errorf("%s: the sample shows only %v", name, statuses)
		}
	}
	// The schema is not one that takes everything.
	if err := s.Validate(map[string]any{"@context": "x"}); err == nil {
		t.Error("the schema accepts a document without statements")
	}
}

func TestProductsOfAPublishedImage(t *testing.T) {
	_, doc := build(t, sample())
	want := []string{
		"pkg:oci/app@" + judgetest.Digest("a"),
		"pkg:oci/app@" + judgetest.Digest("b"),
		"pkg:docker/registry.example/team/app@" + judgetest.Digest("a"),
	}
	for _, s := range doc.Statements {
		var got []string
		for _, p := range s.Products {
			got = append(got, p.ID)
			if len(p.Subcomponents) == 0 {
				t.Errorf("%s: product %s without subcomponents speaks of the whole image", s.Vulnerability.Name, p.ID)
			}
			for _, c := range p.Subcomponents {
				if strings.ContainsAny(c.ID, "?") || strings.HasPrefix(c.ID, "pkg:") && !strings.Contains(c.ID, "@") {
					t.Errorf("subcomponent %s has qualifiers or no version", c.ID)
				}
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("products %v, want %v", got, want)
		}
	}
	if doc.AuthorRole != "" || doc.Author != vexdoc.Author || doc.Version != 1 || !doc.Timestamp.Equal(judgetest.At(310)) {
		t.Errorf("metadata %+v", doc.Metadata)
	}
}

func TestProductNames(t *testing.T) {
	rows := []struct{ repository, oci, docker string }{
		{"index.docker.io/library/nginx", "pkg:oci/nginx@", "pkg:docker/nginx@"},
		{"docker.io/team/app", "pkg:oci/app@", "pkg:docker/team/app@"},
		{"localhost:5000/Team/app", "pkg:oci/app@", "pkg:docker/localhost:5000/team/app@"},
		{"ghcr.io/a/b/c", "pkg:oci/c@", "pkg:docker/ghcr.io/a/b/c@"},
	}
	for _, row := range rows {
		s := sample().Subject
		s.Repository, s.IndexDigest = row.repository, ""
		got, err := vexdoc.Products(s)
		want := []string{row.oci + judgetest.Digest("b"), row.docker + judgetest.Digest("b")}
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v %v, want %v", row.repository, got, err, want)
		}
	}
	s := sample().Subject
	s.IndexDigest = "sha256:no digest"
	if got, err := vexdoc.Products(s); err == nil {
		t.Errorf("products of what is no digest: %v", got)
	}
	s = sample().Subject
	s.Repository = ""
	if got, err := vexdoc.Products(s); err == nil {
		t.Errorf("products without a repository: %v", got)
	}
}

func TestLocalVariantIsMarked(t *testing.T) {
	data, doc := build(t, local(sample()))
	if doc.AuthorRole != vexdoc.LocalRole {
		t.Errorf("role %q", doc.AuthorRole)
	}
	if bytes.Contains(data, []byte("pkg:oci")) || bytes.Contains(data, []byte("subcomponents")) {
		t.Errorf("the document names an image that nobody published:\n%s", data)
	}
}

func TestStatementsAreGrouped(t *testing.T) {
	_, doc := build(t, sample())
	var parts []string
	for _, s := range doc.StatementsByVulnerability("CVE-2026-2") {
		for _, c := range s.Products[0].Subcomponents {
			parts = append(parts, c.ID)
		}
	}
	if n := len(doc.StatementsByVulnerability("CVE-2026-2")); n != 1 {
		t.Errorf("%d statements on one vulnerability of one status and text, want 1", n)
	}
	// The shared source is named once.
	want := []string{"pkg:deb/debian/idle@1.2-3", "pkg:deb/debian/libidle2@1.2-3", "pkg:deb/debian/libidle@1.2-3"}
	if slices.Sort(parts); !slices.Equal(parts, want) {
		t.Errorf("subcomponents %v, want %v", parts, want)
	}
}

func TestWorseStatementIsOlder(t *testing.T) {
	_, doc := build(t, sample())
	times := map[vex.Status]time.Time{}
	for _, s := range doc.StatementsByVulnerability("CVE-2026-1") {
		at := *doc.Timestamp
		if s.Timestamp != nil {
			at = *s.Timestamp
		}
		times[s.Status] = at
	}
	if len(times) != 2 || !times[vex.StatusAffected].Before(times[vex.StatusNotAffected]) {
		t.Errorf("times %v", times)
	}
	for _, s := range doc.StatementsByVulnerability("CVE-2026-2") {
		if s.Timestamp != nil {
			t.Errorf("a vulnerability of one status has a time of its own: %v", s.Timestamp)
		}
	}
}

func TestTextsCarryTheirEvidence(t *testing.T) {
	_, doc := build(t, sample())
	for _, s := range doc.Statements {
		switch s.Status {
		case vex.StatusNotAffected:
			for _, want := range []string{"300 s", "test-command", "Not observed is bounded by this workload", judgetest.Digest("d"), "confidence high"} {
				if !strings.Contains(s.StatusNotes, want) {
					t.Errorf("notes %q lack %q", s.StatusNotes, want)
				}
			}
			if s.Justification != vex.VulnerableCodeNotInExecutePath {
				t.Errorf("justification %s", s.Justification)
			}
		case vex.StatusAffected:
			const want = "Upgrade to 9.9-1. Seen: /usr/lib/used.so (map) by app in startup"
			if s.ActionStatement != want {
				t.Errorf("action %q, want %q", s.ActionStatement, want)
			}
		default:
			if s.StatusNotes == "" {
				t.Errorf("%s says nothing", s.Status)
			}
		}
	}
}

func TestDocumentIsDeterministic(t *testing.T) {
	first, _ := build(t, sample())
	for range 20 {
		if again, _ := build(t, sample()); !bytes.Equal(first, again) {
			t.Fatalf("two documents of one record differ:\n%s\n%s", first, again)
		}
	}
	if !json.Valid(first) || bytes.Count(first, []byte("\n")) < 5 {
		t.Errorf("not one statement a line:\n%s", first)
	}
}

func TestNothingToState(t *testing.T) {
	r := judgetest.Good()
	if data, err := vexdoc.Build(r, judge.Judge(r)); !errors.Is(err, vexdoc.ErrEmpty) || data != nil {
		t.Errorf("%q, %v", data, err)
	}
}

// Hostile names reach the document as data and never as structure.
func TestHostileNames(t *testing.T) {
	s := schema(t)
	for i, name := range []string{"a\n::set-output name=x::y", "a\x1b[31m", "a\"},{\"@id\":\"pkg:oci/x", "<script>", "\u202egnp.exe", strings.Repeat("x", 4096), "a\x00b", "a\xff", "@everyone", "a?arch=b", "a#b", "a%40b", "../..", " "} {
		r := judgetest.Good()
		p := judgetest.Deb("p", "", "/usr/lib/"+name)
		p.Name, p.ID, p.PURL = name, "id"+name, fmt.Sprintf("pkg:deb/debian/%s@1", name)
		judgetest.AddPackage(&r, p, "CVE-2026-1")
		judgetest.Observe(&r, "/usr/lib/"+name, evidence.Open).Process = name
		r.Run.ID = name
		data, doc := build(t, r)
		value, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
		if err == nil {
			err = s.Validate(value)
		}
		if err != nil || len(doc.Statements) != 1 {
			t.Errorf("name %d: %v, %d statements\n%s", i, err, len(doc.Statements), data)
		}
		if strings.ContainsAny(doc.Statements[0].ActionStatement, "\n\x1b\u202e\x00") {
			t.Errorf("name %d reaches the text unescaped: %q", i, doc.Statements[0].ActionStatement)
		}
	}
}
