package judge

import (
	"strings"

	packageurl "github.com/package-url/packageurl-go"
)

// purlKey is what go-vex compares of two package URLs once qualifiers are
// gone: it never looks at the subpath
// (https://github.com/openvex/go-vex/blob/v0.2.9/pkg/vex/vex.go, PurlMatches).
type purlKey struct{ kind, namespace, name, version string }

// bare gives a package URL without qualifiers and subpath in its canonical
// spelling, and its key. Instances of one package have one spelling: Go's
// standard library is written without the v that some tools put before its
// version. It is not ok when a consumer could read the result as anything but
// this one version of this one package: the statement would then match
// nothing, or too much.
func bare(purl string) (string, purlKey, bool) {
	p, err := packageurl.FromString(purl)
	if err != nil {
		return "", purlKey{}, false
	}
	k := keyOf(p)
	if k.stdlib() {
		k.version = strings.TrimPrefix(k.version, "v")
	}
	return spell(k)
}

// BarePURL gives a package URL as Assessment.PURL has it: without qualifiers and
// subpath, in its canonical spelling. It is not ok when there is none.
func BarePURL(purl string) (string, bool) {
	s, _, ok := bare(purl)
	return s, ok
}

// spell writes a key as a package URL and makes sure that reading it again
// gives the same key.
func spell(k purlKey) (string, purlKey, bool) {
	s := packageurl.NewPackageURL(k.kind, k.namespace, k.name, k.version, nil, "").ToString()
	again, err := packageurl.FromString(s)
	if err != nil || keyOf(again) != k || k.version == "" {
		return "", purlKey{}, false
	}
	return s, k, true
}

func keyOf(p packageurl.PackageURL) purlKey {
	return purlKey{p.Type, p.Namespace, p.Name, p.Version}
}

// stdlib reports whether the key is Go's standard library, which some tools
// write with a v before the version and some without.
func (k purlKey) stdlib() bool {
	return k.kind == packageurl.TypeGolang && k.namespace == "" && k.name == "stdlib"
}
