package catalog

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/anchore/syft/syft/file"
	"github.com/anchore/syft/syft/pkg"
)

// maxList is the largest list of files, in bytes, that is read of one package.
const maxList = 64 << 20

// errNoFile marks a path of the image where no readable file is.
var errNoFile = errors.New("no such file")

// contents reads files out of the image.
type contents struct{ resolver file.Resolver }

// open opens a file; the error is errNoFile where there is none.
func (c contents) open(p string) (io.ReadCloser, error) {
	found, err := c.resolver.FilesByPath(p)
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, errNoFile
	}
	return c.resolver.FileContentsByLocation(found[0])
}

// read gives a file's contents, errNoFile where there is none, and another
// error for one that cannot be read or is larger than limit.
func (c contents) read(p string, limit int64) ([]byte, error) {
	r, err := c.open(p)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("larger than %d bytes", limit)
	}
	return data, nil
}

// databaseEnds are the places of package databases below the root of an
// installation.
var databaseEnds = []string{
	"/var/lib/dpkg/status", "/usr/lib/apk/db/installed", "/lib/apk/db/installed",
	"/var/lib/rpm/", "/usr/share/rpm/", "/usr/lib/sysimage/rpm/", "/var/lib/rpmmanifest/",
	"/var/lib/dpkg/status.d/", "/var/lib/pacman/local/", "/var/db/pkg/",
}

// installRoot gives the directory in the image that the package's paths are
// relative to: "/" but for a second installation within the image (a chroot).
// The kernel's names for files within a chroot depend on who looks, so such a
// package is opaque.
func (o *owners) installRoot(c *claim, p pkg.Package) string {
	for _, at := range o.primary(p) {
		for _, end := range databaseEnds {
			root, _, found := strings.Cut(at, end)
			if !found {
				continue
			}
			if root != "" {
				c.opaque("it is installed below %s, not below the image's root", root)
			}
			return "/" + root
		}
	}
	return "/"
}
