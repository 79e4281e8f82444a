package main

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	v6 "github.com/anchore/grype/grype/db/v6"
)

const advisories = "../../testdata/advisories"

// build makes the database and opens it as Grype does.
func build(t *testing.T) v6.Reader {
	t.Helper()
	out := t.TempDir()
	var said bytes.Buffer
	if err := run([]string{"build", "-advisories", advisories, "-out", out}, &said); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(said.String(), "2026-11-23, a sample") {
		t.Errorf("said %q", said.String())
	}
	r, err := v6.NewReader(v6.Config{DBDirPath: filepath.Join(out, "installed", "6")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

func TestBuild(t *testing.T) {
	r := build(t)
	meta, err := r.GetDBMetadata()
	if err != nil || !meta.BuildTimestamp.Equal(time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("metadata = %+v, %v", meta, err)
	}
	for _, want := range []struct {
		release, ecosystem, name string
		id, constraint, fix      string
		state                    v6.FixStatus
	}{
		{"debian", "deb", "glibc", "CVE-2023-4911", "< 2.36-9+deb12u3", "2.36-9+deb12u3", v6.FixedStatus},
		{"debian", "deb", "musl", "CVE-2025-26519", "", "", v6.WontFixStatus},
		{"alpine", "apk", "musl", "CVE-2025-26519", ">= 0.9.13, < 1.2.3-r6", "1.2.3-r6", v6.FixedStatus},
		{"rhel", "rpm", "glibc", "CVE-2023-4911", "< 0:2.34-60.el9_2.7", "0:2.34-60.el9_2.7", v6.FixedStatus},
		{"", "go-module", "golang.org/x/text", "GO-2022-1059", "<0.3.8", "0.3.8", v6.FixedStatus},
		{"", "npm", "lodash", "GHSA-35jh-r3h4-6jhm", "<4.17.21", "4.17.21", v6.FixedStatus},
	} {
		options := &v6.GetPackageOptions{
			PreloadOS: true, PreloadVulnerability: true, PreloadBlob: true,
			Vulnerabilities: v6.VulnerabilitySpecifiers{{Name: want.id}},
		}
		found, err := r.GetAffectedPackages(&v6.PackageSpecifier{Name: want.name, Ecosystem: want.ecosystem}, options)
		if err != nil {
			t.Fatal(err)
		}
		ok := false
		for _, f := range found {
			release := ""
			if f.OperatingSystem != nil {
				release = f.OperatingSystem.Name
			}
			for _, rng := range f.BlobValue.Ranges {
				ok = ok || release == want.release && rng.Version.Constraint == want.constraint && rng.Fix.Version == want.fix && rng.Fix.State == want.state
			}
		}
		if !ok {
			t.Errorf("%s in %s of %q is not there as %+v; found %+v", want.id, want.name, want.release, want, found)
		}
	}
	kev, err := r.GetKnownExploitedVulnerabilities("CVE-2023-4911")
	if err != nil || len(kev) != 1 {
		t.Errorf("exploited: %v, %v", kev, err)
	}
	if scores, err := r.GetEpss("CVE-2011-3374"); err != nil || len(scores) != 1 || scores[0].Epss != 0.01509 {
		t.Errorf("scores: %v, %v", scores, err)
	}
}

func TestSpans(t *testing.T) {
	for _, test := range []struct {
		events []event
		want   []span
	}{
		{[]event{{Introduced: "0"}, {Fixed: "1.2"}}, []span{{"<1.2", "1.2", "fixed"}}},
		{[]event{{Introduced: "0"}, {Fixed: "1.2"}, {Introduced: "2.0"}, {Fixed: "2.3"}},
			[]span{{"<1.2", "1.2", "fixed"}, {">=2.0,<2.3", "2.3", "fixed"}}},
		{[]event{{Introduced: "1.0"}, {LastAffected: "1.5"}}, []span{{">=1.0,<=1.5", "", "not-fixed"}}},
		{[]event{{Introduced: "0"}}, []span{{"", "", "not-fixed"}}},
		{[]event{{Introduced: "3.0"}}, []span{{">=3.0", "", "not-fixed"}}},
	} {
		got, err := spansOf(test.events)
		if err != nil || !reflect.DeepEqual(got, test.want) {
			t.Errorf("spansOf(%+v) = %+v, %v; want %+v", test.events, got, err, test.want)
		}
	}
	if _, err := spansOf([]event{{Fixed: "1.0"}}); err == nil {
		t.Error("a range that is fixed before it begins is no error")
	}
}

// A line that is not understood names itself.
func TestBadFacts(t *testing.T) {
	for name, line := range map[string]string{
		"no JSON":        `{"id":`,
		"unknown distro": `{"id":"CVE-1-1","source_package":"a","distro":"plan9:4","status":"affected"}`,
		"unknown status": `{"id":"CVE-1-1","source_package":"a","distro":"debian:12","status":"perhaps"}`,
		"fixed nowhere":  `{"id":"CVE-1-1","source_package":"a","distro":"debian:12","status":"fixed"}`,
	} {
		dir := t.TempDir()
		for file, body := range map[string]string{"date": "2026-11-23\n", "debian-12.jsonl": line + "\n"} {
			if err := os.WriteFile(filepath.Join(dir, file), []byte(body), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := readFacts(dir); err == nil || !strings.Contains(err.Error(), "debian-12.jsonl") {
			t.Errorf("%s: error %v", name, err)
		}
	}
	if err := run([]string{"build", "-advisories", t.TempDir(), "-out", t.TempDir()}, &bytes.Buffer{}); err == nil {
		t.Error("an empty directory of facts is no error")
	}
}
