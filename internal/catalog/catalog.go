// Package catalog reads what is in an image: with Syft its packages and the
// files that they own, with Grype the vulnerabilities that a database knows of
// them. The result is an inventory, whose plain types have a package of their
// own.
package catalog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"sort"
	"strings"
	"syscall"

	stereofile "github.com/anchore/stereoscope/pkg/file"
	"github.com/anchore/stereoscope/pkg/image"
	"github.com/anchore/syft/syft"
	"github.com/anchore/syft/syft/cataloging"
	"github.com/anchore/syft/syft/file"
	"github.com/anchore/syft/syft/format/syftjson"
	"github.com/anchore/syft/syft/linux"
	"github.com/anchore/syft/syft/pkg"
	"github.com/anchore/syft/syft/sbom"
	"github.com/anchore/syft/syft/source"
	"github.com/anchore/syft/syft/source/stereoscopesource"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/inventory"
)

// Catalog is what Read found in an image. Its Findings and Database are empty
// until a Matcher completes it.
type Catalog struct {
	inventory.Inventory
	// SBOM is the image's SBOM as Syft JSON.
	SBOM []byte

	model *sbom.SBOM
}

// Read reads the packages of an image and the files they own. The name is the
// reference as the user wrote it and goes into the SBOM; tmp is an existing
// directory that Read fills with the unpacked layers and does not need
// afterwards. A cataloguer that fails, or an image beyond the limits, gives a
// catalog with Incomplete set; an error means that the image cannot be read.
func Read(ctx context.Context, img v1.Image, name, tmp string) (*Catalog, error) {
	return read(ctx, img, name, tmp, defaultLimits)
}

func read(ctx context.Context, img v1.Image, name, tmp string, lim limits) (*Catalog, error) {
	img = named{img}
	err := unpackLayers(ctx, img, tmp, lim)
	var beyond errLimit
	switch {
	case errors.As(err, &beyond):
		return incomplete(name, beyond.text)
	case err != nil:
		return nil, readFault(ctx, err)
	}
	unpacked := image.New(img, stereofile.NewTempDirGenerator("vexxy"), tmp)
	if err := unpacked.Read(); err != nil {
		return nil, readFault(ctx, err)
	}
	src := stereoscopesource.New(unpacked, stereoscopesource.ImageConfig{Reference: name})
	model, err := createSBOM(ctx, src)
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case err != nil:
		return incomplete(name, oneLine("a cataloguer failed: "+err.Error()))
	}
	resolver, err := src.FileResolver(source.SquashedScope)
	if err != nil {
		return nil, fmt.Errorf("reading the image's files: %w", err)
	}
	c := &Catalog{model: model}
	c.Syft, c.Grype = libraryVersions()
	c.Distro = distroName(model.Artifacts.LinuxDistribution)
	o := newOwners(newTree(unpacked), contents{resolver}, model, lim)
	c.Packages, c.HardLinks = o.packages(ctx)
	c.Incomplete = o.incomplete
	if c.SBOM, err = encode(*model); err != nil {
		return nil, err
	}
	if len(c.SBOM) > lim.sbom {
		return incomplete(name, fmt.Sprintf("the SBOM is larger than %d bytes", lim.sbom))
	}
	return c, context.Cause(ctx)
}

// readFault adds to an error of reading an image what a user can do.
func readFault(ctx context.Context, err error) error {
	var known *fault.Error
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.As(err, &known):
		return fmt.Errorf("reading the image: %w", err)
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fault.New(fault.Infra, "free some space in the temporary directory, or point TMPDIR to a larger disk", "unpacking the image: %w", err)
	case errors.Is(err, fs.ErrPermission):
		return fault.New(fault.Infra, "make the temporary directory writable, or point TMPDIR to one that is", "unpacking the image: %w", err)
	default:
		return fault.New(fault.Infra, "check that the image is whole: pull it again, or save the archive again", "reading the image: %w", err)
	}
}

// createSBOM runs Syft's cataloguers over the squashed image. File digests,
// file contents and the file-to-package relationships of the SBOM are left
// out: nothing needs them, and they take longer than all the rest.
func createSBOM(ctx context.Context, src source.Source) (_ *sbom.SBOM, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	cfg := syft.DefaultCreateSBOMConfig().WithoutFiles()
	cfg.Relationships.PackageFileOwnership = false
	syftVersion, _ := libraryVersions()
	cfg.ToolVersion = strings.TrimPrefix(syftVersion, "v")
	made, err := syft.CreateSBOM(ctx, src, cfg)
	if made != nil {
		// It holds this machine's folders and would differ from user to user.
		made.Descriptor.Configuration = nil
	}
	return made, err
}

// incomplete is the catalog of an image whose packages could not be listed.
func incomplete(name, reason string) (*Catalog, error) {
	model := &sbom.SBOM{
		Artifacts:  sbom.Artifacts{Packages: pkg.NewCollection()},
		Source:     source.Description{Name: name, Metadata: source.ImageMetadata{UserInput: name}},
		Descriptor: sbom.Descriptor{Name: "syft"},
	}
	c := &Catalog{model: model}
	c.Syft, c.Grype = libraryVersions()
	c.Incomplete = reason
	var err error
	c.SBOM, err = encode(*model)
	return c, err
}

// encode writes the model as Syft JSON.
func encode(model sbom.SBOM) ([]byte, error) {
	var out bytes.Buffer
	if err := syftjson.NewFormatEncoder().Encode(&out, model); err != nil {
		return nil, fmt.Errorf("encoding the SBOM: %w", err)
	}
	return out.Bytes(), nil
}

// libraryVersions gives the versions of Syft and Grype that are linked in.
func libraryVersions() (syftVersion, grypeVersion string) {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "", ""
	}
	for _, m := range info.Deps {
		switch m.Path {
		case "github.com/anchore/syft":
			syftVersion = m.Version
		case "github.com/anchore/grype":
			grypeVersion = m.Version
		}
	}
	return syftVersion, grypeVersion
}

// distroName gives a distribution as "debian 12".
func distroName(r *linux.Release) string {
	if r == nil {
		return ""
	}
	version := r.VersionID
	if version == "" {
		version = r.VersionCodename
	}
	return strings.TrimSpace(strings.ToValidUTF8(r.ID+" "+version, "�"))
}

// packageDatabases end the paths of the files whose failure leaves the list of
// packages without whole packages rather than without a detail of one.
var packageDatabases = []string{
	"/var/lib/dpkg/status", "/lib/apk/db/installed",
	"/rpm/Packages", "/rpm/Packages.db", "/rpm/rpmdb.sqlite",
	"/var/lib/rpmmanifest/container-manifest-2", "/etc/os-release", "/usr/lib/os-release",
}

// unreadDatabase names a package database that Syft could not read whole.
func unreadDatabase(unknowns map[file.Coordinates][]string) string {
	var bad []string
	for c, reasons := range unknowns {
		for _, end := range packageDatabases {
			if strings.HasSuffix(c.RealPath, end) || strings.Contains(c.RealPath, "/var/lib/dpkg/status.d/") {
				bad = append(bad, c.RealPath+": "+strings.Join(slices.Sorted(slices.Values(reasons)), "; "))
				break
			}
		}
	}
	if len(bad) == 0 {
		return ""
	}
	sort.Strings(bad)
	return oneLine("reading a package database: " + bad[0])
}

// oneLine makes foreign text fit for a single bounded line of the record.
func oneLine(s string) string {
	s = strings.ToValidUTF8(s, "�")
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > 300 {
		s = strings.ToValidUTF8(s[:300], "") + "…"
	}
	return s
}

// TempDir makes the directory that Read needs below base ("" for the system's).
func TempDir(base string) (dir string, remove func(), err error) {
	dir, err = os.MkdirTemp(base, "vexxy-layers-")
	if err != nil {
		return "", nil, fault.New(fault.Infra, "point TMPDIR to a directory that is writable", "making a temporary directory: %w", err)
	}
	return filepath.Clean(dir), func() { os.RemoveAll(dir) }, nil
}

// WithClassifier gives a context under which all Reads share one licence
// classifier. Making it takes most of a second of CPU time; without it each
// Read makes its own.
func WithClassifier(ctx context.Context) (context.Context, error) {
	shared, err := syft.SetContextLicenseScanner(ctx, cataloging.DefaultLicenseConfig())
	if err != nil {
		return ctx, fmt.Errorf("making the licence classifier: %w", err)
	}
	return shared, nil
}
