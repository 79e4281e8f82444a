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
}

// Matcher finds what people stated of one image.
type Matcher struct {
	set     *Set
	now     time.Time
	image   []string // package URLs
	digests []string // in hexadecimal digits
	byID    map[string][]ref
	images  map[string]bool // by identifier: whether it names the image
}

type ref struct{ document, statement int }

// Matcher makes the set ready for an image. now is the time by which the age of
// statements counts: the end of the run.
func (s *Set) Matcher(sub subject.Subject, now time.Time) *Matcher {
	m := &Matcher{set: s, now: now, image: imageURLs(sub), byID: map[string][]ref{}, images: map[string]bool{}}
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
			for _, id := range s.Documents[i].Statements[k].Vulnerability {
				m.byID[id] = append(m.byID[id], ref{i, k})
			}
		}
	}
	return m
}

// Find gives the claim that holds for a vulnerability, known by any of the ids,
// in a package, known by any of the package URLs: of those that count the newest,
// of equally old ones the worst. Where none counts it is the newest of those
// that do not; nil where nobody stated anything.
func (m *Matcher) Find(ids, purls []string) *Claim {
	var best *Claim
	seen := map[ref]bool{}
	for _, id := range ids {
		for _, r := range m.byID[id] {
			if seen[r] {
				continue
			}
			seen[r] = true
			s := &m.set.Documents[r.document].Statements[r.statement]
			matches, exact := m.matches(s, purls)
			if !matches {
				continue
			}
			c := &Claim{s, &m.set.Documents[r.document], exact, m.void(s)}
			if best == nil || c.before(best) {
				best = c
			}
		}
	}
	return best
}

// before reports whether c holds rather than d.
func (c *Claim) before(d *Claim) bool {
	return cmp.Or(
		cmp.Compare(len(c.Void), 0)-cmp.Compare(len(d.Void), 0), // what counts first
		d.At.Compare(c.At), rank[c.Status]-rank[d.Status],
		strings.Compare(c.Document.Source, d.Document.Source),
	) < 0
}

// void says why a statement clears nothing. What raises a finding has no such
// bounds: to forget it would clear it.
func (m *Matcher) void(s *Statement) string {
	switch {
	case !s.Status.clears():
		return ""
	case s.At.IsZero():
		return "it has no time"
	case s.At.After(m.now.Add(skew)):
		return "its time is in the future"
	case m.set.MaxAge > 0 && m.now.Sub(s.At) > m.set.MaxAge:
		return "it is expired"
	}
	return ""
}

// matches reports whether a statement is about a package in the image: its
// product is the image, with the package among the subcomponents where there
// are any, or the package itself.
func (m *Matcher) matches(s *Statement, purls []string) (matches, exact bool) {
	for i := range s.Products {
		p := &s.Products[i]
		if image, pinned := m.isImage(&p.Component); image {
			if len(p.Subcomponents) == 0 {
				return true, pinned
			}
			for k := range p.Subcomponents {
				if is, version := isPackage(&p.Subcomponents[k], purls); is {
					return true, pinned || version
				}
			}
		}
		if is, version := isPackage(&p.Component, purls); is && len(p.Subcomponents) == 0 {
			return true, version
		}
	}
	return false, false
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
			p, err := packageurl.FromString(id)
			return true, err == nil && strings.HasPrefix(p.Version, "sha256:")
		}
	}
	return false, false
}

// isPackage reports whether a component is the package, and whether it says of
// which version.
func isPackage(c *Component, purls []string) (is, version bool) {
	for _, id := range c.IDs {
		for _, purl := range purls {
			if id == purl || vex.PurlMatches(id, purl) {
				p, err := packageurl.FromString(id)
				return true, err == nil && p.Version != ""
			}
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
