package catalogtest

import (
	"archive/tar"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	v6 "github.com/anchore/grype/grype/db/v6"
	"github.com/klauspost/compress/zstd"
)

// Advisory is one vulnerability in one package.
type Advisory struct {
	ID       string
	Provider string // such as debian, github, nvd; "" is debian
	Aliases  []string
	Severity string
	CVSS     string // a CVSS 3.1 vector
	URL      string
	Text     string

	// Package is empty for a record that only describes the vulnerability.
	Package   string
	Ecosystem string // Syft's package type; "" is deb
	Release   string // such as "debian 12"; "" for packages of no distribution
	Affected  string // a constraint such as "< 1.2.3"; "" is every version
	Format    string // dpkg, apk, rpm, semver, python, go; "" is dpkg
	Fix       string
	State     string // fixed, not-fixed, wont-fix; "" by Fix

	KEV  bool
	EPSS float64
}

// Database writes a database with the advisories, built at the given time, and
// gives the path of its archive.
func Database(tb testing.TB, built time.Time, advisories ...Advisory) string {
	tb.Helper()
	dir := tb.TempDir()
	archive := filepath.Join(dir, "vulnerability-db.tar.zst")
	if err := writeDatabase(filepath.Join(dir, "db"), archive, built, advisories); err != nil {
		tb.Fatalf("writing a vulnerability database: %v", err)
	}
	return archive
}

func writeDatabase(dir, archive string, built time.Time, advisories []Advisory) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	w, err := v6.NewWriter(v6.Config{DBDirPath: dir})
	if err != nil {
		return err
	}
	for _, a := range advisories {
		if err := add(w, built, a); err != nil {
			return err
		}
	}
	if err := w.Close(); err != nil {
		return err
	}
	low, err := v6.NewLowLevelDB(filepath.Join(dir, v6.VulnerabilityDBFileName), false, true, false)
	if err != nil {
		return err
	}
	if err := low.Exec("UPDATE db_metadata SET build_timestamp = ?", built).Error; err != nil {
		return err
	}
	raw, err := low.DB()
	if err != nil {
		return err
	}
	if err := raw.Close(); err != nil {
		return err
	}
	return pack(filepath.Join(dir, v6.VulnerabilityDBFileName), archive)
}

// add writes one advisory.
func add(w v6.ReadWriter, built time.Time, a Advisory) error {
	provider := a.Provider
	if provider == "" {
		provider = "debian"
	}
	v := &v6.VulnerabilityHandle{
		Name: a.ID, Status: v6.VulnerabilityActive, ProviderID: provider,
		Provider:      &v6.Provider{ID: provider, Version: "1", Processor: "test", DateCaptured: &built, InputDigest: "xxh64:0"},
		PublishedDate: &built, ModifiedDate: &built,
		BlobValue: &v6.VulnerabilityBlob{ID: a.ID, Description: a.Text, Aliases: a.Aliases},
	}
	if a.URL != "" {
		v.BlobValue.References = []v6.Reference{{URL: a.URL}}
	}
	if a.Severity != "" {
		v.BlobValue.Severities = append(v.BlobValue.Severities, v6.Severity{Scheme: v6.SeveritySchemeCHMLN, Value: a.Severity, Rank: 1})
	}
	if a.CVSS != "" {
		v.BlobValue.Severities = append(v.BlobValue.Severities, v6.Severity{
			Scheme: v6.SeveritySchemeCVSS, Source: "nvd@nist.gov", Rank: 2,
			Value: v6.CVSSSeverity{Vector: a.CVSS, Version: "3.1"},
		})
	}
	if err := w.AddVulnerabilities(v); err != nil {
		return err
	}
	cves := cvesOf(a)
	for _, cve := range cves {
		if a.KEV {
			if err := w.AddKnownExploitedVulnerabilities(&v6.KnownExploitedVulnerabilityHandle{Cve: cve, BlobValue: &v6.KnownExploitedVulnerabilityBlob{Cve: cve}}); err != nil {
				return err
			}
		}
		if a.EPSS > 0 {
			if err := w.AddEpss(&v6.EpssHandle{Cve: cve, Epss: a.EPSS, Percentile: a.EPSS, Date: built}); err != nil {
				return err
			}
		}
	}
	if a.Package == "" {
		return nil
	}
	return w.AddAffectedPackages(affected(v, a, cves))
}

// affected describes the package of an advisory.
func affected(v *v6.VulnerabilityHandle, a Advisory, cves []string) *v6.AffectedPackageHandle {
	h := &v6.AffectedPackageHandle{
		Vulnerability: v,
		Package:       &v6.Package{Ecosystem: a.Ecosystem, Name: a.Package},
		BlobValue: &v6.PackageBlob{CVEs: cves, Ranges: []v6.Range{{
			Version: v6.Version{Type: a.Format, Constraint: a.Affected},
			Fix:     &v6.Fix{Version: a.Fix, State: v6.FixStatus(a.State)},
		}}},
	}
	r := &h.BlobValue.Ranges[0]
	if h.Package.Ecosystem == "" {
		h.Package.Ecosystem = "deb"
	}
	if r.Version.Type == "" {
		r.Version.Type = "dpkg"
	}
	if r.Fix.State == "" {
		r.Fix.State = v6.NotFixedStatus
		if a.Fix != "" {
			r.Fix.State = v6.FixedStatus
		}
	}
	if name, version, ok := strings.Cut(a.Release, " "); ok {
		major, minor, _ := strings.Cut(version, ".")
		h.OperatingSystem = &v6.OperatingSystem{Name: name, ReleaseID: name, MajorVersion: major, MinorVersion: minor, Codename: codename(a.Release)}
	}
	return h
}

// codename gives a Debian release's name, by which Grype looks it up.
func codename(release string) string {
	switch release {
	case "debian 12":
		return "bookworm"
	case "debian 13":
		return "trixie"
	}
	return ""
}

// cvesOf gives the CVEs among an advisory's identifiers.
func cvesOf(a Advisory) []string {
	var out []string
	for _, id := range append([]string{a.ID}, a.Aliases...) {
		if strings.HasPrefix(id, "CVE-") {
			out = append(out, id)
		}
	}
	return out
}

// pack writes the archive that Grype imports.
func pack(db, archive string) error {
	data, err := os.ReadFile(db)
	if err != nil {
		return err
	}
	f, err := os.Create(archive)
	if err != nil {
		return err
	}
	defer f.Close()
	z, err := zstd.NewWriter(f)
	if err != nil {
		return err
	}
	t := tar.NewWriter(z)
	if err := t.WriteHeader(&tar.Header{Name: v6.VulnerabilityDBFileName, Mode: 0o644, Size: int64(len(data)), Typeflag: tar.TypeReg}); err != nil {
		return err
	}
	if _, err := t.Write(data); err != nil {
		return err
	}
	if err := t.Close(); err != nil {
		return err
	}
	return z.Close()
}
