package catalog

import (
	"cmp"
	"context"
	"fmt"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/anchore/syft/syft/file"
	"github.com/anchore/syft/syft/pkg"
	"github.com/anchore/syft/syft/sbom"

	"github.com/vexxy/action/internal/inventory"
)

// owners finds the files that each package owns.
type owners struct {
	tree  *tree
	files contents
	model *sbom.SBOM
	lim   limits

	// cut holds, for each path of the image with a line break or white space at
	// its end, what a line-based list of files would hold of it.
	cut      map[string]bool
	diverted map[string]map[string][]diversion // by dpkg's directory and path
	npmRoots map[string]bool                   // directories of the npm packages
	unread   map[string]string                 // real path of a file that Syft could not read whole: why
	globbed  map[string][]string               // files of a pattern
	kept     map[string]map[string][]string    // ucf's files, by registry and package
	made     map[string]bool                   // files that were claimed although no list names them
	compiled map[string][]string               // what was compiled from a file
	total    int

	incomplete string
}

func newOwners(t *tree, files contents, model *sbom.SBOM, lim limits) *owners {
	o := &owners{
		tree: t, files: files, model: model, lim: lim,
		cut: map[string]bool{}, diverted: map[string]map[string][]diversion{},
		npmRoots: map[string]bool{}, unread: map[string]string{},
		globbed: map[string][]string{}, kept: map[string]map[string][]string{}, made: map[string]bool{}, compiled: map[string][]string{},
		incomplete: unreadDatabase(model.Artifacts.Unknowns),
	}
	for p, n := range t.nodes {
		if source, ok := t.compiledFrom(p); ok && n.kind == kindFile {
			o.compiled[source] = append(o.compiled[source], p)
		}
		line, _, _ := strings.Cut(p, "\n")
		if line = strings.TrimSpace(line); line != p {
			o.cut[line] = true
		}
	}
	for c, reasons := range model.Artifacts.Unknowns {
		o.unread[c.RealPath] = slices.Min(append(reasons, "unknown reason"))
	}
	return o
}

// plain reports whether a path survives being written as JSON and read back.
func plain(p string) bool {
	return utf8.ValidString(p) && !strings.ContainsRune(p, utf8.RuneError)
}

// packages lists all packages with their files, sorted, and the groups of paths
// that stand for one listed file.
func (o *owners) packages(ctx context.Context) ([]inventory.Package, [][]string) {
	all := o.model.Artifacts.Packages.Sorted()
	if len(all) > o.lim.packages {
		o.incomplete = fmt.Sprintf("the image has %d packages, more than the limit of %d", len(all), o.lim.packages)
		all = all[:o.lim.packages]
	}
	for _, p := range all {
		if p.Type == pkg.NpmPkg {
			for _, dir := range o.npmDirs(p) {
				o.npmRoots[dir] = true
			}
		}
	}
	out := make([]inventory.Package, 0, len(all))
	for _, p := range all {
		if ctx.Err() != nil {
			return out, nil
		}
		out = append(out, o.one(p))
	}
	slices.SortStableFunc(out, func(a, b inventory.Package) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Version, b.Version),
			cmp.Compare(a.Type, b.Type), cmp.Compare(a.Location, b.Location), cmp.Compare(a.ID, b.ID))
	})
	return out, o.sameFiles(ctx, out)
}

// one describes a single package.
func (o *owners) one(p pkg.Package) inventory.Package {
	out := inventory.Package{
		ID: string(p.ID()), Name: text(p.Name), Version: text(p.Version),
		Type: string(p.Type), PURL: text(p.PURL), Source: sourceOf(p),
	}
	if at := o.primary(p); len(at) > 0 {
		out.Location = text(at[0])
	}
	c := claim{owners: o}
	o.claim(&c, p)
	for _, l := range p.Locations.ToSlice() {
		if why := o.unread[l.RealPath]; why != "" {
			c.opaque("%s could not be read whole: %s", l.RealPath, why)
		}
	}
	out.Files, out.Archive, out.Opaque = c.finish(), text(c.archive), oneLine(c.reason)
	o.total += len(out.Files)
	if o.total > o.lim.files {
		out.Files = nil
		out.Opaque = "its files were not listed: the image has too many"
		o.incomplete = fmt.Sprintf("the image's packages own more than %d files", o.lim.files)
	}
	return out
}

// claim collects the files of p by the rules of its ecosystem. A package whose
// ecosystem has no rule here claims nothing.
func (o *owners) claim(c *claim, p pkg.Package) {
	switch m := p.Metadata.(type) {
	case pkg.DpkgDBEntry:
		o.claimDpkg(c, p, m)
		return
	case pkg.PythonPackage:
		o.claimPython(c, p, m)
		return
	case pkg.JavaArchive:
		o.claimJava(c, p, m)
		return
	}
	if owner, ok := p.Metadata.(pkg.FileOwner); ok {
		root := o.installRoot(c, p)
		for _, f := range owner.OwnedFiles() {
			c.listed(path.Join(root, f))
		}
		o.claimGenerated(c, root, p)
		return
	}
	switch p.Type {
	case pkg.NpmPkg:
		o.claimNpm(c, p)
	case pkg.GoModulePkg, pkg.RustPkg:
		// linked into the binary that names them (build information, cargo-auditable)
		for _, f := range o.primary(p) {
			c.add(f)
		}
	default:
		if _, elf := p.Metadata.(pkg.ELFBinaryPackageNoteJSONPayload); elf || p.Type == pkg.BinaryPkg {
			for _, f := range o.locations(p) {
				c.add(f)
			}
			// a library beside an executable carries the same code, and
			// nothing says which files there are
			c.opaque("recognised by the contents of one file; its other files are not known")
		}
	}
}

// locations gives the real paths of the files that told of the package.
func (o *owners) locations(p pkg.Package) []string {
	var out []string
	for _, l := range p.Locations.ToSlice() {
		if f, ok := o.located(l); ok {
			out = append(out, f)
		}
	}
	return out
}

// primary gives the real paths of the files that the package was read from,
// without those that only support it.
func (o *owners) primary(p pkg.Package) []string {
	var out []string
	for _, l := range p.Locations.ToSlice() {
		if l.Annotations[pkg.EvidenceAnnotationKey] == pkg.SupportingEvidenceAnnotation {
			continue
		}
		if f, ok := o.located(l); ok {
			out = append(out, f)
		}
	}
	return out
}

// located resolves a location. The path by which Syft came to the file is
// tried first: its real path names the target of a hard link.
func (o *owners) located(l file.Location) (string, bool) {
	if f, ok := o.tree.file(l.AccessPath); ok {
		return f, true
	}
	return o.tree.file(l.RealPath)
}

// sourceOf gives the source package of a distribution's binary package.
func sourceOf(p pkg.Package) *inventory.Source {
	switch m := p.Metadata.(type) {
	case pkg.DpkgDBEntry:
		name, version := cmp.Or(m.Source, m.Package), cmp.Or(m.SourceVersion, m.Version)
		return &inventory.Source{Name: text(name), Version: text(version)}
	case pkg.ApkDBEntry:
		return &inventory.Source{Name: text(cmp.Or(m.OriginPackage, m.Package)), Version: text(m.Version)}
	case pkg.RpmDBEntry:
		return sourceRPM(m.SourceRpm)
	}
	return nil
}

// sourceRPM splits "name-version-release.src.rpm".
func sourceRPM(s string) *inventory.Source {
	s, ok := strings.CutSuffix(s, ".rpm")
	if !ok {
		return nil
	}
	s = strings.TrimSuffix(s, path.Ext(s)) // .src or .nosrc
	release := strings.LastIndex(s, "-")
	if release < 1 {
		return nil
	}
	version := strings.LastIndex(s[:release], "-")
	if version < 1 {
		return nil
	}
	return &inventory.Source{Name: text(s[:version]), Version: text(s[version+1:])}
}

// text makes foreign text survive JSON.
func text(s string) string { return strings.ToValidUTF8(s, "�") }
