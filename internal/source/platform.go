package source

import (
	"encoding/json"
	"runtime"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/subject"
)

// ParsePlatform reads os/arch[/variant].
func ParsePlatform(s string) (subject.Platform, error) {
	parts := strings.Split(s, "/")
	if len(parts) < 2 || len(parts) > 3 || slices.Contains(parts, "") {
		return subject.Platform{}, fault.New(fault.Usage, "write it like linux/amd64", "%q is no platform", cut(s))
	}
	p := subject.Platform{OS: parts[0], Architecture: parts[1]}
	if len(parts) == 3 {
		p.Variant = parts[2]
	}
	return p, nil
}

func wantedPlatform(s string) (subject.Platform, error) {
	if s == "" {
		return subject.Platform{OS: "linux", Architecture: runtime.GOARCH}, nil
	}
	return ParsePlatform(s)
}

// fits reports whether an image for p serves the wanted platform; without a
// wanted variant each one does.
func fits(p, want subject.Platform) bool {
	return p.OS == want.OS && p.Architecture == want.Architecture && (want.Variant == "" || p.Variant == want.Variant)
}

// document is an image manifest or an index, told apart by what it holds.
type document struct {
	MediaType types.MediaType  `json:"mediaType"`
	Config    *json.RawMessage `json:"config"`
	Layers    *json.RawMessage `json:"layers"`
	Manifests *json.RawMessage `json:"manifests"`
}

// isIndex tells an index from a manifest. What claims to be both, or neither,
// is refused: readers would disagree about it
// (https://github.com/opencontainers/distribution-spec/security/advisories/GHSA-mc8v-mgrf-8f4m).
func isIndex(raw []byte) (bool, error) {
	var d document
	if err := json.Unmarshal(raw, &d); err != nil {
		return false, unfit("name a container image", "its manifest is not JSON: %s", brief(err))
	}
	index, manifest := d.Manifests != nil, d.Config != nil || d.Layers != nil
	switch {
	case index == manifest, index && d.MediaType.IsImage(), manifest && d.MediaType.IsIndex():
		return false, unfit("name a container image of schema 2 or OCI", "its manifest is neither clearly an image nor an index (%q)", cut(string(d.MediaType)))
	}
	return index, nil
}

// attestation reports whether an index entry is BuildKit's attestation of
// another entry rather than an image.
func attestation(d v1.Descriptor) bool {
	return d.Annotations["vnd.docker.reference.type"] == "attestation-manifest" ||
		d.Platform != nil && d.Platform.OS == "unknown" && d.Platform.Architecture == "unknown"
}

// pick chooses the entry of an index for the wanted platform. Without a wanted
// variant an entry without one is preferred, else the newest.
func pick(raw []byte, want subject.Platform) (v1.Descriptor, error) {
	var index v1.IndexManifest
	if err := json.Unmarshal(raw, &index); err != nil {
		return v1.Descriptor{}, unfit("name a container image", "its index cannot be read: %s", brief(err))
	}
	var fitting, unnamed []v1.Descriptor
	var offered []string
	for _, d := range index.Manifests {
		switch {
		case attestation(d):
		case d.Platform == nil:
			unnamed = append(unnamed, d)
		default:
			p := subject.Platform{OS: d.Platform.OS, Architecture: d.Platform.Architecture, Variant: d.Platform.Variant}
			if fits(p, want) {
				fitting = append(fitting, d)
			}
			if s := cut(p.String()); !slices.Contains(offered, s) && len(offered) < 30 {
				offered = append(offered, s)
			}
		}
	}
	if len(fitting) == 0 && len(unnamed) == 1 && len(offered) == 0 {
		return unnamed[0], nil // its configuration tells
	}
	if len(fitting) == 0 {
		hint := "name a container image"
		if len(offered) > 0 {
			hint = "give --platform one of " + strings.Join(offered, ", ")
		}
		return v1.Descriptor{}, unfit(hint, "the image is not for %s", want)
	}
	best := fitting[0]
	for _, d := range fitting[1:] {
		if v := d.Platform.Variant; best.Platform.Variant != "" && (v == "" || v > best.Platform.Variant) {
			best = d
		}
	}
	return best, nil
}

// maxNesting is how deep an index may hold others.
const maxNesting = 3

// descend follows an index to the manifest for the wanted platform. read gives
// the verified bytes of a descriptor.
func descend(raw []byte, want subject.Platform, read func(v1.Descriptor) ([]byte, error)) (manifest []byte, err error) {
	for range maxNesting {
		index, err := isIndex(raw)
		if err != nil || !index {
			return raw, err
		}
		d, err := pick(raw, want)
		if err != nil {
			return nil, err
		}
		if raw, err = read(d); err != nil {
			return nil, err
		}
	}
	if index, err := isIndex(raw); err != nil || !index {
		return raw, err
	}
	return nil, unfit("name the image by the digest of its manifest", "its indexes are nested too deep")
}
