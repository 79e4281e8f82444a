package judge

import (
	"strings"
	"unicode/utf8"
)

// unmatchable reports whether a name cannot be what a kernel reports: Syft
// writes U+FFFD for bytes that are no UTF-8.
func unmatchable(path string) bool {
	for i := range len(path) {
		if path[i] >= utf8.RuneSelf {
			return strings.ContainsRune(path[i:], utf8.RuneError)
		}
	}
	return false
}

// sourceOfBytecode gives the module's source for a Python bytecode file, or
// "": __pycache__/x.cpython-311.opt-1.pyc and the legacy x.pyc both stand for
// x.py (https://peps.python.org/pep-3147/ and pep-0488). A name with digits
// behind .pyc is one that the interpreter writes before it renames it.
func sourceOfBytecode(p string) string {
	if i := strings.LastIndex(p, ".pyc."); i >= 0 && digits(p[i+5:]) {
		p = p[:i+4]
	}
	stem, ok := strings.CutSuffix(p, ".pyc")
	if !ok {
		if stem, ok = strings.CutSuffix(p, ".pyo"); !ok {
			return ""
		}
	}
	dir, name := splitPath(stem)
	outer, inCache := strings.CutSuffix(dir, "/__pycache__/")
	if inCache {
		dir = outer + "/"
		name = withoutTag(name)
	}
	if name == "" {
		return ""
	}
	return dir + name + ".py"
}

// withoutTag takes the optimisation level and the interpreter's tag from the
// name of a cached bytecode file.
func withoutTag(name string) string {
	if i := strings.LastIndexByte(name, '.'); i >= 0 && strings.HasPrefix(name[i+1:], "opt-") {
		name = name[:i]
	}
	if i := strings.LastIndexByte(name, '.'); i >= 0 {
		name = name[:i]
	}
	return name
}

// deepestPrefix bounds how many directories a tree of bytecode may lie below
// the root.
const deepestPrefix = 24

// relocatedSources gives the sources for which a bytecode file may stand that
// is kept in a tree of its own (PYTHONPYCACHEPREFIX): below the prefix the
// whole path of the source is repeated, without __pycache__.
func relocatedSources(p string) []string {
	stem, ok := strings.CutSuffix(p, ".pyc")
	if !ok || strings.Contains(p, "/__pycache__/") {
		return nil
	}
	dir, name := splitPath(stem)
	if !strings.Contains(name, ".") {
		return nil
	}
	whole := dir + withoutTag(name) + ".py"
	var out []string
	for i := 1; i < len(whole) && len(out) < deepestPrefix; i++ {
		if whole[i] == '/' {
			out = append(out, whole[i:])
		}
	}
	return out
}

// mergedTwin gives the other spelling of a path on images whose /bin and /lib
// lead to /usr. Both sides were resolved by the image's own links already; this
// is for the case that a link was made or broken at run time.
func mergedTwin(p string) string {
	short := strings.TrimPrefix(p, "/usr")
	for _, dir := range [...]string{"/bin/", "/sbin/", "/lib/", "/lib32/", "/lib64/", "/libx32/"} {
		if strings.HasPrefix(short, dir) {
			if short == p {
				return "/usr" + p
			}
			return short
		}
	}
	return ""
}

// splitPath cuts a path behind its last slash.
func splitPath(p string) (dir, name string) {
	i := strings.LastIndexByte(p, '/')
	return p[:i+1], p[i+1:]
}

func digits(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}
