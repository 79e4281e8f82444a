package catalog

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"path"
	"strings"

	"github.com/anchore/syft/syft/pkg"
)

// maxPth is the largest path configuration file, in bytes, that is read.
const maxPth = 64 << 10

// claimPython claims what the distribution's RECORD lists, else what an egg's
// installed-files.txt lists, else its top-level modules.
// https://packaging.python.org/en/latest/specifications/recording-installed-packages/
func (o *owners) claimPython(c *claim, p pkg.Package, m pkg.PythonPackage) {
	at := o.primary(p)
	if len(at) == 0 {
		return
	}
	meta := path.Dir(at[0])
	site := path.Dir(meta)
	if !strings.HasSuffix(meta, "-info") && !strings.HasSuffix(meta, "/EGG-INFO") {
		site = meta // an egg-info that is a single file
	}
	names := o.pythonRecord(c, path.Join(meta, "RECORD"))
	for _, f := range m.Files {
		names = append(names, f.Path)
	}
	for _, name := range names {
		c.listed(absolute(site, name))
	}
	if data, err := o.files.read(path.Join(meta, "installed-files.txt"), maxList); err == nil {
		for _, name := range strings.Split(string(data), "\n") {
			if name != "" {
				names = append(names, name)
				c.listed(absolute(meta, name))
			}
		}
	}
	if len(names) == 0 {
		o.claimModules(c, site, m.TopLevelPackages)
	}
	o.claimPaths(c)
}

// pythonRecord reads the paths of a RECORD. Syft passes over lines that it
// cannot parse; here they make the package opaque.
func (o *owners) pythonRecord(c *claim, record string) []string {
	data, err := o.files.read(record, maxList)
	if errors.Is(err, errNoFile) {
		return nil
	}
	if err != nil {
		c.opaque("%s cannot be read: %v", record, err)
		return nil
	}
	var names []string
	r := csv.NewReader(bytes.NewReader(data))
	r.FieldsPerRecord = -1
	r.LazyQuotes = true
	for {
		fields, err := r.Read()
		if errors.Is(err, io.EOF) {
			return names
		}
		if err != nil {
			c.opaque("%s cannot be read: %v", record, err)
			return names
		}
		names = append(names, fields[0])
	}
}

// claimModules claims the modules and extension modules of the given names in
// a site directory.
func (o *owners) claimModules(c *claim, site string, names []string) {
	for _, name := range names {
		name = strings.TrimSpace(name)
		if name == "" {
			continue
		}
		found := false
		base := path.Join(site, name)
		if dir, k := o.tree.resolve(base); k == kindDir {
			c.below(dir, nil)
			found = true
		}
		if f, ok := o.tree.file(base + ".py"); ok {
			c.add(f)
			found = true
		}
		if dir, k := o.tree.resolve(path.Dir(base)); k == kindDir {
			for _, entry := range o.tree.children[dir] {
				if strings.HasPrefix(entry, path.Base(base)+".") && strings.HasSuffix(entry, ".so") {
					c.listed(path.Join(dir, entry))
					found = true
				}
			}
		}
		if !found {
			c.opaque("its module %q was not found in %s", name, site)
		}
	}
}

// claimPaths claims the directories that the package's path configuration
// files add to Python's search path, as an editable installation does.
// https://docs.python.org/3/library/site.html
func (o *owners) claimPaths(c *claim) {
	for _, f := range append([]string(nil), c.paths...) {
		name := path.Base(f)
		if strings.HasPrefix(name, "__editable__") && strings.HasSuffix(name, ".py") {
			c.opaque("it is an editable installation: its code is elsewhere")
		}
		if !strings.HasSuffix(name, ".pth") {
			continue
		}
		data, err := o.files.read(f, maxPth)
		if err != nil {
			c.opaque("%s cannot be read: %v", f, err)
			continue
		}
		for _, line := range strings.Split(string(data), "\n") {
			line = strings.TrimSpace(line)
			if line == "" || strings.HasPrefix(line, "#") || strings.HasPrefix(line, "import ") || strings.HasPrefix(line, "import\t") {
				continue
			}
			dir, k := o.tree.resolve(absolute(path.Dir(f), line))
			switch {
			case k == kindDir && dir == "/":
				c.opaque("%s puts the root directory on the search path", f)
			case k == kindDir:
				c.below(dir, nil)
			}
		}
	}
}

// absolute joins name to dir unless it is absolute already.
func absolute(dir, name string) string {
	if strings.HasPrefix(name, "/") {
		return name
	}
	return path.Join(dir, name)
}
