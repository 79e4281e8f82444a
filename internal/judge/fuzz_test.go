package judge

import (
	"strings"
	"testing"

	packageurl "github.com/package-url/packageurl-go"

	"github.com/vexxy/action/internal/evidence"
	"github.com/vexxy/action/internal/inventory"
)

// A bare package URL has no qualifiers, is read as the same package by
// go-vex's parser, and is bare already.
func FuzzBare(f *testing.F) {
	for _, seed := range []string{
		"pkg:deb/debian/libc6@2.36-9%2Bdeb12u4?arch=amd64&distro=debian-12", "pkg:npm/%40scope/name@1.0", "pkg:npm/@scope/name@1.0",
		"pkg:golang/stdlib@v1.22.1", "pkg:golang/x/y@v1#sub/../path", "pkg:pypi/My_Package@1", "pkg:oci/app@sha256:00?repository_url=a",
		"pkg:deb/debian/a", "pkg:deb/%zz@1", "pkg:deb/debian/a@%3F", "pkg:deb/debian/a@1%23b", "PKG://Maven//g/a@1", "pkg:mlflow/N@1?repository_url=x.databricks.com", "",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, purl string) {
		got, key, ok := bare(purl)
		if !ok {
			if got != "" || key != (purlKey{}) {
				t.Errorf("refused and yet %q %+v", got, key)
			}
			return
		}
		if strings.ContainsAny(got, "?#\n\x00 ") {
			t.Errorf("%q gives %q", purl, got)
		}
		p, err := packageurl.FromString(got)
		if err != nil || keyOf(p) != key || p.Version == "" || len(p.Qualifiers) != 0 || p.Subpath != "" {
			t.Errorf("%q gives %q, which reads as %+v (%v)", purl, got, p, err)
		}
		again, same, ok := bare(got)
		if !ok || again != got || same != key {
			t.Errorf("%q is not bare: %q", got, again)
		}
	})
}

// However a path is written, attribution does not panic, finds the file itself
// and no other one of the package's.
func FuzzAttribution(f *testing.F) {
	for _, seed := range []string{
		"/usr/lib/a.so", "/lib/a.so", "/usr/lib/python3/dist-packages/a/__pycache__/x.cpython-311.opt-1.pyc", "/x.pyc", "/.pyc", "/__pycache__/.pyc",
		"/a.pyc.123", "//", "", "relative", "/a (deleted)", " (deleted)", "/a/../b", "/a\xff", "/\x00", "/app/node_modules/a/node_modules/b/i.js",
		strings.Repeat("/d", 2000) + "/x.cpython-311.pyc",
	} {
		f.Add([]byte(seed), seed)
	}
	f.Fuzz(func(t *testing.T, seenPath []byte, owned string) {
		const other = "/nowhere/near/that"
		s := newSeen([]evidence.Observation{{Path: seenPath, Kinds: []evidence.Kind{evidence.Exec}}}, [][]string{{string(seenPath), owned}})
		u := s.of(&inventory.Package{Type: "deb", Files: []string{string(seenPath)}})
		if len(seenPath) > 0 && u.first != 0 {
			t.Errorf("%q was executed and is not seen", seenPath)
		}
		if len(seenPath) > 0 && s.of(&inventory.Package{Type: "deb", Files: []string{owned}}).first != 0 {
			t.Errorf("%q is a hard link of %q and is not seen", owned, seenPath)
		}
		if string(seenPath) != other && owned != other && !strings.Contains(string(seenPath), "nowhere") && !strings.Contains(owned, "nowhere") &&
			s.of(&inventory.Package{Type: "deb", Files: []string{other}}).first >= 0 {
			t.Errorf("%q makes %q seen", seenPath, other)
		}
		s.of(&inventory.Package{Type: "npm", Location: owned, Files: []string{owned}})
		s.of(&inventory.Package{Type: "python", Location: owned, Files: []string{owned}})
		classify(owned)
	})
}
