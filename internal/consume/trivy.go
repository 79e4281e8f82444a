package consume

import (
	"context"
	"slices"

	"github.com/openvex/go-vex/pkg/vex"
	packageurl "github.com/package-url/packageurl-go"

	"github.com/vexxy/action/internal/judge"
	"github.com/vexxy/action/internal/record"
)

// trivy reads the document as Trivy does, through go-vex
// (https://github.com/aquasecurity/trivy/blob/main/pkg/vex/openvex.go): for
// each finding it asks with the package itself as product, then with the image
// as product and the package as subcomponent, and of several statements that
// match it takes the last by time.
func trivy(ctx context.Context, document []byte, r record.Record, img image) ([]Finding, error) {
	doc, err := vex.Parse(document)
	if err != nil {
		return nil, err
	}
	index := split(doc)
	purls := purlsOf(r)
	suppressed := []Finding{}
	for _, f := range all(r) {
		if err := context.Cause(ctx); err != nil {
			return nil, err
		}
		about := index[f.Vulnerability]
		if about == nil {
			continue
		}
		if slices.ContainsFunc(trivyURLs(purls[f.PackageID]), func(pkg string) bool {
			return hides(about, f.Vulnerability, pkg, "") || hides(about, f.Vulnerability, img.oci(), pkg)
		}) {
			suppressed = append(suppressed, f)
		}
	}
	return suppressed, nil
}

// trivyURLs gives the package URLs that Trivy may make of a package with this
// one of Syft's: where its version has an epoch, that is a qualifier, and
// distributions of RPM packages have names of Trivy's own
// (https://github.com/aquasecurity/trivy/blob/main/pkg/purl/purl.go).
func trivyURLs(purl string) []string {
	p, err := packageurl.FromString(purl)
	if err != nil {
		return []string{purl}
	}
	own := []string{purl}
	switch p.Type {
	case packageurl.TypeDebian:
		if epoch, rest, found := judge.CutEpoch(p.Version); found {
			p.Version, p.Qualifiers = rest, append(p.Qualifiers, packageurl.Qualifier{Key: "epoch", Value: epoch})
			return []string{p.ToString()}
		}
	case packageurl.TypeRPM:
		family, differs := judge.Family(p.Namespace)
		if p.Namespace != "centos" && differs {
			own = nil
		}
		if differs {
			p.Namespace = family
			return append(own, p.ToString())
		}
	}
	return own
}

// hides asks go-vex about one finding. Trivy passes an empty subcomponent
// where it has no package URL.
func hides(doc *vex.VEX, vulnerability, product, subcomponent string) bool {
	if product == "" {
		return false
	}
	statements := doc.Matches(vulnerability, product, []string{subcomponent})
	if len(statements) == 0 {
		return false
	}
	last := statements[len(statements)-1].Status
	return last == vex.StatusNotAffected || last == vex.StatusFixed
}

// split makes one document for each identifier of a vulnerability. A statement
// matches by the exact identifier only, so that the answers are those of the
// whole document, without a walk over all of it for every finding.
func split(doc *vex.VEX) map[string]*vex.VEX {
	out := map[string]*vex.VEX{}
	for i := range doc.Statements {
		s := &doc.Statements[i]
		ids := map[string]bool{s.Vulnerability.ID: true, string(s.Vulnerability.Name): true}
		for _, alias := range s.Vulnerability.Aliases {
			ids[string(alias)] = true
		}
		for id := range ids {
			if id == "" {
				continue
			}
			if out[id] == nil {
				out[id] = &vex.VEX{Metadata: doc.Metadata}
			}
			out[id].Statements = append(out[id].Statements, *s)
		}
	}
	return out
}

// purlsOf gives the packages' URLs, with all their qualifiers, by package ID.
func purlsOf(r record.Record) map[string]string {
	out := make(map[string]string, len(r.Inventory.Packages))
	for i := range r.Inventory.Packages {
		out[r.Inventory.Packages[i].ID] = r.Inventory.Packages[i].PURL
	}
	return out
}
