package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// pack is an image of programs that were built elsewhere, as a docker archive.
type pack struct {
	tag     name.Tag
	out     string
	layers  []layer
	config  v1.Config
	entries []string
}

// parsePack reads the arguments of the verb pack.
func parsePack(args []string, stderr io.Writer) (pack, error) {
	var p pack
	var tag, packages, config string
	flags := flag.NewFlagSet("pack", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&tag, "tag", "", "the image's `NAME:TAG`")
	flags.StringVar(&p.out, "o", "", "the docker archive to write")
	flags.StringVar(&packages, "debian", "", "begin with Debian 12 and these `packages`, separated by spaces")
	flags.StringVar(&config, "config", "{}", "the image's configuration as JSON, such as {\"Entrypoint\":[\"/x\"]}")
	if err := flags.Parse(args); err != nil {
		return p, err
	}
	var err error
	if p.tag, err = name.NewTag(tag); err != nil {
		return p, fmt.Errorf("reading -tag: %w", err)
	}
	if err := json.Unmarshal([]byte(config), &p.config); err != nil {
		return p, fmt.Errorf("reading -config: %w", err)
	}
	if p.out == "" {
		return p, errors.New("reading -o: no file is named")
	}
	if names := strings.Fields(packages); len(names) > 0 {
		p.layers = []layer{base{}, debian{packages: names}}
	}
	p.entries = flags.Args()
	return p, nil
}

// write makes the archive. The files are one layer that is not compressed:
// it is unpacked more often than it is stored.
func (p pack) write(ctx context.Context, s *store) error {
	img, err := s.image(ctx, fixture{layers: p.layers, config: p.config})
	if err != nil {
		return err
	}
	var t tree
	for _, e := range p.entries {
		if err := t.entry(e); err != nil {
			return err
		}
	}
	raw, err := os.CreateTemp(filepath.Dir(p.out), "pack-")
	if err != nil {
		return fmt.Errorf("making a layer: %w", err)
	}
	defer os.Remove(raw.Name())
	defer raw.Close()
	sum := sha256.New()
	if err := t.write(io.MultiWriter(raw, sum)); err != nil {
		return err
	}
	blob := plain{raw.Name(), v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(sum.Sum(nil))}}
	if img, err = mutate.AppendLayers(img, blob); err != nil {
		return fmt.Errorf("appending layer: %w", err)
	}
	if err := tarball.WriteToFile(p.out+".part", p.tag, img); err != nil {
		return fmt.Errorf("writing archive: %w", err)
	}
	return os.Rename(p.out+".part", p.out)
}

// plain is a layer in a file that is not compressed.
type plain struct {
	file   string
	digest v1.Hash
}

func (p plain) Digest() (v1.Hash, error)             { return p.digest, nil }
func (p plain) DiffID() (v1.Hash, error)             { return p.digest, nil }
func (p plain) Compressed() (io.ReadCloser, error)   { return os.Open(p.file) }
func (p plain) Uncompressed() (io.ReadCloser, error) { return os.Open(p.file) }
func (p plain) MediaType() (types.MediaType, error)  { return types.OCIUncompressedLayer, nil }

func (p plain) Size() (int64, error) {
	info, err := os.Stat(p.file)
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// entry adds what TO=FROM names: a file or what is below a directory of the
// disk, an empty directory (dir:MODE) or a symbolic link (link:TARGET).
func (t *tree) entry(spec string) error {
	to, from, ok := strings.Cut(spec, "=")
	if !ok || to == "" {
		return fmt.Errorf("reading %q: want TO=FROM", spec)
	}
	if mode, ok := strings.CutPrefix(from, "dir:"); ok {
		bits, err := strconv.ParseInt(mode, 8, 32)
		if err != nil {
			return fmt.Errorf("reading %q: %w", spec, err)
		}
		t.dir(to, bits)
		return nil
	}
	if target, ok := strings.CutPrefix(from, "link:"); ok {
		t.symlink(to, target)
		return nil
	}
	info, err := os.Stat(from)
	switch {
	case err != nil:
		return fmt.Errorf("adding %s: %w", to, err)
	case info.Mode().IsDir():
		return t.copyDir(to, from)
	case info.Mode().Type() != fs.FileMode(0):
		return fmt.Errorf("adding %s: %s is neither a file nor a directory", to, from)
	}
	return t.copy(to, int64(info.Mode().Perm()), from)
}
