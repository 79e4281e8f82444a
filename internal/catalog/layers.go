package catalog

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sync/errgroup"

	"github.com/vexxy/action/internal/fault"
)

// limits bound what an image may make the reader hold or write.
type limits struct {
	layers   int   // layers of the image
	bytes    int64 // uncompressed bytes of all layers together
	entries  int64 // tar entries of all layers together
	packages int   // packages listed
	files    int   // owned files listed, over all packages
	sbom     int   // bytes of Syft JSON
}

// defaultLimits are far above the largest images in the wild (20,000 packages,
// some 30 GB of model weights) and below what fills a CI machine's memory.
var defaultLimits = limits{
	layers:   512,
	bytes:    64 << 30,
	entries:  3_000_000,
	packages: 100_000,
	files:    2_000_000,
	sbom:     512 << 20,
}

// errLimit marks an image that is larger than the limits.
type errLimit struct{ text string }

func (e errLimit) Error() string { return e.text }

// unpackLayers writes the image's layers, uncompressed, into dir, each named by
// its diff ID: the place where stereoscope looks before it unpacks by itself.
// Doing it here keeps the bytes and the entries bounded, stops with ctx, and
// checks every layer against the diff ID that the configuration names, so that
// what is scanned is what the digest stands for.
func unpackLayers(ctx context.Context, img v1.Image, dir string, lim limits) error {
	layers, err := img.Layers()
	if err != nil {
		return err
	}
	if len(layers) > lim.layers {
		return errLimit{fmt.Sprintf("the image has %d layers, more than the limit of %d", len(layers), lim.layers)}
	}
	var bytes, entries atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(4)
	seen := map[string]bool{}
	for i, layer := range layers {
		diff, err := layer.DiffID()
		if err != nil {
			return fmt.Errorf("reading layer %d: %w", i, err)
		}
		if seen[diff.String()] {
			continue
		}
		seen[diff.String()] = true
		group.Go(func() error {
			u := unpacking{ctx: ctx, lim: lim, bytes: &bytes, entries: &entries}
			if err := u.layer(layer, filepath.Join(dir, diff.String()), diff); err != nil {
				return fmt.Errorf("reading layer %d: %w", i, err)
			}
			return nil
		})
	}
	return group.Wait()
}

// named is an image whose layers bear the diff IDs that its configuration
// names. A layer of a registry or an OCI layout would find its own by
// unpacking itself once for each time it is asked.
type named struct{ v1.Image }

// namedLayer is a layer of a named image.
type namedLayer struct {
	v1.Layer
	diff v1.Hash
}

// DiffID gives the name out of the configuration.
func (l namedLayer) DiffID() (v1.Hash, error) { return l.diff, nil }

// Layers gives the layers with their names.
func (n named) Layers() ([]v1.Layer, error) {
	layers, err := n.Image.Layers()
	if err != nil {
		return nil, fmt.Errorf("reading the list of layers: %w", err)
	}
	config, err := n.Image.ConfigFile()
	if err != nil {
		return nil, fmt.Errorf("reading the image's configuration: %w", err)
	}
	if len(config.RootFS.DiffIDs) != len(layers) {
		return nil, fault.New(fault.Integrity, "the image's manifest and its configuration disagree: do not use this image",
			"the image has %d layers, its configuration names %d", len(layers), len(config.RootFS.DiffIDs))
	}
	out := make([]v1.Layer, len(layers))
	for i, layer := range layers {
		out[i] = namedLayer{layer, config.RootFS.DiffIDs[i]}
	}
	return out, nil
}

// unpacking is the state that the layers of one image share.
type unpacking struct {
	ctx            context.Context
	lim            limits
	bytes, entries *atomic.Int64
}

// layer writes one layer to path.
func (u unpacking) layer(layer v1.Layer, path string, want v1.Hash) (err error) {
	from, err := layer.Uncompressed()
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if closing := to.Close(); err == nil {
			err = closing
		}
	}()

	sum := sha256.New()
	tee := io.TeeReader(&boundedReader{u: u, from: from}, io.MultiWriter(sum, to))
	archive := tar.NewReader(tee)
	for {
		_, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if u.entries.Add(1) > u.lim.entries {
			return errLimit{fmt.Sprintf("the image's layers hold more than %d files", u.lim.entries)}
		}
	}
	if _, err := io.Copy(io.Discard, tee); err != nil {
		return err
	}
	if got := hex.EncodeToString(sum.Sum(nil)); want.Algorithm == "sha256" && got != want.Hex {
		return fault.New(fault.Integrity, "the image's layers are not those that its configuration names: do not use this image",
			"its contents have the digest sha256:%s, the image's configuration names %s", got, want)
	}
	return nil
}

// boundedReader ends with errLimit at the limit of bytes and with the context's
// cause when the context is done.
type boundedReader struct {
	u    unpacking
	from io.Reader
}

func (r *boundedReader) Read(p []byte) (int, error) {
	if r.u.ctx.Err() != nil {
		return 0, context.Cause(r.u.ctx)
	}
	n, err := r.from.Read(p)
	if r.u.bytes.Add(int64(n)) > r.u.lim.bytes {
		return n, errLimit{fmt.Sprintf("the image's layers are larger than %d bytes", r.u.lim.bytes)}
	}
	return n, err
}
