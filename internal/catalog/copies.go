package catalog

import (
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"slices"

	"github.com/vexxy/action/internal/inventory"
)

// leastCopy is the smallest file, in bytes, whose copies are looked for:
// smaller ones are boilerplate that many projects share.
const leastCopy = 1024

// sameFiles gives the groups of paths that stand for a package's file: its hard
// links, and the copies of it that no package owns (a library copied beside an
// application, an interpreter copied into a virtual environment). Use of any is
// use of the package.
func (o *owners) sameFiles(ctx context.Context, packages []inventory.Package) [][]string {
	parent := map[string]string{}
	find := func(p string) string {
		for parent[p] != "" && parent[p] != p {
			p = parent[p]
		}
		parent[p] = p
		return p
	}
	join := func(p string, others []string) {
		for _, other := range others {
			if a, b := find(p), find(other); a != b {
				parent[max(a, b)] = min(a, b)
			}
		}
	}
	for _, p := range packages {
		for _, f := range owned(p) {
			join(f, o.tree.links[f])
		}
	}
	for _, group := range o.copies(ctx, packages) {
		join(group[0], group)
		for _, p := range group {
			join(p, o.tree.links[p])
		}
	}
	groups := map[string][]string{}
	for p := range parent {
		if plain(p) {
			groups[find(p)] = append(groups[find(p)], p)
		}
	}
	var out [][]string
	for _, group := range groups {
		if slices.Sort(group); len(group) > 1 {
			out = append(out, group)
		}
	}
	slices.SortFunc(out, func(a, b []string) int { return cmp.Compare(a[0], b[0]) })
	return out
}

// owned lists the files whose use tells of a package.
func owned(p inventory.Package) []string {
	if p.Archive == "" {
		return p.Files
	}
	return append(slices.Clone(p.Files), p.Archive)
}

// copies gives the groups of files with equal contents of which at least one is
// a package's and at least one is in nobody's list.
func (o *owners) copies(ctx context.Context, packages []inventory.Package) [][]string {
	known, sizes := map[string]bool{}, map[int64][]string{}
	for _, p := range packages {
		for _, f := range owned(p) {
			if known[f] {
				continue
			}
			known[f] = true
			size := o.tree.nodes[f].size
			for _, alias := range o.tree.links[f] {
				known[alias] = true
				size = max(size, o.tree.nodes[alias].size)
			}
			if size >= leastCopy {
				sizes[size] = append(sizes[size], f)
			}
		}
	}
	strays := map[int64][]string{}
	for p, n := range o.tree.nodes {
		if n.kind == kindFile && (!known[p] || o.made[p]) && len(sizes[n.size]) > 0 {
			strays[n.size] = append(strays[n.size], p)
		}
	}
	var out [][]string
	for size, paths := range strays {
		stray := map[[sha256.Size]byte][]string{}
		for _, p := range paths {
			if sum, ok := o.sum(ctx, p); ok {
				stray[sum] = append(stray[sum], p)
			}
		}
		groups := map[[sha256.Size]byte][]string{}
		for _, p := range sizes[size] {
			if sum, ok := o.sum(ctx, p); ok && stray[sum] != nil {
				groups[sum] = append(groups[sum], p)
			}
		}
		for sum, group := range groups {
			out = append(out, append(group, stray[sum]...))
		}
	}
	return out
}

// sum hashes a file of the image. One that cannot be read might be a copy of
// anything, so that the list of packages is not whole.
func (o *owners) sum(ctx context.Context, p string) (sum [sha256.Size]byte, ok bool) {
	if ctx.Err() != nil {
		return sum, false
	}
	r, err := o.files.open(p)
	if err == nil {
		defer r.Close()
		hash := sha256.New()
		if _, err = io.Copy(hash, r); err == nil {
			return [sha256.Size]byte(hash.Sum(nil)), true
		}
	}
	if o.incomplete == "" {
		o.incomplete = oneLine(fmt.Sprintf("reading %s: %v", p, err))
	}
	return sum, false
}
