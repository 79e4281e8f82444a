package consume

import (
	"strings"

	packageurl "github.com/package-url/packageurl-go"

	"github.com/vexxy/action/internal/subject"
)

// image is one name under which a consumer may know the image.
type image struct {
	repository string // full, with its registry
	digest     string // empty for an image that was never pushed
	arch       string
}

// images gives the names under which consumers know a subject: by its index,
// which is what Docker and Trivy keep, and by its platform's manifest.
func images(s subject.Subject) []image {
	if s.Local() {
		return []image{{repository: s.Repository, arch: s.Platform.Architecture}}
	}
	out := []image{{s.Repository, s.Digest(), s.Platform.Architecture}}
	if s.ManifestDigest != s.Digest() {
		out = append(out, image{s.Repository, s.ManifestDigest, s.Platform.Architecture})
	}
	return out
}

func (i image) String() string {
	if i.digest == "" {
		return "local"
	}
	return i.repository + "@" + i.digest
}

// oci is the package URL that Trivy makes of an image: repository and
// architecture as qualifiers
// (https://github.com/aquasecurity/trivy/blob/main/pkg/purl/purl.go).
// It makes none of an image without a registry's digest.
func (i image) oci() string {
	if i.digest == "" {
		return ""
	}
	name := strings.ToLower(i.repository[strings.LastIndexByte(i.repository, '/')+1:])
	return packageurl.NewPackageURL("oci", "", name, i.digest, packageurl.QualifiersFromMap(map[string]string{
		"repository_url": i.repository, "arch": i.arch,
	}), "").ToString()
}
