package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	v6 "github.com/anchore/grype/grype/db/v6"
)

// input is the bed's own format for advisories.
type input struct {
	Built   time.Time `json:"built"` // the database's age
	Records []record  `json:"records"`
}

// record is one advisory on one package. One without a package, as the
// provider nvd has them, only carries severity and description.
type record struct {
	ID          string   `json:"id"`
	Provider    string   `json:"provider"` // debian, github, nvd
	Aliases     []string `json:"aliases"`
	Description string   `json:"description"`
	Severity    string   `json:"severity"` // critical, high, medium, low, negligible
	CVSS        string   `json:"cvss"`     // a CVSS 3.1 vector
	URL         string   `json:"url"`
	Ecosystem   string   `json:"ecosystem"` // Syft's package type: deb, go-module, npm
	Package     string   `json:"package"`
	OS          string   `json:"os"` // debian
	OSVersion   string   `json:"osVersion"`
	Codename    string   `json:"codename"`
	Constraint  string   `json:"constraint"` // "< 1.2.3"; empty is every version
	Format      string   `json:"format"`     // dpkg, go, npm; an npm record that says semver matches nothing in Grype 0.99
	Fix         string   `json:"fix"`
	FixState    string   `json:"fixState"` // fixed, not-fixed, wont-fix
}

func readRecords(name string) (input, error) {
	var in input
	text, err := os.ReadFile(name)
	if err != nil {
		return in, fmt.Errorf("reading records: %w", err)
	}
	if err := json.Unmarshal(text, &in); err != nil {
		return in, fmt.Errorf("reading records: %w", err)
	}
	if in.Built.IsZero() {
		return in, fmt.Errorf("reading records: %s has no built time", name)
	}
	return in, nil
}

// vulnerability is what Grype keeps of an advisory beside its package.
func (r *record) vulnerability(provider *v6.Provider, published time.Time) *v6.VulnerabilityHandle {
	blob := &v6.VulnerabilityBlob{ID: r.ID, Description: r.Description, Aliases: r.Aliases}
	if r.URL != "" {
		blob.References = []v6.Reference{{URL: r.URL}}
	}
	if r.Severity != "" {
		blob.Severities = append(blob.Severities, v6.Severity{Scheme: v6.SeveritySchemeCHMLN, Value: r.Severity, Rank: 1})
	}
	if r.CVSS != "" {
		blob.Severities = append(blob.Severities, v6.Severity{
			Scheme: v6.SeveritySchemeCVSS, Source: "nvd@nist.gov", Rank: 2, Value: v6.CVSSSeverity{Vector: r.CVSS, Version: "3.1"},
		})
	}
	return &v6.VulnerabilityHandle{
		Name: r.ID, Status: v6.VulnerabilityActive, ProviderID: provider.ID, Provider: provider,
		PublishedDate: &published, ModifiedDate: &published, BlobValue: blob,
	}
}

// affected is what Grype keeps of an advisory's package.
func (r *record) affected(vulnerability *v6.VulnerabilityHandle) *v6.AffectedPackageHandle {
	var system *v6.OperatingSystem
	if r.OS != "" {
		major, minor, _ := strings.Cut(r.OSVersion, ".")
		system = &v6.OperatingSystem{Name: r.OS, ReleaseID: r.OS, MajorVersion: major, MinorVersion: minor, Codename: r.Codename}
	}
	state := v6.FixStatus(r.FixState)
	if state == "" && r.Fix != "" {
		state = v6.FixedStatus
	}
	cves := r.Aliases
	if strings.HasPrefix(r.ID, "CVE-") {
		cves = []string{r.ID}
	}
	return &v6.AffectedPackageHandle{
		Vulnerability: vulnerability, OperatingSystem: system,
		Package: &v6.Package{Ecosystem: r.Ecosystem, Name: r.Package},
		BlobValue: &v6.AffectedPackageBlob{CVEs: cves, Ranges: []v6.AffectedRange{{
			Version: v6.AffectedVersion{Type: r.Format, Constraint: r.Constraint},
			Fix:     &v6.Fix{Version: r.Fix, State: state},
		}}},
	}
}
