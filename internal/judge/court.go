package judge

import (
	"slices"

	"github.com/vexxy/action/internal/inventory"
	"github.com/vexxy/action/internal/record"
	"github.com/vexxy/action/internal/triage"
)

// court is the state of one judgement.
type court struct {
	record     record.Record
	sufficient bool
	seen       *seen
	// exhibits holds one entry a package, in the inventory's order.
	exhibits []exhibit
	byID     map[string]int
	// stated is what people stated, people finds it; both are nil for nothing.
	stated  *triage.Set
	people  *triage.Matcher
	sources map[sourceKey]*sourceUse
}

// exhibit is what the evidence says of one package.
type exhibit struct {
	status   Status // Affected, UnderInvestigation or NotAffected
	reason   Reason
	use      use
	purl     string // bare, empty when there is none with a version
	key      purlKey
	nameless bool // no package URL at all
	opaque   bool // its file names cannot be matched with what a kernel reports
	// namesake: Trivy knows it by the name of another package that is not cleared.
	namesake bool
	// sister is the package of the same source that was used in its stead, -1
	// for none.
	sister int
}

// sourceKey names a source package of a distribution. The version is left out:
// binary packages of one source may lag behind each other.
type sourceKey struct{ kind, name string }

// sourceUse is how the binary packages of one source were used.
type sourceUse struct {
	packages int // how many binary packages of it the image has
	used     int // index of the package that was used first, -1 for none
	unknown  int // index of a package of which nothing is known, -1 for none
}

// examine looks at every package by its own files, then at the binary packages
// of one source together.
func (c *court) examine() {
	packages := c.record.Inventory.Packages
	c.exhibits = make([]exhibit, len(packages))
	c.byID = make(map[string]int, len(packages))
	for i := range packages {
		c.exhibits[i] = c.own(&packages[i])
	}
	c.sources = make(map[sourceKey]*sourceUse, len(packages)/2)
	for i := range packages {
		c.gather(i)
	}
	for i := range packages {
		c.spread(i)
	}
	c.alike()
	for i := range packages {
		if known, twice := c.byID[packages[i].ID]; !twice || worse(c.exhibits[i].status, c.exhibits[known].status) {
			c.byID[packages[i].ID] = i
		}
	}
}

// own judges a package by its own files.
func (c *court) own(p *inventory.Package) exhibit {
	x := exhibit{sister: -1, use: c.seen.of(p), nameless: p.PURL == ""}
	x.opaque = p.Opaque != "" || x.use.odd || unmatchable(p.Archive)
	identified := false
	x.purl, x.key, identified = bare(p.PURL)
	x.status = UnderInvestigation
	switch {
	case p.Archive != "":
		// Opening an archive says nothing about what is within.
		for _, i := range c.seen.files[p.Archive] {
			x.use.take(c.seen, i)
			x.use.files = max(x.use.files, 1)
		}
		if x.use.first >= 0 {
			x.reason = ReasonInArchive
			return x
		}
	case x.use.first >= 0:
		x.status, x.reason = Affected, ReasonObserved
		return x
	}
	switch {
	case !c.sufficient:
		x.reason = ReasonInsufficient
	case x.opaque:
		x.reason = ReasonOpaque
	case !carries(p):
		x.reason = ReasonNoFiles
	case !identified:
		x.reason = ReasonUnidentified
	default:
		x.status, x.reason = NotAffected, ReasonNotObserved
	}
	return x
}

// carries reports whether the package owns a file that can carry code or data.
func carries(p *inventory.Package) bool {
	if p.Archive != "" {
		return true
	}
	for _, f := range p.Files {
		if f == p.Location && !codeTypes[p.Type] {
			continue
		}
		if classify(f) == content {
			return true
		}
	}
	return p.Location != "" && codeTypes[p.Type]
}

// gather notes package i with its source.
func (c *court) gather(i int) {
	key, ok := c.sourceOf(i)
	if !ok {
		return
	}
	s := c.sources[key]
	if s == nil {
		s = &sourceUse{used: -1, unknown: -1}
		c.sources[key] = s
	}
	s.packages++
	p, x := &c.record.Inventory.Packages[i], &c.exhibits[i]
	switch {
	case x.status == Affected:
		if s.used < 0 || c.earlier(i, s.used) {
			s.used = i
		}
	case x.opaque || len(p.Files) == 0:
		// It may have been used without a trace. A package of nothing but
		// documentation cannot.
		if s.unknown < 0 || c.record.Inventory.Packages[i].ID < c.record.Inventory.Packages[s.unknown].ID {
			s.unknown = i
		}
	}
}

// earlier reports whether package a was used before package b.
func (c *court) earlier(a, b int) bool {
	d := c.seen.compare(c.exhibits[a].use.first, c.exhibits[b].use.first)
	if d == 0 {
		return c.record.Inventory.Packages[a].ID < c.record.Inventory.Packages[b].ID
	}
	return d < 0
}

// spread gives package i the worst of its source's packages: an advisory on a
// source does not say which of its binary packages holds the code.
func (c *court) spread(i int) {
	key, ok := c.sourceOf(i)
	if !ok {
		return
	}
	s, x := c.sources[key], &c.exhibits[i]
	switch {
	case x.status == Affected:
	case s.used >= 0:
		x.status, x.reason, x.sister = Affected, ReasonObserved, s.used
		x.use = c.exhibits[s.used].use
	case x.status == NotAffected && s.unknown >= 0:
		x.status, x.reason, x.sister = UnderInvestigation, c.exhibits[s.unknown].reason, s.unknown
	}
}

// alike finds packages that Trivy knows by one name and that are not all cleared:
// then none is, by a person's word or the database's neither. A statement on one
// would hide a finding on another, which a later database may have and this one
// has not.
func (c *court) alike() {
	groups := map[purlKey][]*exhibit{}
	for i := range c.exhibits {
		if x := &c.exhibits[i]; x.purl != "" {
			groups[trivyKey(x.key)] = append(groups[trivyKey(x.key)], x)
		}
	}
	for _, group := range groups {
		differ := slices.ContainsFunc(group, func(x *exhibit) bool { return x.key != group[0].key })
		open := slices.ContainsFunc(group, func(x *exhibit) bool { return x.status != NotAffected })
		for _, x := range group {
			x.namesake = differ && open
		}
	}
}

func (c *court) sourceOf(i int) (sourceKey, bool) {
	p := &c.record.Inventory.Packages[i]
	if p.Source == nil || p.Source.Name == "" {
		return sourceKey{}, false
	}
	return sourceKey{p.Type, p.Source.Name}, true
}

// observed lists the packages of which a file was used, by ID.
func (c *court) observed() []string {
	out := []string{}
	for i := range c.exhibits {
		if x := &c.exhibits[i]; x.status == Affected && x.sister < 0 {
			out = append(out, c.record.Inventory.Packages[i].ID)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
