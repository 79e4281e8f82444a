package objects

import (
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"slices"
	"strings"

	"github.com/kubescape/storage/pkg/apis/softwarecomposition/v1beta1"

	"github.com/vexxy/action/internal/inventory"
)

// packageKey names a package as two versions of Syft agree on.
type packageKey struct{ kind, name, version string }

// shelf finds our packages by what Kubescape says of them.
type shelf struct {
	byKey map[packageKey][]*inventory.Package
	// missing are those that we do not have, in the order of their first match.
	missing []inventory.Package
	added   map[string]bool
}

func shelve(packages []inventory.Package) *shelf {
	s := &shelf{byKey: map[packageKey][]*inventory.Package{}, added: map[string]bool{}}
	for i := range packages {
		p := &packages[i]
		k := packageKey{p.Type, p.Name, p.Version}
		s.byKey[k] = append(s.byKey[k], p)
	}
	return s
}

// of gives the IDs of the packages that an artifact is: equal in type, name,
// version and, where both have one, package URL. Of several, those in one of
// its places, or all when none is.
func (s *shelf) of(a *v1beta1.GrypePackage) []string {
	k := packageKey{text(string(a.Type)), text(a.Name), text(a.Version)}
	purl := plainPURL(text(a.PURL))
	same := slices.DeleteFunc(slices.Clone(s.byKey[k]), func(p *inventory.Package) bool {
		own := plainPURL(p.PURL)
		return purl != "" && own != "" && own != purl
	})
	if len(same) > 1 {
		here := slices.DeleteFunc(slices.Clone(same), func(p *inventory.Package) bool { return !placed(p, a.Locations) })
		if len(here) > 0 {
			same = here
		}
	}
	if len(same) == 0 {
		return []string{s.add(k, purl, a)}
	}
	ids := make([]string, 0, len(same))
	for _, p := range same {
		ids = append(ids, p.ID)
	}
	return ids
}

// add puts a package that we do not have on the list, and gives its ID.
func (s *shelf) add(k packageKey, purl string, a *v1beta1.GrypePackage) string {
	sum := sha256.Sum256([]byte(strings.Join([]string{k.kind, k.name, k.version, purl}, "\x00")))
	id := "kubescape-" + hex.EncodeToString(sum[:8])
	if !s.added[id] {
		s.added[id] = true
		p := inventory.Package{ID: id, Name: k.name, Version: k.version, Type: k.kind, PURL: text(a.PURL)}
		if len(a.Locations) > 0 {
			p.Location = text(a.Locations[0].RealPath)
		}
		if len(a.Upstreams) == 1 && a.Upstreams[0].Name != "" {
			p.Source = &inventory.Source{Name: text(a.Upstreams[0].Name), Version: text(a.Upstreams[0].Version)}
		}
		s.missing = append(s.missing, p)
	}
	return id
}

// placed reports whether a package was read from one of the places.
func placed(p *inventory.Package, places []v1beta1.SyftCoordinates) bool {
	return slices.ContainsFunc(places, func(c v1beta1.SyftCoordinates) bool {
		if c.RealPath == "" {
			return false
		}
		_, owned := slices.BinarySearch(p.Files, c.RealPath)
		return owned || c.RealPath == p.Location
	})
}

// plainPURL is a package URL without qualifiers, subpath and escapes, in which
// versions of Syft differ.
func plainPURL(purl string) string {
	if i := strings.IndexAny(purl, "?#"); i >= 0 {
		purl = purl[:i]
	}
	if plain, err := url.PathUnescape(purl); err == nil {
		return plain
	}
	return purl
}
