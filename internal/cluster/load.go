package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/foreign"
)

// loadTimeout bounds the loading of one image into one node, quickTimeout what
// has only to wait for others that are loaded.
const (
	loadTimeout  = 10 * time.Minute
	quickTimeout = 3 * time.Minute
)

// LoadImage gives an image to every node, its manifest untouched, so that the
// published digest is the image's identity there as well, under all the names:
// REPOSITORY:TAG and REPOSITORY@DIGEST. It needs a cluster of the run's own
// and may be called as soon as Start has returned.
func (c *Cluster) LoadImage(ctx context.Context, img v1.Image, names []string) error {
	digest, err := img.Digest()
	if err != nil {
		return fmt.Errorf("loading image: %w", err)
	}
	full := make([]string, len(names))
	for i, n := range names {
		if full[i], err = canonical(n); err != nil {
			return fmt.Errorf("loading image: %w", err)
		}
	}
	if err := c.loadable(); err != nil {
		return err
	}
	return c.eachNode(ctx, func(ctx context.Context, node string) error {
		err := c.importInto(ctx, node, func(w io.Writer) error { return writeLayout(w, img, full) })
		if err != nil {
			return fmt.Errorf("loading image %s: %w", digest, err)
		}
		there, err := c.imagesOf(ctx, node)
		if err != nil {
			return err
		}
		for _, n := range full {
			if there[n] != digest.String() {
				return fault.New(fault.Infra, "", "loading image: on %s, %s is %q and not %s", node, n, there[n], digest)
			}
		}
		return nil
	})
}

// Architecture is that of an own cluster's nodes, as Go names it.
func (c *Cluster) Architecture(ctx context.Context) (string, error) {
	image := images(c.config)[0]
	lines, err := c.engine.ask(ctx, "inspect", "--type=image", "--format", "{{.Architecture}}", image)
	if err == nil && len(lines) != 1 {
		err = errors.New("the engine does not tell")
	}
	if err != nil {
		return "", fmt.Errorf("asking for the architecture of %s: %w", image, err)
	}
	return lines[0], nil
}

func (c *Cluster) loadable() error {
	if !c.Own || len(c.nodes) == 0 {
		return errors.New("loading image: the cluster has no nodes of the run's own")
	}
	return nil
}

// ctr is the command of containerd's client in the namespace of the kubelet.
func ctr(node string, args ...string) []string {
	return append([]string{"exec", "-i", node, "ctr", "--namespace", "k8s.io", "images"}, args...)
}

// importInto streams an archive to a node's containerd. Nothing of it touches
// a disk but the node's.
func (c *Cluster) importInto(ctx context.Context, node string, write func(io.Writer) error) error {
	r, w := io.Pipe()
	wrote := make(chan error, 1)
	go func() {
		err := write(w)
		w.CloseWithError(err) // nil is the end of the file
		wrote <- err
	}()
	err := c.importFrom(ctx, node, r, "-")
	r.CloseWithError(errImported)
	if werr := <-wrote; werr != nil && !errors.Is(werr, errImported) {
		return werr // the cause: a stream cut short is no archive
	}
	return err
}

// importFrom has a node's containerd import a file of the node's, or "-" for
// what it is given.
func (c *Cluster) importFrom(ctx context.Context, node string, in io.Reader, file string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, loadTimeout, fmt.Errorf("it took longer than %s", loadTimeout))
	defer cancel()
	if _, err := c.engine.run(ctx, in, ctr(node, "import", file)...); err != nil {
		return fault.New(fault.Infra, hintOf(err.Error(), c.engine.binary), "importing into %s: %w", node, err)
	}
	return nil
}

var errImported = errors.New("the node reads no further")

// imagesOf gives the digests of a node's images by their names.
func (c *Cluster) imagesOf(ctx context.Context, node string) (map[string]string, error) {
	out, err := c.quick(ctx, node, "ls")
	if err != nil {
		return nil, fmt.Errorf("listing images of %s: %w", node, err)
	}
	all := map[string]string{}
	for line := range strings.Lines(string(out)) {
		// REF, TYPE, DIGEST, …
		if f := strings.Fields(line); len(f) > 2 && strings.HasPrefix(f[2], "sha256:") {
			all[f[0]] = f[2]
		}
	}
	return all, nil
}

// quick runs a command of containerd's client that is over at once, but for the
// images that are loaded meanwhile.
func (c *Cluster) quick(ctx context.Context, node string, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, quickTimeout, fmt.Errorf("it took longer than %s", quickTimeout))
	defer cancel()
	return c.engine.run(ctx, nil, ctr(node, args...)...)
}

// canonical spells a name as the kubelet asks for it: with its registry, where
// Docker Hub is docker.io, and with a tag or digest.
func canonical(s string) (string, error) {
	ref, err := name.ParseReference(s)
	if err != nil {
		return "", fmt.Errorf("naming image: %s", foreign.Text(err.Error()).Line(300))
	}
	return strings.Replace(ref.Name(), "index.docker.io/", "docker.io/", 1), nil
}
