package source

import (
	"context"
	"errors"

	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/subject"
)

// fromDaemon reads an image that the local engine holds.
func fromDaemon(ctx context.Context, r reference, want subject.Platform, o Options) (Image, error) {
	if o.Daemon == nil {
		return Image{}, fault.New(fault.Infra, "start Docker, or name an image of a registry", "reading %q: there is no local engine", cut(r.name))
	}
	info, err := o.Daemon.Inspect(ctx, r.name)
	if errors.Is(err, ErrNoImage) {
		return Image{}, fault.New(fault.Usage, "see docker image ls for its images", "reading %q: %w", cut(r.name), quiet{err})
	}
	if err != nil {
		return Image{}, fault.New(fault.Infra, "check the local engine: docker info", "reading %q: %w", cut(r.name), quiet{err})
	}
	blame := func(err error) error {
		return fault.New(fault.Infra, "check the local engine: docker info", "reading %q from it: %w", cut(r.name), quiet{err})
	}
	stream, err := o.Daemon.Save(ctx, info.ID)
	if err != nil {
		return Image{}, blame(err)
	}
	defer stream.Close()
	f, err := spool(stream, o, blame)
	if err != nil {
		return Image{}, err
	}
	s := subject.Subject{Source: subject.SourceDaemon}
	switch {
	case !imageID.MatchString(r.name):
		s.Repository, s.Tag = splitName(r.name)
	case len(info.RepoTags) > 0:
		s.Repository, s.Tag = splitName(info.RepoTags[0])
	}
	image, err := readArchive(f, "of the local engine", "", info.ID, s, want, o)
	if err != nil {
		return Image{}, undone(err, removing(f))
	}
	image.closers = append(image.closers, removing(f))
	image.Loaded = info.ID
	return image, nil
}
