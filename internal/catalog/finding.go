package catalog

import (
	"cmp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/anchore/grype/grype/match"
	"github.com/anchore/grype/grype/vulnerability"

	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/inventory"
)

// maxDescription is the length of a finding's description in bytes.
const maxDescription = 500

// findings turns matches into findings. Two matches of one vulnerability of
// one data set with one package become one finding with the fixes of both.
func (m *Matcher) findings(found *match.Matches) ([]inventory.Finding, error) {
	related := map[string]*vulnerability.Metadata{}
	byKey := map[string]*inventory.Finding{}
	var keys []string
	for _, one := range found.Sorted() {
		f, err := m.finding(one, related)
		if err != nil {
			return nil, err
		}
		key := f.PackageID + "\x00" + f.ID + "\x00" + f.Namespace
		if first := byKey[key]; first != nil {
			first.FixVersions = union(first.FixVersions, f.FixVersions)
			first.Aliases = union(first.Aliases, f.Aliases)
			if first.FixState != string(vulnerability.FixStateFixed) {
				first.FixState = f.FixState
			}
			continue
		}
		byKey[key] = &f
		keys = append(keys, key)
	}
	slices.Sort(keys)
	out := make([]inventory.Finding, 0, len(keys))
	for _, key := range keys {
		out = append(out, *byKey[key])
	}
	return out, nil
}

// finding describes one match. What its own data set does not say of severity
// and exploitation is taken from the records that it names as related.
func (m *Matcher) finding(one match.Match, cache map[string]*vulnerability.Metadata) (inventory.Finding, error) {
	v := one.Vulnerability
	f := inventory.Finding{
		ID: text(v.ID), PackageID: string(one.Package.ID), Namespace: text(v.Namespace),
		Severity: inventory.Unknown, FixState: string(cmp.Or(v.Fix.State, vulnerability.FixStateUnknown)),
	}
	for _, fix := range v.Fix.Versions {
		if fix != "" {
			f.FixVersions = union(f.FixVersions, []string{text(fix)})
		}
	}
	records := []*vulnerability.Metadata{v.Metadata}
	if v.Metadata == nil {
		own, err := m.metadata(v.Reference, cache)
		if err != nil {
			return f, err
		}
		records[0] = own
	}
	for _, ref := range v.RelatedVulnerabilities {
		if ref.ID != v.ID {
			f.Aliases = union(f.Aliases, []string{text(ref.ID)})
		}
		other, err := m.metadata(ref, cache)
		if err != nil {
			return f, err
		}
		records = append(records, other)
	}
	for _, r := range records {
		enrich(&f, r)
	}
	return f, nil
}

// metadata looks up a vulnerability's record.
func (m *Matcher) metadata(ref vulnerability.Reference, cache map[string]*vulnerability.Metadata) (*vulnerability.Metadata, error) {
	key := ref.Namespace + "\x00" + ref.ID
	if known, ok := cache[key]; ok {
		return known, nil
	}
	//lint:ignore SA1019 a related vulnerability comes without its metadata
	found, err := m.provider.VulnerabilityMetadata(ref)
	if err != nil {
		return nil, fault.New(fault.Infra, pathHint, "reading %s from the vulnerability database: %w", text(ref.ID), err)
	}
	cache[key] = found
	return found, nil
}

// enrich adds to a finding what a record says: the first known severity and text stay, the
// highest scores win.
func enrich(f *inventory.Finding, r *vulnerability.Metadata) {
	if r == nil {
		return
	}
	if f.Severity == inventory.Unknown {
		f.Severity = severity(r.Severity)
	}
	for _, c := range r.Cvss {
		f.CVSS = max(f.CVSS, min(c.Metrics.BaseScore, 10))
	}
	for _, e := range r.EPSS {
		f.EPSS = max(f.EPSS, min(e.EPSS, 1))
	}
	f.KEV = f.KEV || len(r.KnownExploited) > 0
	if f.DataSource == "" && strings.Contains(r.DataSource, "://") {
		f.DataSource = text(r.DataSource)
	}
	if f.Description == "" {
		f.Description = shorten(r.Description, maxDescription)
	}
}

// severity reads Grype's spelling of a severity.
func severity(s string) inventory.Severity {
	level := inventory.Severity(strings.ToLower(s))
	if slices.Contains(inventory.Severities, level) {
		return level
	}
	return inventory.Unknown
}

// shorten cuts s to at most limit bytes of valid text.
func shorten(s string, limit int) string {
	s = text(s)
	if len(s) <= limit {
		return s
	}
	cut := limit - len("…")
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}

// union gives the sorted union of two sorted lists.
func union(a, b []string) []string {
	out := append(slices.Clone(a), b...)
	slices.Sort(out)
	return slices.Compact(out)
}
