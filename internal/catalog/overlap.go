package catalog

import (
	"strings"

	"github.com/anchore/grype/grype/distro"
	"github.com/anchore/syft/syft/artifact"
	"github.com/anchore/syft/syft/pkg"
	"github.com/anchore/syft/syft/sbom"
)

// unfixedRecorders are the distributions whose data names vulnerabilities
// without a fix too, so that a package they own needs no second look by its
// language. The rule is Grype's (package removal by file overlap).
var unfixedRecorders = []distro.Type{
	distro.ArchLinux, distro.Azure, distro.Debian, distro.Mariner, distro.RedHat, distro.Ubuntu,
}

// recordsUnfixed reports whether the distribution, or one that it says it is
// like, is among unfixedRecorders.
func recordsUnfixed(d *distro.Distro) bool {
	if d == nil || d.Type == distro.AmazonLinux {
		return false
	}
	for _, name := range append([]string{d.Name()}, d.IDLike...) {
		for _, known := range unfixedRecorders {
			if strings.EqualFold(name, string(known)) {
				return true
			}
		}
	}
	return false
}

// overlapOwners gives, for each package whose own evidence is a file of other
// packages, those packages.
func overlapOwners(model *sbom.SBOM) map[artifact.ID][]pkg.Package {
	owners := map[artifact.ID][]pkg.Package{}
	for _, r := range model.Relationships {
		if r.Type != artifact.OwnershipByFileOverlapRelationship {
			continue
		}
		if owner := model.Artifacts.Packages.Package(r.From.ID()); owner != nil {
			owners[r.To.ID()] = append(owners[r.To.ID()], *owner)
		}
	}
	return owners
}

// covered reports whether matching the owner makes matching p needless.
func covered(p, owner pkg.Package, comprehensive bool) bool {
	sameVersion := strings.HasPrefix(owner.Version, p.Version) || strings.HasPrefix(p.Version, owner.Version)
	if !sameVersion {
		return false
	}
	if comprehensive && systemPackage(owner.Type) && !systemPackage(p.Type) {
		return true
	}
	return p.Type == pkg.BinaryPkg
}

// systemPackage reports whether a distribution's package manager installs it.
func systemPackage(t pkg.Type) bool {
	switch t {
	case pkg.DebPkg, pkg.RpmPkg, pkg.PortagePkg, pkg.AlpmPkg, pkg.ApkPkg:
		return true
	}
	return false
}
