package kubescape

import (
	"cmp"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/kubescape/storage/pkg/apis/softwarecomposition/v1beta1"

	"github.com/vexxy/action/internal/inventory"
)

// The bounds of what is taken of a list of vulnerabilities.
const (
	maxMatches     = 200_000
	maxText        = 1024
	maxDescription = 500
)

// packageKey names a package as two versions of Syft agree on.
type packageKey struct{ kind, name, version string }

// findingsOf turns kubevuln's matches into findings on our packages. A match on
// a package that we do not have gives one without files: of that, nothing can
// be cleared.
func findingsOf(m *v1beta1.VulnerabilityManifest, packages []inventory.Package) (findings []inventory.Finding, missing []inventory.Package) {
	byKey := map[packageKey][]string{}
	for _, p := range packages {
		k := packageKey{p.Type, p.Name, p.Version}
		byKey[k] = append(byKey[k], p.ID)
	}
	known := map[string]bool{}
	for i := range m.Spec.Payload.Matches[:min(len(m.Spec.Payload.Matches), maxMatches)] {
		match := &m.Spec.Payload.Matches[i]
		a := &match.Artifact
		k := packageKey{text(string(a.Type)), text(a.Name), text(a.Version)}
		ids := byKey[k]
		if len(ids) == 0 {
			p := inventory.Package{ID: "kubevuln:" + k.kind + "/" + k.name + "@" + k.version, Name: k.name, Version: k.version, Type: k.kind, PURL: text(a.PURL)}
			missing = append(missing, p)
			ids = []string{p.ID}
			byKey[k] = ids
		}
		for _, id := range ids {
			f := findingOf(match, id)
			key := f.PackageID + "\x00" + f.ID + "\x00" + f.Namespace
			if !known[key] {
				known[key] = true
				findings = append(findings, f)
			}
		}
	}
	return findings, missing
}

// findingOf describes one match. What its own data set does not say is taken
// from the records that it names as related.
func findingOf(m *v1beta1.Match, packageID string) inventory.Finding {
	v := &m.Vulnerability
	f := inventory.Finding{
		ID: text(v.ID), PackageID: packageID, Namespace: text(v.Namespace), Severity: inventory.Unknown,
		FixState: cmp.Or(text(v.Fix.State), "unknown"),
	}
	for _, fix := range v.Fix.Versions {
		if fix != "" {
			f.FixVersions = append(f.FixVersions, text(fix))
		}
	}
	slices.Sort(f.FixVersions)
	f.FixVersions = slices.Compact(f.FixVersions)
	records := append([]v1beta1.VulnerabilityMetadata{v.VulnerabilityMetadata}, m.RelatedVulnerabilities...)
	for _, r := range records {
		if r.ID != v.ID && r.ID != "" {
			f.Aliases = append(f.Aliases, text(r.ID))
		}
		if level := inventory.Severity(strings.ToLower(r.Severity)); f.Severity == inventory.Unknown && slices.Contains(inventory.Severities, level) {
			f.Severity = level
		}
		for _, c := range r.Cvss {
			f.CVSS = max(f.CVSS, min(c.Metrics.BaseScore, 10))
		}
		if f.DataSource == "" && strings.Contains(r.DataSource, "://") {
			f.DataSource = text(r.DataSource)
		}
		if f.Description == "" {
			f.Description = cut(r.Description, maxDescription)
		}
	}
	slices.Sort(f.Aliases)
	f.Aliases = slices.Compact(f.Aliases)
	return f
}

// databaseOf identifies kubevuln's database by what it wrote with its list.
func databaseOf(m *v1beta1.VulnerabilityManifest) inventory.Database {
	var status struct {
		Built         time.Time `json:"built"`
		SchemaVersion string    `json:"schemaVersion"`
		From          string    `json:"from"`
	}
	// Without it the database stays unknown, and nothing is cleared by it.
	_ = json.Unmarshal(m.Spec.Payload.Descriptor_.VulnerabilityDBStatus, &status)
	d := inventory.Database{
		Schema: text(status.SchemaVersion), From: text(status.From), Built: status.Built.UTC(),
		Digest: text(m.Spec.Metadata.Tool.DatabaseVersion),
	}
	if u, err := url.Parse(status.From); err == nil && u.Query().Get("checksum") != "" {
		d.Digest = text(u.Query().Get("checksum"))
	}
	return d
}

// joined adds to our findings those that only kubevuln has. Two matchers with
// one database differ by version; what either finds is a finding.
func joined(ours, theirs []inventory.Finding) []inventory.Finding {
	type key struct{ packageID, id string }
	known := map[key]bool{}
	for _, f := range ours {
		known[key{f.PackageID, f.ID}] = true
		for _, alias := range f.Aliases {
			known[key{f.PackageID, alias}] = true
		}
	}
	all := slices.Clone(ours)
	for _, f := range theirs {
		if !known[key{f.PackageID, f.ID}] {
			all = append(all, f)
		}
	}
	return all
}

// text takes a foreign string as valid text of a bounded length.
func text(s string) string { return cut(s, maxText) }

func cut(s string, limit int) string {
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
