package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestLayout(t *testing.T) {
	store := t.TempDir()
	manifest, config := strings.Repeat("a", 64), strings.Repeat("c", 64)
	for name, text := range map[string]string{
		manifest:                `{"mediaType":"application/vnd.docker.distribution.manifest.v2+json","config":{"digest":"sha256:` + config + `"},"layers":[{}]}`,
		config:                  `{"architecture":"amd64","config":{}}`,
		strings.Repeat("e", 64): "not JSON",
	} {
		if err := os.WriteFile(filepath.Join(store, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range []string{"vexxy.test/nginx@sha256:" + manifest, "sha256:" + config} {
		dir := t.TempDir()
		if err := layout(store, id, dir); err != nil {
			t.Errorf("%s: %v", id, err)
			continue
		}
		index, err := os.ReadFile(filepath.Join(dir, "index.json"))
		if err != nil || !strings.Contains(string(index), manifest) || !strings.Contains(string(index), "docker.distribution.manifest.v2") {
			t.Errorf("%s: the index is %s (%v)", id, index, err)
		}
		if _, err := os.Stat(filepath.Join(dir, "blobs/sha256", config)); err != nil {
			t.Errorf("%s: the blobs are not there: %v", id, err)
		}
	}
	for _, id := range []string{"", "latest", "sha256:" + strings.Repeat("f", 64), "sha256:" + strings.Repeat("../", 21) + "x"} {
		if err := layout(store, id, t.TempDir()); err == nil {
			t.Errorf("%q is taken for an image", id)
		}
	}
}
