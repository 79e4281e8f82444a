package catalog

import (
	"fmt"
	"path"
	"slices"
)

// claim collects the files of one package.
type claim struct {
	owners  *owners
	paths   []string
	archive string
	reason  string
}

// opaque notes why the files cannot be matched with what a kernel reports. The
// first reason stays.
func (c *claim) opaque(format string, args ...any) {
	if c.reason == "" {
		c.reason = fmt.Sprintf(format, args...)
	}
}

// add claims a real path of the image.
func (c *claim) add(real string) {
	if !plain(real) {
		c.opaque("the file name %q is not UTF-8 text", real)
		return
	}
	for _, alias := range c.owners.tree.links[real] {
		if !plain(alias) {
			c.opaque("%q has the hard link %q, which is not UTF-8 text", real, alias)
		}
	}
	c.paths = append(c.paths, real)
	for _, made := range c.owners.compiled[real] {
		c.generated(made)
	}
}

// listed claims a path as a package manager lists it: nothing when it is a
// directory or is not in the image, else the file that it leads to.
func (c *claim) listed(p string) {
	p = path.Clean("/" + p)
	if !plain(p) {
		c.opaque("the file name %q is not UTF-8 text", p)
		return
	}
	if len(c.owners.cut) > 0 && c.owners.isCut(p) {
		c.opaque("a file name that begins with %q holds a line break or ends in a space", p)
	}
	if real, ok := c.owners.tree.file(p); ok {
		c.add(real)
	}
}

// below claims every file below a real directory.
func (c *claim) below(dir string, skip func(dir string) bool) {
	c.owners.tree.walkFiles(dir, skip, func(f string) bool {
		c.add(f)
		return len(c.paths) <= c.owners.lim.files
	})
}

// finish gives the claimed files sorted, each once.
func (c *claim) finish() []string {
	slices.Sort(c.paths)
	return slices.Compact(c.paths)
}

// isCut reports whether p is what a list would hold of a longer path.
func (o *owners) isCut(p string) bool {
	if o.cut[p] {
		return true
	}
	if dir, k := o.tree.resolve(path.Dir(p)); k == kindDir {
		return o.cut[path.Join(dir, path.Base(p))]
	}
	return false
}
