package judge

import (
	"cmp"
	"slices"
	"strings"

	"github.com/vexxy/action/internal/inventory"
)

// rank orders statuses, worst first.
var rank = map[Status]int{Affected: 0, UnderInvestigation: 1, NotAffected: 2, Fixed: 3}

// worse reports whether a is worse than b.
func worse(a, b Status) bool { return rank[a] < rank[b] }

// severityRank orders severities, worst first; a word that is none of them
// counts as unknown.
func severityRank(s inventory.Severity) int {
	if i := slices.Index(inventory.Severities, s); i >= 0 {
		return i
	}
	return len(inventory.Severities) - 1
}

// subjectKey names what an assessment is about: one vulnerability in one
// package URL, or in one package where that has no package URL to tell it by.
type subjectKey struct {
	vulnerability string
	purl          string
	packageID     string
}

// draft is an assessment under work.
type draft struct {
	Assessment
	rank     int // of the severity, worst first
	findings []*inventory.Finding
	exhibit  int  // the worst instance's, -1 for a package that is not listed
	nameless bool // one of its packages has no package URL at all
	codeless bool // its packages own files, none of which can carry code
	namesake bool // see exhibit
	// names are the package URLs, beside its own, by which some consumer knows it.
	names []string
	// own and ownReason are what the evidence alone says, where a person decided.
	own       Status
	ownReason Reason
	// source is the first sighting of any binary package of the same source,
	// where the image has several; nil otherwise.
	source *Sighting
}

// assess makes one assessment for each vulnerability in each package.
func (c *court) assess() []*draft {
	vulnerabilities := identify(c.record.Inventory.Findings)
	drafts := make(map[subjectKey]*draft, len(c.record.Inventory.Findings))
	for i := range c.record.Inventory.Findings {
		f := &c.record.Inventory.Findings[i]
		c.enter(drafts, f, vulnerabilities[f.ID])
	}
	order := make([]*draft, 0, len(drafts))
	for _, d := range drafts {
		c.settle(d)
		c.heed(d)
		order = append(order, d)
	}
	slices.SortFunc(order, func(a, b *draft) int {
		return cmp.Or(
			a.rank-b.rank, strings.Compare(a.Vulnerability, b.Vulnerability),
			strings.Compare(a.PURL, b.PURL), strings.Compare(a.PackageIDs[0], b.PackageIDs[0]),
		)
	})
	local := c.record.Subject.Local()
	distinguish(order, local)
	for restore(order) {
		distinguish(order, local)
	}
	for _, d := range order {
		c.sight(d)
	}
	return order
}

// enter files a finding under its subject.
func (c *court) enter(drafts map[subjectKey]*draft, f *inventory.Finding, v *vulnerability) {
	exhibit, known := c.byID[f.PackageID]
	if !known {
		exhibit = -1
	}
	subject := subjectKey{vulnerability: v.name, packageID: f.PackageID}
	if known && c.exhibits[exhibit].purl != "" {
		subject = subjectKey{vulnerability: v.name, purl: c.exhibits[exhibit].purl}
	}
	d := drafts[subject]
	if d == nil {
		d = &draft{exhibit: exhibit}
		d.Vulnerability, d.Aliases = v.name, v.aliases
		drafts[subject] = d
	}
	d.findings = append(d.findings, f)
	d.nameless = d.nameless || !known || c.exhibits[exhibit].nameless
	d.PackageIDs = append(d.PackageIDs, f.PackageID)
	if known && d.exhibit >= 0 && c.before(exhibit, d.exhibit) {
		d.exhibit = exhibit
	}
}

// before orders two instances of one package: the worse first, then the one
// that was used first, then by ID.
func (c *court) before(a, b int) bool {
	x, y := &c.exhibits[a], &c.exhibits[b]
	if x.status != y.status {
		return worse(x.status, y.status)
	}
	if x.use.first >= 0 && y.use.first >= 0 {
		if d := c.seen.compare(x.use.first, y.use.first); d != 0 {
			return d < 0
		}
	}
	return c.record.Inventory.Packages[a].ID < c.record.Inventory.Packages[b].ID
}

// settle fills in everything that follows from the draft's findings and from
// its worst instance.
func (c *court) settle(d *draft) {
	slices.Sort(d.PackageIDs)
	d.PackageIDs = slices.Compact(d.PackageIDs)
	slices.SortFunc(d.findings, func(a, b *inventory.Finding) int {
		return cmp.Or(byAuthority(a.ID, b.ID), strings.Compare(a.Namespace, b.Namespace),
			strings.Compare(a.PackageID, b.PackageID), strings.Compare(a.DataSource, b.DataSource),
			strings.Compare(a.Description, b.Description))
	})
	d.gatherFacts()
	if d.exhibit < 0 {
		d.PackageName = d.PackageIDs[0]
		d.Status, d.Reason = UnderInvestigation, ReasonUnidentified
		return
	}
	p, x := &c.record.Inventory.Packages[d.exhibit], &c.exhibits[d.exhibit]
	d.PackageName, d.PackageVersion, d.PackageType = p.Name, p.Version, p.Type
	d.Status, d.Reason = x.status, x.reason
	d.codeless = x.reason == ReasonNoFiles && len(p.Files) > 0
	d.namesake = x.namesake
	if d.PURL = x.purl; d.PURL != "" {
		names, claims := otherSpellings(p, x.key)
		d.names, d.SubcomponentPURLs = names, slices.Concat([]string{d.PURL}, names, claims)
		if c.fixed(d) {
			d.Status, d.Reason = Fixed, ReasonFixed
		}
	}
}

// gatherFacts takes from several findings the worst of what they say of the
// vulnerability, and all fixed versions.
func (d *draft) gatherFacts() {
	d.Severity, d.FixState = inventory.Unknown, "unknown"
	states := []string{"fixed", "wont-fix", "not-fixed", "unknown"}
	for _, f := range d.findings {
		if severityRank(f.Severity) < severityRank(d.Severity) {
			d.Severity = f.Severity
		}
		if i := slices.Index(states, f.FixState); i >= 0 && i < slices.Index(states, d.FixState) {
			d.FixState = f.FixState
		}
		d.CVSS, d.EPSS, d.KEV = max(d.CVSS, f.CVSS), max(d.EPSS, f.EPSS), d.KEV || f.KEV
		d.FixVersions = append(d.FixVersions, f.FixVersions...)
		if d.DataSource == "" {
			d.DataSource = f.DataSource
		}
		if d.Description == "" {
			d.Description = f.Description
		}
	}
	slices.Sort(d.FixVersions)
	d.FixVersions = slices.Compact(d.FixVersions)
	d.rank = severityRank(d.Severity)
}

// fixed reports whether every finding names the very version that is installed
// as one with the fix.
func (c *court) fixed(d *draft) bool {
	for _, f := range d.findings {
		p := c.record.Inventory.Packages[c.byID[f.PackageID]]
		version := p.Version // a distribution fixes sources: it is their version that counts
		if p.Source != nil && p.Source.Version != "" {
			version = p.Source.Version
		}
		if f.FixState != "fixed" || version == "" || !slices.Contains(f.FixVersions, version) {
			return false
		}
	}
	return true
}

// sight tells how the deciding package was used.
func (c *court) sight(d *draft) {
	if d.exhibit < 0 || d.Status == NotAffected || d.Status == Fixed {
		return
	}
	x := &c.exhibits[d.exhibit]
	if d.Seen = c.sighting(x.use); d.Seen != nil && x.sister >= 0 {
		d.Seen.Package = c.record.Inventory.Packages[x.sister].Name
	}
	if key, ok := c.sourceOf(d.exhibit); ok && d.Status == Affected {
		if s := c.sources[key]; s.packages > 1 && s.used >= 0 {
			d.source = c.sighting(c.exhibits[s.used].use)
		}
	}
}

// sighting describes the first observation of a use, nil for none.
func (c *court) sighting(u use) *Sighting {
	if u.first < 0 {
		return nil
	}
	o := &c.record.Evidence.Observations[u.first]
	kinds := slices.Clone(o.Kinds)
	slices.Sort(kinds)
	return &Sighting{
		Path: string(o.Path), Kinds: kinds, Process: o.Process,
		Phase: o.Phase, At: o.At, Files: u.files, Witnesses: slices.Clone(o.Witnesses),
	}
}

// summarise counts vulnerabilities by their worst status.
func summarise(assessments []Assessment) Summary {
	type worst struct {
		status   Status
		severity inventory.Severity // of its affected packages
	}
	byName := map[string]worst{}
	for i := range assessments {
		a := &assessments[i]
		w, known := byName[a.Vulnerability]
		if !known || worse(a.Status, w.status) {
			w.status = a.Status
		}
		if a.Status == Affected && (w.severity == "" || severityRank(a.Severity) < severityRank(w.severity)) {
			w.severity = a.Severity
		}
		byName[a.Vulnerability] = w
	}
	s := Summary{
		Total: len(byName), Findings: len(assessments),
		AffectedBySeverity: map[inventory.Severity]int{},
	}
	for _, w := range byName {
		switch w.status {
		case Affected:
			s.Affected++
			s.AffectedBySeverity[w.severity]++
		case NotAffected:
			s.NotAffected++
		case Fixed:
			s.Fixed++
		default:
			s.UnderInvestigation++
		}
	}
	return s
}
