package consume

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/anchore/grype/grype/match"
	"github.com/anchore/grype/grype/pkg"
	"github.com/anchore/grype/grype/vex"
	"github.com/anchore/grype/grype/vulnerability"
	"github.com/anchore/syft/syft/source"
	"golang.org/x/sys/unix"

	"github.com/vexxy/action/internal/record"
)

// grype gives the document and the record's findings to Grype's own library
// and lists what it moves to the ignored matches.
func grype(ctx context.Context, document []byte, r record.Record, img image) ([]Finding, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	file, path, err := keep(document)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	processor, err := vex.NewProcessor(vex.ProcessorOptions{Documents: []string{path}})
	if err != nil {
		return nil, err
	}
	matches := matchesOf(r)
	_, ignored, err := processor.ApplyVEX(&pkg.Context{Source: describe(r, img)}, &matches, nil)
	if err != nil {
		return nil, err
	}
	suppressed := make([]Finding, len(ignored))
	for i, m := range ignored {
		suppressed[i] = Finding{m.Vulnerability.ID, string(m.Package.ID)}
	}
	return suppressed, nil
}

// keep puts the document into a file, since Grype reads nothing else: one in
// memory, so that whatever ends the program leaves none behind. It can be read
// until it is closed.
func keep(document []byte) (f *os.File, path string, err error) {
	// The kernel frowns on memory that might be executed, and kernels before
	// 6.3 do not know how to say that this will not be
	// (https://docs.kernel.org/userspace-api/mfd_noexec.html).
	fd, err := unix.MemfdCreate("vex.openvex.json", unix.MFD_CLOEXEC|unix.MFD_NOEXEC_SEAL)
	if errors.Is(err, unix.EINVAL) {
		fd, err = unix.MemfdCreate("vex.openvex.json", unix.MFD_CLOEXEC)
	}
	if err != nil {
		return nil, "", fmt.Errorf("making a file for the document: %w", err)
	}
	path = fmt.Sprintf("/proc/self/fd/%d", fd)
	f = os.NewFile(uintptr(fd), path)
	if _, err := f.Write(document); err != nil {
		f.Close()
		return nil, "", fmt.Errorf("writing the document: %w", err)
	}
	return f, path, nil
}

// describe is the image as Grype's source describes it.
func describe(r record.Record, img image) *source.Description {
	m := source.ImageMetadata{
		UserInput: r.Subject.Requested, ID: r.Subject.ConfigDigest, ManifestDigest: r.Subject.ManifestDigest,
		Architecture: r.Subject.Platform.Architecture, OS: r.Subject.Platform.OS,
	}
	if r.Subject.Tag != "" {
		m.Tags = []string{r.Subject.Repository + ":" + r.Subject.Tag}
	}
	if img.digest != "" {
		m.RepoDigests = []string{img.repository + "@" + img.digest}
	}
	return &source.Description{Name: r.Subject.Repository, Version: img.digest, Metadata: m}
}

// matchesOf makes Grype's matches of the record's findings.
func matchesOf(r record.Record) match.Matches {
	packages := make(map[string]pkg.Package, len(r.Inventory.Packages))
	for i := range r.Inventory.Packages {
		p := &r.Inventory.Packages[i]
		packages[p.ID] = pkg.Package{ID: pkg.ID(p.ID), Name: p.Name, Version: p.Version, PURL: p.PURL}
	}
	matches := match.NewMatches()
	for i := range r.Inventory.Findings {
		f := &r.Inventory.Findings[i]
		p, known := packages[f.PackageID]
		if !known {
			p = pkg.Package{ID: pkg.ID(f.PackageID)}
		}
		matches.Add(match.Match{
			Vulnerability: vulnerability.Vulnerability{Reference: vulnerability.Reference{ID: f.ID, Namespace: f.Namespace}},
			Package:       p,
		})
	}
	return matches
}
