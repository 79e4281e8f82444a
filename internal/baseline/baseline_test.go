package baseline_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/vexxy/action/internal/baseline"
	"github.com/vexxy/action/internal/inventory"
	"github.com/vexxy/action/internal/judge"
	"github.com/vexxy/action/internal/judge/judgetest"
	"github.com/vexxy/action/internal/report"
	"github.com/vexxy/action/internal/subject"
)

// a makes an assessment of a package URL; ids are its name and its aliases.
func a(purl string, status judge.Status, ids ...string) judge.Assessment {
	name, version, _ := strings.Cut(purl[strings.LastIndex(purl, "/")+1:], "@")
	return judge.Assessment{
		Vulnerability: ids[0], Aliases: ids[1:], PURL: purl, PackageName: name, PackageVersion: version,
		Severity: inventory.High, Status: status,
	}
}

// of makes the baseline of a judgement, by way of its result.json.
func of(t testing.TB, assessments ...judge.Assessment) baseline.Baseline {
	t.Helper()
	rec := judgetest.Good()
	return open(t, report.Image{Record: rec, Judgement: judge.Judgement{Assessments: assessments, Sufficient: true}}).For(rec.Subject, true)
}

func open(t testing.TB, img report.Image) baseline.Set {
	t.Helper()
	data, err := report.Result(img)
	if err != nil {
		t.Fatal(err)
	}
	s, err := baseline.Open(write(t, filepath.Join(t.TempDir(), "result.json"), string(data)))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func write(t testing.TB, path, text string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestClasses(t *testing.T) {
	const (
		affected, open, cleared, fixed = judge.Affected, judge.UnderInvestigation, judge.NotAffected, judge.Fixed
		z1, z2                         = "pkg:deb/debian/zlib1g@1", "pkg:deb/debian/zlib1g@2"
	)
	one := func(a judge.Assessment) []judge.Assessment { return []judge.Assessment{a} }
	rows := []struct {
		name        string
		before, now []judge.Assessment
		want        baseline.Class
	}{
		{"nothing before", nil, one(a(z1, affected, "CVE-1")), baseline.NewlyAffected},
		{"not affected before", one(a(z1, cleared, "CVE-1")), one(a(z1, affected, "CVE-1")), baseline.NewlyAffected},
		{"open before", one(a(z1, open, "CVE-1")), one(a(z1, affected, "CVE-1")), baseline.NewlyAffected},
		{"affected before", one(a(z1, affected, "CVE-1")), one(a(z1, affected, "CVE-1")), baseline.Unchanged},
		{"in another version", one(a(z1, affected, "CVE-1")), one(a(z2, affected, "CVE-1")), baseline.Unchanged},
		{"in another package", one(a("pkg:deb/debian/zlib@1", cleared, "CVE-1")), one(a(z1, affected, "CVE-1")), baseline.NewlyAffected},
		{"in another ecosystem", one(a("pkg:npm/zlib1g@1", cleared, "CVE-1")), one(a(z1, affected, "CVE-1")), baseline.NewlyAffected},
		{"in another namespace", one(a("pkg:deb/ubuntu/zlib1g@1", cleared, "CVE-1")), one(a(z1, affected, "CVE-1")), baseline.NewlyAffected},
		{"an alias became the name", one(a(z1, affected, "GHSA-1")), one(a(z1, affected, "CVE-1", "GHSA-1")), baseline.Unchanged},
		{"the name became an alias", one(a(z1, affected, "CVE-1", "GHSA-1")), one(a(z1, affected, "GHSA-1")), baseline.Unchanged},
		{"a common alias", one(a(z1, affected, "GHSA-1", "PYSEC-1")), one(a(z1, affected, "CVE-1", "PYSEC-1")), baseline.Unchanged},
		{"gone", one(a(z1, affected, "CVE-1")), nil, baseline.NewlyFixed},
		{"fixed", one(a(z1, open, "CVE-1")), one(a(z1, fixed, "CVE-1")), baseline.NewlyFixed},
		{"fixed and gone", one(a(z1, fixed, "CVE-1")), nil, baseline.Unchanged},
		{"no longer reached", one(a(z1, affected, "CVE-1")), one(a(z1, cleared, "CVE-1")), baseline.Changed},
		{"no longer known", one(a(z1, affected, "CVE-1")), one(a(z1, open, "CVE-1")), baseline.Changed},
		{"there and cleared", nil, one(a(z1, cleared, "CVE-1")), baseline.Added},
		{"two versions, one of them reached", []judge.Assessment{a(z1, cleared, "CVE-1"), a(z2, affected, "CVE-1")}, one(a(z1, affected, "CVE-1")), baseline.Unchanged},
		{"two versions now, one of them reached", one(a(z1, cleared, "CVE-1")), []judge.Assessment{a(z1, cleared, "CVE-1"), a(z2, affected, "CVE-1")}, baseline.NewlyAffected},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			c := baseline.Compare(of(t, row.before...), judge.Judgement{Assessments: row.now})
			total := 0
			for _, n := range c.Counts {
				total += n
			}
			gone := 0 // the other package's finding
			if strings.HasPrefix(row.name, "in another ") && row.want == baseline.NewlyAffected {
				gone = 1
			}
			if c.Counts[row.want] != 1 || total != 1+gone || gone == 1 && c.Counts[baseline.NewlyFixed] != 1 {
				t.Errorf("%v, want one %s", c.Counts, row.want)
			}
			if (row.want == baseline.Unchanged) != (len(c.Items) == 0) {
				t.Errorf("items %+v", c.Items)
			}
		})
	}
}

// An advisory covers several CVEs: its name in common does not make one of
// them the other.
func TestTwoCVEsAreNeverOne(t *testing.T) {
	before := of(t, a("pkg:npm/x@1", judge.Affected, "CVE-1", "GHSA-1"))
	now := a("pkg:npm/x@1", judge.Affected, "CVE-2", "GHSA-1")
	c := baseline.Compare(before, judge.Judgement{Assessments: []judge.Assessment{now}})
	if c.Counts[baseline.NewlyAffected] != 1 || c.Counts[baseline.NewlyFixed] != 1 || !c.New(&now) {
		t.Errorf("%v", c.Counts)
	}
}

func TestNewAndTotals(t *testing.T) {
	old, young := a("pkg:npm/x@1", judge.Affected, "CVE-1"), a("pkg:npm/y@1", judge.Affected, "CVE-1")
	j := judge.Judgement{Assessments: []judge.Assessment{old, young}}
	b := of(t, old, a("pkg:npm/z@1", judge.NotAffected, "CVE-1"), a("pkg:npm/z@1", judge.NotAffected, "CVE-2"))
	c := baseline.Compare(b, j)
	if c.New(&old) || !c.New(&young) || c.Was(&old) != judge.Affected || c.Was(&young) != "" {
		t.Error("new is not what is new")
	}
	if z := a("pkg:npm/z@2", judge.Affected, "CVE-2"); baseline.Compare(b, judge.Judgement{Assessments: []judge.Assessment{z}}).Was(&z) != judge.NotAffected {
		t.Error("what was cleared is not known")
	}
	if c.Before[judge.Affected] != 1 || c.Before[judge.NotAffected] != 1 {
		t.Errorf("the baseline counts %v", c.Before)
	}
	b.Problem = "damaged"
	if c := baseline.Compare(b, j); !c.New(&old) || c.Counts[baseline.NewlyAffected] != 2 || c.Before[judge.Affected] != 0 || len(c.Counts) != 5 {
		t.Errorf("with a problem: %v", c.Counts)
	}
	var none *baseline.Change
	if !none.New(&old) {
		t.Error("without a baseline something is old")
	}
}

// A judgement held against its own result has no change, and the record keeps
// the whole of it.
func TestSameRunIsUnchanged(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	usable := 0
	for i := range 300 {
		rec := judgetest.Random(rng)
		j := judge.Judge(rec)
		b := open(t, report.Image{Record: rec, Judgement: j}).For(rec.Subject, true)
		encoded, err := baseline.Encode(b)
		if err != nil {
			t.Fatal(err)
		}
		again := baseline.Decode(encoded)
		second, err := baseline.Encode(again)
		if err != nil || string(second) != string(encoded) {
			t.Fatalf("record %d: the baseline changed in the record: %v\n%s\n%s", i, err, encoded, second)
		}
		c := baseline.Compare(again, j)
		if !j.Sufficient {
			if c.Baseline.Usable() || c.Counts[baseline.Unchanged] != 0 {
				t.Fatalf("record %d: insufficient evidence makes something old", i)
			}
			continue
		}
		usable++
		if len(c.Items) != 0 || !c.Baseline.Usable() {
			t.Fatalf("record %d: %+v, problem %q", i, c.Items, c.Baseline.Problem)
		}
		for s, n := range map[judge.Status]int{judge.Affected: j.Summary.Affected, judge.NotAffected: j.Summary.NotAffected, judge.UnderInvestigation: j.Summary.UnderInvestigation, judge.Fixed: j.Summary.Fixed} {
			if c.Before[s] != n {
				t.Fatalf("record %d: %d %s before, the summary has %d", i, c.Before[s], s, n)
			}
		}
	}
	if usable < 100 {
		t.Errorf("only %d of the judgements could be compared", usable)
	}
}

func image(requested, repository string) report.Image {
	rec := judgetest.Good()
	rec.Subject.Requested, rec.Subject.Repository = requested, repository
	return report.Image{Record: rec, Judgement: judge.Judgement{Sufficient: true, Assessments: []judge.Assessment{a("pkg:npm/x@1", judge.Affected, requested)}}}
}

func TestWhichImage(t *testing.T) {
	dir := t.TempDir()
	run := report.Run{RunID: "1"}
	for i, img := range []report.Image{image("r/app:1", "r/app"), image("r/app:2", "r/app"), image("r/web:1", "r/web")} {
		data, err := report.Result(img)
		if err != nil {
			t.Fatal(err)
		}
		folder := fmt.Sprint("image", i)
		write(t, filepath.Join(dir, folder, "result.json"), string(data))
		run.Images = append(run.Images, report.Entry{Requested: img.Record.Subject.Requested, Folder: folder})
	}
	run.Images = append(run.Images, report.Entry{Requested: "gone", Folder: "not-there"}, report.Entry{Requested: "out", Folder: "../image0"})
	data, err := report.Overall(run)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "result.json"), string(data))
	set, err := baseline.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	sub := func(requested, repository, arch string) subject.Subject {
		return subject.Subject{Requested: requested, Repository: repository, Platform: subject.Platform{OS: "linux", Architecture: arch}}
	}
	for _, row := range []struct {
		name    string
		sub     subject.Subject
		want    string // the image's reference, or
		problem string // a part of the problem
	}{
		{"same reference", sub("r/app:2", "r/app", "amd64"), "r/app:2", ""},
		{"only one of the repository", sub("r/web:9", "r/web", "amd64"), "r/web:1", ""},
		{"several of the repository", sub("r/app:9", "r/app", "amd64"), "", "several images"},
		{"another platform", sub("r/web:1", "r/web", "arm64"), "", "no image of this"},
		{"another image", sub("r/other:1", "r/other", "amd64"), "", "no image of this"},
		{"its result is not there", sub("gone", "", "amd64"), "", "no such file"},
		{"its folder leads out", sub("out", "", "amd64"), "", "no folder of a run"},
	} {
		b := set.For(row.sub, false)
		if row.problem == "" && (b.Requested != row.want || !b.Usable() || len(b.Statements) != 1) || !strings.Contains(b.Problem, row.problem) {
			t.Errorf("%s: %q, problem %q", row.name, b.Requested, b.Problem)
		}
	}
	single := open(t, image("r/app:1", "r/app"))
	for _, row := range []struct {
		sub     subject.Subject
		problem string
	}{
		{sub("r/app:9", "r/app", "amd64"), ""},
		{sub("r/other:1", "r/other", "amd64"), `of "r/app", this one of "r/other"`},
		{sub("docker-archive:x.tar", "", "amd64"), `of "r/app", this one of no repository`},
		{sub("r/app:1", "r/app", "arm64"), `for "linux/amd64", this one for "linux/arm64"`},
	} {
		if b := single.For(row.sub, true); b.Usable() != (row.problem == "") || !strings.Contains(b.Problem, row.problem) || !b.Usable() && len(b.Statements) > 0 {
			t.Errorf("the only image of each, %s: problem %q", row.sub.Requested, b.Problem)
		}
	}
	unnamed := open(t, image("docker-archive:1.tar", ""))
	if b := unnamed.For(sub("docker-archive:2.tar", "", "amd64"), true); !b.Usable() {
		t.Errorf("two archives without a name: %q", b.Problem)
	}
	if b := single.For(sub("docker-archive:x.tar", "", "amd64"), false); b.Usable() {
		t.Error("one of several images has another's baseline")
	}
}

// Items come in one order, whatever that of the assessments.
func TestOrder(t *testing.T) {
	var all []judge.Assessment
	for i := range 50 {
		one := a(fmt.Sprintf("pkg:npm/p%d@1", i%7), judge.Affected, fmt.Sprintf("CVE-%d", i))
		one.Severity = inventory.Severities[i%6]
		all = append(all, one)
	}
	b := of(t, a("pkg:npm/gone@1", judge.Affected, "CVE-1"))
	first := baseline.Compare(b, judge.Judgement{Assessments: all})
	slices.Reverse(all)
	second := baseline.Compare(b, judge.Judgement{Assessments: all})
	names := func(items []baseline.Item) (names []string) {
		for _, i := range items {
			names = append(names, string(i.Class)+i.Vulnerability+i.Package)
		}
		return names
	}
	if !slices.Equal(names(first.Items), names(second.Items)) || len(first.Items) != 51 {
		t.Errorf("%v\n%v", names(first.Items), names(second.Items))
	}
	if got := len(first.Of(baseline.NewlyFixed)); got != 1 {
		t.Errorf("%d newly fixed", got)
	}
}

func BenchmarkCompare5kFindings(b *testing.B) {
	j := judge.Judge(judgetest.Large(1000, 5000))
	base := open(b, report.Image{Record: judgetest.Good(), Judgement: judge.Judgement{Assessments: j.Assessments[:4000], Sufficient: true}}).For(judgetest.Good().Subject, true)
	for b.Loop() {
		if c := baseline.Compare(base, j); c.Counts[baseline.Unchanged] != 4000 {
			b.Fatal(c.Counts)
		}
	}
}
