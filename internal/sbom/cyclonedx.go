package sbom

import (
	"bytes"
	"time"

	"github.com/CycloneDX/cyclonedx-go"
	"github.com/anchore/syft/syft/format/common/cyclonedxhelpers"
	"github.com/anchore/syft/syft/sbom"
)

// encodeCycloneDX writes CycloneDX 1.6 as JSON.
// https://cyclonedx.org/docs/1.6/json/
func encodeCycloneDX(model sbom.SBOM, s statement) ([]byte, error) {
	bom := cyclonedxhelpers.ToFormatModel(model)
	bom.SerialNumber = "urn:uuid:" + s.id
	meta := bom.Metadata
	meta.Timestamp = s.created.Format(time.RFC3339)
	tools := append(*meta.Tools.Components, cyclonedx.Component{
		Type: cyclonedx.ComponentTypeApplication, Name: "vexxy", Version: s.tool,
	})
	meta.Tools.Components = &tools
	if meta.Component != nil {
		meta.Component.PackageURL = s.purl
	}
	var properties []cyclonedx.Property
	if meta.Properties != nil {
		properties = *meta.Properties
	}
	for _, f := range s.facts {
		properties = append(properties, cyclonedx.Property{Name: f.name, Value: f.value})
	}
	meta.Properties = &properties
	var buf bytes.Buffer
	enc := cyclonedx.NewBOMEncoder(&buf, cyclonedx.BOMFileFormatJSON)
	enc.SetPretty(true)
	enc.SetEscapeHTML(false)
	err := enc.EncodeVersion(bom, cyclonedx.SpecVersion1_6)
	return buf.Bytes(), err
}
