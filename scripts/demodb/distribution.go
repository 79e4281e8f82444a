package main

import (
	"fmt"
	"strings"
)

// distributed is a record of a distribution's package.
type distributed struct {
	ID         string `json:"id"`
	Package    string `json:"source_package"`
	Distro     string `json:"distro"` // such as debian:12
	Status     string `json:"status"` // affected, fixed, not-affected
	Introduced string `json:"introduced_version"`
	Fixed      string `json:"fixed_version"`
	Severity   string `json:"severity"`
	CVSS       string `json:"cvss"`
	Text       string `json:"description"`
	State      string `json:"tracker_state"`
	Source     string `json:"source"`
}

// ecosystem says how a distribution is named in Grype's database.
type ecosystem struct{ provider, packages, format string }

var ecosystems = map[string]ecosystem{
	"debian": {"debian", "deb", "dpkg"},
	"alpine": {"alpine", "apk", "apk"},
	"rhel":   {"rhel", "rpm", "rpm"},
}

// codenames are needed where Grype looks a release up by its name too.
var codenames = map[string]string{"debian:12": "bookworm"}

// fromDistribution adds records to the advisories. All packages of one
// vulnerability and provider go into one advisory.
func fromDistribution(out []advisory, records []distributed) ([]advisory, error) {
	index := map[string]int{}
	for i, a := range out {
		index[a.provider+" "+a.id] = i
	}
	for _, r := range records {
		if r.Status == "not-affected" {
			continue
		}
		name, version, ok := strings.Cut(r.Distro, ":")
		eco, known := ecosystems[name]
		if !ok || !known || r.ID == "" || r.Package == "" {
			return nil, fmt.Errorf("the record %q of %q is not understood", r.ID, r.Distro)
		}
		vulnerable, err := r.span()
		if err != nil {
			return nil, err
		}
		key := eco.provider + " " + r.ID
		i, seen := index[key]
		if !seen {
			i = len(out)
			index[key] = i
			out = append(out, advisory{
				id: r.ID, provider: eco.provider, text: r.Text, url: r.url(name),
				severity: stated(r.Severity), cvss: r.CVSS,
			})
		}
		major, minor, _ := strings.Cut(version, ".")
		out[i].packages = append(out[i].packages, affected{
			ecosystem: eco.packages, name: r.Package, format: eco.format,
			release: release{name: name, major: major, minor: minor, codename: codenames[r.Distro]},
			ranges:  []span{vulnerable},
		})
	}
	return out, nil
}

// span gives the vulnerable range. Debian's tracker says no-dsa, ignored or
// postponed of what its security team will not fix by itself.
func (r distributed) span() (span, error) {
	switch r.Status {
	case "fixed":
		if r.Fixed == "" {
			return span{}, fmt.Errorf("%s in %s is fixed in no version", r.ID, r.Package)
		}
		constraint := "< " + r.Fixed
		if r.Introduced != "" {
			constraint = ">= " + r.Introduced + ", " + constraint
		}
		return span{constraint: constraint, fix: r.Fixed, state: "fixed"}, nil
	case "affected":
		switch r.State {
		case "no-dsa", "ignored", "postponed":
			return span{state: "wont-fix"}, nil
		}
		return span{state: "not-fixed"}, nil
	default:
		return span{}, fmt.Errorf("%s in %s has the status %q", r.ID, r.Package, r.Status)
	}
}

// url is where the distribution describes the vulnerability.
func (r distributed) url(name string) string {
	switch name {
	case "debian":
		return "https://security-tracker.debian.org/tracker/" + r.ID
	case "alpine":
		return "https://security.alpinelinux.org/vuln/" + r.ID
	default:
		return "https://access.redhat.com/security/cve/" + r.ID
	}
}

// stated drops a severity that says nothing.
func stated(severity string) string {
	if severity == "unknown" {
		return ""
	}
	return severity
}
