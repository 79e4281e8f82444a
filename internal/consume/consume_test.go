package consume_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/vexxy/action/internal/consume"
	"github.com/vexxy/action/internal/evidence"
	"github.com/vexxy/action/internal/inventory"
	"github.com/vexxy/action/internal/judge"
	"github.com/vexxy/action/internal/judge/judgetest"
	"github.com/vexxy/action/internal/record"
	"github.com/vexxy/action/internal/vexdoc"
)

const cve = "CVE-2026-1"

// check judges, writes and reads back a record, and gives the findings that
// every consumer hides.
func check(t *testing.T, r record.Record) (consume.Result, []byte) {
	t.Helper()
	j := judge.Judge(r)
	doc, err := vexdoc.Build(r, j)
	if err != nil {
		t.Fatal(err)
	}
	got, err := consume.Check(t.Context(), doc, r, j)
	if err != nil {
		t.Fatal(err)
	}
	if !got.OK {
		t.Errorf("%s\n%s", got, doc)
	}
	return got, doc
}

func hidden(packages ...string) []consume.Finding {
	out := []consume.Finding{}
	for _, p := range packages {
		out = append(out, consume.Finding{Vulnerability: cve, PackageID: p})
	}
	return out
}

func TestConsumers(t *testing.T) {
	deb := judgetest.Deb
	purl := func(p inventory.Package, purl string) inventory.Package {
		p.PURL = purl
		return p
	}
	rows := []struct {
		name   string
		fill   func(*record.Record)
		hidden []consume.Finding
	}{
		{"one used, one not", func(r *record.Record) {
			judgetest.AddPackage(r, deb("a", "a", "/a"), cve)
			judgetest.AddPackage(r, deb("b", "b", "/b"), cve)
			judgetest.Observe(r, "/a", evidence.Exec)
		}, hidden("deb-b")},
		{"a package without URL matches every statement on its vulnerability: none may clear it", func(r *record.Record) {
			judgetest.AddPackage(r, deb("a", "a", "/a"), cve)
			judgetest.AddPackage(r, purl(deb("b", "b", "/b"), ""), cve)
		}, hidden()},
		{"the same under another of its identifiers", func(r *record.Record) {
			judgetest.AddPackage(r, deb("a", "a", "/a"), cve)
			b := purl(deb("b", "b", "/b"), "")
			judgetest.AddPackage(r, b)
			judgetest.AddFinding(r, inventory.Finding{ID: "GHSA-1", Aliases: []string{cve}, PackageID: b.ID})
		}, hidden()},
		{"a package that is not in the inventory", func(r *record.Record) {
			judgetest.AddPackage(r, deb("a", "a", "/a"), cve)
			judgetest.AddFinding(r, inventory.Finding{ID: cve, PackageID: "gone"})
		}, hidden()},
		{"a package without version never clears another version", func(r *record.Record) {
			judgetest.AddPackage(r, deb("a", "a", "/a"), cve)
			judgetest.AddPackage(r, purl(deb("b", "b", "/b"), "pkg:deb/debian/a"), cve)
			judgetest.Observe(r, "/a", evidence.Exec)
		}, hidden()},
		{"a URL that cannot be read", func(r *record.Record) {
			judgetest.AddPackage(r, deb("a", "a", "/a"), cve)
			judgetest.AddPackage(r, purl(deb("b", "b", "/b"), "pkg:deb/%zz@1"), cve)
		}, hidden("deb-a")},
		{"the same URL with other qualifiers, one used", func(r *record.Record) {
			judgetest.AddPackage(r, purl(deb("a", "a", "/a"), "pkg:deb/debian/x@1?arch=amd64"), cve)
			judgetest.AddPackage(r, purl(deb("b", "b", "/b"), "pkg:deb/debian/x@1?arch=i386"), cve)
			judgetest.Observe(r, "/a", evidence.Exec)
		}, hidden()},
		{"the same URL with another subpath, which go-vex does not look at", func(r *record.Record) {
			judgetest.AddPackage(r, purl(deb("a", "", "/a"), "pkg:golang/x/y@v1#sub"), cve)
			judgetest.AddPackage(r, purl(deb("b", "", "/b"), "pkg:golang/x/y@v1#other"), cve)
			judgetest.Observe(r, "/a", evidence.Exec)
		}, hidden()},
		{"spellings that go-vex takes for one", func(r *record.Record) {
			judgetest.AddPackage(r, purl(deb("a", "", "/a"), "pkg:pypi/My_Package@1"), cve)
			judgetest.AddPackage(r, purl(deb("b", "", "/b"), "pkg:pypi/my-package@1"), cve)
			judgetest.Observe(r, "/a", evidence.Exec)
		}, hidden()},
		{"both spellings of Go's standard library", func(r *record.Record) {
			judgetest.AddPackage(r, purl(deb("a", "", "/a"), "pkg:golang/stdlib@1.22.1"), cve)
			judgetest.AddPackage(r, purl(deb("b", "", "/b"), "pkg:golang/stdlib@v1.22.1"), cve)
		}, hidden("deb-a", "deb-b")},
		{"both spellings of Go's standard library, one used", func(r *record.Record) {
			judgetest.AddPackage(r, purl(deb("a", "", "/a"), "pkg:golang/stdlib@1.22.1"), cve)
			judgetest.AddPackage(r, purl(deb("b", "", "/b"), "pkg:golang/stdlib@v1.22.1"), cve)
			judgetest.Observe(r, "/b", evidence.Exec)
		}, hidden()},
		{"a binary package with its source's name, another of the source without code", func(r *record.Record) {
			judgetest.AddPackage(r, deb("src", "src", "/a"), cve)
			judgetest.AddPackage(r, deb("libsrc", "src", "/usr/share/doc/libsrc/copyright"), cve)
		}, hidden("deb-src")},
		{"a binary package with the name of another's source, which was used", func(r *record.Record) {
			judgetest.AddPackage(r, deb("src", "other", "/a"), cve)
			judgetest.AddPackage(r, deb("libsrc", "src", "/b"), cve)
			judgetest.Observe(r, "/b", evidence.Map)
		}, hidden()},
		{"a binary package with the name of another's source, which has no list of files", func(r *record.Record) {
			judgetest.AddPackage(r, deb("src", "other", "/a"), cve)
			judgetest.AddPackage(r, deb("libsrc", "src"), cve)
		}, hidden()},
		{"a name with characters that are escaped", func(r *record.Record) {
			judgetest.AddPackage(r, purl(deb("a", "", "/a"), "pkg:deb/debian/libstdc%2B%2B6@1%3A12.2%2Bdfsg-1~deb12?arch=amd64"), cve)
			judgetest.AddPackage(r, purl(deb("b", "", "/b"), "pkg:npm/%40scope/name@1.0"), cve)
			judgetest.AddPackage(r, purl(deb("c", "", "/c"), "pkg:deb/debian/libstdc++6@1:12.2+dfsg-2~deb12"), cve)
		}, hidden("deb-a", "deb-b", "deb-c")},
		{"an epoch, which Trivy has in a qualifier", func(r *record.Record) {
			judgetest.AddPackage(r, purl(deb("a", "", "/a"), "pkg:deb/debian/a@1:1.2-3?arch=amd64"), cve)
			judgetest.AddPackage(r, purl(deb("b", "", "/b"), "pkg:deb/debian/b@2%3A1.2-3?arch=amd64"), cve)
			judgetest.Observe(r, "/b", evidence.Exec)
		}, hidden("deb-a")},
		{"packages that Trivy knows by one name", func(r *record.Record) {
			judgetest.AddPackage(r, purl(deb("a", "", "/a"), "pkg:deb/debian/x@1:1.2"), cve)
			judgetest.AddPackage(r, purl(deb("b", "", "/b"), "pkg:deb/debian/x@1.2"), cve)
			judgetest.AddPackage(r, purl(deb("c", "", "/c"), "pkg:deb/debian/x@2:1.2"), cve)
		}, hidden("deb-a", "deb-b", "deb-c")},
		{"packages that Trivy knows by one name, the one without an epoch used", func(r *record.Record) {
			judgetest.AddPackage(r, purl(deb("a", "", "/a"), "pkg:deb/debian/x@1:1.2"), cve)
			judgetest.AddPackage(r, purl(deb("b", "", "/b"), "pkg:deb/debian/x@1.2"), cve)
			judgetest.Observe(r, "/b", evidence.Exec)
		}, hidden()},
		{"packages that Trivy knows by one name, one with an epoch used", func(r *record.Record) {
			judgetest.AddPackage(r, purl(deb("a", "", "/a"), "pkg:deb/debian/x@1:1.2"), cve)
			judgetest.AddPackage(r, purl(deb("b", "", "/b"), "pkg:deb/debian/x@2:1.2"), cve)
			judgetest.AddPackage(r, purl(deb("c", "", "/c"), "pkg:deb/debian/x@1.2"), cve)
			judgetest.Observe(r, "/b", evidence.Exec)
		}, hidden()},
		{"a package that Trivy knows by the name of another's source, which was used", func(r *record.Record) {
			judgetest.AddPackage(r, purl(deb("src", "other", "/a"), "pkg:deb/debian/src@1:1.2-3"), cve)
			judgetest.AddPackage(r, deb("libsrc", "src", "/b"), cve)
			judgetest.Observe(r, "/b", evidence.Map)
		}, hidden()},
		{"an npm package that Trivy knows by the name of another, which was used", func(r *record.Record) {
			judgetest.AddPackage(r, purl(deb("a", "", "/a"), "pkg:npm/JSONStream@1.0.3"), cve)
			judgetest.AddPackage(r, purl(deb("b", "", "/b"), "pkg:npm/jsonstream@1.0.3"), cve)
			judgetest.Observe(r, "/a", evidence.Map)
		}, hidden()},
		{"an npm package with a name in capitals", func(r *record.Record) {
			judgetest.AddPackage(r, purl(deb("a", "", "/a"), "pkg:npm/JSONStream@1.0.3"), cve)
		}, hidden("deb-a")},
		{"an empty revision, which Trivy leaves out", func(r *record.Record) {
			judgetest.AddPackage(r, purl(deb("a", "", "/a"), "pkg:deb/debian/x@1.2-"), cve)
			judgetest.AddPackage(r, purl(deb("b", "", "/b"), "pkg:deb/debian/x@1.2"), cve)
			judgetest.Observe(r, "/a", evidence.Map)
		}, hidden()},
		{"distributions of RPM packages that have another name with Trivy", func(r *record.Record) {
			judgetest.AddPackage(r, purl(deb("a", "", "/a"), "pkg:rpm/almalinux/a@1.2?arch=x86_64&epoch=1"), cve)
			judgetest.AddPackage(r, purl(deb("b", "", "/b"), "pkg:rpm/sles/b@1.2?arch=x86_64"), cve)
			judgetest.AddPackage(r, purl(deb("c", "", "/c"), "pkg:rpm/redhat/c@1.2"), cve)
			judgetest.AddPackage(r, purl(deb("d", "", "/d"), "pkg:rpm/ol/d@1.2"), cve)
			judgetest.Observe(r, "/d", evidence.Map)
		}, hidden("deb-a", "deb-b", "deb-c")},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			published := judgetest.Good()
			row.fill(&published)
			local := published
			local.Subject.IndexDigest, local.Subject.ManifestDigest = "", ""
			for _, r := range []record.Record{published, local} {
				got, doc := check(t, r)
				hidden := row.hidden
				if r.Subject.Local() && len(hidden) < len(r.Inventory.Findings) {
					hidden = []consume.Finding{} // all of a vulnerability or nothing
				}
				for _, reading := range got.Readings {
					if !slices.Equal(reading.Suppressed, hidden) {
						t.Errorf("%s of %s hides %v, want %v\n%s", reading.Consumer, reading.Image, reading.Suppressed, hidden, doc)
					}
				}
				if want := map[bool]int{false: 4, true: 2}[r.Subject.Local()]; len(got.Readings) != want {
					t.Errorf("%d readings, want %d", len(got.Readings), want)
				}
			}
		})
	}
}

// One vulnerability under two identifiers in one package is one statement,
// which hides both findings.
func TestAliasesAreOneStatement(t *testing.T) {
	r := judgetest.Good()
	p := judgetest.Deb("a", "a", "/a")
	judgetest.AddPackage(&r, p, cve)
	judgetest.AddFinding(&r, inventory.Finding{ID: "GHSA-1", Aliases: []string{cve}, PackageID: p.ID})
	judgetest.AddFinding(&r, inventory.Finding{ID: "PYSEC-1", Aliases: []string{"GHSA-1"}, PackageID: p.ID})
	got, doc := check(t, r)
	if len(got.Intended) != 3 || bytes.Count(doc, []byte(`"vulnerability"`)) != 1 {
		t.Errorf("intended %v\n%s", got.Intended, doc)
	}
	if !bytes.Contains(doc, []byte(`{"name":"CVE-2026-1","aliases":["GHSA-1","PYSEC-1"]}`)) {
		t.Errorf("vulnerability:\n%s", doc)
	}
}

// An advisory on several CVEs does not make them one.
func TestAdvisoryOnSeveralVulnerabilities(t *testing.T) {
	r := judgetest.Good()
	p := judgetest.Deb("a", "a", "/a")
	judgetest.AddPackage(&r, p, cve, "CVE-2026-2")
	judgetest.AddFinding(&r, inventory.Finding{ID: "DSA-1", Aliases: []string{cve, "CVE-2026-2"}, PackageID: p.ID})
	got, doc := check(t, r)
	if len(got.Intended) != 3 || bytes.Count(doc, []byte(`"vulnerability"`)) != 3 || bytes.Contains(doc, []byte("aliases")) {
		t.Errorf("intended %v\n%s", got.Intended, doc)
	}
}

// The check can fail: documents that hide too much or too little are found.
func TestCheckFindsBadDocuments(t *testing.T) {
	r := judgetest.Good()
	judgetest.AddPackage(&r, judgetest.Deb("a", "a", "/a"), cve)
	judgetest.AddPackage(&r, judgetest.Deb("b", "b", "/b"), cve)
	judgetest.Observe(&r, "/a", evidence.Exec)
	j := judge.Judge(r)
	good, err := vexdoc.Build(r, j)
	if err != nil {
		t.Fatal(err)
	}
	rows := []struct{ name, old, new, want string }{
		{"the whole image", `,"subcomponents":[{"@id":"pkg:deb/debian/b@1.2-3"}]`, "", "would hide 1 findings"},
		{"another image", judgetest.Digest("a"), judgetest.Digest("0"), "would show 1 findings"},
		{"another version", "pkg:deb/debian/b@1.2-3", "pkg:deb/debian/b@1.2-4", "would show 1 findings"},
		{"qualifiers that consumers lack", "pkg:deb/debian/b@1.2-3", "pkg:deb/debian/b@1.2-3?distro=debian-13", "would show 1 findings"},
		{"another vulnerability", `"name":"CVE-2026-1"`, `"name":"CVE-2026-11"`, "would show 1 findings"},
	}
	for _, row := range rows {
		doc := strings.ReplaceAll(string(good), row.old, row.new)
		if doc == string(good) {
			t.Fatalf("%s: nothing was replaced", row.name)
		}
		got, err := consume.Check(t.Context(), []byte(doc), r, j)
		if err != nil || got.OK || !strings.Contains(got.String(), row.want) {
			t.Errorf("%s: %v, %s, want %q", row.name, err, got, row.want)
		}
	}
	if _, err := consume.Check(t.Context(), []byte("{"), r, j); err == nil {
		t.Error("half a document is read")
	}
}

// The check writes nothing to the disk: there is nothing to take away when the
// program is killed in the middle of it.
func TestCheckNeedsNoDisk(t *testing.T) {
	t.Setenv("TMPDIR", "/nowhere")
	r := judgetest.Good()
	judgetest.AddPackage(&r, judgetest.Deb("a", "a", "/a"), cve)
	if got, _ := check(t, r); len(got.Intended) != 1 {
		t.Errorf("intended %v", got.Intended)
	}
}

// A judgement that speaks twice or never of a finding is found.
func TestCheckFindsUndecidedFindings(t *testing.T) {
	r := judgetest.Good()
	judgetest.AddPackage(&r, judgetest.Deb("a", "a", "/a"), cve)
	j := judge.Judge(r)
	doc, err := vexdoc.Build(r, j)
	if err != nil {
		t.Fatal(err)
	}
	for name, assessments := range map[string][]judge.Assessment{"never": nil, "twice": append(j.Assessments, j.Assessments...)} {
		bad := j
		bad.Assessments = assessments
		got, err := consume.Check(t.Context(), doc, r, bad)
		if err != nil || got.OK || len(got.Undecided) != 1 {
			t.Errorf("%s: %v, %s", name, err, got)
		}
	}
}
