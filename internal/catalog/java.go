package catalog

import "github.com/anchore/syft/syft/pkg"

// claimJava claims the archive for the package that the archive is. What is
// merely inside of one, another archive or classes shaded into it, has no file
// of its own: only the outermost archive's name is known to the kernel.
func (o *owners) claimJava(c *claim, p pkg.Package, m pkg.JavaArchive) {
	for _, l := range p.Locations.ToSlice() {
		outer, ok := o.tree.file(l.RealPath)
		if !ok {
			continue
		}
		if whole, ok := o.tree.file(m.VirtualPath); ok && o.sameFile(whole, outer) {
			c.add(whole)
			c.add(outer)
			continue
		}
		if c.archive == "" {
			c.archive = outer
		}
	}
	if len(c.paths) > 0 {
		c.archive = ""
	}
}

// sameFile reports whether two real paths are one file.
func (o *owners) sameFile(a, b string) bool {
	if a == b {
		return true
	}
	group := o.tree.links[a]
	return len(group) > 0 && len(o.tree.links[b]) > 0 && &group[0] == &o.tree.links[b][0]
}
