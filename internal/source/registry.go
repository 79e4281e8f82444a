package source

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/subject"
)

// limited is fromRegistry within the time for it. The image's transfers go on
// until it is closed.
func limited(ctx context.Context, r reference, want subject.Platform, o Options) (Image, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	timer := time.AfterFunc(o.Timeout, func() { cancel(fmt.Errorf("the registry did not serve it within %s", o.Timeout)) })
	image, err := fromRegistry(ctx, r, want, o)
	timer.Stop()
	if cause := context.Cause(ctx); cause != nil {
		err = fault.New(fault.Infra, "check the network and the registry, then try again", "resolving %q: %w", cut(r.name), cause)
	}
	if err != nil {
		cancel(nil)
		return Image{}, err
	}
	image.closers = append(image.closers, func() error { cancel(nil); return nil })
	return image, nil
}

// fromRegistry resolves a reference at its registry.
func fromRegistry(ctx context.Context, r reference, want subject.Platform, o Options) (Image, error) {
	repository := r.remote.Context()
	puller, err := remote.NewPuller(
		remote.WithAuthFromKeychain(o.Keychain),
		remote.WithTransport(newGuard(repository.Registry, o)),
		remote.WithRetryBackoff(remote.Backoff{Duration: 500 * time.Millisecond, Factor: 3, Jitter: 0.1, Steps: 3}),
		remote.WithUserAgent("vexxy"),
	)
	if err != nil {
		return Image{}, registryFault(r, err)
	}
	read := func(d v1.Descriptor) ([]byte, error) {
		got, err := puller.Get(ctx, repository.Digest(d.Digest.String()))
		if err != nil {
			return nil, registryFault(r, err)
		}
		return got.Manifest, nil
	}
	top, err := puller.Get(ctx, r.remote)
	if err != nil {
		return Image{}, registryFault(r, err)
	}
	manifest, err := descend(top.Manifest, want, read)
	if err != nil {
		return Image{}, err
	}
	digest, _, err := v1.SHA256(bytes.NewReader(manifest))
	if err != nil {
		return Image{}, registryFault(r, err)
	}
	s := subject.Subject{Source: subject.SourceRegistry, Requested: r.name, Repository: repository.Name(), ManifestDigest: digest.String()}
	if tag, is := r.remote.(name.Tag); is {
		s.Tag = tag.TagStr()
	}
	if top.Digest != digest {
		s.IndexDigest = top.Digest.String()
	}
	if err := checkWanted(o.WantDigest, top.Digest.String(), digest.String()); err != nil {
		return Image{}, err
	}
	open := func(d v1.Descriptor) (io.ReadCloser, error) {
		l, err := puller.Layer(ctx, repository.Digest(d.Digest.String()))
		if err != nil {
			return nil, registryFault(r, err)
		}
		blob, err := l.Compressed()
		if err != nil {
			return nil, registryFault(r, err)
		}
		return blob, nil
	}
	image, err := assemble(manifest, s, want, content{open, fault.Infra, o.MaxBytes})
	image.Pull = repository.Digest(digest.String()).String()
	return image, err
}

// registryFault gives an error of a registry its code and hint.
func registryFault(r reference, err error) error {
	var (
		already *fault.Error
		answer  *transport.Error
		lookup  *net.DNSError
		unknown x509.UnknownAuthorityError
	)
	code, hint := fault.Infra, "check the network and the registry, then try again"
	switch {
	case errors.As(err, &already):
		return fault.New(already.Code, already.Hint, "resolving %q: %w", cut(r.name), already.Err)
	case errors.As(err, &answer):
		switch {
		case answer.StatusCode == http.StatusNotFound:
			code, hint = fault.Usage, "check the name and the tag; local images can be named docker-daemon:NAME"
		case denied(answer):
			hint = "check the name, or log in: docker login" + loginHost(r)
		case answer.StatusCode == http.StatusTooManyRequests:
			hint = "the registry limits requests: log in with docker login, or wait"
		}
	case errors.As(err, &lookup) && lookup.IsNotFound:
		hint = "check the registry's name: " + cut(lookup.Name) + " is not known"
	case errors.As(err, &unknown):
		hint = "add the registry's certificate authority to this machine"
	}
	return fault.New(code, hint, "resolving %q: %w", cut(r.name), quiet{err})
}

// denied reports whether the registry refused the credentials, or their lack.
func denied(e *transport.Error) bool {
	if e.StatusCode == http.StatusUnauthorized || e.StatusCode == http.StatusForbidden {
		return true
	}
	for _, d := range e.Errors {
		if d.Code == transport.UnauthorizedErrorCode || d.Code == transport.DeniedErrorCode {
			return true
		}
	}
	return false
}

// loginHost is the argument that docker login needs: none for Docker Hub.
func loginHost(r reference) string {
	if host := r.remote.Context().RegistryStr(); host != name.DefaultRegistry {
		return " " + host
	}
	return ""
}
