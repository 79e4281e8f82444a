package consume

import "testing"

// What Trivy calls a package, by its sources and not by the judge's.
func TestTrivyURL(t *testing.T) {
	for purl, want := range map[string]string{
		"pkg:deb/debian/a@1.2-3?arch=amd64":   "pkg:deb/debian/a@1.2-3?arch=amd64",
		"pkg:deb/debian/a@1:1.2-3?arch=amd64": "pkg:deb/debian/a@1.2-3?arch=amd64&epoch=1",
		"pkg:deb/debian/a@0:1.2":              "pkg:deb/debian/a@1.2?epoch=0",
		"pkg:deb/debian/a@+3:1.2":             "pkg:deb/debian/a@1.2?epoch=3",
		"pkg:deb/debian/a@3000000000:1.2":     "pkg:deb/debian/a@1.2?epoch=3000000000",
		"pkg:deb/debian/a@x:1.2":              "pkg:deb/debian/a@x:1.2",
		"pkg:deb/debian/a@1.2-":               "pkg:deb/debian/a@1.2",
		"pkg:npm/%40Scope/Name@1":             "pkg:npm/%40scope/name@1",
		"pkg:pypi/a@1":                        "pkg:pypi/a@1",
		"pkg:rpm/almalinux/a@1?epoch=2":       "pkg:rpm/alma/a@1?epoch=2",
		"pkg:rpm/amzn/a@1":                    "pkg:rpm/amazon/a@1",
		"pkg:rpm/centos/a@1":                  "pkg:rpm/centos/a@1",
		"pkg:rpm/mariner/a@1":                 "pkg:rpm/cbl-mariner/a@1",
		"pkg:rpm/ol/a@1":                      "pkg:rpm/oracle/a@1",
		"pkg:rpm/sle-micro/a@1":               "pkg:rpm/suse/a@1",
		"pkg:rpm/sle-micro-rancher/a@1":       "pkg:rpm/suse/a@1",
		"pkg:rpm/sl-micro/a@1":                "pkg:rpm/suse/a@1",
		"pkg:rpm/sles/a@1":                    "pkg:rpm/suse/a@1",
		"pkg:rpm/fedora/a@1":                  "pkg:rpm/fedora/a@1",
		"no package URL":                      "no package URL",
	} {
		if got := trivyURL(purl); got != want {
			t.Errorf("%s: %s, want %s", purl, got, want)
		}
	}
}
