// Package source fixes references to digests and reads images: from a registry,
// the local engine, an archive or an OCI layout. What it gives is a subject with
// its contents; every byte of them is verified as it is read.
package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/subject"
)

// Options say how references are resolved. The zero value is ready to use.
type Options struct {
	// Platform is os/arch[/variant]; empty stands for Linux on this machine.
	Platform string
	// WantDigest is the digest that the image must have: of its index or
	// manifest, or of a local image's configuration. Empty allows any.
	WantDigest string
	// Keychain gives the credentials of registries; nil is Docker's
	// configuration.
	Keychain authn.Keychain
	// Daemon is the local engine; nil when there is none.
	Daemon Daemon
	// Transport carries the requests to registries; nil is one that refuses
	// addresses which a registry has no business to name. The bounds on sizes
	// and time hold for either.
	Transport http.RoundTripper
	// TempDir is the folder for temporary files; empty is the system's.
	TempDir string
	// Insecure are registries, as host or host:port, that may be spoken to by
	// plain HTTP beside those on this machine and in private networks.
	Insecure []string
	// MaxBytes bounds an image, as it is stored and as it is unpacked; 0 is
	// 64 GiB.
	MaxBytes int64
	// Timeout bounds resolving at a registry, but not the reading of layers; 0
	// is 2 minutes.
	Timeout time.Duration

	network network
}

// Daemon is the local engine, as far as images are read from it.
type Daemon interface {
	// Inspect describes an image by reference or ID. The error wraps
	// ErrNoImage when there is none.
	Inspect(ctx context.Context, ref string) (ImageInfo, error)
	// Save gives the image with the ID as docker save writes it.
	Save(ctx context.Context, id string) (io.ReadCloser, error)
}

// ImageInfo is what the engine says of an image that it holds.
type ImageInfo struct {
	// ID is the digest of the configuration, or with containerd's image store
	// that of the manifest or index.
	ID string
	// RepoTags are its names as NAME:TAG.
	RepoTags []string
}

// ErrNoImage says that the local engine does not hold an image.
var ErrNoImage = errors.New("no such image")

// defaults fills in what was left away.
func (o Options) defaults() Options {
	if o.Keychain == nil {
		o.Keychain = authn.DefaultKeychain
	}
	if o.MaxBytes == 0 {
		o.MaxBytes = 64 << 30
	}
	if o.Timeout == 0 {
		o.Timeout = 2 * time.Minute
	}
	o.network = o.network.defaults()
	return o
}

// Resolve fixes a reference to digests, once. A plain reference names an image
// of a registry; where that cannot be had and the local engine holds an image
// of the name, it is that one, and the subject's Source says so. "registry:",
// "docker-daemon:", "docker-archive:" and "oci-dir:" in front force a source;
// 12 or more hexadecimal digits are an ID of the engine.
//
// The image reads its layers while ctx lives and until Close. Errors are
// faults: of usage for what does not exist or does not fit, of infrastructure
// for a registry that cannot be used, of integrity for a wrong digest.
func Resolve(ctx context.Context, ref string, o Options) (Image, error) {
	o = o.defaults()
	want, err := wantedPlatform(o.Platform)
	if err != nil {
		return Image{}, err
	}
	r, err := parse(ref, o.Insecure)
	if err != nil {
		return Image{}, err
	}
	image, err := resolve(ctx, r, want, o)
	if err != nil {
		return Image{}, err
	}
	image.Requested = ref
	return image, nil
}

func resolve(ctx context.Context, r reference, want subject.Platform, o Options) (Image, error) {
	switch r.source {
	case subject.SourceDockerArchive:
		return fromArchive(r, want, o)
	case subject.SourceOCIDir:
		return fromLayout(r, want, o)
	case subject.SourceDaemon:
		return fromDaemon(ctx, r, want, o)
	}
	image, err := limited(ctx, r, want, o)
	if err == nil || r.forced || r.pinned() || o.WantDigest != "" || o.Daemon == nil || ctx.Err() != nil {
		return image, err
	}
	var f *fault.Error
	if !errors.As(err, &f) || f.Code == fault.Integrity || errors.Is(err, errUnfit) {
		return image, err
	}
	if _, absent := o.Daemon.Inspect(ctx, r.name); absent != nil {
		return image, err
	}
	return fromDaemon(ctx, r, want, o)
}

// errUnfit is in the chain of errors about an image that was found and cannot
// be used: no other source is asked for it.
var errUnfit = errors.New("image cannot be used")

// unfit makes such an error.
func unfit(hint, format string, args ...any) error {
	return fault.New(fault.Usage, hint, "%w: %w", errUnfit, fmt.Errorf(format, args...))
}

// checkWanted holds the digests that an image has against the wanted one.
func checkWanted(wanted string, has ...string) error {
	if wanted == "" {
		return nil
	}
	for _, d := range has {
		if d == wanted {
			return nil
		}
	}
	return fault.New(fault.Integrity, "find out why it changed before you trust it",
		"the image has the digest %s, not %s", has[0], wanted)
}
