package consume

import (
	"context"
	"strconv"
	"strings"

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
		pkg := trivyURL(purls[f.PackageID])
		if hides(about, f.Vulnerability, pkg, "") || hides(about, f.Vulnerability, img.oci(), pkg) {
			suppressed = append(suppressed, f)
		}
	}
	return suppressed, nil
}

// trivyURL gives the package URL that Trivy makes of a package with this
// one of Syft's: names of npm and Go are in lower case, a Debian version's epoch is
// a qualifier and an empty revision goes, and distributions of RPM packages have
// names of Trivy's own
// (https://github.com/aquasecurity/trivy/blob/main/pkg/purl/purl.go).
func trivyURL(purl string) string {
	p, err := packageurl.FromString(purl)
	if err != nil {
		return purl
	}
	switch p.Type {
	case packageurl.TypeNPM, packageurl.TypeGolang:
		p.Namespace, p.Name = strings.ToLower(p.Namespace), strings.ToLower(p.Name)
	case packageurl.TypeDebian:
		if epoch, rest, found := strings.Cut(p.Version, ":"); found {
			if n, err := strconv.Atoi(epoch); err == nil && n >= 0 && rest != "" {
				p.Version, p.Qualifiers = rest, append(p.Qualifiers, packageurl.Qualifier{Key: "epoch", Value: strconv.Itoa(n)})
			}
		}
		p.Version = strings.TrimSuffix(p.Version, "-")
	case packageurl.TypeRPM:
		if family, differs := judge.Family(p.Namespace); differs {
			p.Namespace = family
		}
	default:
		return purl
	}
	return p.ToString()
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
