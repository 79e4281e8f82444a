// Package subject names what is analysed: one container image, fixed to
// digests once, so that what runs, what is scanned and what is reported are
// the same bytes.
package subject

// Source says where an image is read from.
type Source string

// The sources that a reference can name.
const (
	SourceRegistry      Source = "registry"
	SourceDaemon        Source = "daemon"
	SourceDockerArchive Source = "docker-archive"
	SourceOCIDir        Source = "oci-dir"
)

// Platform is an OCI platform, as an index or an image configuration names it.
type Platform struct {
	OS           string `json:"os"`
	Architecture string `json:"architecture"`
	Variant      string `json:"variant,omitempty"`
}

// String gives the platform as os/arch[/variant].
func (p Platform) String() string {
	s := p.OS + "/" + p.Architecture
	if p.Variant != "" {
		s += "/" + p.Variant
	}
	return s
}

// Subject is one image fixed to digests. Digests are "sha256:" and 64 hex
// digits. IndexDigest and ManifestDigest are set only when a registry
// published them: an image that was never pushed has a ConfigDigest alone.
type Subject struct {
	// Requested is the reference as the user wrote it.
	Requested string `json:"requested"`
	Source    Source `json:"source"`
	// Repository is the full repository with its registry, such as
	// "index.docker.io/library/nginx" or "localhost:5000/app".
	// For a local image it is the name it was given, or empty.
	Repository string `json:"repository,omitempty"`
	Tag        string `json:"tag,omitempty"`
	// IndexDigest is the digest of the multi-platform index, if there is one.
	IndexDigest string `json:"index_digest,omitempty"`
	// ManifestDigest is the digest of this platform's manifest.
	ManifestDigest string `json:"manifest_digest,omitempty"`
	// ConfigDigest is the digest of the image configuration, Docker's image ID.
	ConfigDigest string   `json:"config_digest"`
	Platform     Platform `json:"platform"`
}

// Local reports whether no registry published the image.
func (s Subject) Local() bool { return s.ManifestDigest == "" }

// Digest is the digest to report: the index's, else the manifest's, else the
// configuration's.
func (s Subject) Digest() string {
	switch {
	case s.IndexDigest != "":
		return s.IndexDigest
	case s.ManifestDigest != "":
		return s.ManifestDigest
	default:
		return s.ConfigDigest
	}
}
