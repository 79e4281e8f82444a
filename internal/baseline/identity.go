package baseline

import (
	"strings"

	packageurl "github.com/package-url/packageurl-go"
)

// subjectKey names what a statement is about, across runs: an identifier of
// the vulnerability in a package whatever its version. A package that was
// raised to another version with the same vulnerability is the same finding.
type subjectKey struct{ vulnerability, pack string }

// PackageKey identifies a package across runs, by its package URL without version,
// qualifiers and subpath, else by type and name.
func PackageKey(purl, kind, name string) string {
	if p, err := packageurl.FromString(purl); err == nil {
		return "pkg:" + p.Type + "/" + p.Namespace + "/" + p.Name
	}
	return kind + "\x00" + name
}

func isCVE(id string) bool { return strings.HasPrefix(id, "CVE-") }

// apart reports whether two names certainly stand for two vulnerabilities,
// whatever aliases they share: an advisory may cover several CVEs.
func apart(a, b string) bool { return a != b && isCVE(a) && isCVE(b) }
