// Package catalogtest makes images and vulnerability databases for tests:
// real layers with real package databases, and databases by Grype's own writer.
package catalogtest

import (
	"archive/tar"
	"bytes"
	"io"
	"path"
	"sort"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// File is one entry of a layer. Without Symlink, Hardlink or Dir it is a
// regular file with Body.
type File struct {
	Path     string // absolute or relative to the root
	Body     string
	Symlink  string // target
	Hardlink string // the entry it is linked to, as an absolute path
	Dir      bool
	Exec     bool
}

// Image assembles a linux/amd64 image from layers, lowest first. Whiteouts are
// files named .wh.NAME.
func Image(tb testing.TB, layers ...[]File) v1.Image {
	tb.Helper()
	img, err := mutate.ConfigFile(empty.Image, &v1.ConfigFile{OS: "linux", Architecture: "amd64"})
	if err != nil {
		tb.Fatal(err)
	}
	for _, files := range layers {
		layer, err := Layer(files)
		if err != nil {
			tb.Fatal(err)
		}
		if img, err = mutate.AppendLayers(img, layer); err != nil {
			tb.Fatal(err)
		}
	}
	return img
}

// Layer packs files, in their order, into a layer. Nothing in it depends on
// the time.
func Layer(files []File) (v1.Layer, error) {
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, f := range files {
		h := &tar.Header{Name: strings.TrimPrefix(f.Path, "/"), Mode: 0o644, Typeflag: tar.TypeReg, Size: int64(len(f.Body))}
		if f.Exec {
			h.Mode = 0o755
		}
		switch {
		case f.Dir:
			h.Typeflag, h.Mode, h.Size, h.Name = tar.TypeDir, 0o755, 0, h.Name+"/"
		case f.Symlink != "":
			h.Typeflag, h.Linkname, h.Size = tar.TypeSymlink, f.Symlink, 0
		case f.Hardlink != "":
			h.Typeflag, h.Linkname, h.Size = tar.TypeLink, strings.TrimPrefix(f.Hardlink, "/"), 0
		}
		if err := w.WriteHeader(h); err != nil {
			return nil, err
		}
		if h.Size > 0 {
			if _, err := io.WriteString(w, f.Body); err != nil {
				return nil, err
			}
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(buf.Bytes())), nil
	})
}

// Deb is an installed Debian package for DebianRoot.
type Deb struct {
	Name, Version, Source string // Source may carry a version in parentheses
	Files                 []File // contents; listed by their Path
	Listed                []string
	Conffiles             []string
	NoList                bool // md5sums only, as in distroless images
}

// DebianRoot gives the files of a Debian 12 root with a dpkg database that
// holds the packages. Where Listed is empty the packages list their Files.
func DebianRoot(packages ...Deb) []File {
	files := []File{{Path: "/etc/os-release", Body: "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nNAME=\"Debian GNU/Linux\"\nVERSION_ID=\"12\"\nVERSION=\"12 (bookworm)\"\nVERSION_CODENAME=bookworm\nID=debian\n"}}
	var status strings.Builder
	for _, p := range packages {
		status.WriteString("Package: " + p.Name + "\nStatus: install ok installed\nPriority: optional\nSection: libs\n" +
			"Maintainer: Nobody <nobody@example.org>\nArchitecture: amd64\nVersion: " + p.Version + "\n")
		if p.Source != "" {
			status.WriteString("Source: " + p.Source + "\n")
		}
		status.WriteString("Description: test package\n\n")
		files = append(files, p.Files...)
		list := p.Listed
		if len(list) == 0 {
			for _, f := range p.Files {
				list = append(list, f.Path)
			}
		}
		var sums strings.Builder
		for _, f := range list {
			sums.WriteString("00000000000000000000000000000000  " + strings.TrimPrefix(f, "/") + "\n")
		}
		info := "/var/lib/dpkg/info/" + p.Name
		files = append(files, File{Path: info + ".md5sums", Body: sums.String()})
		if p.NoList {
			continue
		}
		files = append(files, File{Path: info + ".list", Body: "/.\n" + strings.Join(append(parents(list), list...), "\n") + "\n"})
		if len(p.Conffiles) > 0 {
			files = append(files, File{Path: info + ".conffiles", Body: strings.Join(p.Conffiles, "\n") + "\n"})
		}
	}
	return append(files, File{Path: "/var/lib/dpkg/status", Body: status.String()})
}

// parents lists the directories of the paths, as dpkg does.
func parents(paths []string) []string {
	seen := map[string]bool{}
	for _, p := range paths {
		for d := path.Dir(p); d != "/" && d != "."; d = path.Dir(d) {
			seen[d] = true
		}
	}
	var out []string
	for d := range seen {
		out = append(out, d)
	}
	sort.Strings(out)
	return out
}
