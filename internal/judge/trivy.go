package judge

import (
	"strconv"
	"strings"

	packageurl "github.com/package-url/packageurl-go"
)

// trivyKey gives the key that Trivy has for a package, which is not always Syft's
// (https://github.com/aquasecurity/trivy/blob/main/pkg/purl/purl.go): it writes
// names of npm and Go in lower case, has a Debian package's epoch in a qualifier
// and no revision that is empty, and names some distributions otherwise.
func trivyKey(k purlKey) purlKey {
	switch k.kind {
	case packageurl.TypeNPM, packageurl.TypeGolang:
		k.namespace, k.name = strings.ToLower(k.namespace), strings.ToLower(k.name)
	case packageurl.TypeDebian:
		_, k.version, _ = CutEpoch(k.version)
		k.version = strings.TrimSuffix(k.version, "-")
	case packageurl.TypeRPM:
		if family, differs := Family(k.namespace); differs {
			k.namespace = family
		}
	}
	return k
}

// synonymous reports whether the other names of a package mean the very same one:
// another name of a distribution, the v before a version of Go's.
func (k purlKey) synonymous() bool { return k.kind == packageurl.TypeRPM || k.stdlib() }

// CutEpoch takes the epoch off the version of a Debian package. Trivy keeps it
// in a qualifier, where Syft and the specification of package URLs have it in
// the version.
func CutEpoch(version string) (epoch, rest string, found bool) {
	epoch, rest, found = strings.Cut(version, ":")
	if n, err := strconv.Atoi(epoch); !found || err != nil || n < 0 || rest == "" {
		return "", version, false
	}
	return epoch, rest, true
}

// Family gives Trivy's name for a distribution of RPM packages, where it is not
// the ID in os-release, by which Syft names it.
func Family(id string) (name string, differs bool) {
	name, differs = families[id]
	return name, differs
}

// https://github.com/aquasecurity/trivy/blob/main/pkg/fanal/types/const.go
var families = map[string]string{
	"almalinux":         "alma",
	"amzn":              "amazon",
	"mariner":           "cbl-mariner",
	"ol":                "oracle",
	"sle-micro":         "suse",
	"sle-micro-rancher": "suse",
	"sl-micro":          "suse",
	"sles":              "suse",
}
