package sbom

import (
	"bytes"
	"cmp"
	"encoding/json"
	"slices"
	"time"

	"github.com/anchore/packageurl-go"
	"github.com/anchore/syft/syft/format/common/spdxhelpers"
	"github.com/anchore/syft/syft/sbom"
	"github.com/spdx/tools-golang/convert"
	"github.com/spdx/tools-golang/spdx"
	"github.com/spdx/tools-golang/spdx/v2/v2_3"
)

// namespace begins the names of SPDX documents. Nothing need be found there.
const namespace = "https://github.com/vexxy/action/sbom/"

// encodeSPDX writes SPDX 2.3 as JSON.
// https://spdx.github.io/spdx-spec/v2.3/
func encodeSPDX(model sbom.SBOM, s statement) ([]byte, error) {
	doc := spdxhelpers.ToFormatModel(model)
	created := s.created.Format(time.RFC3339)
	doc.DocumentNamespace = namespace + s.id
	doc.DocumentComment = s.comment()
	doc.CreationInfo.Created = created
	tool := spdx.Creator{CreatorType: "Tool", Creator: "vexxy-" + s.tool}
	doc.CreationInfo.Creators = append(doc.CreationInfo.Creators, tool)
	doc.Annotations = []*spdx.Annotation{{
		Annotator:         spdx.Annotator{AnnotatorType: "Tool", Annotator: tool.Creator},
		AnnotationDate:    created,
		AnnotationType:    "OTHER",
		AnnotationComment: s.comment(),
	}}
	nameImage(doc, s.purl)
	sortSPDX(doc)
	var out v2_3.Document
	if err := convert.Document(doc, &out); err != nil {
		return nil, err
	}
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	err := enc.Encode(out)
	return buf.Bytes(), err
}

// nameImage gives the package that stands for the image its package URL.
func nameImage(doc *spdx.Document, purl string) {
	for _, p := range doc.Packages {
		if p.PrimaryPackagePurpose != "CONTAINER" {
			continue
		}
		p.PackageExternalReferences = nil
		if purl != "" {
			p.PackageExternalReferences = []*spdx.PackageExternalReference{
				{Category: "PACKAGE-MANAGER", RefType: "purl", Locator: purl},
			}
		}
	}
}

// sortSPDX puts the lists that Syft takes from maps into one order.
func sortSPDX(doc *spdx.Document) {
	slices.SortStableFunc(doc.Packages, func(a, b *spdx.Package) int {
		return cmp.Compare(a.PackageSPDXIdentifier, b.PackageSPDXIdentifier)
	})
	slices.SortStableFunc(doc.Files, func(a, b *spdx.File) int {
		return cmp.Compare(a.FileSPDXIdentifier, b.FileSPDXIdentifier)
	})
	slices.SortStableFunc(doc.Relationships, func(a, b *spdx.Relationship) int {
		return cmp.Or(
			cmp.Compare(a.RefA.ElementRefID, b.RefA.ElementRefID),
			cmp.Compare(a.Relationship, b.Relationship),
			cmp.Compare(a.RefB.ElementRefID, b.RefB.ElementRefID),
			cmp.Compare(a.RelationshipComment, b.RelationshipComment),
		)
	})
	slices.SortStableFunc(doc.OtherLicenses, func(a, b *spdx.OtherLicense) int {
		return cmp.Compare(a.LicenseIdentifier, b.LicenseIdentifier)
	})
}

// ociURL assembles a package URL of type oci.
func ociURL(name, digest, arch, repository string) string {
	qualifiers := packageurl.Qualifiers{{Key: "repository_url", Value: repository}}
	if arch != "" {
		qualifiers = append(qualifiers, packageurl.Qualifier{Key: "arch", Value: arch})
	}
	return packageurl.NewPackageURL("oci", "", name, digest, qualifiers, "").ToString()
}
