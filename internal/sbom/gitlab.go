package sbom

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/CycloneDX/cyclonedx-go"

	"github.com/vexxy/action/internal/record"
)

// ForGitLab gives the CycloneDX document of a record as GitLab takes it for a
// report of a container scan: with properties that say which image and which
// system its components are of. All of them are asked for, so what is not known
// is "unknown", and an image without a tag has its digest for one.
// https://docs.gitlab.com/development/sec/cyclonedx_property_taxonomy
func ForGitLab(doc []byte, r record.Record) ([]byte, error) {
	bom := new(cyclonedx.BOM)
	if err := cyclonedx.NewBOMDecoder(bytes.NewReader(doc), cyclonedx.BOMFileFormatJSON).Decode(bom); err != nil {
		return nil, fmt.Errorf("reading the SBOM: %w", err)
	}
	if bom.Metadata == nil {
		return nil, fmt.Errorf("reading the SBOM: it has no metadata")
	}
	system, version, _ := strings.Cut(r.Inventory.Distro, " ")
	const unknown = "unknown"
	properties := []cyclonedx.Property{{Name: "gitlab:meta:schema_version", Value: "1"}}
	for _, p := range []cyclonedx.Property{
		{Name: "image:name", Value: cmp.Or(r.Subject.Repository, r.Subject.Requested, unknown)},
		{Name: "image:tag", Value: cmp.Or(r.Subject.Tag, r.Subject.Digest(), unknown)},
		{Name: "operating_system:name", Value: cmp.Or(system, unknown)},
		{Name: "operating_system:version", Value: cmp.Or(version, unknown)},
	} {
		properties = append(properties, cyclonedx.Property{Name: "gitlab:container_scanning:" + p.Name, Value: p.Value})
	}
	if own := bom.Metadata.Properties; own != nil {
		// Nothing that the image brings is taken for a property of GitLab's.
		properties = append(properties, slices.DeleteFunc(*own, func(p cyclonedx.Property) bool { return strings.HasPrefix(p.Name, "gitlab:") })...)
	}
	bom.Metadata.Properties = &properties
	var buf bytes.Buffer
	enc := cyclonedx.NewBOMEncoder(&buf, cyclonedx.BOMFileFormatJSON)
	enc.SetEscapeHTML(false)
	err := enc.EncodeVersion(bom, cyclonedx.SpecVersion1_6)
	return buf.Bytes(), err
}
