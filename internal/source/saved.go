package source

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/subject"
)

// saved is one image of an archive's manifest.json, as docker save writes it.
type saved struct {
	Config   string
	RepoTags []string
	Layers   []string
}

// images reads the archive's list of images.
func (a archive) images(name string) ([]saved, error) {
	raw, err := a.document("manifest.json")
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := a.find("index.json"); err == nil {
			return nil, unfit("unpack it and name the folder as oci-dir:FOLDER", "archive %s is an OCI layout", cut(name))
		}
	}
	if err != nil {
		return nil, brokenArchive(name, err)
	}
	var images []saved
	if err := json.Unmarshal(raw, &images); err != nil {
		return nil, brokenArchive(name, fmt.Errorf("reading manifest.json: %w", err))
	}
	if len(images) == 0 {
		return nil, unfit("write it anew with docker save", "archive %s holds no image", cut(name))
	}
	return images, nil
}

// choose picks the image with the tag; without one there must be one image.
func choose(images []saved, tag string) (saved, error) {
	var tags []string
	for _, s := range images {
		for _, t := range s.RepoTags {
			if tag != "" && sameName(t, tag) {
				return s, nil
			}
			if len(tags) < 30 {
				tags = append(tags, cut(t))
			}
		}
	}
	if tag == "" && len(images) == 1 {
		return images[0], nil
	}
	what := fmt.Sprintf("the archive holds %d images", len(images))
	if tag != "" {
		what = fmt.Sprintf("the archive holds no image %q", cut(tag))
	}
	if len(tags) == 0 {
		return saved{}, unfit("save the image alone, by name", "%s, and none has a name", what)
	}
	return saved{}, unfit("write docker-archive:FILE.tar:NAME with one of "+strings.Join(tags, ", "), "%s", what)
}

// fromArchive reads an image of a docker save archive.
func fromArchive(r reference, want subject.Platform, o Options) (Image, error) {
	f, err := openFile(r.path)
	if err != nil {
		return Image{}, err
	}
	return readArchive(f, filepath.Base(r.path), r.chosen, "", subject.Subject{Source: subject.SourceDockerArchive}, want, o)
}

// readArchive reads the image with the tag of an open archive, which it closes
// on failure. An id must be the image's, or be among the archive's blobs.
func readArchive(f *os.File, name, tag, id string, s subject.Subject, want subject.Platform, o Options) (image Image, err error) {
	a, closeFile, err := openArchive(f, o)
	defer func() {
		if err != nil {
			err = undone(err, closeFile)
		}
	}()
	if err != nil {
		return Image{}, err
	}
	images, err := a.images(name)
	if err != nil {
		return Image{}, err
	}
	chosen, err := choose(images, tag)
	if err != nil {
		return Image{}, err
	}
	manifest, places, err := a.manifest(chosen)
	if err != nil {
		return Image{}, brokenArchive(name, err)
	}
	open := func(d v1.Descriptor) (io.ReadCloser, error) {
		e, found := places[d.Digest]
		if !found {
			return nil, brokenArchive(name, fmt.Errorf("%s is missing", d.Digest))
		}
		return io.NopCloser(a.open(e)), nil
	}
	if tag == "" && len(chosen.RepoTags) > 0 {
		tag = chosen.RepoTags[0]
	}
	if s.Repository == "" {
		s.Repository, s.Tag = splitName(tag)
	}
	image, err = assemble(manifest, s, want, content{open, fault.Usage, o.MaxBytes})
	if err != nil {
		return Image{}, err
	}
	if err := checkWanted(o.WantDigest, image.ConfigDigest); err != nil {
		return Image{}, err
	}
	if _, err := a.find("blobs/sha256/" + strings.TrimPrefix(id, "sha256:")); err != nil && id != "" {
		if err := checkWanted(id, image.ConfigDigest); err != nil {
			return Image{}, err
		}
	}
	image.closers = append(image.closers, closeFile)
	return image, nil
}

// manifest makes the manifest of a saved image, and the places of the blobs
// that it names. A layer that is a plain tar has its diff ID for a digest: it
// is verified as the layer is read.
func (a archive) manifest(s saved) ([]byte, map[v1.Hash]entry, error) {
	raw, err := a.document(s.Config)
	if err != nil {
		return nil, nil, err
	}
	config, err := v1.ParseConfigFile(bytes.NewReader(raw))
	if err != nil {
		return nil, nil, fmt.Errorf("reading configuration: %w", err)
	}
	if len(config.RootFS.DiffIDs) != len(s.Layers) || len(s.Layers) > maxLayers {
		return nil, nil, fmt.Errorf("%d layers for %d diff IDs", len(s.Layers), len(config.RootFS.DiffIDs))
	}
	digest, size, err := v1.SHA256(bytes.NewReader(raw))
	if err != nil {
		return nil, nil, err
	}
	place, err := a.find(s.Config)
	if err != nil {
		return nil, nil, err
	}
	places := map[v1.Hash]entry{digest: place}
	manifest := v1.Manifest{
		SchemaVersion: 2,
		MediaType:     types.DockerManifestSchema2,
		Config:        v1.Descriptor{MediaType: types.DockerConfigJSON, Digest: digest, Size: size},
	}
	hashed := map[entry]v1.Hash{}
	for i, name := range s.Layers {
		e, err := a.find(name)
		if err != nil {
			return nil, nil, err
		}
		d := v1.Descriptor{MediaType: types.DockerUncompressedLayer, Digest: config.RootFS.DiffIDs[i], Size: e.size}
		if a.compressed(e) {
			d.MediaType = types.DockerLayer
			if _, known := hashed[e]; !known {
				if hashed[e], _, err = v1.SHA256(a.open(e)); err != nil {
					return nil, nil, err
				}
			}
			d.Digest = hashed[e]
		}
		if other, twice := places[d.Digest]; twice && other != e && other.size != e.size {
			return nil, nil, fmt.Errorf("two layers claim the digest %s", d.Digest)
		}
		places[d.Digest] = e
		manifest.Layers = append(manifest.Layers, d)
	}
	made, err := json.Marshal(manifest)
	return made, places, err
}

// compressed reports whether an entry is gzip or zstd data; a tar is neither.
func (a archive) compressed(e entry) bool {
	var magic [4]byte
	if _, err := a.open(e).ReadAt(magic[:], 0); err != nil {
		return false
	}
	return magic[0] == 0x1f && magic[1] == 0x8b || string(magic[:]) == "\x28\xb5\x2f\xfd"
}

// sameName compares two names of images in their short and full spellings.
func sameName(a, b string) bool { return a == b || fullName(a) == fullName(b) }
