// Package sbom writes an image's software bill of materials in the two common
// formats, each for the whole image and for what was used of it at run time.
// All four documents are pure functions of a record: the same record gives the
// same bytes.
package sbom

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/anchore/syft/syft/artifact"
	"github.com/anchore/syft/syft/format/syftjson"
	"github.com/anchore/syft/syft/pkg"
	"github.com/anchore/syft/syft/sbom"
	"github.com/anchore/syft/syft/source"

	"github.com/vexxy/action/internal/record"
)

// The names of the documents.
const (
	SPDX             = "sbom.spdx.json"         // SPDX 2.3
	CycloneDX        = "sbom.cdx.json"          // CycloneDX 1.6
	RuntimeSPDX      = "sbom.runtime.spdx.json" // of the packages that were used
	RuntimeCycloneDX = "sbom.runtime.cdx.json"
)

// Documents gives the four documents by their names. observed holds the IDs of
// the packages of which a file was used (judge's Observed); an ID that the SBOM
// does not have is an error.
func Documents(r record.Record, observed []string) (map[string][]byte, error) {
	whole, err := decode(r)
	if err != nil {
		return nil, err
	}
	used, err := filter(whole, observed)
	if err != nil {
		return nil, err
	}
	out := map[string][]byte{}
	for _, d := range []struct {
		name   string
		model  sbom.SBOM
		used   bool
		encode func(sbom.SBOM, statement) ([]byte, error)
	}{
		{SPDX, whole, false, encodeSPDX},
		{CycloneDX, whole, false, encodeCycloneDX},
		{RuntimeSPDX, used, true, encodeSPDX},
		{RuntimeCycloneDX, used, true, encodeCycloneDX},
	} {
		if out[d.name], err = d.encode(d.model, state(r, d.name, d.used)); err != nil {
			return nil, fmt.Errorf("encoding %s: %w", d.name, err)
		}
	}
	return out, nil
}

// decode reads the record's Syft JSON and names the subject in it.
func decode(r record.Record) (sbom.SBOM, error) {
	model, _, _, err := syftjson.NewFormatDecoder().Decode(bytes.NewReader(r.SBOM))
	if err != nil {
		return sbom.SBOM{}, fmt.Errorf("reading the record's SBOM: %w", err)
	}
	name := r.Subject.Repository
	if name == "" {
		name = r.Subject.Requested
	}
	model.Source.Name = name
	model.Source.Version = r.Subject.Digest()
	image, _ := model.Source.Metadata.(source.ImageMetadata)
	image.UserInput = r.Subject.Requested
	image.ManifestDigest = r.Subject.ManifestDigest
	image.OS = r.Subject.Platform.OS
	image.Architecture = r.Subject.Platform.Architecture
	image.Variant = r.Subject.Platform.Variant
	model.Source.Metadata = image
	model.Artifacts.Unknowns = nil
	return *model, nil
}

// filter keeps the observed packages, and of the relationships those whose
// both ends are kept, or that lead from a kept package to a file.
func filter(whole sbom.SBOM, observed []string) (sbom.SBOM, error) {
	kept := map[artifact.ID]bool{}
	packages := pkg.NewCollection()
	for _, id := range observed {
		p := whole.Artifacts.Packages.Package(artifact.ID(id))
		if p == nil {
			return whole, fmt.Errorf("filtering the SBOM: package %q is not in it", id)
		}
		kept[p.ID()] = true
		packages.Add(*p)
	}
	used := whole
	used.Artifacts.Packages = packages
	used.Relationships = nil
	stays := func(end artifact.Identifiable) bool {
		p, isPackage := end.(pkg.Package)
		return !isPackage || kept[p.ID()]
	}
	for _, r := range whole.Relationships {
		_, fromPackage := r.From.(pkg.Package)
		_, toPackage := r.To.(pkg.Package)
		if (fromPackage || toPackage) && stays(r.From) && stays(r.To) {
			used.Relationships = append(used.Relationships, r)
		}
	}
	return used, nil
}

// statement is what a document says of itself.
type statement struct {
	id      string // UUID
	created time.Time
	tool    string // version of vexxy
	purl    string // of the image; empty when no registry has it
	facts   []fact
}

// fact is a named value.
type fact struct{ name, value string }

// state collects what a document says of itself.
func state(r record.Record, name string, runtime bool) statement {
	s := statement{
		id:      identity(r.Run.ID, r.Digest, name),
		created: r.Run.FinishedAt.UTC(),
		tool:    r.Run.Version,
		purl:    imageURL(r),
		facts: []fact{
			{"vexxy:run-id", r.Run.ID},
			{"vexxy:record-digest", r.Digest},
			{"vexxy:image-config-digest", r.Subject.ConfigDigest},
			{"vexxy:runtime-filtered", strconv.FormatBool(runtime)},
		},
	}
	if runtime {
		s.facts = append(s.facts,
			fact{"vexxy:scope", "only packages of which a file was seen in use; not a list of all that the image holds"},
			fact{"vexxy:window-start", r.Evidence.Window.Start.UTC().Format(time.RFC3339)},
			fact{"vexxy:window-seconds", strconv.FormatFloat(r.Evidence.Window.Seconds(), 'f', 1, 64)},
		)
	}
	if why := r.Inventory.Incomplete; why != "" {
		s.facts = append(s.facts, fact{"vexxy:incomplete", why})
	}
	return s
}

// comment gives the facts as one line of text.
func (s statement) comment() string {
	var parts []string
	for _, f := range s.facts {
		parts = append(parts, f.name+"="+f.value)
	}
	return strings.Join(parts, "; ")
}

// identity derives a UUID (version 8 of RFC 9562) from texts.
func identity(texts ...string) string {
	sum := sha256.New()
	for _, t := range texts {
		fmt.Fprintf(sum, "%d:%s", len(t), t)
	}
	b := sum.Sum(nil)[:16]
	b[6] = b[6]&0x0f | 0x80
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// imageURL is the image's package URL of type oci: the last part of the
// repository as its name and the digest that was published as its version.
// https://github.com/package-url/purl-spec/blob/main/types-doc/oci-definition.md
func imageURL(r record.Record) string {
	if r.Subject.Local() || r.Subject.Repository == "" {
		return ""
	}
	return ociURL(strings.ToLower(path.Base(r.Subject.Repository)), r.Subject.Digest(), r.Subject.Platform.Architecture, r.Subject.Repository)
}
