package source

import (
	"errors"
	"fmt"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/vexxy/action/internal/fault"
)

// reader is a v1.Image over verified bytes of any source.
type reader struct {
	v1.Image // made of core: what layers have no part in
	layers   []v1.Layer
}

// newReader pairs the manifest's layers with the configuration's diff IDs by
// their places, so that two equal layers cannot swap theirs.
func newReader(rawManifest []byte, manifest *v1.Manifest, rawConfig []byte, config *v1.ConfigFile, c content) (v1.Image, error) {
	base, err := partial.CompressedToImage(core{rawManifest, rawConfig, manifest, c})
	if err != nil {
		return nil, fmt.Errorf("reading image: %w", err)
	}
	r := &reader{Image: base}
	for i, d := range manifest.Layers {
		r.layers = append(r.layers, layer{d, config.RootFS.DiffIDs[i], c})
	}
	return r, nil
}

// Layers gives the layers, the lowest first.
func (r *reader) Layers() ([]v1.Layer, error) { return r.layers, nil }

// LayerByDigest gives the first layer of the digest, or the configuration.
func (r *reader) LayerByDigest(h v1.Hash) (v1.Layer, error) {
	for _, l := range r.layers {
		if l.(layer).desc.Digest == h {
			return l, nil
		}
	}
	return r.Image.LayerByDigest(h)
}

// LayerByDiffID gives the first layer of the diff ID.
func (r *reader) LayerByDiffID(h v1.Hash) (v1.Layer, error) {
	for _, l := range r.layers {
		if l.(layer).diffID == h {
			return l, nil
		}
	}
	return nil, fmt.Errorf("finding layer: no layer has the diff ID %s", h)
}

// core is what partial makes the rest of an image of.
type core struct {
	rawManifest, rawConfig []byte
	manifest               *v1.Manifest
	content                content
}

func (c core) RawManifest() ([]byte, error)        { return c.rawManifest, nil }
func (c core) RawConfigFile() ([]byte, error)      { return c.rawConfig, nil }
func (c core) MediaType() (types.MediaType, error) { return mediaType(c.manifest), nil }

// LayerByDigest serves the configuration, which is a blob as the layers are.
func (c core) LayerByDigest(h v1.Hash) (partial.CompressedLayer, error) {
	if h == c.manifest.Config.Digest {
		return layer{desc: c.manifest.Config, diffID: h, content: c.content}, nil
	}
	return nil, fmt.Errorf("finding layer: no blob has the digest %s", h)
}

// layer is one layer, read anew at each opening.
type layer struct {
	desc    v1.Descriptor
	diffID  v1.Hash
	content content
}

func (l layer) Digest() (v1.Hash, error)            { return l.desc.Digest, nil }
func (l layer) DiffID() (v1.Hash, error)            { return l.diffID, nil }
func (l layer) Size() (int64, error)                { return l.desc.Size, nil }
func (l layer) MediaType() (types.MediaType, error) { return l.desc.MediaType, nil }

func (l layer) name() string { return "layer " + l.desc.Digest.String() }

// Compressed gives the layer as it is stored.
func (l layer) Compressed() (io.ReadCloser, error) {
	r, err := l.content.open(l.desc)
	if err != nil {
		return nil, err
	}
	return newVerified(r, l.name(), l.desc.Digest, l.desc.Size, l.content.max, l.content.broken)
}

// Uncompressed gives the layer's tar.
func (l layer) Uncompressed() (io.ReadCloser, error) {
	whole, err := partial.CompressedToLayer(l)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", l.name(), err)
	}
	r, err := whole.Uncompressed()
	if err != nil {
		var f *fault.Error
		if errors.As(err, &f) {
			return nil, err
		}
		return nil, fault.New(fault.Integrity, "build the image again", "unpacking %s: %w", l.name(), quiet{err})
	}
	// Bytes whose digest was right that do not unpack are not the layer that
	// the configuration names.
	return newVerified(r, l.name(), l.diffID, -1, l.content.max, fault.Integrity)
}
