package catalog

import (
	"path"
	"slices"
	"strings"

	"github.com/anchore/syft/syft/pkg"
)

// npmDirs gives the directories of an installed npm package: those of its
// package.json and of that file's hard links, since pnpm links one store into
// many places and Syft names one of them.
func (o *owners) npmDirs(p pkg.Package) []string {
	var dirs []string
	for _, at := range o.primary(p) {
		if path.Base(at) != "package.json" && len(o.tree.links[at]) == 0 {
			continue
		}
		for _, alias := range append([]string{at}, o.tree.links[at]...) {
			if path.Base(alias) == "package.json" {
				dirs = append(dirs, path.Dir(alias))
			}
		}
	}
	slices.Sort(dirs)
	return slices.Compact(dirs)
}

// claimNpm claims everything below the package's directories but the packages
// that are installed within.
func (o *owners) claimNpm(c *claim, p pkg.Package) {
	for _, dir := range o.npmDirs(p) {
		if dir == "/" {
			c.opaque("its directory is the image's root")
			c.listed("/package.json")
			continue
		}
		c.below(dir, func(sub string) bool {
			return o.npmRoots[sub] && strings.Contains(sub[len(dir):], "/node_modules/")
		})
	}
}
