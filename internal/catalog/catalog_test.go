package catalog_test

import (
	"archive/zip"
	"bytes"
	"context"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/vexxy/action/internal/catalog"
	it "github.com/vexxy/action/internal/catalog/catalogtest"
	"github.com/vexxy/action/internal/inventory"
)

// shared carries one licence classifier for all tests.
var shared = sync.OnceValues(func() (context.Context, error) {
	return catalog.WithClassifier(context.Background())
})

func read(t testing.TB, img v1.Image) *catalog.Catalog {
	t.Helper()
	ctx, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	c, err := catalog.Read(ctx, img, "example.org/app:1", t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// find gives the one package of that name, or the test fails.
func find(t testing.TB, c *catalog.Catalog, name string) inventory.Package {
	t.Helper()
	var found []inventory.Package
	for _, p := range c.Packages {
		if p.Name == name {
			found = append(found, p)
		}
	}
	if len(found) != 1 {
		var names []string
		for _, p := range c.Packages {
			names = append(names, p.Type+":"+p.Name)
		}
		t.Fatalf("%d packages are named %q, want 1; all: %v", len(found), name, names)
	}
	return found[0]
}

func wantFiles(t testing.TB, p inventory.Package, want ...string) {
	t.Helper()
	if !slices.Equal(p.Files, want) {
		t.Errorf("files of %s = %q, want %q", p.Name, p.Files, want)
	}
	if p.Opaque != "" {
		t.Errorf("%s is opaque: %s", p.Name, p.Opaque)
	}
}

// A dpkg database lists /lib while the kernel reports /usr/lib.
func TestMergedUsr(t *testing.T) {
	base := append([]it.File{
		{Path: "/usr/lib", Dir: true}, {Path: "/lib", Symlink: "usr/lib"}, {Path: "/bin", Symlink: "/usr/bin"},
		{Path: "/usr/lib/x86_64-linux-gnu/libz.so.1.2.13", Body: "library"},
		{Path: "/usr/lib/x86_64-linux-gnu/libz.so.1", Symlink: "libz.so.1.2.13"},
		{Path: "/usr/bin/tool", Body: "tool"},
		{Path: "/etc/tool.conf", Body: "x"},
	}, it.DebianRoot(
		it.Deb{Name: "zlib1g", Version: "1:1.2.13.dfsg-1", Source: "zlib", Listed: []string{
			"/lib/x86_64-linux-gnu/libz.so.1.2.13", "/lib/x86_64-linux-gnu/libz.so.1", "/usr/share/doc/zlib1g/gone",
		}},
		it.Deb{Name: "tool", Version: "2-1", Source: "toolsrc (1-1)", Listed: []string{"/bin/tool"}, Conffiles: []string{"/etc/tool.conf"}},
	)...)
	c := read(t, it.Image(t, base))
	if c.Incomplete != "" || c.Distro != "debian 12" {
		t.Errorf("incomplete %q, distro %q", c.Incomplete, c.Distro)
	}
	z := find(t, c, "zlib1g")
	wantFiles(t, z, "/usr/lib/x86_64-linux-gnu/libz.so.1.2.13")
	if z.Type != "deb" || z.Source == nil || *z.Source != (inventory.Source{Name: "zlib", Version: "1:1.2.13.dfsg-1"}) {
		t.Errorf("zlib1g = %+v, source %+v", z, z.Source)
	}
	if !strings.HasPrefix(z.PURL, "pkg:deb/debian/zlib1g@") || z.Location != "/var/lib/dpkg/status" {
		t.Errorf("purl %q, location %q", z.PURL, z.Location)
	}
	tool := find(t, c, "tool")
	wantFiles(t, tool, "/etc/tool.conf", "/usr/bin/tool")
	if *tool.Source != (inventory.Source{Name: "toolsrc", Version: "1-1"}) {
		t.Errorf("source of tool = %+v", tool.Source)
	}
}

// A hard link is a path of its own, also when the name that the archive made
// it from is deleted by a later layer.
func TestHardLinks(t *testing.T) {
	base := append([]it.File{
		{Path: "/bin/busybox", Body: "multi-call", Exec: true},
		{Path: "/bin/ls", Hardlink: "/bin/busybox"},
		{Path: "/bin/cat", Hardlink: "/bin/ls"},
		{Path: "/opt/store/data", Body: "x"},
		{Path: "/usr/bin/kept", Hardlink: "/opt/store/data"},
	}, it.DebianRoot(
		it.Deb{Name: "busybox", Version: "1-1", Listed: []string{"/bin/busybox", "/bin/ls"}},
		it.Deb{Name: "kept", Version: "1-1", Listed: []string{"/usr/bin/kept"}},
	)...)
	c := read(t, it.Image(t, base, []it.File{{Path: "/opt/store/.wh.data"}}))
	wantFiles(t, find(t, c, "busybox"), "/bin/busybox", "/bin/ls")
	wantFiles(t, find(t, c, "kept"), "/usr/bin/kept")
	want := [][]string{{"/bin/busybox", "/bin/cat", "/bin/ls"}}
	if !reflect.DeepEqual(c.HardLinks, want) {
		t.Errorf("hard links = %v, want %v", c.HardLinks, want)
	}
}

// A copy of a package's file that no package owns stands for the package; a
// file of another package, other contents and boilerplate do not.
func TestCopies(t *testing.T) {
	library, other := strings.Repeat("code", 500), strings.Repeat("edoc", 500)
	c := read(t, it.Image(t, it.DebianRoot(
		it.Deb{Name: "libz", Version: "1", Files: []it.File{{Path: "/usr/lib/libz.so.1", Body: library}, {Path: "/usr/share/libz/small", Body: "same"}}},
		it.Deb{Name: "bundled", Version: "1", Files: []it.File{{Path: "/usr/lib/bundled.so", Body: other}}},
		it.Deb{Name: "bundler", Version: "1", Files: []it.File{{Path: "/usr/lib/bundler.so", Body: other}}},
	), []it.File{
		{Path: "/opt/app/libz.so.1", Body: library}, {Path: "/opt/link.so", Hardlink: "/opt/app/libz.so.1"},
		{Path: "/opt/app/else.so", Body: strings.Repeat("ocde", 500)}, {Path: "/opt/app/small", Body: "same"},
	}))
	want := [][]string{{"/opt/app/libz.so.1", "/opt/link.so", "/usr/lib/libz.so.1"}}
	if !reflect.DeepEqual(c.HardLinks, want) {
		t.Errorf("groups %q, want %q", c.HardLinks, want)
	}
	if c.Incomplete != "" {
		t.Errorf("incomplete: %s", c.Incomplete)
	}
}

// Whiteouts remove files from a package; a whiteout in the lowest layer is no file.
func TestWhiteouts(t *testing.T) {
	base := append([]it.File{
		{Path: "/usr/lib/a/one", Body: "1"}, {Path: "/usr/lib/a/two", Body: "2"},
		{Path: "/usr/lib/b/three", Body: "3"}, {Path: "/usr/lib/.wh.never", Body: ""},
	}, it.DebianRoot(it.Deb{Name: "a", Version: "1", Listed: []string{
		"/usr/lib/a/one", "/usr/lib/a/two", "/usr/lib/b/three", "/usr/lib/.wh.never",
	}})...)
	top := []it.File{{Path: "/usr/lib/a/.wh.one"}, {Path: "/usr/lib/b/.wh..wh..opq"}, {Path: "/usr/lib/b/four", Body: "4"}}
	wantFiles(t, find(t, read(t, it.Image(t, base, top)), "a"), "/usr/lib/a/two")
}

// Names that a list cannot hold make their package opaque, not empty.
func TestOpaqueNames(t *testing.T) {
	base := append([]it.File{
		{Path: "/usr/lib/bad/caf\xe9.so", Body: "x"}, {Path: "/usr/lib/bad/fine", Body: "x"},
		{Path: "/usr/lib/cut/line\nbreak.so", Body: "x"}, {Path: "/usr/lib/cut/fine", Body: "x"},
		{Path: "/usr/lib/space/end.so ", Body: "x"},
		{Path: "/usr/lib/link/a", Body: "x"}, {Path: "/usr/lib/link/\xff", Hardlink: "/usr/lib/link/a"},
		{Path: "/usr/lib/repl/\uFFFD", Body: "x"},
		{Path: "/usr/lib/ok/ünï", Body: "x"},
	}, it.DebianRoot(
		it.Deb{Name: "bad", Version: "1", Listed: []string{"/usr/lib/bad/caf\xe9.so", "/usr/lib/bad/fine"}},
		it.Deb{Name: "cut", Version: "1", Listed: []string{"/usr/lib/cut/line\nbreak.so", "/usr/lib/cut/fine"}},
		it.Deb{Name: "space", Version: "1", Listed: []string{"/usr/lib/space/end.so "}, NoList: true},
		it.Deb{Name: "link", Version: "1", Listed: []string{"/usr/lib/link/a"}},
		it.Deb{Name: "repl", Version: "1", Listed: []string{"/usr/lib/repl/\uFFFD"}},
		it.Deb{Name: "ok", Version: "1", Listed: []string{"/usr/lib/ok/ünï"}},
	)...)
	c := read(t, it.Image(t, base))
	for name, files := range map[string][]string{
		"bad": {"/usr/lib/bad/fine"}, "cut": {"/usr/lib/cut/fine"}, "space": nil, "link": {"/usr/lib/link/a"}, "repl": nil,
	} {
		p := find(t, c, name)
		if p.Opaque == "" {
			t.Errorf("%s is not opaque", name)
		}
		if !slices.Equal(p.Files, files) {
			t.Errorf("files of %s = %q, want %q", name, p.Files, files)
		}
	}
	wantFiles(t, find(t, c, "ok"), "/usr/lib/ok/ünï")
}

func TestDiversions(t *testing.T) {
	base := append([]it.File{
		{Path: "/usr/bin/sh", Body: "the diverter's"}, {Path: "/usr/bin/sh.distrib", Body: "the original"},
		{Path: "/var/lib/dpkg/diversions", Body: "/usr/bin/sh\n/usr/bin/sh.distrib\ndiverter\n"},
	}, it.DebianRoot(
		it.Deb{Name: "diverter", Version: "1", Listed: []string{"/usr/bin/sh"}},
		it.Deb{Name: "original", Version: "1", Listed: []string{"/usr/bin/sh"}},
	)...)
	c := read(t, it.Image(t, base))
	wantFiles(t, find(t, c, "diverter"), "/usr/bin/sh")
	wantFiles(t, find(t, c, "original"), "/usr/bin/sh", "/usr/bin/sh.distrib")
}

// A second installation within the image (a chroot) owns files below its root.
func TestNestedRoot(t *testing.T) {
	var nested []it.File
	for _, f := range it.DebianRoot(it.Deb{Name: "inner", Version: "1", Listed: []string{"/usr/bin/x"}}) {
		f.Path = "/srv/root" + f.Path
		nested = append(nested, f)
	}
	c := read(t, it.Image(t, append(nested, it.File{Path: "/srv/root/usr/bin/x", Body: "x"}, it.File{Path: "/usr/bin/x", Body: "y"})))
	p := find(t, c, "inner")
	if !slices.Equal(p.Files, []string{"/srv/root/usr/bin/x"}) || p.Opaque == "" {
		t.Errorf("files %q, opaque %q", p.Files, p.Opaque)
	}
}

func TestAlpine(t *testing.T) {
	c := read(t, it.Image(t, []it.File{
		{Path: "/etc/os-release", Body: "NAME=\"Alpine Linux\"\nID=alpine\nVERSION_ID=3.18.4\n"},
		{Path: "/lib/apk/db/installed", Body: "P:musl\nV:1.2.4-r1\nA:x86_64\no:musl\nF:lib\nR:ld-musl-x86_64.so.1\nR:libc.musl-x86_64.so.1\n\n" +
			"P:ssl_client\nV:1.36.1-r2\nA:x86_64\no:busybox\nF:usr/bin\nR:ssl_client\n\n"},
		{Path: "/lib/ld-musl-x86_64.so.1", Body: "loader"},
		{Path: "/lib/libc.musl-x86_64.so.1", Symlink: "ld-musl-x86_64.so.1"},
		{Path: "/usr/bin/ssl_client", Body: "x"},
	}))
	if c.Distro != "alpine 3.18.4" {
		t.Errorf("distro %q", c.Distro)
	}
	wantFiles(t, find(t, c, "musl"), "/lib/ld-musl-x86_64.so.1")
	p := find(t, c, "ssl_client")
	wantFiles(t, p, "/usr/bin/ssl_client")
	if *p.Source != (inventory.Source{Name: "busybox", Version: "1.36.1-r2"}) {
		t.Errorf("source %+v", p.Source)
	}
}

func TestPython(t *testing.T) {
	site := "/usr/local/lib/python3.11/site-packages/"
	meta := func(name, version string) string {
		return "Metadata-Version: 2.1\nName: " + name + "\nVersion: " + version + "\n\n"
	}
	c := read(t, it.Image(t, []it.File{
		// a wheel, one line of whose RECORD has a field too few
		{Path: site + "wheel-1.0.dist-info/METADATA", Body: meta("wheel", "1.0")},
		{Path: site + "wheel-1.0.dist-info/RECORD", Body: "wheel/__init__.py,sha256=x,1\nwheel/odd.py,sha256=x\n../../../bin/wheel,,\n\"wheel/with,comma.py\",,\nwheel-1.0.dist-info/METADATA,,\n"},
		{Path: site + "wheel/__init__.py"}, {Path: site + "wheel/odd.py"}, {Path: site + "wheel/with,comma.py"},
		{Path: "/usr/local/bin/wheel"},
		// an egg-info directory without a list
		{Path: site + "egg.egg-info/PKG-INFO", Body: meta("egg", "2.0")},
		{Path: site + "egg.egg-info/top_level.txt", Body: "egg\n_egg\neggmod\n"},
		{Path: site + "egg/__init__.py"}, {Path: site + "egg/sub/mod.py"},
		{Path: site + "_egg.cpython-311-x86_64-linux-gnu.so"}, {Path: site + "eggmod.py"}, {Path: site + "eggmodel.py"},
		// installed-files.txt, whose last line has no line break
		{Path: site + "old.egg-info/PKG-INFO", Body: meta("old", "3.0")},
		{Path: site + "old.egg-info/installed-files.txt", Body: "../old.py\nPKG-INFO\n../old_last.py"},
		{Path: site + "old.py"}, {Path: site + "old_last.py"},
		// a module of top_level.txt is not there
		{Path: site + "part.egg-info/PKG-INFO", Body: meta("part", "4.0")},
		{Path: site + "part.egg-info/top_level.txt", Body: "part\npart_gone\n"},
		{Path: site + "part.py"},
		// no list at all
		{Path: site + "bare-5.0.egg-info", Body: meta("bare", "5.0")},
		// editable installations, by path file and by finder
		{Path: site + "edit-6.0.dist-info/METADATA", Body: meta("edit", "6.0")},
		{Path: site + "edit-6.0.dist-info/RECORD", Body: "__editable__.edit-6.0.pth,,\n"},
		{Path: site + "__editable__.edit-6.0.pth", Body: "/app/src\n"},
		{Path: "/app/src/edit/__init__.py"},
		{Path: site + "find-7.0.dist-info/METADATA", Body: meta("find", "7.0")},
		{Path: site + "find-7.0.dist-info/RECORD", Body: "__editable___find_7_0_finder.py,,\n"},
		{Path: site + "__editable___find_7_0_finder.py", Body: "MAPPING = {}\n"},
	}))
	wantFiles(t, find(t, c, "wheel"), "/usr/local/bin/wheel", site+"wheel-1.0.dist-info/METADATA",
		site+"wheel/__init__.py", site+"wheel/odd.py", site+"wheel/with,comma.py")
	wantFiles(t, find(t, c, "egg"), site+"_egg.cpython-311-x86_64-linux-gnu.so", site+"egg/__init__.py", site+"egg/sub/mod.py", site+"eggmod.py")
	wantFiles(t, find(t, c, "old"), site+"old.egg-info/PKG-INFO", site+"old.py", site+"old_last.py")
	if p := find(t, c, "part"); p.Opaque == "" || !slices.Equal(p.Files, []string{site + "part.py"}) {
		t.Errorf("part = %+v", p)
	}
	wantFiles(t, find(t, c, "bare"))
	wantFiles(t, find(t, c, "edit"), "/app/src/edit/__init__.py", site+"__editable__.edit-6.0.pth")
	if p := find(t, c, "find"); p.Opaque == "" {
		t.Errorf("find = %+v", p)
	}
}

func TestNpm(t *testing.T) {
	manifest := func(name, version string) string { return `{"name":"` + name + `","version":"` + version + `"}` }
	c := read(t, it.Image(t, []it.File{
		{Path: "/app/package.json", Body: manifest("app", "1.0.0")}, {Path: "/app/index.js", Body: "1"},
		{Path: "/app/node_modules/outer/package.json", Body: manifest("outer", "1.0.0")},
		{Path: "/app/node_modules/outer/lib/index.js", Body: "2"},
		{Path: "/app/node_modules/outer/node_modules/inner/package.json", Body: manifest("inner", "2.0.0")},
		{Path: "/app/node_modules/outer/node_modules/inner/index.js", Body: "3"},
		{Path: "/app/node_modules/outer/node_modules/anonymous/index.js", Body: "4"},
		{Path: "/app/node_modules/@scope/dep/package.json", Body: manifest("@scope/dep", "3.0.0")},
		{Path: "/app/node_modules/@scope/dep/index.js", Body: "5"},
		// Debian's own place
		{Path: "/usr/share/nodejs/semver/package.json", Body: manifest("semver", "7.3.5")},
		{Path: "/usr/share/nodejs/semver/index.js", Body: "6"},
		// one store, linked twice, as pnpm does
		{Path: "/store/aa", Body: manifest("linked", "4.0.0")}, {Path: "/store/bb", Body: "7"},
		{Path: "/srv/node_modules/linked/package.json", Hardlink: "/store/aa"},
		{Path: "/srv/node_modules/linked/index.js", Hardlink: "/store/bb"},
		{Path: "/srv2/node_modules/linked/package.json", Hardlink: "/store/aa"},
		{Path: "/srv2/node_modules/linked/own.js", Body: "8"},
	}))
	wantFiles(t, find(t, c, "app"), "/app/index.js", "/app/package.json")
	wantFiles(t, find(t, c, "outer"), "/app/node_modules/outer/lib/index.js",
		"/app/node_modules/outer/node_modules/anonymous/index.js", "/app/node_modules/outer/package.json")
	wantFiles(t, find(t, c, "inner"), "/app/node_modules/outer/node_modules/inner/index.js", "/app/node_modules/outer/node_modules/inner/package.json")
	wantFiles(t, find(t, c, "@scope/dep"), "/app/node_modules/@scope/dep/index.js", "/app/node_modules/@scope/dep/package.json")
	wantFiles(t, find(t, c, "semver"), "/usr/share/nodejs/semver/index.js", "/usr/share/nodejs/semver/package.json")
	wantFiles(t, find(t, c, "linked"), "/srv/node_modules/linked/index.js", "/srv/node_modules/linked/package.json",
		"/srv2/node_modules/linked/own.js", "/srv2/node_modules/linked/package.json")
}

// jar makes an archive of name, version and further entries.
func jar(t testing.TB, name, version string, more map[string]string) string {
	t.Helper()
	var buf bytes.Buffer
	w := zip.NewWriter(&buf)
	entries := map[string]string{
		"META-INF/MANIFEST.MF": "Manifest-Version: 1.0\nImplementation-Title: " + name + "\nImplementation-Version: " + version + "\n",
		"META-INF/maven/org.example/" + name + "/pom.properties": "groupId=org.example\nartifactId=" + name + "\nversion=" + version + "\n",
	}
	for k, v := range more {
		entries[k] = v
	}
	for _, k := range slices.Sorted(func(yield func(string) bool) {
		for k := range entries {
			if !yield(k) {
				return
			}
		}
	}) {
		e, err := w.Create(k)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := e.Write([]byte(entries[k])); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.String()
}

// Only the outermost archive has a name that the kernel knows.
func TestJars(t *testing.T) {
	outer := jar(t, "outer", "1.0", map[string]string{
		"BOOT-INF/lib/nested-2.0.jar":                      jar(t, "nested", "2.0", nil),
		"META-INF/maven/org.example/shaded/pom.properties": "groupId=org.example\nartifactId=shaded\nversion=3.0\n",
		"META-INF/maven/org.example/shaded/unrelated.txt":  "x",
	})
	c := read(t, it.Image(t, []it.File{
		{Path: "/app/lib/outer-1.0.jar", Body: outer}, {Path: "/opt/app", Symlink: "/app"},
	}))
	p := find(t, c, "outer")
	wantFiles(t, p, "/app/lib/outer-1.0.jar")
	if p.Archive != "" {
		t.Errorf("the outer jar is within %q", p.Archive)
	}
	for _, name := range []string{"nested", "shaded"} {
		p := find(t, c, name)
		wantFiles(t, p)
		if p.Archive != "/app/lib/outer-1.0.jar" {
			t.Errorf("archive of %s = %q", name, p.Archive)
		}
	}
}

// A program that is known by its contents alone may have files that nothing lists.
func TestBinaryPackage(t *testing.T) {
	c := read(t, it.Image(t, []it.File{{Path: "/opt/bin/busybox", Body: "\x7fELF\x00BusyBox v1.36.1 (2023-05-19)\x00", Exec: true}}))
	p := find(t, c, "busybox")
	if p.Type != "binary" || p.Opaque == "" || !slices.Equal(p.Files, []string{"/opt/bin/busybox"}) || p.Location != "/opt/bin/busybox" {
		t.Errorf("busybox = %+v", p)
	}
}
