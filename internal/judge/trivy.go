package judge

import (
	"strconv"
	"strings"

	packageurl "github.com/package-url/packageurl-go"
)

// trivyKey gives the key that Trivy has for a package of a distribution, which
// is not always Syft's
// (https://github.com/aquasecurity/trivy/blob/main/pkg/purl/purl.go).
func trivyKey(k purlKey) purlKey {
	switch k.kind {
	case packageurl.TypeDebian:
		_, k.version, _ = CutEpoch(k.version)
	case packageurl.TypeRPM:
		if family, differs := Family(k.namespace); differs {
			k.namespace = family
		}
	}
	return k
}

// CutEpoch takes the epoch off the version of a Debian package. Trivy keeps it
// in a qualifier, where Syft and the specification of package URLs have it in
// the version.
func CutEpoch(version string) (epoch, rest string, found bool) {
	epoch, rest, found = strings.Cut(version, ":")
	if _, err := strconv.ParseUint(epoch, 10, 31); !found || err != nil || rest == "" {
		return "", version, false
	}
	return epoch, rest, true
}

// Family gives Trivy's name for a distribution of RPM packages, where it is not
// the ID in os-release, by which Syft names it. CentOS keeps its ID as well:
// that is CentOS Stream's too, which Trivy takes for another.
func Family(id string) (name string, differs bool) {
	name, differs = families[id]
	return name, differs
}

// https://github.com/aquasecurity/trivy/blob/main/pkg/fanal/types/const.go
var families = map[string]string{
	"almalinux":         "alma",
	"amzn":              "amazon",
	"centos":            "centos-stream",
	"mariner":           "cbl-mariner",
	"ol":                "oracle",
	"sle-micro":         "suse",
	"sle-micro-rancher": "suse",
	"sl-micro":          "suse",
	"sles":              "suse",
}
