package source

import (
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/foreign"
	"github.com/vexxy/action/internal/subject"
)

// reference is a reference taken apart.
type reference struct {
	source subject.Source
	// forced says that a prefix named the source.
	forced bool
	// name is the reference without prefix.
	name string
	// remote is set for SourceRegistry.
	remote name.Reference
	// path is the archive or folder, chosen what to take from it: a tag or
	// digest, or empty.
	path, chosen string
}

// pinned reports whether the reference names a digest.
func (r reference) pinned() bool {
	_, is := r.remote.(name.Digest)
	return is
}

// maxReference bounds a reference, in bytes: a path with a tag.
const maxReference = 8192

var (
	imageID = regexp.MustCompile(`^(sha256:[0-9a-f]{64}|[0-9a-f]{12,64})$`)
	// afterHost is what follows "registry:" in a reference to an image or host
	// of that name: a tag, or a port and path.
	afterHost = regexp.MustCompile(`^(\w[\w.-]{0,127}(@.*)?|\d+/.*)$`)
)

// parse takes a reference apart. "registry:2" and "registry:5000/app" are
// references in themselves; "registry:nginx:1.27" has a prefix.
func parse(ref string, insecure []string) (reference, error) {
	bad := func(hint, format string, args ...any) (reference, error) {
		return reference{}, fault.New(fault.Usage, hint, format, args...)
	}
	if ref == "" || len(ref) > maxReference || strings.ContainsRune(ref, 0) {
		return bad("name an image, such as nginx:1.27", "a reference of %d bytes is no image", len(ref))
	}
	prefix, rest, _ := strings.Cut(ref, ":")
	switch {
	case prefix == "docker-archive" || prefix == "oci-dir":
		if rest == "" {
			return bad("name a file or folder behind it", "reference %q has no path", ref)
		}
		source := subject.Source(prefix)
		path, chosen := splitPath(rest, source == subject.SourceOCIDir)
		return reference{source: source, forced: true, name: rest, path: path, chosen: chosen}, nil
	case prefix == "docker-daemon" && rest != "":
		return reference{source: subject.SourceDaemon, forced: true, name: rest}, nil
	case imageID.MatchString(ref):
		return reference{source: subject.SourceDaemon, forced: true, name: ref}, nil
	}
	r := reference{source: subject.SourceRegistry, name: ref}
	if prefix == "registry" && rest != "" && !afterHost.MatchString(rest) {
		r.name, r.forced = rest, true
	}
	var err error
	if r.remote, err = name.ParseReference(r.name); err != nil {
		return bad("write it like nginx:1.27 or ghcr.io/owner/app@sha256:…", "%q is no image reference: %s", cut(ref), brief(err))
	}
	host := r.remote.Context().RegistryStr()
	if slices.Contains(insecure, host) || slices.Contains(insecure, hostname(host)) {
		r.remote, err = name.ParseReference(r.name, name.Insecure)
	}
	return r, err
}

// splitPath takes the path from what follows it behind ":" (a tag) or "@" (a
// digest): the longest path that exists counts, else all of it.
func splitPath(s string, folder bool) (path, chosen string) {
	exists := func(p string) bool {
		info, err := os.Stat(p)
		return err == nil && info.IsDir() == folder
	}
	for end := len(s); end > 0; end = strings.LastIndexAny(s[:end], ":@") {
		if exists(s[:end]) {
			return s[:end], strings.TrimLeft(s[end:], ":@")
		}
	}
	return s, ""
}

// splitName takes NAME:TAG apart, as engines write it.
func splitName(s string) (repository, tag string) {
	s, _, _ = strings.Cut(s, "@")
	if i := strings.LastIndexByte(s, ':'); i > strings.LastIndexByte(s, '/') {
		return s[:i], s[i+1:]
	}
	return s, ""
}

// cut bounds and encodes a foreign text for a message that quotes it.
func cut(s string) string { return foreign.Text(s).Line(120) }

// brief is an error's text, bounded and encoded: registries write into it.
func brief(err error) string { return foreign.Text(err.Error()).Line(300) }
