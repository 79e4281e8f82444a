// Package inventory holds what is in an image: its packages with the files
// they own, and the vulnerabilities that a database knows of them.
package inventory

import "time"

// Inventory is everything known about an image's contents before it ran.
type Inventory struct {
	// Distro is the distribution's ID and version, such as "debian 12"; empty
	// for an image without one.
	Distro   string    `json:"distro,omitempty"`
	Packages []Package `json:"packages"`
	Findings []Finding `json:"findings"`
	// HardLinks are groups of image paths that stand for one file of a package:
	// paths of one inode, and copies with the same contents that no package owns.
	HardLinks [][]string `json:"hard_links,omitempty"`
	// Incomplete says why the list of packages cannot be trusted to be whole
	// (a cataloguer failed, a limit was met); empty when it can.
	Incomplete string   `json:"incomplete,omitempty"`
	Database   Database `json:"database"`
	// Syft and Grype are the versions of the libraries that were used.
	Syft  string `json:"syft"`
	Grype string `json:"grype"`
}

// Package is one installed package. Every path is absolute, as the image's own
// symbolic links resolve it ("/lib/x" is "/usr/lib/x" on a merged /usr), and
// names a regular file of the image.
type Package struct {
	// ID is Syft's artifact ID, unique within the image.
	ID      string `json:"id"`
	Name    string `json:"name"`
	Version string `json:"version"`
	// Type is Syft's package type: deb, apk, rpm, python, npm, go-module,
	// java-archive, binary and so on.
	Type string `json:"type"`
	// PURL is the package URL as Syft writes it, with qualifiers.
	PURL string `json:"purl"`
	// Source is the source package that the binary package was built from, if
	// it is known.
	Source *Source `json:"source,omitempty"`
	// Files are the regular files that the package owns, sorted.
	Files []string `json:"files,omitempty"`
	// Archive is the outermost archive that holds the package (a jar within a
	// jar, a module within a zip), when the package is not that archive itself.
	Archive string `json:"archive,omitempty"`
	// Location is the file that the package was read from: a package.json, a
	// METADATA, a Go binary, a package database.
	Location string `json:"location,omitempty"`
	// Opaque says why the files cannot be matched with what a kernel reports
	// (a name that is not UTF-8, a cut name); empty when they can.
	Opaque string `json:"opaque,omitempty"`
}

// Source is a source package.
type Source struct {
	Name    string `json:"name"`
	Version string `json:"version,omitempty"`
}

// Severity is a vulnerability's severity, lower case.
type Severity string

// The severities, worst first.
const (
	Critical   Severity = "critical"
	High       Severity = "high"
	Medium     Severity = "medium"
	Low        Severity = "low"
	Negligible Severity = "negligible"
	Unknown    Severity = "unknown"
)

// Severities lists all severities, worst first.
var Severities = []Severity{Critical, High, Medium, Low, Negligible, Unknown}

// Finding is one vulnerability matched to one package.
type Finding struct {
	// ID is the identifier that matched (a CVE or an advisory such as GHSA-…).
	ID string `json:"id"`
	// Aliases are the other identifiers of the same vulnerability, sorted.
	Aliases   []string `json:"aliases,omitempty"`
	PackageID string   `json:"package_id"`
	Severity  Severity `json:"severity"`
	// CVSS is the highest base score known, 0 when none is.
	CVSS float64 `json:"cvss,omitempty"`
	// EPSS is the probability of exploitation (0 to 1), 0 when unknown.
	EPSS float64 `json:"epss,omitempty"`
	// KEV says that CISA lists it as exploited.
	KEV bool `json:"kev,omitempty"`
	// FixState is fixed, not-fixed, wont-fix or unknown.
	FixState string `json:"fix_state"`
	// FixVersions are the versions with the fix, in the package's own scheme.
	FixVersions []string `json:"fix_versions,omitempty"`
	// Namespace is the data set within the database, such as debian:distro:debian:12.
	Namespace  string `json:"namespace,omitempty"`
	DataSource string `json:"data_source,omitempty"`
	// Description is at most 500 bytes of the database's text.
	Description string `json:"description,omitempty"`
}

// Database identifies the vulnerability database that all findings came from.
type Database struct {
	// Schema is the database's schema version, such as v6.1.4.
	Schema string `json:"schema"`
	// Built is the time of its facts.
	Built time.Time `json:"built"`
	// Digest identifies its contents: the archive's SHA-256 where known, else
	// the file's.
	Digest string `json:"digest"`
	// From says where it came from: a URL or a local path.
	From string `json:"from"`
}
