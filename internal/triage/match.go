package triage

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/openvex/go-vex/pkg/vex"
	packageurl "github.com/package-url/packageurl-go"

	"github.com/vexxy/action/internal/subject"
)

// Claim is the statement that holds for a finding.
type Claim struct {
	*Statement
	Document *Document
	// Exact says that it names this version of the package, or this image by its
	// digest: whatever else the name stands for later is not meant.
	Exact bool
	// Void says why it clears nothing, though that is what it says: it is
	// expired, of the future or of no time. Empty for what counts.
	Void string
	// order tells apart those of one document.
	order int
}

// Matcher finds what people stated of one image.
type Matcher struct {
	set     *Set
	now     time.Time
	image   []string        // package URLs
	digests []string        // in hexadecimal digits
	images  map[string]bool // by identifier: whether it names the image
	// targets are what statements name, by place; parsed are the package URLs.
	targets map[place][]target
	parsed  map[string]packageurl.PackageURL
}

type ref struct{ document, statement int }

// place is where what a statement names is looked for: by a vulnerability, and
// by a package URL without qualifiers or, where it is none, the identifier. An
// empty one is the whole image.
type place struct{ vulnerability, name string }

// target is one thing that a statement names.
type target struct {
	ref
	id    string
	exact bool
}

// Matcher makes the set ready for an image. now is the time by which the age of
// statements counts: the end of the run.
func (s *Set) Matcher(sub subject.Subject, now time.Time) *Matcher {
	m := &Matcher{
		set: s, now: now, image: imageURLs(sub), images: map[string]bool{},
		targets: map[place][]target{}, parsed: map[string]packageurl.PackageURL{},
	}
	for _, d := range []string{sub.IndexDigest, sub.ManifestDigest} {
		if hex, found := strings.CutPrefix(d, "sha256:"); found && !slices.Contains(m.digests, hex) {
			m.digests = append(m.digests, hex)
		}
	}
	for i := range s.Documents {
		if s.Documents[i].Problem != "" {
			continue
		}
		for k := range s.Documents[i].Statements {
			m.index(ref{i, k}, &s.Documents[i].Statements[k])
		}
	}
	return m
}

// index notes what a statement names: its product is the image, with the package
// among the subcomponents where there are any, or the package itself.
func (m *Matcher) index(r ref, s *Statement) {
	note := func(name, id string, exact bool) {
		for _, v := range s.Vulnerability {
			m.targets[place{v, name}] = append(m.targets[place{v, name}], target{r, id, exact})
		}
	}
	packages := func(c *Component, pinned bool) {
		for _, id := range c.IDs {
			p := m.purl(id)
			note(bare(id, p, p.Version), id, pinned || p.Version != "")
		}
	}
	for i := range s.Products {
		p := &s.Products[i]
		image, pinned := m.isImage(&p.Component)
		if image && len(p.Subcomponents) == 0 {
			note("", "", pinned)
		}
		for k := range p.Subcomponents {
			if image {
				packages(&p.Subcomponents[k], pinned)
			}
		}
		if len(p.Subcomponents) == 0 {
			packages(&p.Component, false)
		}
	}
}

// purl parses an identifier once; the zero value is none.
func (m *Matcher) purl(id string) packageurl.PackageURL {
	p, known := m.parsed[id]
	if !known {
		p, _ = packageurl.FromString(id)
		m.parsed[id] = p
	}
	return p
}

// bare is a package URL's name with a version; the identifier where it is none.
func bare(id string, p packageurl.PackageURL, version string) string {
	if p.Type == "" {
		return id
	}
	return strings.Join([]string{p.Type, p.Namespace, p.Name, version}, "\x00")
}

// Find gives the claims that hold for a vulnerability, known by any of the ids,
// in a package, of which there are instances, each known by any of its package
// URLs. What raises is about any of them, what clears must be about all. own is
// what this job was given, foreign what another's record tells: each by itself.
// Of those that count the newest holds, of equally old ones the worst; where
// none counts the newest of those that do not; nil where nobody stated anything.
func (m *Matcher) Find(ids []string, instances [][]string) (own, foreign *Claim) {
	type cover struct{ instances, exact int }
	covers := map[ref]*cover{}
	for _, purls := range instances {
		here := map[ref]bool{} // exact or not
		for _, id := range ids {
			m.at(place{id, ""}, nil, here)
			for _, purl := range purls {
				p := m.purl(purl)
				m.at(place{id, bare(purl, p, p.Version)}, &purl, here)
				if p.Version != "" {
					m.at(place{id, bare(purl, p, "")}, &purl, here)
				}
			}
		}
		for r, exact := range here {
			if covers[r] == nil {
				covers[r] = &cover{}
			}
			covers[r].instances++
			if exact {
				covers[r].exact++
			}
		}
	}
	for r, c := range covers {
		d := &m.set.Documents[r.document]
		s := &d.Statements[r.statement]
		claim := &Claim{s, d, c.exact == len(instances), m.set.void(s, m.now), r.document<<32 + r.statement}
		switch {
		case claim.Void != "" || !s.Status.clears():
		case c.instances < len(instances):
			claim.Void = "it is about some instances of the package only"
		case s.Status == Fixed && !claim.Exact:
			claim.Void = "it names neither this version of the package nor this image's digest"
		}
		best := &own
		if d.Foreign {
			best = &foreign
		}
		if *best == nil || claim.before(*best) {
			*best = claim
		}
	}
	return own, foreign
}

// at notes the statements with a target in a place that is the package, all of
// them where purl is nil.
func (m *Matcher) at(in place, purl *string, into map[ref]bool) {
	for _, t := range m.targets[in] {
		if purl == nil || t.id == *purl || qualified(m.purl(t.id), m.purl(*purl)) {
			into[t.ref] = into[t.ref] || t.exact
		}
	}
}

// qualified reports whether a package URL of the same name has all qualifiers
// that a statement's gives.
func qualified(stated, p packageurl.PackageURL) bool {
	if stated.Type == "" {
		return false
	}
	for _, q := range stated.Qualifiers {
		if !slices.ContainsFunc(p.Qualifiers, func(own packageurl.Qualifier) bool { return own == q }) {
			return false
		}
	}
	return true
}

// before reports whether c holds rather than d. No two are equal.
func (c *Claim) before(d *Claim) bool {
	return cmp.Or(
		cmp.Compare(min(len(c.Void), 1), min(len(d.Void), 1)), // what counts first
		d.At.Compare(c.At), rank[c.Status]-rank[d.Status],
		strings.Compare(c.Document.Source, d.Document.Source),
		c.order-d.order,
	) < 0
}

// void says why a statement clears nothing. What raises a finding has no such
// bounds: to forget it would clear it.
func (s *Set) void(one *Statement, now time.Time) string {
	switch {
	case !one.Status.clears():
		return ""
	case one.Void != "":
		return one.Void
	case one.At.IsZero():
		return "it has no time"
	case one.At.After(now.Add(skew)):
		return "its time is in the future"
	case s.MaxAge > 0 && now.Sub(one.At) > s.MaxAge:
		return "it is expired"
	}
	return ""
}

func (m *Matcher) isImage(c *Component) (is, pinned bool) {
	for _, h := range c.Hashes {
		if slices.Contains(m.digests, strings.ToLower(h)) {
			return true, true
		}
	}
	for _, id := range c.IDs {
		if bare, found := strings.CutPrefix(id, "sha256:"); found && slices.Contains(m.digests, bare) {
			return true, true
		}
		is, known := m.images[id]
		if !known {
			is = slices.ContainsFunc(m.image, func(purl string) bool { return vex.PurlMatches(id, purl) })
			m.images[id] = is
		}
		if is {
			return true, strings.HasPrefix(m.purl(id).Version, "sha256:")
		}
	}
	return false, false
}

// imageURLs are the package URLs by which people and consumers know an image,
// with all qualifiers that one of them gives: a statement's must be among them.
func imageURLs(s subject.Subject) []string {
	if s.Repository == "" {
		return nil
	}
	var digests []string
	for _, d := range []string{s.IndexDigest, s.ManifestDigest} {
		if d != "" && !slices.Contains(digests, d) {
			digests = append(digests, d)
		}
	}
	if s.Local() || len(digests) == 0 {
		digests = []string{""}
	}
	var out []string
	add := func(kind, namespace, name, version, repository string) {
		q := map[string]string{"repository_url": repository, "arch": s.Platform.Architecture, "os": s.Platform.OS}
		if s.Tag != "" {
			q["tag"] = s.Tag
		}
		for k, v := range q {
			if v == "" {
				delete(q, k)
			}
		}
		out = append(out, packageurl.NewPackageURL(kind, namespace, name, version, packageurl.QualifiersFromMap(q), "").ToString())
	}
	for _, d := range digests {
		for _, repository := range spellings(s.Repository) {
			i := strings.LastIndexByte(repository, '/')
			name := strings.ToLower(repository[i+1:])
			add("oci", "", name, d, repository)
			add("docker", strings.ToLower(repository[:max(i, 0)]), name, d, repository)
			if s.Tag != "" {
				add("docker", strings.ToLower(repository[:max(i, 0)]), name, s.Tag, repository)
			}
		}
	}
	return out
}

// spellings are the names of a repository: those of Docker Hub go by several.
func spellings(repository string) []string {
	for _, hub := range [...]string{"index.docker.io/", "docker.io/", "registry-1.docker.io/"} {
		if rest, ok := strings.CutPrefix(repository, hub); ok {
			out := []string{"index.docker.io/" + rest, "docker.io/" + rest, rest}
			if short, ok := strings.CutPrefix(rest, "library/"); ok {
				out = append(out, short)
			}
			return out
		}
	}
	return []string{repository}
}
