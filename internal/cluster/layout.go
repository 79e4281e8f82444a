package cluster

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"path"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// containerd's annotation of an image's name in an index, which it takes as it
// is; without it the import makes up names of its own.
const imageName = "io.containerd.image.name"

// writeLayout writes an image as a tar of an OCI layout, its manifest's bytes
// as they are, under all the names.
func writeLayout(w io.Writer, img v1.Image, names []string) error {
	raw, err := img.RawManifest()
	if err != nil {
		return fmt.Errorf("reading manifest: %w", err)
	}
	manifest, err := v1.ParseManifest(bytes.NewReader(raw))
	if err != nil {
		return fmt.Errorf("reading manifest: %w", err)
	}
	digest, size, err := v1.SHA256(bytes.NewReader(raw))
	if err != nil {
		return err
	}
	index := v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex}
	for _, name := range names {
		index.Manifests = append(index.Manifests, v1.Descriptor{
			MediaType: manifest.MediaType, Digest: digest, Size: size,
			Annotations: map[string]string{imageName: name},
		})
	}
	root, err := json.Marshal(index)
	if err != nil {
		return err
	}
	t := layoutWriter{tar: tar.NewWriter(w), written: map[v1.Hash]bool{}}
	if err := t.file("oci-layout", []byte(`{"imageLayoutVersion":"1.0.0"}`)); err != nil {
		return err
	}
	if err := t.file("index.json", root); err != nil {
		return err
	}
	if err := t.blob(digest, size, io.NopCloser(bytes.NewReader(raw))); err != nil {
		return err
	}
	config, err := img.RawConfigFile()
	if err != nil {
		return fmt.Errorf("reading configuration: %w", err)
	}
	if err := t.blob(manifest.Config.Digest, manifest.Config.Size, io.NopCloser(bytes.NewReader(config))); err != nil {
		return err
	}
	for _, d := range manifest.Layers {
		if t.written[d.Digest] {
			continue
		}
		layer, err := img.LayerByDigest(d.Digest)
		if err != nil {
			return fmt.Errorf("reading layer %s: %w", d.Digest, err)
		}
		data, err := layer.Compressed()
		if err != nil {
			return fmt.Errorf("reading layer %s: %w", d.Digest, err)
		}
		if err := t.blob(d.Digest, d.Size, data); err != nil {
			return err
		}
	}
	return t.tar.Close()
}

// layoutWriter writes the files of a layout, each blob once.
type layoutWriter struct {
	tar     *tar.Writer
	written map[v1.Hash]bool
}

func (t layoutWriter) file(name string, data []byte) error {
	if err := t.tar.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(data))}); err != nil {
		return err
	}
	_, err := t.tar.Write(data)
	return err
}

func (t layoutWriter) blob(d v1.Hash, size int64, data io.ReadCloser) error {
	defer data.Close()
	t.written[d] = true
	if err := t.tar.WriteHeader(&tar.Header{Name: path.Join("blobs", d.Algorithm, d.Hex), Mode: 0o644, Size: size}); err != nil {
		return err
	}
	if n, err := io.Copy(t.tar, data); err != nil {
		return fmt.Errorf("copying blob %s after %d of %d bytes: %w", d, n, size, err)
	}
	return nil
}
