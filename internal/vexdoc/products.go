package vexdoc

import (
	"fmt"
	"regexp"
	"strings"

	packageurl "github.com/package-url/packageurl-go"

	"github.com/vexxy/action/internal/foreign"
	"github.com/vexxy/action/internal/subject"
)

// Products gives the package URLs under which consumers look for an image, all
// without qualifiers (a qualifier in a statement must be byte-equal on the
// target, and consumers disagree about them):
//
//	pkg:oci/NAME@sha256:INDEX      Trivy, Grype
//	pkg:oci/NAME@sha256:PLATFORM   the same, for an image given by its platform's digest
//	pkg:docker/REPO@sha256:INDEX   Docker Scout
//
// An image that no registry published has no digest that anybody else could
// name, and no product.
func Products(s subject.Subject) ([]string, error) {
	if s.Local() {
		return nil, nil
	}
	path := strings.Trim(s.Repository, "/")
	name := strings.ToLower(path[strings.LastIndexByte(path, '/')+1:])
	if name == "" {
		return nil, fmt.Errorf("the image has no repository")
	}
	var out []string
	digests := []string{s.ManifestDigest}
	if s.IndexDigest != "" && s.IndexDigest != s.ManifestDigest {
		digests = []string{s.IndexDigest, s.ManifestDigest}
	}
	for _, d := range digests {
		if !digestForm.MatchString(d) {
			return nil, fmt.Errorf("%q is no digest", foreign.Text(d).Line(80))
		}
		out = append(out, imageURL("oci", "", name, d))
	}
	namespace, short := familiar(path)
	return append(out, imageURL("docker", namespace, short, digests[0])), nil
}

var digestForm = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

// familiar gives a repository as Docker shows it: without Docker Hub's host,
// and without the namespace of its official images.
func familiar(repository string) (namespace, name string) {
	for _, hub := range [...]string{"index.docker.io/", "docker.io/", "registry-1.docker.io/"} {
		if rest, ok := strings.CutPrefix(repository, hub); ok {
			repository = strings.TrimPrefix(rest, "library/")
			break
		}
	}
	i := strings.LastIndexByte(repository, '/')
	return strings.ToLower(repository[:max(i, 0)]), strings.ToLower(repository[i+1:])
}

func imageURL(kind, namespace, name, digest string) string {
	return packageurl.NewPackageURL(kind, namespace, name, digest, nil, "").ToString()
}
