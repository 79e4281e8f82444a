package objects

import (
	"cmp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/kubescape/storage/pkg/apis/softwarecomposition/v1beta1"

	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/inventory"
)

// The bounds of what is taken of a list of vulnerabilities: its matches, the
// findings that they become, the texts and the lists in them.
const (
	maxMatches     = 200_000
	maxFindings    = 500_000
	maxText        = 1024
	maxDescription = 500
	maxList        = 100
)

// Findings turns the matches of kubevuln's full list into findings on our
// packages, as package catalog does with Grype's own, sorted by package and
// identifier. It counts too what an exception in the cluster ignores: that is
// not ours to believe. Kubescape keeps neither EPSS nor KEV. A match on a
// package that we do not have gives one without files, of which nothing can be
// cleared. A list that is too long is an error: half of it would clear the rest.
func Findings(m *v1beta1.VulnerabilityManifest, packages []inventory.Package) (findings []inventory.Finding, missing []inventory.Package, err error) {
	payload := &m.Spec.Payload
	if n := len(payload.Matches) + len(payload.IgnoredMatches); n > maxMatches {
		return nil, nil, tooMany("matches", n, maxMatches)
	}
	known := shelve(packages)
	byKey := map[string]*inventory.Finding{}
	take := func(match *v1beta1.Match) error {
		for _, id := range known.of(&match.Artifact) {
			f := findingOf(match, id)
			key := f.PackageID + "\x00" + f.ID + "\x00" + f.Namespace
			if first := byKey[key]; first != nil {
				combine(first, f)
				continue
			}
			if byKey[key] = &f; len(byKey) > maxFindings {
				return tooMany("findings", len(byKey), maxFindings)
			}
		}
		return nil
	}
	for i := range payload.Matches {
		if err := take(&payload.Matches[i]); err != nil {
			return nil, nil, err
		}
	}
	for i := range payload.IgnoredMatches {
		if ignored := &payload.IgnoredMatches[i]; excepted(ignored) {
			if err := take(&ignored.Match); err != nil {
				return nil, nil, err
			}
		}
	}
	findings = make([]inventory.Finding, 0, len(byKey))
	for _, f := range byKey {
		findings = append(findings, *f)
	}
	slices.SortFunc(findings, func(a, b inventory.Finding) int {
		return cmp.Or(cmp.Compare(a.PackageID, b.PackageID), cmp.Compare(a.ID, b.ID), cmp.Compare(a.Namespace, b.Namespace))
	})
	return findings, known.missing, nil
}

func tooMany(what string, n, most int) error {
	return fault.New(fault.Infra, "split the image", "reading kubevuln's list of vulnerabilities: it has %d %s or more, at most %d are taken", n, what, most)
}

// excepted reports whether a match is ignored for a vulnerability's name alone,
// which is what an exception of Kubescape's does
// (https://github.com/kubescape/kubevuln, adapters/v1/securityexception.go).
func excepted(m *v1beta1.IgnoredMatch) bool {
	return slices.ContainsFunc(m.AppliedIgnoreRules, func(r v1beta1.IgnoreRule) bool {
		return r.Vulnerability != "" && r.Package == nil
	})
}

// findingOf describes one match. What its own data set does not say is taken
// from the records that it names as related.
func findingOf(m *v1beta1.Match, packageID string) inventory.Finding {
	v := &m.Vulnerability
	f := inventory.Finding{
		ID: text(v.ID), PackageID: packageID, Namespace: text(v.Namespace), Severity: inventory.Unknown,
		FixState: cmp.Or(text(v.Fix.State), "unknown"),
	}
	for _, fix := range v.Fix.Versions[:min(len(v.Fix.Versions), maxList)] {
		if fix != "" {
			f.FixVersions = append(f.FixVersions, text(fix))
		}
	}
	f.FixVersions = both(f.FixVersions, nil)
	enrich(&f, &v.VulnerabilityMetadata)
	for i := range m.RelatedVulnerabilities[:min(len(m.RelatedVulnerabilities), maxList)] {
		r := &m.RelatedVulnerabilities[i]
		if r.ID != v.ID && r.ID != "" {
			f.Aliases = append(f.Aliases, text(r.ID))
		}
		enrich(&f, r)
	}
	f.Aliases = both(f.Aliases, nil)
	return f
}

// enrich adds to a finding what a record says: the first known severity and
// text stay, the highest score wins.
func enrich(f *inventory.Finding, r *v1beta1.VulnerabilityMetadata) {
	if level := inventory.Severity(strings.ToLower(r.Severity)); f.Severity == inventory.Unknown && slices.Contains(inventory.Severities, level) {
		f.Severity = level
	}
	for _, c := range r.Cvss {
		if score := min(c.Metrics.BaseScore, 10); score > f.CVSS { // never for what is no number
			f.CVSS = score
		}
	}
	if f.DataSource == "" && strings.Contains(r.DataSource, "://") {
		f.DataSource = text(r.DataSource)
	}
	if f.Description == "" {
		f.Description = cut(r.Description, maxDescription)
	}
}

// combine joins a second match of one vulnerability with one package.
func combine(first *inventory.Finding, f inventory.Finding) {
	first.FixVersions = both(first.FixVersions, f.FixVersions)
	first.Aliases = both(first.Aliases, f.Aliases)
	if first.FixState != "fixed" {
		first.FixState = f.FixState
	}
}

// text takes a foreign string as valid text of a bounded length.
func text(s string) string { return cut(s, maxText) }

func cut(s string, limit int) string {
	if len(s) > 4*limit {
		s = s[:4*limit]
	}
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= limit {
		return s
	}
	n := limit - len("…")
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}
