package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	v6 "github.com/anchore/grype/grype/db/v6"
)

// writeArchive writes the database and packs it.
func writeArchive(f facts, archive string) error {
	dir, err := os.MkdirTemp("", "demodb-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	w, err := v6.NewWriter(v6.Config{DBDirPath: dir})
	if err != nil {
		return err
	}
	if err := f.write(w); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	db := filepath.Join(dir, v6.VulnerabilityDBFileName)
	if err := stamp(db, f.date); err != nil {
		return err
	}
	return pack(db, archive, f.date)
}

// write adds all facts in their order.
func (f facts) write(w v6.ReadWriter) error {
	providers := map[string]*v6.Provider{}
	for _, a := range f.advisories {
		p := providers[a.provider]
		if p == nil {
			p = &v6.Provider{ID: a.provider, Version: "1", Processor: "demodb", DateCaptured: &f.date, InputDigest: "xxh64:0"}
			providers[a.provider] = p
		}
		v := a.handle(p)
		if err := w.AddVulnerabilities(v); err != nil {
			return fmt.Errorf("%s: %w", a.id, err)
		}
		for _, one := range a.packages {
			if err := w.AddAffectedPackages(one.handle(v, a.cves())); err != nil {
				return fmt.Errorf("%s in %s: %w", a.id, one.name, err)
			}
		}
	}
	for _, e := range f.exploited {
		if err := w.AddKnownExploitedVulnerabilities(e.handle()); err != nil {
			return fmt.Errorf("exploited %s: %w", e.CVE, err)
		}
	}
	for _, s := range f.scores {
		if err := w.AddEpss(&v6.EpssHandle{Cve: s.CVE, Epss: s.EPSS, Date: f.date}); err != nil {
			return fmt.Errorf("score of %s: %w", s.CVE, err)
		}
	}
	return nil
}

// handle describes the vulnerability.
func (a advisory) handle(p *v6.Provider) *v6.VulnerabilityHandle {
	blob := &v6.VulnerabilityBlob{ID: a.id, Description: a.text, Aliases: a.aliases, References: []v6.Reference{{URL: a.url}}}
	if a.severity != "" {
		blob.Severities = append(blob.Severities, v6.Severity{Scheme: v6.SeveritySchemeCHMLN, Value: a.severity, Rank: 1})
	}
	if a.cvss != "" {
		version, _, _ := strings.Cut(strings.TrimPrefix(a.cvss, "CVSS:"), "/")
		blob.Severities = append(blob.Severities, v6.Severity{
			Scheme: v6.SeveritySchemeCVSS, Rank: 2, Value: v6.CVSSSeverity{Vector: a.cvss, Version: version},
		})
	}
	return &v6.VulnerabilityHandle{Name: a.id, Status: v6.VulnerabilityActive, ProviderID: p.ID, Provider: p, BlobValue: blob}
}

// cves are the advisory's identifiers that are CVEs.
func (a advisory) cves() []string {
	var out []string
	for _, id := range append([]string{a.id}, a.aliases...) {
		if strings.HasPrefix(id, "CVE-") {
			out = append(out, id)
		}
	}
	return out
}

// handle describes a package of the vulnerability.
func (p affected) handle(v *v6.VulnerabilityHandle, cves []string) *v6.AffectedPackageHandle {
	h := &v6.AffectedPackageHandle{
		Vulnerability: v,
		Package:       &v6.Package{Ecosystem: p.ecosystem, Name: p.name},
		BlobValue:     &v6.PackageBlob{CVEs: cves},
	}
	for _, s := range p.ranges {
		h.BlobValue.Ranges = append(h.BlobValue.Ranges, v6.Range{
			Version: v6.Version{Type: p.format, Constraint: s.constraint},
			Fix:     &v6.Fix{Version: s.fix, State: v6.FixStatus(s.state)},
		})
	}
	if p.release.name != "" {
		h.OperatingSystem = &v6.OperatingSystem{
			Name: p.release.name, ReleaseID: p.release.name, Codename: p.release.codename,
			MajorVersion: p.release.major, MinorVersion: p.release.minor,
		}
	}
	return h
}

// handle describes an entry of CISA's catalog.
func (e exploited) handle() *v6.KnownExploitedVulnerabilityHandle {
	return &v6.KnownExploitedVulnerabilityHandle{Cve: e.CVE, BlobValue: &v6.KnownExploitedVulnerabilityBlob{
		Cve: e.CVE, VendorProject: e.Vendor, Product: e.Product, DateAdded: day(e.Added), DueDate: day(e.Due),
		RequiredAction: e.Action, KnownRansomwareCampaignUse: strings.ToLower(e.Ransomware), Notes: e.Notes, CWEs: e.CWEs,
	}}
}

// day reads a date; nil where there is none.
func day(s string) *time.Time {
	t, err := time.Parse("2006-01-02", s)
	if err != nil {
		return nil
	}
	return &t
}

// stamp replaces the writer's own time by the date of the facts.
func stamp(db string, date time.Time) error {
	low, err := v6.NewLowLevelDB(db, false, true, false)
	if err != nil {
		return err
	}
	if err := low.Exec("UPDATE db_metadata SET build_timestamp = ?", date).Error; err != nil {
		return err
	}
	raw, err := low.DB()
	if err != nil {
		return err
	}
	return raw.Close()
}
