package catalog

import (
	"path"
	"slices"
	"strings"

	stereofile "github.com/anchore/stereoscope/pkg/file"
	"github.com/anchore/stereoscope/pkg/filetree/filenode"
	"github.com/anchore/stereoscope/pkg/image"
)

// maxLinks is how many symbolic links one path may lead through: Linux's own
// limit (path_resolution(7)).
const maxLinks = 40

// maxTarget is the longest target of a symbolic link that Linux takes, in bytes.
const maxTarget = 4095

// kind is what a path of the image is.
type kind uint8

const (
	kindDir kind = iota + 1
	kindFile
	kindLink    // symbolic link
	kindSpecial // device, socket, pipe
)

// node is one path of the squashed image.
type node struct {
	kind   kind
	target string // of a symbolic link
	size   int64  // of a regular file, in bytes; 0 for a hard link to one
}

// tree is the file system that a container of the image sees, by real path.
// Unlike Syft's resolver it keeps each hard link as a path of its own, because
// the kernel reports the path through which a file was opened.
type tree struct {
	nodes    map[string]node
	children map[string][]string // names in a directory, sorted
	links    map[string][]string // path of a hard-linked file: its whole group, sorted
	dirs     map[string]string   // cache: directory as written, its real path ("" for none)
	ends     map[string]end      // cache: symbolic link, where it leads in the end
}

// end is where a path leads.
type end struct {
	real string
	kind kind
}

// newTree indexes the squashed tree of a read image.
func newTree(img *image.Image) *tree {
	all := img.SquashedTree().TreeReader().Nodes()
	t := &tree{
		nodes:    make(map[string]node, len(all)),
		children: map[string][]string{},
		links:    map[string][]string{},
		dirs:     map[string]string{},
		ends:     map[string]end{},
	}
	hard := map[string]string{} // hard link: the name it was made from
	for _, n := range all {
		f := n.(*filenode.FileNode)
		p := string(f.RealPath)
		if strings.HasPrefix(path.Base(p), stereofile.WhiteoutPrefix) {
			continue // a whiteout of the lowest layer, which hides nothing
		}
		switch f.FileType {
		case stereofile.TypeDirectory:
			t.nodes[p] = node{kind: kindDir}
		case stereofile.TypeSymLink:
			t.nodes[p] = node{kind: kindLink, target: string(f.LinkPath)}
			if len(f.LinkPath) == 0 || len(f.LinkPath) > maxTarget {
				t.nodes[p] = node{kind: kindSpecial} // no kernel makes such a link
			}
		case stereofile.TypeHardLink:
			// a file even when the name that the archive links it to was
			// removed by a later layer
			t.nodes[p] = node{kind: kindFile}
			hard[p] = string(f.LinkPath)
		default:
			t.nodes[p] = node{kind: kindFile}
			if f.Reference == nil {
				break
			}
			e, err := img.FileCatalog.Get(*f.Reference)
			switch {
			case err != nil:
			case e.Type != stereofile.TypeRegular:
				t.nodes[p] = node{kind: kindSpecial}
			case e.FileInfo != nil:
				t.nodes[p] = node{kind: kindFile, size: e.Size()}
			}
		}
		if p != "/" {
			t.children[path.Dir(p)] = append(t.children[path.Dir(p)], path.Base(p))
		}
	}
	for _, names := range t.children {
		slices.Sort(names)
	}
	t.groupLinks(hard)
	return t
}

// groupLinks joins the hard links to one file, links to links included.
func (t *tree) groupLinks(target map[string]string) {
	groups := map[string][]string{}
	for link := range target {
		root := link
		for range maxLinks {
			next, ok := target[root]
			if !ok || next == root {
				break
			}
			root = next
		}
		groups[root] = append(groups[root], link)
	}
	for root, group := range groups {
		if real, k := t.resolve(root); k == kindFile {
			group = append(group, real)
		}
		slices.Sort(group)
		group = slices.Compact(group)
		if len(group) < 2 {
			continue
		}
		for _, p := range group {
			t.links[p] = group
		}
	}
}

// resolve follows the image's symbolic links and gives the real path of p with
// what is there; the kind is 0 where nothing is.
func (t *tree) resolve(p string) (string, kind) {
	p = path.Clean("/" + p)
	dir, name := path.Split(p)
	dir = path.Clean(dir)
	realDir, known := t.dirs[dir]
	if !known {
		real, k := t.walk(dir)
		if k == kindDir {
			realDir = real
		}
		t.dirs[dir] = realDir
	}
	if realDir == "" {
		return "", 0
	}
	if name == "" {
		return "/", kindDir
	}
	full := path.Join(realDir, name)
	n, ok := t.nodes[full]
	if !ok {
		return "", 0
	}
	if n.kind != kindLink {
		return full, n.kind
	}
	e, known := t.ends[full]
	if !known {
		e.real, e.kind = t.walk(full)
		t.ends[full] = e
	}
	return e.real, e.kind
}

// walk resolves one component after the other, as the kernel does.
func (t *tree) walk(p string) (string, kind) {
	at, here := "/", kindDir
	rest := strings.Split(p, "/")
	for budget := maxLinks; len(rest) > 0; {
		name := rest[0]
		rest = rest[1:]
		switch name {
		case "", ".":
			continue
		case "..":
			at = path.Dir(at)
			continue
		}
		if here != kindDir {
			return "", 0
		}
		next := path.Join(at, name)
		n, ok := t.nodes[next]
		if !ok {
			return "", 0
		}
		if n.kind == kindLink {
			if budget--; budget < 0 {
				return "", 0
			}
			if strings.HasPrefix(n.target, "/") {
				at = "/"
			}
			rest = append(strings.Split(n.target, "/"), rest...)
			continue
		}
		at, here = next, n.kind
	}
	return at, here
}

// file gives the real path of p when a regular file is there.
func (t *tree) file(p string) (string, bool) {
	real, k := t.resolve(p)
	return real, k == kindFile
}

// walkFiles calls visit with every regular file below the real directory dir,
// in order. skip, where it is not nil, keeps out whole directories.
func (t *tree) walkFiles(dir string, skip func(dir string) bool, visit func(file string) bool) bool {
	for _, name := range t.children[dir] {
		p := path.Join(dir, name)
		switch t.nodes[p].kind {
		case kindFile:
			if !visit(p) {
				return false
			}
		case kindDir:
			if skip != nil && skip(p) {
				continue
			}
			if !t.walkFiles(p, skip, visit) {
				return false
			}
		}
	}
	return true
}
