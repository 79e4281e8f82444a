package embedded

import (
	"context"
	"fmt"
	"io"
	"strings"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/moby/moby/client"

	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/source"
)

const dockerHint = "start Docker, or point DOCKER_HOST at a running engine; `vexxy doctor` says what is missing"

// Connect opens the Docker engine that the environment names and checks that
// it answers and runs Linux containers. The API version is negotiated; 1.41
// (Docker 20.10) is the oldest that is tested.
func Connect(ctx context.Context) (*client.Client, error) {
	docker, err := client.New(client.FromEnv)
	if err != nil {
		return nil, fault.New(fault.Infra, dockerHint, "configuring the Docker client: %w", err)
	}
	ping, err := docker.Ping(ctx, client.PingOptions{NegotiateAPIVersion: true})
	if err != nil {
		docker.Close()
		return nil, fault.New(fault.Infra, dockerHint, "reaching the Docker engine: %w", err)
	}
	if ping.OSType != "" && ping.OSType != "linux" {
		docker.Close()
		return nil, fault.New(fault.Infra, "switch the engine to Linux containers",
			"the Docker engine runs %s containers", ping.OSType)
	}
	return docker, nil
}

// Daemon reads images out of a Docker engine; it is a source.Daemon.
type Daemon struct{ Docker *client.Client }

// Inspect tells what the engine knows of an image. The error is a
// source.ErrNoImage when it has none of that name.
func (d Daemon) Inspect(ctx context.Context, ref string) (source.ImageInfo, error) {
	got, err := d.Docker.ImageInspect(ctx, ref)
	if cerrdefs.IsNotFound(err) {
		return source.ImageInfo{}, fmt.Errorf("%w: %s", source.ErrNoImage, ref)
	}
	if err != nil {
		return source.ImageInfo{}, fmt.Errorf("inspecting image: %w", err)
	}
	return source.ImageInfo{ID: got.ID, RepoTags: got.RepoTags}, nil
}

// Save streams an image as a Docker archive.
func (d Daemon) Save(ctx context.Context, ref string) (io.ReadCloser, error) {
	got, err := d.Docker.ImageSave(ctx, []string{ref})
	if err != nil {
		return nil, fmt.Errorf("saving image: %w", err)
	}
	return got, nil
}

// infra wraps an engine's error: refusals for lack of room get their own hint.
func infra(err error, format string, args ...any) error {
	hint := ""
	switch text := err.Error(); {
	case strings.Contains(text, "no space left"):
		hint = "free disk space: `docker system df` shows what uses it"
	case client.IsErrConnectionFailed(err):
		hint = dockerHint
	}
	return fault.New(fault.Infra, hint, format+": %w", append(args, err)...)
}
