package embedded

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/moby/moby/client"

	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/journal"
	"github.com/vexxy/action/internal/source"
)

// provide makes sure that the engine has the very image of the subject and
// gives the reference to run. What is loaded from a file goes again at Close.
func (e *Engine) provide(ctx context.Context, img source.Image) (string, error) {
	// By its configuration digest an image is the same bytes wherever it came
	// from: the configuration names every layer's content.
	for _, ref := range []string{img.Loaded, img.ConfigDigest, img.Pull} {
		if ref == "" {
			continue
		}
		if _, err := e.docker.ImageInspect(ctx, ref); err == nil {
			return ref, nil
		} else if !cerrdefs.IsNotFound(err) {
			return "", infra(err, "inspecting image %s", ref)
		}
	}
	if img.Pull != "" {
		return img.Pull, e.pull(ctx, img)
	}
	return e.load(ctx, img)
}

// pull fetches the subject's manifest by digest. The image stays with the
// engine afterwards, as after `docker run`: it is a cache and was asked for.
func (e *Engine) pull(ctx context.Context, img source.Image) error {
	auth, err := registryAuth(img.Pull)
	if err != nil {
		return err
	}
	resp, err := e.docker.ImagePull(ctx, img.Pull, client.ImagePullOptions{RegistryAuth: auth})
	if err == nil {
		defer resp.Close()
		err = resp.Wait(ctx)
	}
	if err != nil {
		return infra(err, "pulling image %s", img.Pull)
	}
	return nil
}

// registryAuth encodes the credentials that the Docker configuration holds for
// the reference's registry, as the engine's API wants them.
func registryAuth(ref string) (string, error) {
	parsed, err := name.ParseReference(ref)
	if err != nil {
		return "", fmt.Errorf("reading reference %s: %w", ref, err)
	}
	auth, err := authn.DefaultKeychain.Resolve(parsed.Context())
	if err != nil {
		return "", fault.New(fault.Infra, "check ~/.docker/config.json", "reading registry credentials: %w", err)
	}
	c, err := auth.Authorization()
	if err != nil {
		return "", fault.New(fault.Infra, "log in again with `docker login`", "reading registry credentials: %w", err)
	}
	raw, err := json.Marshal(map[string]string{
		"username": c.Username, "password": c.Password, "auth": c.Auth,
		"identitytoken": c.IdentityToken, "registrytoken": c.RegistryToken,
	})
	if err != nil {
		return "", err
	}
	return base64.URLEncoding.EncodeToString(raw), nil
}

// imageHost is the registry part in the names of images that runs load; it
// exists nowhere.
const imageHost = "vexxy.local"

// load hands an archive's or layout's image to the engine under a name of the
// run's own.
func (e *Engine) load(ctx context.Context, img source.Image) (string, error) {
	ref := imageHost + "/" + e.options.RunID + ":" + img.ConfigDigest[len("sha256:"):][:12]
	tag, err := name.NewTag(ref)
	if err != nil {
		return "", err
	}
	if err := e.making(journal.Image, ref, e.removeImage); err != nil {
		return "", err
	}
	r, w := io.Pipe()
	defer r.Close()
	go func() { w.CloseWithError(tarball.Write(tag, img.Image, w)) }()
	// A cut archive is not loaded; a whole one is, whether we wait or not.
	stop := context.AfterFunc(ctx, func() { w.CloseWithError(context.Cause(ctx)) })
	defer stop()
	loading, done := lingering(ctx)
	defer done()
	resp, err := e.docker.ImageLoad(loading, r, client.ImageLoadWithQuiet(true))
	if err != nil {
		return "", infra(err, "loading image %s", img.Requested)
	}
	defer resp.Close()
	if _, err := io.Copy(io.Discard, resp); err != nil {
		return "", infra(err, "loading image %s", img.Requested)
	}
	if _, err := e.docker.ImageInspect(ctx, ref); err != nil {
		return "", infra(err, "loading image %s", img.Requested)
	}
	return ref, nil
}

func (e *Engine) removeImage(ctx context.Context, ref string) error {
	_, err := e.docker.ImageRemove(ctx, ref, client.ImageRemoveOptions{PruneChildren: true})
	if cerrdefs.IsNotFound(err) {
		return nil
	}
	return err
}
