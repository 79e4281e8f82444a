package judge

import (
	"slices"

	packageurl "github.com/package-url/packageurl-go"

	"github.com/vexxy/action/internal/inventory"
)

// otherSpellings gives the package URLs, beside its own, under which some
// consumer looks for a package: Go's standard library with a v before the
// version, and the source package, by which Docker Scout names Debian's
// findings.
func otherSpellings(p *inventory.Package, k purlKey) []string {
	other := k
	switch {
	case k.stdlib():
		other.version = "v" + k.version
	case k.kind == packageurl.TypeDebian && p.Source != nil && p.Source.Name != "":
		other.name = p.Source.Name
		if p.Source.Version != "" {
			other.version = p.Source.Version
		}
	}
	if other == k {
		return nil
	}
	s, _, ok := spell(other)
	if !ok {
		return nil
	}
	return []string{s}
}

// distinguish makes sure that no consumer can read a statement as one on
// another finding, for drafts in their final order:
//
//   - a finding without package URL gives a consumer nothing to compare, so
//     that go-vex lets it match every statement on its vulnerability and image;
//     that vulnerability is then cleared nowhere.
//   - a source package's URL may also be that of a binary package, which is
//     then no better than the source's worst; a package of nothing but
//     documentation holds nobody back. Where several binary packages share the
//     URL of their source only the first keeps it, and none when they differ.
func distinguish(order []*draft) {
	byVulnerability := make(map[string][]*draft, len(order)/2)
	for _, d := range order {
		byVulnerability[d.Vulnerability] = append(byVulnerability[d.Vulnerability], d)
	}
	for _, drafts := range byVulnerability {
		if slices.ContainsFunc(drafts, func(d *draft) bool { return d.nameless }) {
			for _, d := range drafts {
				d.withhold(ReasonUnidentified)
			}
		}
		if slices.ContainsFunc(drafts, func(d *draft) bool { return len(others(d)) > 0 }) {
			lower(drafts)
			share(drafts)
		}
	}
}

// withhold takes back a status by which a consumer would hide the finding.
func (d *draft) withhold(why Reason) {
	if d.Status == NotAffected || d.Status == Fixed {
		d.Status, d.Reason = UnderInvestigation, why
	}
}

// lower makes each package no better than the others of which it bears the
// source's name. Statuses only get worse, so that it ends.
func lower(drafts []*draft) {
	own := map[string]*draft{}
	for _, d := range drafts {
		if d.PURL != "" {
			own[d.PURL] = d
		}
	}
	for changed := true; changed; {
		changed = false
		for _, d := range drafts {
			if d.codeless {
				continue
			}
			for _, s := range others(d) {
				if o := own[s]; o != nil && o != d && worse(d.Status, o.Status) && worse(UnderInvestigation, o.Status) {
					o.withhold(ReasonSource)
					changed = true
				}
			}
		}
	}
}

// share leaves each other spelling with one draft at most.
func share(drafts []*draft) {
	own, claims := map[string]bool{}, map[string][]*draft{}
	for _, d := range drafts {
		own[d.PURL] = true
		for _, s := range others(d) {
			claims[s] = append(claims[s], d)
		}
	}
	for s, claimants := range claims {
		differ := slices.ContainsFunc(claimants, func(d *draft) bool { return d.Status != claimants[0].Status })
		for i, d := range claimants {
			if own[s] || differ || i > 0 {
				d.SubcomponentPURLs = slices.DeleteFunc(d.SubcomponentPURLs, func(have string) bool { return have == s && have != d.PURL })
			}
		}
	}
}

func others(d *draft) []string {
	if len(d.SubcomponentPURLs) < 2 {
		return nil
	}
	return d.SubcomponentPURLs[1:]
}
