package vexdiff_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/vexxy/action/internal/evidence"
	"github.com/vexxy/action/internal/foreign/foreigntest"
	"github.com/vexxy/action/internal/inventory"
	"github.com/vexxy/action/internal/judge"
	"github.com/vexxy/action/internal/judge/judgetest"
	"github.com/vexxy/action/internal/record"
	"github.com/vexxy/action/internal/vexdiff"
)

// workload is a record of the image that the real documents are about, with
// what its profile saw in use, and with an interpreter beside it.
func workload(t testing.TB, document string) record.Record {
	t.Helper()
	r := judgetest.Good()
	ssl := judgetest.Deb("libssl3", "openssl", "/usr/lib/x86_64-linux-gnu/libssl.so.3", "/usr/lib/x86_64-linux-gnu/libcrypto.so.3")
	add(&r, ssl, "pkg:deb/debian/libssl3@3.0.22-1~deb12u2?arch=amd64&distro=debian-12&upstream=openssl", "CVE-2099-1001", "CVE-2099-1002")
	add(&r, judgetest.Deb("openssl", "openssl", "/usr/bin/openssl"), "pkg:deb/debian/openssl@3.0.22-1~deb12u2?arch=amd64&distro=debian-12", "CVE-2099-1001", "CVE-2099-1002")
	add(&r, judgetest.Deb("zlib1g", "zlib", "/usr/lib/x86_64-linux-gnu/libz.so.1.2.13"), "pkg:deb/debian/zlib1g@1:1.2.13.dfsg-1?arch=amd64&distro=debian-12", "CVE-2099-2001")
	add(&r, judgetest.Deb("libexpat1", "expat", "/usr/lib/x86_64-linux-gnu/libexpat.so.1"), "pkg:deb/debian/libexpat1@2.5.0-1%2Bdeb12u5", "CVE-2099-3001")
	add(&r, judgetest.Deb("coreutils", "coreutils", "/usr/bin/ls"), "pkg:deb/debian/coreutils@9.1-1?arch=amd64", "CVE-2099-4001")
	add(&r, inventory.Package{ID: "lodash", Name: "lodash", Version: "4.17.20", Type: "npm", Location: "/app/node_modules/lodash/package.json", Files: []string{"/app/node_modules/lodash/lodash.js"}}, "pkg:npm/lodash@4.17.20")
	judgetest.AddFinding(&r, inventory.Finding{ID: "GHSA-35jh-r3h4-6jhm", Aliases: []string{"CVE-2021-23337"}, PackageID: "lodash"})
	add(&r, inventory.Package{ID: "text", Name: "golang.org/x/text", Version: "v0.3.7", Type: "go-module", Location: "/app/server"}, "pkg:golang/golang.org/x/text@v0.3.7")
	judgetest.AddFinding(&r, inventory.Finding{ID: "GHSA-69ch-w2m2-3vjp", Aliases: []string{"CVE-2022-32149"}, PackageID: "text"})
	judgetest.Observe(&r, "/usr/bin/openssl", evidence.Exec)
	judgetest.Observe(&r, "/usr/lib/x86_64-linux-gnu/libssl.so.3", evidence.Map, evidence.Open)
	judgetest.Witness(&r)
	if document != "" {
		data, err := os.ReadFile(filepath.Join("testdata", document))
		if err != nil {
			t.Fatal(err)
		}
		r.Raw = map[string][]byte{record.RawVEX: data}
	}
	return r
}

func add(r *record.Record, p inventory.Package, purl string, vulnerabilities ...string) {
	p.PURL = purl
	judgetest.AddPackage(r, p, vulnerabilities...)
}

// sensorOnly adds the use of a file that node-agent did not see.
func sensorOnly(r *record.Record, path string, kinds ...evidence.Kind) {
	judgetest.Observe(r, path, kinds...).Witnesses = []evidence.Witness{evidence.WitnessSensor}
}

func compared(r record.Record) *vexdiff.Comparison { return vexdiff.Compare(r, judge.Judge(r)) }

// find gives the reasons of the differences on one vulnerability.
func find(c *vexdiff.Comparison, vulnerability string) (all []vexdiff.Difference) {
	for _, d := range c.Differences {
		if d.Vulnerability == vulnerability {
			all = append(all, d)
		}
	}
	return all
}

func TestRealDocumentAgrees(t *testing.T) {
	c := compared(workload(t, "vex.json"))
	if c.Missing != "" || c.Statements != 9 || c.Compared != 9 || c.Same != 9 || len(c.Differences) != 0 || c.Unread+c.Swapped+c.Repeated != 0 {
		t.Errorf("comparison %+v", c)
	}
}

// What came with a later scan is not_affected for Kubescape though it is
// loaded, and stands first among the differences.
func TestRealDocumentOfALaterScan(t *testing.T) {
	r := workload(t, "vex-later-scan.json")
	for _, id := range []string{"deb-libssl3", "deb-openssl"} {
		judgetest.AddFinding(&r, inventory.Finding{ID: "CVE-2099-1003", PackageID: id})
	}
	c := compared(r)
	if c.Statements != 11 || c.Compared != 11 || c.Same != 9 || c.Swapped != 2 || c.Clears != 2 {
		t.Errorf("comparison %+v", c)
	}
	for _, d := range find(c, "CVE-2099-1003") {
		if d.Reason != vexdiff.Swapped || !d.Clears || d.Theirs != "not_affected" || d.Ours != judge.Affected {
			t.Errorf("difference %+v", d)
		}
	}
	if len(c.Tallies) != 1 || c.Tallies[0] != (vexdiff.Tally{Reason: vexdiff.Swapped, Meaning: vexdiff.Swapped.Meaning(), Count: 2, Clears: 2}) {
		t.Errorf("tallies %+v", c.Tallies)
	}
	bare := workload(t, "vex-later-scan.json") // our scan did not know the CVE
	if c := compared(bare); len(find(c, "CVE-2099-1003")) != 2 || find(c, "CVE-2099-1003")[0].Reason != vexdiff.OursMissing {
		t.Errorf("differences %+v", c.Differences)
	}
}

// Each row makes one difference out of documents that agree.
func TestReasons(t *testing.T) {
	rows := []struct {
		name, vulnerability string
		reason              vexdiff.Reason
		clears              bool
		detail              string
		spoil               func(*record.Record)
	}{
		{"opened, missed by node-agent", "CVE-2099-2001", vexdiff.Open, true, "libz.so", func(r *record.Record) {
			sensorOnly(r, "/usr/lib/x86_64-linux-gnu/libz.so.1.2.13", evidence.Open, evidence.Map)
		}},
		{"only mapped", "CVE-2099-2001", vexdiff.Mapping, true, "libz.so", func(r *record.Record) {
			sensorOnly(r, "/usr/lib/x86_64-linux-gnu/libz.so.1.2.13", evidence.Map)
		}},
		{"interpreter", "CVE-2099-4001", vexdiff.Interpreter, true, "/usr/bin/ls", func(r *record.Record) {
			sensorOnly(r, "/usr/bin/ls", evidence.Interp)
		}},
		{"behind a wildcard", "CVE-2099-3001", vexdiff.Wildcard, true, "libexpat", func(r *record.Record) {
			sensorOnly(r, "/usr/lib/x86_64-linux-gnu/libexpat.so.1", evidence.Open)
			r.Evidence.Kubescape.Profile.Patterns = []string{"/usr/lib/x86_64-linux-gnu/⋯"}
		}},
		{"in the profile and not matched", "CVE-2021-23337", vexdiff.Unmatched, true, "lodash.js", func(r *record.Record) {
			judgetest.Observe(r, "/app/node_modules/lodash/lodash.js", evidence.Open)
			judgetest.Witness(r)
		}},
		{"without files of its own", "CVE-2022-32149", vexdiff.NoFiles, true, "/app/server", func(r *record.Record) {
			judgetest.Observe(r, "/app/server", evidence.Exec)
			judgetest.Witness(r)
		}},
		{"another package of the source", "CVE-2099-2001", vexdiff.Source, true, "zlib1g-bin", func(r *record.Record) {
			p := judgetest.Deb("zlib1g-bin", "zlib", "/usr/bin/minigzip")
			judgetest.AddPackage(r, p)
			judgetest.Observe(r, "/usr/bin/minigzip", evidence.Exec)
			judgetest.Witness(r)
		}},
		{"loaded for them alone", "CVE-2099-1001", vexdiff.Wider, false, "", func(r *record.Record) {
			r.Evidence.Observations = r.Evidence.Observations[:1]
		}},
		{"insufficient", "CVE-2099-2001", vexdiff.Insufficient, false, "E2, E9", func(r *record.Record) {
			r.Evidence.Health.Lost.Ring = 1
			r.Evidence.Kubescape.Profile.Completion = "partial"
		}},
		{"undecided", "CVE-2099-3001", vexdiff.Undecided, false, "no-files", func(r *record.Record) {
			r.Inventory.Packages[4].Files = nil
		}},
		{"fixed", "CVE-2099-4001", vexdiff.Fixed, false, "", func(r *record.Record) {
			r.Inventory.Packages[5].Source = nil
			for i := range r.Inventory.Findings {
				if f := &r.Inventory.Findings[i]; f.ID == "CVE-2099-4001" {
					f.FixVersions = []string{r.Inventory.Packages[5].Version}
				}
			}
		}},
		{"theirs missing", "CVE-2099-7777", vexdiff.TheirsMissing, false, "", func(r *record.Record) {
			judgetest.AddFinding(r, inventory.Finding{ID: "CVE-2099-7777", PackageID: "deb-coreutils"})
		}},
		{"ours missing", "CVE-2099-4001", vexdiff.OursMissing, false, "", func(r *record.Record) {
			r.Inventory.Packages[5].PURL = "pkg:deb/debian/coreutils@9.1-2"
		}},
		{"two statements", "CVE-2099-4001", vexdiff.Contradiction, false, "", func(r *record.Record) { repeat(t, r, "affected") }},
		{"two statements, seen", "CVE-2099-4001", vexdiff.Contradiction, true, "", func(r *record.Record) {
			repeat(t, r, "affected")
			sensorOnly(r, "/usr/bin/ls", evidence.Exec)
		}},
		{"a status of its own", "CVE-2099-9001", vexdiff.OtherStatus, false, "", func(r *record.Record) {
			judgetest.AddFinding(r, inventory.Finding{ID: "CVE-2099-9001", PackageID: "deb-coreutils"})
			state(t, r, "CVE-2099-9001", "pkg:deb/debian/coreutils@9.1-1", "perhaps")
		}},
	}
	seen := map[vexdiff.Reason]bool{}
	for _, row := range rows {
		r := workload(t, "vex.json")
		row.spoil(&r)
		c := compared(r)
		ok := false
		for _, d := range find(c, row.vulnerability) {
			ok = ok || d.Reason == row.reason && d.Clears == row.clears && strings.Contains(d.Detail, row.detail)
		}
		if !ok || c.Missing != "" {
			t.Errorf("%s: %s %+v", row.name, c.Missing, find(c, row.vulnerability))
		}
		if m := row.reason.Meaning(); m == "They differ." || len(m) > 300 || seen[row.reason] && row.reason != vexdiff.Contradiction {
			t.Errorf("%s means %q", row.reason, m)
		}
		seen[row.reason] = true
	}
}

// repeat states a status of what the document speaks of already, of another
// architecture; state adds a statement.
func repeat(t *testing.T, r *record.Record, status string) {
	state(t, r, "CVE-2099-4001", "pkg:deb/debian/coreutils@9.1-1?arch=arm64", status)
}

func state(t *testing.T, r *record.Record, id, purl, status string) {
	t.Helper()
	var o map[string]any
	if err := json.Unmarshal(r.Raw[record.RawVEX], &o); err != nil {
		t.Fatal(err)
	}
	spec := o["spec"].(map[string]any)
	spec["statements"] = append(spec["statements"].([]any), map[string]any{
		"vulnerability": map[string]any{"@id": id}, "status": status,
		"products": []any{map[string]any{"@id": "pkg:oci/x@sha256:0", "subcomponents": []any{map[string]any{"@id": purl}}}},
	})
	data, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	r.Raw[record.RawVEX] = data
}

func TestNothingToCompareWith(t *testing.T) {
	if c := compared(judgetest.Good()); c != nil {
		t.Errorf("the embedded engine: %+v", c)
	}
	r := workload(t, "")
	r.Evidence.Kubescape.Scan = "kubevuln's document has 790 kB, more than storage takes\nx"
	if c := compared(r); c.Compared != 0 || !strings.Contains(c.Missing, "790 kB") || strings.Contains(c.Missing, "\n") {
		t.Errorf("no document: %+v", c)
	}
	for _, bad := range []string{"{", "[]", `{}`, `{"spec":null}`, `{"spec":{"statements":7}}`, strings.Repeat(" ", 17<<20), `{"spec":{"statements":[{}` + strings.Repeat(",{}", 500_000) + "]}}"} {
		r.Raw = map[string][]byte{record.RawVEX: []byte(bad)}
		if c := compared(r); c.Missing == "" || c.Compared != 0 {
			t.Errorf("%.40q: %+v", bad, c)
		}
	}
	r.Raw[record.RawVEX] = []byte(`{"spec":{"statements":[{},{"vulnerability":{"@id":"CVE-1"},"products":[{"@id":"pkg:oci/x"}]}]}}`)
	if c := compared(r); c.Missing != "" || c.Statements != 2 || c.Unread != 2 {
		t.Errorf("empty statements: %+v", c)
	}
}

// More pairs than are read are said to be more.
func TestBounded(t *testing.T) {
	var doc strings.Builder
	doc.WriteString(`{"spec":{"statements":[{"vulnerability":{"@id":"CVE-1"},"status":"affected","products":[{"subcomponents":[`)
	for i := range 250_000 {
		fmt.Fprintf(&doc, `{"@id":"p%d"},`, i)
	}
	doc.WriteString(`{"@id":"last"}]}]}]}}`)
	r := workload(t, "")
	r.Raw = map[string][]byte{record.RawVEX: []byte(doc.String())}
	if c := compared(r); !c.Truncated || c.Compared > 200_100 || c.Tallies[len(c.Tallies)-1].Count != 200_000 {
		t.Errorf("truncated %v, %d compared, %s", c.Truncated, c.Compared, c.Missing)
	}
}

// Neither the order of the record nor that of the document matters.
func TestOrderDoesNotMatter(t *testing.T) {
	r := workload(t, "vex-later-scan.json")
	sensorOnly(&r, "/usr/bin/ls", evidence.Interp)
	repeat(t, &r, "affected")
	want := compared(r)
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 9))
		other := judgetest.Shuffle(rng, r)
		var o map[string]map[string]any
		var whole map[string]any
		if err := json.Unmarshal(r.Raw[record.RawVEX], &whole); err != nil {
			t.Fatal(err)
		}
		o = map[string]map[string]any{"spec": whole["spec"].(map[string]any)}
		all := o["spec"]["statements"].([]any)
		rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		data, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		other.Raw = map[string][]byte{record.RawVEX: data}
		if got := compared(other); !reflect.DeepEqual(got, want) {
			t.Fatalf("seed %d: %+v, want %+v", seed, got, want)
		}
	}
}

// Whatever the document holds, the comparison does not panic and its numbers
// add up.
func FuzzCompare(f *testing.F) {
	for _, name := range []string{"vex.json", "vex-later-scan.json"} {
		data, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	for _, text := range foreigntest.Corpus() {
		quoted, _ := json.Marshal(text[:min(len(text), 4096)])
		f.Add(fmt.Appendf(nil, `{"spec":{"statements":[{"vulnerability":{"@id":%s,"name":%[1]s},"status":%[1]s,"products":[{"@id":%[1]s,"subcomponents":[{"@id":%[1]s}]}]}]}}`, quoted))
	}
	r := workload(f, "")
	j := judge.Judge(r)
	f.Fuzz(func(t *testing.T, data []byte) {
		r := r
		r.Raw = map[string][]byte{record.RawVEX: data}
		c := vexdiff.Compare(r, j)
		if !reflect.DeepEqual(c, vexdiff.Compare(r, j)) {
			t.Error("two comparisons of one document differ")
		}
		total, clears := 0, 0
		for _, tally := range c.Tallies {
			total, clears = total+tally.Count, clears+tally.Clears
		}
		if total != len(c.Differences) || clears != c.Clears || c.Same+total != c.Compared {
			t.Errorf("numbers do not add up: %+v", c)
		}
		if c.Missing == "" && c.Compared < len(j.Assessments) {
			t.Errorf("%d compared, %d assessments", c.Compared, len(j.Assessments))
		}
		for _, d := range c.Differences {
			if len(d.Vulnerability) > 4096 || len(d.PURL) > 3*4096 || len(d.Theirs) > 400 || len(d.Detail) > 300 {
				t.Errorf("a difference without bounds: %.200v", d)
			}
		}
	})
}
