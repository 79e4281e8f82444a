package judge

import (
	"bytes"
	"cmp"
	"path"
	"slices"
	"strings"

	"github.com/vexxy/action/internal/evidence"
	"github.com/vexxy/action/internal/inventory"
)

// seen answers which files of the image were used, by every name under which
// a package may own them.
type seen struct {
	observations []evidence.Observation
	// files maps a path to the observations that stand for it.
	files map[string][]int32
	// perhaps knows most paths that files does not have: an image's packages own
	// many more files than are ever used.
	perhaps sieve
	// places are the observed paths in their order, without metadata that was
	// only opened: what lies below a directory stands together.
	places []place
}

// place is one path of an observation.
type place struct {
	path string
	i    int32
}

// deletedMark ends the path of a file that has lost its name, in /proc.
const deletedMark = " (deleted)"

// newSeen indexes the observations under all their names: the path itself, the
// image's file of the same inode, its hard links, the source of Python
// bytecode, the other spelling on a merged /usr.
func newSeen(observations []evidence.Observation, hardLinks [][]string) *seen {
	links := map[string][]string{}
	for _, group := range hardLinks {
		for _, p := range group {
			links[p] = group
		}
	}
	s := &seen{
		observations: observations,
		files:        make(map[string][]int32, 2*len(observations)),
	}
	for i := range observations {
		o := &observations[i]
		for _, p := range [][]byte{o.Path, o.ImagePath, undeleted(o.Path)} {
			if len(p) > 0 {
				s.add(string(p), int32(i), links)
			}
		}
	}
	s.perhaps = newSieve(len(s.files))
	for p := range s.files {
		s.perhaps.add(p)
	}
	slices.SortFunc(s.places, func(a, b place) int { return cmp.Or(strings.Compare(a.path, b.path), s.compare(a.i, b.i)) })
	return s
}

// below gives an observation below a directory.
func (s *seen) below(dir string) (int32, bool) {
	dir += "/"
	i, _ := slices.BinarySearchFunc(s.places, dir, func(p place, dir string) int { return strings.Compare(p.path, dir) })
	if i < len(s.places) && strings.HasPrefix(s.places[i].path, dir) {
		return s.places[i].i, true
	}
	return 0, false
}

func undeleted(p []byte) []byte {
	if bytes.HasSuffix(p, []byte(deletedMark)) {
		return p[:len(p)-len(deletedMark)]
	}
	return nil
}

// add notes observation i under p and all other names of the same file.
func (s *seen) add(p string, i int32, links map[string][]string) {
	names := append([]string{p}, relocatedSources(p)...)
	if source := sourceOfBytecode(p); source != "" {
		names = append(names, source)
	}
	for _, name := range names {
		s.note(name, i)
		for _, other := range links[name] {
			s.note(other, i)
			if source := sourceOfBytecode(other); source != "" {
				s.note(source, i)
			}
		}
		if twin := mergedTwin(name); twin != "" {
			s.note(twin, i)
			for _, other := range links[twin] {
				s.note(other, i)
			}
		}
	}
	if classify(p) != metadata || ran(s.observations[i].Kinds) {
		s.places = append(s.places, place{p, i})
	}
}

func (s *seen) note(p string, i int32) {
	for _, known := range s.files[p] {
		if known == i {
			return
		}
	}
	s.files[p] = append(s.files[p], i)
}

// compare orders observations by time, then path, then the rest, so that the
// order in which they were written down does not matter. What node-agent alone
// saw comes last: it tells neither when nor by whom.
func (s *seen) compare(a, b int32) int {
	x, y := &s.observations[a], &s.observations[b]
	if alone := agentAlone(x); alone != agentAlone(y) {
		if alone {
			return 1
		}
		return -1
	}
	return cmp.Or(
		x.At.Compare(y.At), bytes.Compare(x.Path, y.Path), cmp.Compare(x.Process, y.Process),
		cmp.Compare(x.Phase, y.Phase), bytes.Compare(x.ImagePath, y.ImagePath),
		strings.Compare(kindsText(x.Kinds), kindsText(y.Kinds)), slices.Compare(x.Witnesses, y.Witnesses),
	)
}

// use is how a package was used.
type use struct {
	first int32 // the first observation that counts, -1 for none
	files int   // how many of its files were used
	odd   bool  // one of its file names cannot be what a kernel reports
}

func (u *use) take(s *seen, i int32) {
	if u.first < 0 || s.compare(i, u.first) < 0 {
		u.first = i
	}
}

// of gives the use of a package by its own files: the files that it owns, the
// file that it was read from where that is its own, and for an npm package
// everything below its directory, so that the outer of nested packages is seen
// with the inner.
func (s *seen) of(p *inventory.Package) use {
	u := use{first: -1}
	located := false
	for _, f := range p.Files {
		located = located || f == p.Location
		u.odd = u.odd || unmatchable(f)
		s.count(&u, f)
	}
	if !located && p.Location != "" && !osTypes[p.Type] {
		s.count(&u, p.Location)
	}
	for _, dir := range ownDirs(p) {
		if u.first >= 0 {
			break
		}
		if i, ok := s.below(dir); ok {
			u.take(s, i)
			u.files = 1
		}
	}
	return u
}

// count takes the observations of one file into account.
func (s *seen) count(u *use, f string) {
	if !s.perhaps.has(f) {
		return
	}
	used := false
	for _, i := range s.files[f] {
		if classify(f) == metadata && !ran(s.observations[i].Kinds) {
			continue
		}
		u.take(s, i)
		used = true
	}
	if used {
		u.files++
	}
}

// ran reports whether a file was more than opened.
func ran(kinds []evidence.Kind) bool {
	for _, k := range kinds {
		if k != evidence.Open {
			return true
		}
	}
	return false
}

// ownDirs are directories that belong to one package whole, and to whatever is
// nested in it: use of any file below them is use of the package, also of files
// that no list of the package names (made at build time, native addons).
func ownDirs(p *inventory.Package) []string {
	dir, base := path.Split(p.Location)
	dir = strings.TrimSuffix(dir, "/")
	switch {
	case p.Type == "npm" && base == "package.json" && dir != "":
		return []string{dir}
	case p.Type == "python":
		return importDirs(p)
	}
	return nil
}

// importDirs are the directories right below site-packages or dist-packages in
// which a Python package has files, without those that describe it.
func importDirs(p *inventory.Package) []string {
	var out []string
	for _, f := range p.Files {
		for _, site := range [...]string{"/site-packages/", "/dist-packages/"} {
			i := strings.LastIndex(f, site)
			if i < 0 {
				continue
			}
			rest := f[i+len(site):]
			top, _, below := strings.Cut(rest, "/")
			if !below || top == "__pycache__" || strings.HasSuffix(top, ".dist-info") || strings.HasSuffix(top, ".egg-info") {
				continue
			}
			dir := path.Dir(f)
			if len(out) == 0 || out[len(out)-1] != dir {
				out = append(out, dir)
			}
		}
	}
	return out
}

func kindsText(kinds []evidence.Kind) string {
	text := make([]string, len(kinds))
	for i, k := range kinds {
		text[i] = string(k)
	}
	return strings.Join(text, "+")
}
