package source

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/subject"
)

// Image is a subject with its contents.
type Image struct {
	subject.Subject
	// Image reads the layers. Each verifies its digest, and unpacked its diff
	// ID, before it ends in io.EOF; a mismatch is a fault of integrity.
	Image v1.Image
	// Config is read from the bytes that ConfigDigest covers.
	Config v1.ConfigFile
	// Pull is what an engine must pull, REPOSITORY@DIGEST of the platform's
	// manifest; empty for a local image.
	Pull string
	// Loaded is the engine's own ID of an image that it holds already, for
	// SourceDaemon; else empty.
	Loaded string

	size    int64
	closers []func() error
}

// Close ends transfers and removes temporary files. It may be called again.
func (i Image) Close() error {
	var errs []error
	for _, f := range slices.Backward(i.closers) {
		errs = append(errs, f())
	}
	return errors.Join(errs...)
}

// Size is the size of the layers as they are stored, in bytes.
func (i Image) Size() int64 { return i.size }

// TCPPorts are the TCP ports that the image exposes, sorted.
func (i Image) TCPPorts() []int {
	var ports []int
	for spec := range i.Config.Config.ExposedPorts {
		number, protocol, found := strings.Cut(spec, "/")
		n, err := strconv.ParseUint(number, 10, 16)
		if err == nil && n > 0 && (!found || strings.EqualFold(protocol, "tcp")) {
			ports = append(ports, int(n))
		}
	}
	slices.Sort(ports)
	return slices.Compact(ports)
}

// Healthcheck is the image's health check, nil when it has none or turns its
// base's off.
func (i Image) Healthcheck() *v1.HealthConfig {
	h := i.Config.Config.Healthcheck
	if h == nil || len(h.Test) == 0 || h.Test[0] == "NONE" {
		return nil
	}
	return h
}

// Export writes the image as docker load reads it, without a name: the engine
// then holds it by the ConfigDigest.
func (i Image) Export(w io.Writer) error {
	// A digest as reference is what keeps the archive free of names.
	ref, err := name.NewDigest("localhost/image@" + i.ConfigDigest)
	if err != nil {
		return fmt.Errorf("naming archive of %q: %w", i.Requested, err)
	}
	if err := tarball.Write(ref, i.Image, w); err != nil {
		return fmt.Errorf("writing archive of %q: %w", i.Requested, err)
	}
	return nil
}

// Bounds of an image's documents.
const (
	maxDocument = 8 << 20 // bytes of a manifest, index or configuration
	maxLayers   = 1000    // Docker itself stops at 127
)

// content is where an image's bytes come from.
type content struct {
	// open gives the bytes of a descriptor, unverified.
	open func(v1.Descriptor) (io.ReadCloser, error)
	// broken is the code of bytes that end early or cannot be read.
	broken fault.Code
	// max bounds the image, as stored and as unpacked.
	max int64
}

// assemble makes an image of a manifest whose bytes were verified, and checks
// that it is one: for the platform, within bounds, layers and diff IDs paired.
func assemble(rawManifest []byte, s subject.Subject, want subject.Platform, c content) (Image, error) {
	manifest, err := v1.ParseManifest(bytes.NewReader(rawManifest))
	if err != nil {
		return Image{}, unfit("name a container image", "its manifest cannot be read: %s", brief(err))
	}
	if !manifest.Config.MediaType.IsConfig() {
		return Image{}, unfit("name a container image", "%q is no container image but an artifact of type %q", cut(s.Requested), cut(string(manifest.Config.MediaType)))
	}
	var size int64
	for _, l := range manifest.Layers {
		if l.Size < 0 || l.Size > c.max-size {
			return Image{}, unfit("use a smaller image", "its layers have more than %d bytes", c.max)
		}
		size += l.Size
		if !l.MediaType.IsLayer() {
			return Image{}, unfit("name a container image", "its layer %s is of type %q", l.Digest, cut(string(l.MediaType)))
		}
	}
	if len(manifest.Layers) > maxLayers {
		return Image{}, unfit("use an image with fewer layers", "it has %d layers", len(manifest.Layers))
	}
	r, err := c.open(manifest.Config)
	if err != nil {
		return Image{}, err
	}
	rawConfig, err := readVerified(r, "the image's configuration", manifest.Config, c.broken)
	if err != nil {
		return Image{}, err
	}
	config, err := v1.ParseConfigFile(bytes.NewReader(rawConfig))
	if err != nil {
		return Image{}, unfit("name a container image", "its configuration cannot be read: %s", brief(err))
	}
	if len(config.RootFS.DiffIDs) != len(manifest.Layers) {
		return Image{}, fault.New(fault.Integrity, "build the image again",
			"the image has %d layers, but its configuration names %d", len(manifest.Layers), len(config.RootFS.DiffIDs))
	}
	if s.Platform, err = platformOf(config, want); err != nil {
		return Image{}, err
	}
	s.ConfigDigest = manifest.Config.Digest.String()
	image, err := newReader(rawManifest, manifest, rawConfig, config, c)
	if err != nil {
		return Image{}, err
	}
	return Image{Subject: s, Image: image, Config: *config, size: size}, nil
}

// platformOf gives the configuration's platform, which must be the wanted one.
// Hand-made images name none: they are taken to be for the wanted one.
func platformOf(config *v1.ConfigFile, want subject.Platform) (subject.Platform, error) {
	p := subject.Platform{OS: config.OS, Architecture: config.Architecture, Variant: config.Variant}
	if p.OS == "" {
		p.OS = want.OS
	}
	if p.Architecture == "" {
		p.Architecture, p.Variant = want.Architecture, want.Variant
	}
	if p.OS != want.OS || p.Architecture != want.Architecture {
		return p, unfit("give --platform "+cut(p.String())+" if this machine can run it",
			"the image is for %s, not for %s", cut(p.String()), want)
	}
	return p, nil
}

// mediaType gives the type that a manifest has by itself.
func mediaType(m *v1.Manifest) types.MediaType {
	switch {
	case m.MediaType != "":
		return m.MediaType
	case m.Config.MediaType == types.DockerConfigJSON:
		return types.DockerManifestSchema2
	}
	return types.OCIManifestSchema1
}
