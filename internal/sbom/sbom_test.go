package sbom_test

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anchore/syft/syft/artifact"
	"github.com/anchore/syft/syft/format"
	syftpkg "github.com/anchore/syft/syft/pkg"
	syftsbom "github.com/anchore/syft/syft/sbom"

	"github.com/vexxy/action/internal/catalog"
	it "github.com/vexxy/action/internal/catalog/catalogtest"
	"github.com/vexxy/action/internal/evidence"
	"github.com/vexxy/action/internal/record"
	"github.com/vexxy/action/internal/sbom"
	"github.com/vexxy/action/internal/subject"
)

// shared carries one licence classifier for all tests.
var shared = sync.OnceValues(func() (context.Context, error) {
	return catalog.WithClassifier(context.Background())
})

// recorded is a record of a real catalog and the IDs of two of its packages.
func recorded(t testing.TB) (record.Record, []string) {
	t.Helper()
	site := "/usr/lib/python3/dist-packages/"
	img := it.Image(t, append(it.DebianRoot(
		it.Deb{Name: "libc6", Version: "2.36-9", Source: "glibc", Files: []it.File{
			{Path: "/usr/lib/libc.so.6"},
			{Path: "/usr/share/doc/libc6/copyright", Body: "License: GPL-2+ or MIT\n\nLicense: odd-one\n Some text\n"},
		}},
		it.Deb{Name: "zlib1g", Version: "1:1.2.13.dfsg-1", Source: "zlib", Files: []it.File{{Path: "/usr/lib/libz.so.1"}}},
		it.Deb{Name: "python3-flask", Version: "2.2.2-3", Files: []it.File{
			{Path: site + "Flask-2.2.2.dist-info/METADATA", Body: "Metadata-Version: 2.1\nName: Flask\nVersion: 2.2.2\nLicense: BSD <script>\n"},
		}},
	), it.File{Path: "/app/node_modules/lodash/package.json", Body: `{"name":"lodash","version":"4.17.20","license":"MIT"}`}))
	ctx, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	c, err := catalog.Read(ctx, img, "localhost:5000/team/app:1", t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	start := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	r := record.Record{
		Run: record.Run{ID: "run-1", Version: "1.0.0", FinishedAt: start.Add(time.Minute)},
		Subject: subject.Subject{
			Requested: "localhost:5000/team/app:1", Repository: "localhost:5000/team/app", Tag: "1",
			ManifestDigest: "sha256:" + strings.Repeat("ab", 32), ConfigDigest: "sha256:" + strings.Repeat("cd", 32),
			Platform: subject.Platform{OS: "linux", Architecture: "amd64"},
		},
		Inventory: c.Inventory,
		Evidence:  evidence.Evidence{Window: evidence.Window{Start: start, End: start.Add(42500 * time.Millisecond)}},
		SBOM:      c.SBOM,
		Digest:    "sha256:" + strings.Repeat("ef", 32),
	}
	var observed []string
	for _, p := range c.Packages {
		if p.Name == "libc6" || p.Name == "lodash" {
			observed = append(observed, p.ID)
		}
	}
	if len(c.Packages) != 5 || len(observed) != 2 {
		t.Fatalf("%d packages, %d observed", len(c.Packages), len(observed))
	}
	return r, observed
}

func documents(t testing.TB, r record.Record, observed []string) map[string][]byte {
	t.Helper()
	docs, err := sbom.Documents(r, observed)
	if err != nil {
		t.Fatal(err)
	}
	return docs
}

// decode reads a document with Syft's own decoders.
func decode(t *testing.T, doc []byte) *syftsbom.SBOM {
	t.Helper()
	model, _, _, err := format.Decode(bytes.NewReader(doc))
	if err != nil {
		t.Fatal(err)
	}
	return model
}

// Each document holds exactly its packages, as other programs read it.
func TestPackages(t *testing.T) {
	r, observed := recorded(t)
	var all, used []string
	for _, p := range r.Inventory.Packages {
		all = append(all, p.PURL)
		if slices.Contains(observed, p.ID) {
			used = append(used, p.PURL)
		}
	}
	slices.Sort(all)
	slices.Sort(used)
	docs := documents(t, r, observed)
	for name, want := range map[string][]string{sbom.SPDX: all, sbom.CycloneDX: all, sbom.RuntimeSPDX: used, sbom.RuntimeCycloneDX: used} {
		var got []string
		for p := range decode(t, docs[name]).Artifacts.Packages.Enumerate() {
			got = append(got, p.PURL)
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%s holds %q, want %q", name, got, want)
		}
	}
	if len(docs) != 4 {
		t.Errorf("%d documents", len(docs))
	}
}

// The twin keeps no relationship with a package that it left out.
func TestRuntimeRelationships(t *testing.T) {
	r, observed := recorded(t)
	docs := documents(t, r, observed)
	model := decode(t, docs[sbom.RuntimeSPDX])
	for _, rel := range model.Relationships {
		for _, end := range []artifact.Identifiable{rel.From, rel.To} {
			if p, ok := end.(syftpkg.Package); ok && model.Artifacts.Packages.Package(p.ID()) == nil {
				t.Errorf("relationship %s with %s, which is not in the document", rel.Type, p.Name)
			}
		}
	}
	for _, gone := range []string{"zlib1g", "Flask-2.2.2", "python3-flask"} {
		for _, name := range []string{sbom.RuntimeSPDX, sbom.RuntimeCycloneDX} {
			if bytes.Contains(docs[name], []byte(gone)) {
				t.Errorf("%s mentions %s", name, gone)
			}
		}
		if !bytes.Contains(docs[sbom.SPDX], []byte(gone)) {
			t.Errorf("the whole document does not mention %s", gone)
		}
	}
}

// Every document says what it is, of what, and from which record.
func TestStatements(t *testing.T) {
	r, observed := recorded(t)
	r.Inventory.Incomplete = "a test says so"
	seen := map[string]string{}
	for name, doc := range documents(t, r, observed) {
		var parsed struct {
			Namespace string `json:"documentNamespace"`
			Serial    string `json:"serialNumber"`
			Comment   string `json:"comment"`
			Creation  struct {
				Created string `json:"created"`
			} `json:"creationInfo"`
			Metadata struct {
				Timestamp  string `json:"timestamp"`
				Properties []struct{ Name, Value string }
			} `json:"metadata"`
		}
		if err := json.Unmarshal(doc, &parsed); err != nil {
			t.Fatal(err)
		}
		said := parsed.Comment
		for _, p := range parsed.Metadata.Properties {
			said += p.Name + "=" + p.Value + "; "
		}
		for _, want := range []string{"vexxy:run-id=run-1", "vexxy:record-digest=" + r.Digest, "vexxy:incomplete=a test says so"} {
			if !strings.Contains(said, want) {
				t.Errorf("%s does not say %s: %s", name, want, said)
			}
		}
		if runtime := strings.Contains(name, "runtime"); runtime != strings.Contains(said, "vexxy:window-seconds=42.5") ||
			runtime != strings.Contains(said, "vexxy:runtime-filtered=true") {
			t.Errorf("%s says of its scope: %s", name, said)
		}
		if got := parsed.Creation.Created + parsed.Metadata.Timestamp; got != "2026-11-23T10:01:00Z" {
			t.Errorf("%s was made at %q", name, got)
		}
		id := parsed.Namespace + parsed.Serial
		if other, ok := seen[id]; ok || id == "" {
			t.Errorf("%s and %s have the identity %q", name, other, id)
		}
		seen[id] = name
		if !bytes.Contains(doc, []byte("pkg:oci/app@sha256%3A"+strings.Repeat("ab", 32))) || !bytes.Contains(doc, []byte("localhost:5000/team/app")) {
			t.Errorf("%s does not name the image", name)
		}
	}
}

// An image that no registry has gets no package URL of its own.
func TestLocalImage(t *testing.T) {
	r, observed := recorded(t)
	r.Subject.ManifestDigest, r.Subject.Repository = "", ""
	for name, doc := range documents(t, r, observed) {
		if bytes.Contains(doc, []byte("pkg:oci/")) {
			t.Errorf("%s has a package URL for the image", name)
		}
		if !bytes.Contains(doc, []byte(r.Subject.ConfigDigest)) {
			t.Errorf("%s does not name the image's configuration", name)
		}
	}
}

// The same record gives the same bytes, another record another identity.
func TestDeterminism(t *testing.T) {
	r, observed := recorded(t)
	first := documents(t, r, observed)
	reversed := slices.Clone(observed)
	slices.Reverse(reversed)
	for range 10 {
		for name, doc := range documents(t, r, reversed) {
			if !bytes.Equal(doc, first[name]) {
				t.Fatalf("%s differs from the first", name)
			}
		}
	}
	r.Digest = "sha256:" + strings.Repeat("00", 32)
	for name, doc := range documents(t, r, observed) {
		if bytes.Equal(doc, first[name]) {
			t.Errorf("%s does not depend on the record's digest", name)
		}
	}
}

func TestBadInput(t *testing.T) {
	r, _ := recorded(t)
	if _, err := sbom.Documents(r, []string{"0123456789abcdef"}); err == nil {
		t.Error("an observed package that the SBOM does not hold is no error")
	}
	r.SBOM = []byte("{}")
	if _, err := sbom.Documents(r, nil); err == nil {
		t.Error("an SBOM that is none is no error")
	}
}

func BenchmarkDocuments(b *testing.B) {
	r, observed := recorded(b)
	for b.Loop() {
		documents(b, r, observed)
	}
}
