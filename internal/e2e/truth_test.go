package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/vexxy/action/internal/consume"
	"github.com/vexxy/action/internal/judge"
	"github.com/vexxy/action/internal/record"
)

// known is a fixture whose truth is known by construction.
type known struct {
	image string
	flags []string
	// affected and spared are packages, each with at least one finding, all of
	// whose findings must be affected, resp. not_affected.
	affected, spared []string
}

var serving = []string{"--http-probe", "/", "--quiet", "3s"}

var fixtures = []known{
	{image: "python-web", flags: serving,
		affected: []string{"python3.11-minimal", "python3-flask", "libc6", "zlib1g"}, spared: []string{"tar", "perl-base", "gzip"}},
	{image: "nginx", flags: serving,
		affected: []string{"nginx", "libc6", "zlib1g"}, spared: []string{"tar", "perl-base", "gzip"}},
	{image: "go-app", flags: serving,
		affected: []string{"golang.org/x/text"}, spared: []string{"gopkg.in/yaml.v2"}},
	{image: "node-app", flags: serving,
		affected: []string{"lodash", "libc6"}, spared: []string{"minimist", "ws", "perl-base", "tar"}},
	{image: "musl", flags: serving,
		affected: []string{"musl"}, spared: []string{"libc6", "tar", "perl-base"}},
	{image: "i386", flags: serving,
		affected: []string{"libc6-i386"}, spared: []string{"tar", "perl-base"}},
	{image: "apk-db", flags: serving,
		affected: []string{"musl"}, spared: []string{"gopkg.in/yaml.v2"}},
	{image: "rpm-db", flags: serving,
		affected: []string{"glibc"}, spared: []string{"gopkg.in/yaml.v2"}},
	{image: "health", flags: []string{"--exec-command", "true", "--quiet", "3s"},
		affected: []string{"libc6"}, spared: []string{"tar", "perl-base"}},
	{image: "job",
		affected: []string{"coreutils", "libc6"}, spared: []string{"tar", "perl-base"}},
	{image: "exit0",
		affected: []string{"coreutils", "libc6"}, spared: []string{"tar", "perl-base"}},
	{image: "forks",
		affected: []string{"coreutils", "libc6"}, spared: []string{"tar", "perl-base"}},
	{image: "forks-musl",
		affected: []string{"libc6", "musl"}, spared: []string{"tar", "perl-base", "coreutils"}},
	{image: "hardlink", flags: []string{"--duration", "20s"},
		affected: []string{"busybox", "libc6"}, spared: []string{"tar", "perl-base"}},
	{image: "symlink", flags: []string{"--duration", "20s"},
		affected: []string{"zlib1g", "libc6"}, spared: []string{"libtiff6"}},
	{image: "burst",
		affected: []string{"zlib1g", "libc6"}, spared: []string{"libexpat1", "libtiff6", "libxml2"}},
}

// The whole program tells, for each fixture, exactly what is known of it: what
// is used is affected, what is not is not, and fanotify saw no file of a
// package that the sensor did not.
func TestTruth(t *testing.T) {
	for _, f := range fixtures {
		t.Run(f.image, func(t *testing.T) {
			t.Parallel()
			ref := push(t, f.image)
			ended := witness(t, config(t, f.image))
			out := analyse(t, append(f.flags, ref)...)
			truth := ended()
			if out.code != 0 || out.result.Verdict != "pass" {
				t.Fatalf("verdict %s, exit code %d\n%s\n%s", out.result.Verdict, out.code, out.stdout, out.stderr)
			}
			for _, c := range out.result.Checks {
				if c.Applies && !c.OK {
					t.Errorf("%s does not hold: %s", c.ID, c.Measured)
				}
			}
			for _, name := range f.affected {
				out.only(t, name, judge.Affected)
			}
			for _, name := range f.spared {
				out.only(t, name, judge.NotAffected)
			}
			compared := out.recall(t, truth)
			t.Logf("%d files of packages compared with fanotify, %d findings, %d CVEs not affected", compared, len(out.result.Assessments), out.result.Summary.NotAffected)
			out.consumed(t)
		})
	}
}

// A file that installing a package has generated, and that no list names, is
// the package's: reading the bundle of certificates is use of ca-certificates.
func TestGeneratedFile(t *testing.T) {
	out := analyse(t, push(t, "certificates"))
	if out.code != 0 || out.result.Summary.NotAffected == 0 {
		t.Errorf("exit code %d, %d not affected\n%s", out.code, out.result.Summary.NotAffected, out.stderr)
	}
	all, used := read(t, out.dir, "sbom.cdx.json"), read(t, out.dir, "sbom.runtime.cdx.json")
	for name, want := range map[string]bool{"ca-certificates": true, "coreutils": true, "gzip": false, "debconf": false} {
		purl := []byte("pkg:deb/debian/" + name + "@")
		if !bytes.Contains(all, purl) || bytes.Contains(used, purl) != want {
			t.Errorf("%s: in the image %v, used %v, want %v", name, bytes.Contains(all, purl), !want, want)
		}
	}
}

// A library that runs from a copy in memory is a way around the sensor: what
// was seen is affected, and nothing can be called not affected.
func TestBlindSpot(t *testing.T) {
	out := analyse(t, "--duration", "15s", push(t, "dlopen"))
	if ok, measured := out.check(t, "E8"); ok || out.code != 4 || out.result.Summary.NotAffected != 0 {
		t.Errorf("exit code %d, %d not affected, E8 %v: %s", out.code, out.result.Summary.NotAffected, ok, measured)
	}
	for _, name := range []string{"zlib1g", "libexpat1", "libc6"} {
		out.only(t, name, judge.Affected)
	}
}

// only fails the test unless a package has findings and all have one status.
func (o outcome) only(t *testing.T, pkg string, want judge.Status) {
	t.Helper()
	got := o.statuses(pkg)
	if len(got) != 1 || got[string(want)] == 0 {
		t.Errorf("findings of %s are %v, want all %s", pkg, got, want)
	}
}

// consumed reads the document as Grype and Trivy do and fails the test unless
// both suppress exactly what the run judged not_affected. It gives what each
// makes of it.
func (o outcome) consumed(t *testing.T) consume.Result {
	t.Helper()
	rec, err := record.Read(filepath.Join(o.dir, "record"))
	if err != nil {
		t.Fatal(err)
	}
	vex, err := os.ReadFile(filepath.Join(o.dir, "vex.openvex.json"))
	if err != nil {
		t.Fatal(err)
	}
	check, err := consume.Check(context.Background(), vex, rec, judge.Judge(rec))
	if err != nil {
		t.Fatal(err)
	}
	if !check.OK || len(check.Intended) == 0 {
		t.Errorf("consumers: %d intended, %s", len(check.Intended), check)
	}
	spared := 0
	for _, a := range o.result.Assessments {
		if a.Status == string(judge.NotAffected) {
			spared++
		}
	}
	if spared == 0 {
		t.Error("nothing is not_affected")
	}
	var doc struct{ Statements []json.RawMessage }
	if err := json.Unmarshal(vex, &doc); err != nil || len(doc.Statements) == 0 {
		t.Errorf("the document has %d statements: %v", len(doc.Statements), err)
	}
	return check
}
