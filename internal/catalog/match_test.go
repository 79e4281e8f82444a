package catalog_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/anchore/grype/grype/distro"
	grypepkg "github.com/anchore/grype/grype/pkg"

	"github.com/vexxy/action/internal/catalog"
	it "github.com/vexxy/action/internal/catalog/catalogtest"
	"github.com/vexxy/action/internal/inventory"
)

// matched gives the findings of an image by package name and identifier.
func matched(t testing.TB, c *catalog.Catalog, advisories ...it.Advisory) (inventory.Inventory, map[string]inventory.Finding) {
	t.Helper()
	m := open(t, catalog.DatabaseOptions{Path: it.Database(t, built, advisories...), CacheDir: t.TempDir()})
	inv, err := m.Complete(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]string{}
	for _, p := range inv.Packages {
		names[p.ID] = p.Name
	}
	out := map[string]inventory.Finding{}
	for _, f := range inv.Findings {
		name, ok := names[f.PackageID]
		if !ok {
			t.Errorf("finding %s names the package %q, which is not in the inventory", f.ID, f.PackageID)
		}
		out[name+" "+f.ID] = f
	}
	if len(out) != len(inv.Findings) {
		t.Errorf("%d findings, but %d different ones", len(inv.Findings), len(out))
	}
	return inv, out
}

func debianImage(t testing.TB) *catalog.Catalog {
	return read(t, it.Image(t, append(it.DebianRoot(
		it.Deb{Name: "zlib1g", Version: "1:1.2.13.dfsg-1", Source: "zlib", Files: []it.File{{Path: "/usr/lib/libz.so.1"}}},
		it.Deb{Name: "zlib1g-dev", Version: "1:1.2.13.dfsg-1", Source: "zlib", Files: []it.File{{Path: "/usr/include/zlib.h"}}},
		it.Deb{Name: "libexpat1", Version: "2.5.0-1+deb12u1", Source: "expat", Files: []it.File{{Path: "/usr/lib/libexpat.so.1"}}},
		it.Deb{Name: "linux-libc-dev", Version: "6.1.1-1", Source: "linux", Files: []it.File{{Path: "/usr/include/linux/x.h"}}},
		it.Deb{Name: "python3-flask", Version: "2.2.2-3", Source: "flask", Files: []it.File{
			{Path: "/usr/lib/python3/dist-packages/Flask-2.2.2.egg-info/PKG-INFO", Body: "Metadata-Version: 2.1\nName: Flask\nVersion: 2.2.2\n"},
			{Path: "/usr/lib/python3/dist-packages/Flask-2.2.2.egg-info/top_level.txt", Body: "flask\n"},
			{Path: "/usr/lib/python3/dist-packages/flask/__init__.py"},
		}},
	), it.File{Path: "/app/node_modules/lodash/package.json", Body: `{"name":"lodash","version":"4.17.20"}`},
		it.File{Path: "/app/site-packages/requests-2.31.0.dist-info/METADATA", Body: "Metadata-Version: 2.1\nName: requests\nVersion: 2.31.0\n"},
	)))
}

func TestMatch(t *testing.T) {
	const vector = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"
	c := debianImage(t)
	inv, got := matched(t, c,
		it.Advisory{ID: "CVE-2026-27171", Severity: "negligible", Package: "zlib", Release: "debian 12", State: "wont-fix",
			URL: "https://security-tracker.debian.org/tracker/CVE-2026-27171", Text: strings.Repeat("ü", 400), EPSS: 0.25, KEV: true},
		it.Advisory{ID: "CVE-2026-27171", Provider: "nvd", CVSS: vector},
		it.Advisory{ID: "CVE-2024-45490", Severity: "high", Package: "expat", Release: "debian 12", Affected: "< 2.5.0-1+deb12u2", Fix: "2.5.0-1+deb12u2"},
		it.Advisory{ID: "CVE-2022-0001", Severity: "high", Package: "expat", Release: "debian 12", Affected: "< 2.4.0-1", Fix: "2.4.0-1"},
		it.Advisory{ID: "CVE-2025-0002", Severity: "low", Package: "expat", Release: "debian 13"},
		it.Advisory{ID: "CVE-2024-0003", Severity: "medium", Package: "linux", Release: "debian 12"},
		it.Advisory{ID: "GHSA-35jh-r3h4-6jhm", Provider: "github", Aliases: []string{"CVE-2021-23337"}, Severity: "high",
			Package: "lodash", Ecosystem: "npm", Format: "semver", Affected: "<4.17.21", Fix: "4.17.21"},
		it.Advisory{ID: "GHSA-m2qf-hxjv-5gpq", Provider: "github", Severity: "high", Package: "flask", Ecosystem: "python", Format: "python", Affected: "<2.2.5", Fix: "2.2.5"},
		it.Advisory{ID: "GHSA-9wx4-h78v-vm56", Provider: "github", Aliases: []string{"CVE-2024-35195"}, Severity: "medium",
			Package: "requests", Ecosystem: "python", Format: "python", Affected: "<2.32.0", Fix: "2.32.0"},
	)
	var keys []string
	for k := range got {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	want := []string{
		"libexpat1 CVE-2024-45490", "linux-libc-dev CVE-2024-0003", "lodash GHSA-35jh-r3h4-6jhm",
		"requests GHSA-9wx4-h78v-vm56", "zlib1g CVE-2026-27171", "zlib1g-dev CVE-2026-27171",
	}
	if !slices.Equal(keys, want) {
		t.Fatalf("findings = %q, want %q", keys, want)
	}
	z := got["zlib1g CVE-2026-27171"]
	if z.Severity != inventory.Negligible || z.CVSS != 9.8 || z.EPSS != 0.25 || !z.KEV || z.FixState != "wont-fix" || z.FixVersions != nil ||
		z.Namespace != "debian:distro:debian:12" || z.DataSource != "https://security-tracker.debian.org/tracker/CVE-2026-27171" || len(z.Aliases) != 0 {
		t.Errorf("zlib finding = %+v", z)
	}
	if len(z.Description) > 500 || !strings.HasSuffix(z.Description, "ü…") {
		t.Errorf("description of %d bytes: …%q", len(z.Description), z.Description[len(z.Description)-8:])
	}
	if e := got["libexpat1 CVE-2024-45490"]; e.FixState != "fixed" || !slices.Equal(e.FixVersions, []string{"2.5.0-1+deb12u2"}) || e.KEV || e.Severity != inventory.High {
		t.Errorf("expat finding = %+v", e)
	}
	if l := got["lodash GHSA-35jh-r3h4-6jhm"]; !slices.Equal(l.Aliases, []string{"CVE-2021-23337"}) || l.Namespace != "github:language:javascript" {
		t.Errorf("lodash finding = %+v", l)
	}
	if inv.Incomplete != "" || inv.Database.Schema == "" || inv.Database.Digest == "" {
		t.Errorf("incomplete %q, database %+v", inv.Incomplete, inv.Database)
	}
}

// What is matched is what Grype's own reading of the same SBOM would match.
func TestMatchesWhatGrypeMatches(t *testing.T) {
	c := debianImage(t)
	file := filepath.Join(t.TempDir(), "sbom.json")
	if err := os.WriteFile(file, c.SBOM, 0o644); err != nil {
		t.Fatal(err)
	}
	theirs, _, _, err := grypepkg.Provide("sbom:"+file, grypepkg.ProviderConfig{
		SynthesisConfig: grypepkg.SynthesisConfig{Distro: grypepkg.DistroConfig{FixChannels: distro.DefaultFixChannels()}},
	})
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, p := range theirs {
		want = append(want, string(p.ID)+" "+p.Name+" "+p.Distro.String())
	}
	got := catalog.Matchable(c)
	slices.Sort(want)
	slices.Sort(got)
	if len(got) < 6 || !slices.Equal(got, want) {
		t.Errorf("matched packages:\n%q\nGrype's:\n%q", got, want)
	}
}

// The findings do not depend on order or concurrency.
func TestMatchIsStable(t *testing.T) {
	c := debianImage(t)
	m := open(t, catalog.DatabaseOptions{CacheDir: t.TempDir(), Path: it.Database(t, built, zlibFlaw,
		it.Advisory{ID: "CVE-2024-0003", Package: "linux", Release: "debian 12"},
		it.Advisory{ID: "CVE-2024-0004", Package: "linux", Release: "debian 12"})})
	results := make([][]inventory.Finding, 4)
	var group sync.WaitGroup
	for i := range results {
		group.Go(func() {
			var err error
			if results[i], err = m.Match(context.Background(), c); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	for i := range results {
		if len(results[i]) != 4 || !reflect.DeepEqual(results[i], results[0]) {
			t.Errorf("run %d: %+v, first: %+v", i, results[i], results[0])
		}
	}
}

// Packages of a distribution that the database does not know are no clean bill.
func TestUncoveredDistribution(t *testing.T) {
	for name, release := range map[string]string{
		"unknown": "ID=homemade\nVERSION_ID=1\n", "not in the database": "ID=debian\nVERSION_ID=\"11\"\n", "none": "",
	} {
		files := it.DebianRoot(it.Deb{Name: "a", Version: "1", Files: []it.File{{Path: "/usr/bin/a"}}})
		files[0].Body = release
		inv, got := matched(t, read(t, it.Image(t, files)), zlibFlaw)
		if len(got) != 0 || !strings.Contains(inv.Incomplete, "1 distribution packages were not matched") {
			t.Errorf("%s: findings %v, incomplete %q", name, got, inv.Incomplete)
		}
	}
}

// A Go binary's modules live in the binary, the standard library among them.
func TestGoBinary(t *testing.T) {
	dir := t.TempDir()
	source := filepath.Join(dir, "main.go")
	if err := os.WriteFile(source, []byte("package main\n\nfunc main() {}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module example.org/tool\n\ngo 1.24\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	build := exec.Command("go", "build", "-o", "tool", ".")
	build.Dir = dir
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	binary, err := os.ReadFile(filepath.Join(dir, "tool"))
	if err != nil {
		t.Fatal(err)
	}
	c := read(t, it.Image(t, []it.File{{Path: "/usr/local/bin/tool", Body: string(binary), Exec: true}, {Path: "/entry", Symlink: "/usr/local/bin/tool"}}))
	for _, name := range []string{"stdlib", "example.org/tool"} {
		p := find(t, c, name)
		wantFiles(t, p, "/usr/local/bin/tool")
		if p.Type != "go-module" || p.Location != "/usr/local/bin/tool" {
			t.Errorf("%s = %+v", name, p)
		}
	}
	_, got := matched(t, c, it.Advisory{ID: "GO-2026-0001", Provider: "go", Aliases: []string{"CVE-2026-0001"},
		Package: "stdlib", Ecosystem: "go-module", Format: "go", Affected: "<99.0.0", Fix: "99.0.0"})
	f, ok := got["stdlib GO-2026-0001"]
	if !ok || !slices.Equal(f.Aliases, []string{"CVE-2026-0001"}) {
		t.Errorf("findings = %+v", got)
	}
}
