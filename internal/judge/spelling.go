package judge

import (
	"cmp"
	"slices"

	packageurl "github.com/package-url/packageurl-go"

	"github.com/vexxy/action/internal/inventory"
)

// otherSpellings gives the package URLs, beside its own, under which some
// consumer looks for a package: its names with Trivy and, of Go's standard
// library, with a v before the version; and those of its source package, by
// which Docker Scout names Debian's findings and which all of its binary packages
// claim.
func otherSpellings(p *inventory.Package, k purlKey) (names, claims []string) {
	if k.stdlib() {
		names = spelled(names, k, purlKey{k.kind, k.namespace, k.name, "v" + k.version})
	}
	names = spelled(names, k, trivyKey(k))
	if k.kind == packageurl.TypeDebian && p.Source != nil && p.Source.Name != "" {
		claims = spelled(nil, k, purlKey{k.kind, k.namespace, p.Source.Name, cmp.Or(p.Source.Version, k.version)})
	}
	return names, slices.DeleteFunc(claims, func(s string) bool { return slices.Contains(names, s) })
}

// spelled adds another key of a package, as it is spelled, to others.
func spelled(to []string, k, other purlKey) []string {
	s, _, ok := spell(other)
	if !ok || other == k {
		return to
	}
	return append(to, s)
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
//   - packages that some consumer knows by one name, as Trivy may those that
//     differ in their epoch alone, are all cleared or none: see alike for those
//     without a finding on this vulnerability.
//   - a document on an image that was never pushed names packages without an
//     image, and Trivy takes a statement on one for all that only this one needs
//     (https://github.com/aquasecurity/trivy/blob/main/pkg/vex/vex.go): a
//     vulnerability is then cleared everywhere or nowhere.
func distinguish(order []*draft, local bool) {
	byVulnerability := make(map[string][]*draft, len(order)/2)
	for _, d := range order {
		byVulnerability[d.Vulnerability] = append(byVulnerability[d.Vulnerability], d)
	}
	for _, d := range order {
		if d.namesake {
			d.withhold(ReasonNamesake)
		}
	}
	for _, drafts := range byVulnerability {
		if slices.ContainsFunc(drafts, func(d *draft) bool { return d.nameless }) {
			for _, d := range drafts {
				d.withhold(ReasonUnidentified)
			}
		}
		// Names count too: share has taken those from some that another keeps.
		if slices.ContainsFunc(drafts, func(d *draft) bool { return len(others(d))+len(d.names) > 0 }) {
			lower(drafts)
			share(drafts)
		}
		if local && slices.ContainsFunc(drafts, func(d *draft) bool { return !d.clears() }) {
			for _, d := range drafts {
				d.withhold(ReasonLocal)
			}
		}
	}
}

// withhold takes back a status by which a consumer would hide the finding.
func (d *draft) withhold(why Reason) {
	if d.clears() {
		d.Status, d.Reason = UnderInvestigation, why
	}
}

// clears reports whether consumers hide the finding.
func (d *draft) clears() bool { return d.Status == NotAffected || d.Status == Fixed }

// lower makes each package no better than the others of which it bears the
// source's name, and packages of one name all uncleared where one is. Statuses
// only get worse, so that it ends. What has become worse is looked at again, in
// the drafts' order; what a name's bearers were held to is not told them twice.
func lower(drafts []*draft) {
	known, held := bearers(drafts), map[string]Status{}
	queue := slices.Clone(drafts)
	hold := func(by *draft, name string, why Reason) {
		if to, is := held[name]; is && !worse(by.Status, to) {
			return
		}
		held[name] = by.Status
		for _, d := range known[name] {
			if d != by && d.clears() && worse(by.Status, d.Status) {
				d.withhold(why)
				queue = append(queue, d)
			}
		}
	}
	for i := 0; i < len(queue); i++ {
		d := queue[i]
		if !d.clears() {
			hold(d, d.PURL, ReasonNamesake)
			for _, name := range d.names {
				hold(d, name, ReasonNamesake)
			}
		}
		if d.codeless {
			continue
		}
		for _, s := range others(d) {
			if !slices.Contains(d.names, s) {
				hold(d, s, ReasonSource)
			}
		}
	}
}

// share leaves each other spelling with one draft at most.
func share(drafts []*draft) {
	known, claims := bearers(drafts), map[string][]*draft{}
	for _, d := range drafts {
		for _, s := range others(d) {
			claims[s] = append(claims[s], d)
		}
	}
	for s, claimants := range claims {
		var keeper *draft
		switch o := known[s]; {
		case len(o) > 0:
			keeper = o[0]
		case !slices.ContainsFunc(claimants, func(d *draft) bool { return d.Status != claimants[0].Status }):
			keeper = claimants[0]
		}
		for _, d := range claimants {
			if d != keeper {
				d.SubcomponentPURLs = slices.DeleteFunc(d.SubcomponentPURLs, func(have string) bool { return have == s && have != d.PURL })
			}
		}
	}
}

// bearers gives the drafts that have a name, not those that claim it for their
// source: first the one whose own URL it is.
func bearers(drafts []*draft) map[string][]*draft {
	known := map[string][]*draft{}
	for _, d := range drafts {
		if d.PURL != "" {
			known[d.PURL] = append(known[d.PURL], d)
		}
	}
	for _, d := range drafts {
		for _, s := range d.names {
			known[s] = append(known[s], d)
		}
	}
	return known
}

func others(d *draft) []string {
	if len(d.SubcomponentPURLs) < 2 {
		return nil
	}
	return d.SubcomponentPURLs[1:]
}
