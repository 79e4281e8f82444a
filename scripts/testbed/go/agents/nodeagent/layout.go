package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// contentStore is where containerd of the node keeps its blobs.
const contentStore = "/var/lib/containerd/io.containerd.content.v1.content/blobs/sha256"

// biggestManifest bounds what is read in the search for a manifest.
const biggestManifest = 1 << 20

// layout makes an OCI layout in dir of the image with the given ID, out of
// links to the runtime's own blobs. The ID ends in the digest of a manifest
// or, for images that came without one, of a configuration.
func layout(store, id, dir string) error {
	digest := id[strings.LastIndexByte(id, '@')+1:]
	hex, ok := strings.CutPrefix(digest, "sha256:")
	if !ok || len(hex) != 64 || strings.ContainsAny(hex, "/.") {
		return errors.New("its ID holds no digest")
	}
	manifest, kind, err := findManifest(store, hex)
	if err != nil {
		return err
	}
	info, err := os.Stat(filepath.Join(store, manifest))
	if err != nil {
		return err
	}
	if err := os.Mkdir(filepath.Join(dir, "blobs"), 0o755); err != nil {
		return err
	}
	if err := os.Symlink(store, filepath.Join(dir, "blobs/sha256")); err != nil {
		return err
	}
	index := fmt.Sprintf(`{"schemaVersion":2,"manifests":[{"mediaType":%q,"digest":"sha256:%s","size":%d}]}`, kind, manifest, info.Size())
	if err := os.WriteFile(filepath.Join(dir, "index.json"), []byte(index), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "oci-layout"), []byte(`{"imageLayoutVersion":"1.0.0"}`), 0o644)
}

// findManifest gives the digest and the media type of the manifest that hex
// names, or whose configuration it names.
func findManifest(store, hex string) (string, string, error) {
	if m, ok := readManifest(filepath.Join(store, hex)); ok {
		return hex, m.kind(), nil
	}
	blobs, err := os.ReadDir(store)
	if err != nil {
		return "", "", err
	}
	for _, b := range blobs {
		m, ok := readManifest(filepath.Join(store, b.Name()))
		if ok && m.Config.Digest == "sha256:"+hex {
			return b.Name(), m.kind(), nil
		}
	}
	return "", "", errors.New("the runtime has no manifest of it")
}

// manifest is what is read of an image's manifest.
type manifest struct {
	MediaType string `json:"mediaType"`
	Config    struct {
		Digest string `json:"digest"`
	} `json:"config"`
	Layers []struct{} `json:"layers"`
}

func (m manifest) kind() string {
	if m.MediaType == "" {
		return "application/vnd.oci.image.manifest.v1+json"
	}
	return m.MediaType
}

func readManifest(name string) (manifest, bool) {
	var m manifest
	info, err := os.Stat(name)
	if err != nil || info.Size() > biggestManifest {
		return m, false
	}
	text, err := os.ReadFile(name)
	if err != nil || json.Unmarshal(text, &m) != nil {
		return m, false
	}
	return m, m.Config.Digest != "" && len(m.Layers) > 0
}
