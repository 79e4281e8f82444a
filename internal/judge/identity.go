package judge

import (
	"slices"
	"strings"

	"github.com/vexxy/action/internal/inventory"
)

// vulnerability is one vulnerability under all the identifiers that the
// findings know for it.
type vulnerability struct {
	name    string
	aliases []string // sorted, without name
}

// identify joins the findings' identifiers, transitively, to vulnerabilities
// and gives the vulnerability of each finding's ID. The name is the CVE where
// there is one.
//
// An advisory may list several CVEs that it covers. They are not one
// vulnerability: a set of identifiers with more than one CVE is not joined at
// all, and each of its identifiers stands for itself.
func identify(findings []inventory.Finding) map[string]*vulnerability {
	sets := newSets()
	for _, f := range findings {
		sets.find(f.ID)
		for _, alias := range f.Aliases {
			if alias != "" {
				sets.join(f.ID, alias)
			}
		}
	}
	members := make(map[string][]string, len(sets.parent))
	for id := range sets.parent {
		root := sets.find(id)
		members[root] = append(members[root], id)
	}
	out := make(map[string]*vulnerability, len(sets.parent))
	for _, ids := range members {
		slices.SortFunc(ids, byAuthority)
		if len(ids) > 1 && isCVE(ids[1]) {
			for _, id := range ids {
				out[id] = &vulnerability{name: id}
			}
			continue
		}
		v := &vulnerability{name: ids[0], aliases: slices.Clone(ids[1:])}
		slices.Sort(v.aliases)
		for _, id := range ids {
			out[id] = v
		}
	}
	return out
}

func isCVE(id string) bool { return strings.HasPrefix(id, "CVE-") }

// byAuthority orders identifiers: CVEs, then GHSAs, then all others.
func byAuthority(a, b string) int {
	rank := func(id string) int {
		switch {
		case isCVE(id):
			return 0
		case strings.HasPrefix(id, "GHSA-"):
			return 1
		}
		return 2
	}
	if d := rank(a) - rank(b); d != 0 {
		return d
	}
	return strings.Compare(a, b)
}

// sets are disjoint sets of strings.
type sets struct{ parent map[string]string }

func newSets() *sets { return &sets{parent: map[string]string{}} }

// find gives the representative of the set that holds id.
func (s *sets) find(id string) string {
	root := id
	for {
		p, ok := s.parent[root]
		if !ok {
			s.parent[root] = root
			break
		}
		if p == root {
			break
		}
		root = p
	}
	for id != root { // flatten, so that long chains stay cheap
		id, s.parent[id] = s.parent[id], root
	}
	return root
}

// join makes one set of those that hold a and b.
func (s *sets) join(a, b string) {
	if ra, rb := s.find(a), s.find(b); ra != rb {
		s.parent[rb] = ra
	}
}
