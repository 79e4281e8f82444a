package main

import (
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// image puts a fixture together from its layers.
func (s *store) image(ctx context.Context, f fixture) (v1.Image, error) {
	img := mutate.MediaType(empty.Image, types.OCIManifestSchema1)
	img = mutate.ConfigMediaType(img, types.OCIConfigJSON)
	for _, l := range f.layers {
		path, err := s.layer(ctx, l)
		if err != nil {
			return nil, err
		}
		blob, err := tarball.LayerFromFile(path, tarball.WithMediaType(types.OCILayer))
		if err != nil {
			return nil, fmt.Errorf("reading layer: %w", err)
		}
		if img, err = mutate.AppendLayers(img, blob); err != nil {
			return nil, fmt.Errorf("appending layer: %w", err)
		}
	}
	config, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = "linux", runtime.GOARCH
	config.Created = v1.Time{Time: madeAt.UTC()}
	config.Config = f.config
	config.Config.Env = append([]string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}, f.config.Env...)
	config.History = nil
	return mutate.ConfigFile(img, config)
}

// layout writes the fixture as an OCI layout of one platform and gives its
// path, .cache/images/NAME.
func (s *store) layout(ctx context.Context, f fixture) (string, error) {
	key, err := f.key(s)
	if err != nil {
		return "", err
	}
	dir := s.cachePath("layouts/" + f.name + "-" + key)
	stable := s.cachePath(f.name)
	if _, err := os.Stat(filepath.Join(dir, "index.json")); err != nil {
		if err := s.writeLayout(ctx, f, dir); err != nil {
			return "", err
		}
	}
	link := stable + ".new"
	os.Remove(link)
	if err := os.Symlink(filepath.Join("layouts", filepath.Base(dir)), link); err != nil {
		return "", err
	}
	return stable, os.Rename(link, stable)
}

// key names all that the fixture's bytes depend on.
func (f fixture) key(s *store) (string, error) {
	config, err := json.Marshal(f.config)
	if err != nil {
		return "", err
	}
	h := sha256.New()
	h.Write(config)
	for _, l := range f.layers {
		fmt.Fprintf(h, "\n%s", l.key(s))
	}
	return hex.EncodeToString(h.Sum(nil)[:8]), nil
}

func (s *store) writeLayout(ctx context.Context, f fixture, dir string) error {
	img, err := s.image(ctx, f)
	if err != nil {
		return err
	}
	part := dir + ".part"
	if err := os.RemoveAll(part); err != nil {
		return err
	}
	to, err := layout.Write(part, empty.Index)
	if err != nil {
		return fmt.Errorf("writing layout: %w", err)
	}
	if err := s.linkLayers(ctx, f, img, part); err != nil {
		return err
	}
	err = to.AppendImage(img,
		layout.WithPlatform(v1.Platform{OS: "linux", Architecture: runtime.GOARCH}),
		layout.WithAnnotations(map[string]string{"org.opencontainers.image.ref.name": "fixture"}))
	if err != nil {
		return fmt.Errorf("writing layout: %w", err)
	}
	return os.Rename(part, dir)
}

// linkLayers puts the layers' files into a layout as links, so that a layer
// that many fixtures share takes its place on the disk once.
func (s *store) linkLayers(ctx context.Context, f fixture, img v1.Image, dir string) error {
	blobs, err := img.Layers()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(dir, "blobs/sha256"), 0o755); err != nil {
		return err
	}
	for i, l := range f.layers {
		path, err := s.layer(ctx, l)
		if err != nil {
			return err
		}
		digest, err := blobs[i].Digest()
		if err != nil {
			return err
		}
		if err := os.Link(path, filepath.Join(dir, "blobs/sha256", digest.Hex)); err != nil {
			return fmt.Errorf("linking layer: %w", err)
		}
	}
	return nil
}

// archive writes the fixture as a docker archive and gives its path,
// .cache/images/NAME.tar. Its image is named vexxy.test/NAME:fixture.
func (s *store) archive(ctx context.Context, f fixture) (string, error) {
	img, err := s.image(ctx, f)
	if err != nil {
		return "", err
	}
	tag, err := name.NewTag("vexxy.test/" + f.name + ":fixture")
	if err != nil {
		return "", err
	}
	path := s.cachePath(f.name + ".tar")
	if err := tarball.WriteToFile(path+".part", tag, img); err != nil {
		return "", fmt.Errorf("writing archive: %w", err)
	}
	return path, os.Rename(path+".part", path)
}

// compress writes a file anew through gzip, with nothing of today in it.
func compress(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to + ".part")
	if err != nil {
		return err
	}
	defer out.Close()
	zip, err := gzip.NewWriterLevel(out, gzip.BestSpeed)
	if err != nil {
		return err
	}
	zip.ModTime = time.Time{}
	if _, err := io.Copy(zip, in); err != nil {
		return err
	}
	if err := zip.Close(); err != nil {
		return err
	}
	if err := out.Close(); err != nil {
		return err
	}
	return os.Rename(to+".part", to)
}
