package catalog

import (
	"errors"
	"path"
	"strings"

	"github.com/anchore/syft/syft/pkg"
)

// diversion is one of dpkg's diversions: all packages but by install the file
// under another name (dpkg-divert(1)).
type diversion struct{ to, by string }

// claimDpkg claims what dpkg's own list names. Syft reads only the md5sums,
// which leave out symbolic links, and conffiles; a list may be missing
// (distroless images keep md5sums alone).
func (o *owners) claimDpkg(c *claim, p pkg.Package, m pkg.DpkgDBEntry) {
	root := o.installRoot(c, p)
	names := m.OwnedFiles()
	admin := path.Join(root, "var/lib/dpkg")
	for _, list := range []string{m.Package + ":" + m.Architecture, m.Package} {
		data, err := o.files.read(path.Join(admin, "info", list+".list"), maxList)
		if errors.Is(err, errNoFile) {
			continue
		}
		if err != nil {
			c.opaque("its list of files cannot be read: %v", err)
		}
		names = append(names, strings.Split(string(data), "\n")...)
		break
	}
	moved := o.diversions(c, admin)
	for _, name := range names {
		if name == "" || name == "/." {
			continue
		}
		c.listed(path.Join(root, name))
		for _, d := range moved[path.Clean("/"+name)] {
			if d.by != m.Package {
				c.listed(path.Join(root, d.to))
			}
		}
	}
	o.claimGenerated(c, root, p)
}

// diversions reads a dpkg administration's diversions, once: three lines each,
// the path, where it goes, and the package that is exempt (":" for none).
func (o *owners) diversions(c *claim, admin string) map[string][]diversion {
	if known, ok := o.diverted[admin]; ok {
		return known
	}
	found := map[string][]diversion{}
	o.diverted[admin] = found
	data, err := o.files.read(path.Join(admin, "diversions"), maxList)
	if errors.Is(err, errNoFile) {
		return found
	}
	if err != nil {
		o.incomplete = oneLine("reading dpkg's diversions: " + err.Error())
		return found
	}
	lines := strings.Split(string(data), "\n")
	for ; len(lines) >= 3; lines = lines[3:] {
		from := path.Clean("/" + lines[0])
		found[from] = append(found[from], diversion{to: lines[1], by: lines[2]})
	}
	return found
}
