package cluster

import (
	"archive/tar"
	"bufio"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sync/errgroup"

	"github.com/vexxy/action/internal/fault"
)

// maxDocument bounds the lists in an archive, and sideBySide how many archives
// are loaded at a time.
const (
	maxDocument = 4 << 20
	sideBySide  = 4
)

// LoadArchive gives the images of an archive to every node and gives their
// names: a tar, also gzipped, as `docker save` or a tool of OCI writes it, an
// OCI layout's folder, or a folder of any of these. Each image is found by the
// name that it has there, and by its digest.
func (c *Cluster) LoadArchive(ctx context.Context, path string) ([]string, error) {
	if err := c.loadable(); err != nil {
		return nil, err
	}
	archives, err := archivesAt(path)
	if err != nil {
		return nil, err
	}
	named := make([][]string, len(archives))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(sideBySide)
	for i, a := range archives {
		g.Go(func() error {
			names, err := Names(a)
			if err != nil {
				return err
			}
			named[i] = names
			return c.eachNode(gctx, func(ctx context.Context, node string) error { return c.loadArchive(ctx, node, a, names) })
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	return slices.Concat(named...), nil
}

// loadArchive imports one archive into one node, and names its images by their
// digests as well: a node that has pulled an image knows it by both.
func (c *Cluster) loadArchive(ctx context.Context, node, archive string, names []string) error {
	if err := c.importArchive(ctx, node, archive); err != nil {
		return fmt.Errorf("loading archive %s: %w", archive, err)
	}
	there, err := c.imagesOf(ctx, node)
	if err != nil {
		return err
	}
	for _, n := range names {
		digest := there[n]
		if digest == "" {
			return fault.New(fault.Infra, "check that the archive is for the node's processor",
				"loading archive %s: %s does not have %s afterwards", archive, node, n)
		}
		if err := c.nameByDigest(ctx, node, n, digest); err != nil {
			return err
		}
	}
	return nil
}

// nameByDigest names an image by its digest as well, as one is that the kubelet
// has pulled: by that name it tells what runs.
func (c *Cluster) nameByDigest(ctx context.Context, node, name, digest string) error {
	if _, err := c.quick(ctx, node, "tag", "--force", name, repository(name)+"@"+digest); err != nil {
		return fmt.Errorf("naming %s on %s: %w", name, node, err)
	}
	return nil
}

// importArchive has the node read an archive that it sees itself, and else
// streams it there, which takes half as much work again.
func (c *Cluster) importArchive(ctx context.Context, node, archive string) error {
	if seen := c.inNode(ctx, node, archive); seen != "" {
		zipped, err := gzipped(archive)
		if err != nil {
			return err
		}
		if !zipped { // which not every containerd reads
			return c.importFrom(ctx, node, nil, seen)
		}
	}
	return c.importInto(ctx, node, func(w io.Writer) error { return stream(w, archive) })
}

// repository is a name without its tag or digest.
func repository(name string) string {
	name, _, _ = strings.Cut(name, "@")
	if i := strings.LastIndexByte(name, ':'); i > strings.LastIndexByte(name, '/') {
		name = name[:i]
	}
	return name
}

// archivesAt gives what there is to load at a path.
func archivesAt(path string) ([]string, error) {
	unfit := func(format string, args ...any) error {
		return fault.New(fault.Usage, "name a docker archive, an OCI layout, or a folder of them", "reading images: "+format, args...)
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, unfit("%w", err)
	}
	if !info.IsDir() || isLayout(path) {
		return []string{path}, nil
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, unfit("%w", err)
	}
	var all []string
	for _, e := range entries {
		full := filepath.Join(path, e.Name())
		switch {
		case e.IsDir() && isLayout(full), !e.IsDir() && archiveName(e.Name()):
			all = append(all, full)
		}
	}
	if len(all) == 0 {
		return nil, unfit("folder %s has no archive (.tar, .tar.gz, .tgz) and no layout", path)
	}
	return all, nil
}

func isLayout(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "index.json"))
	return err == nil
}

func archiveName(name string) bool {
	return strings.HasSuffix(name, ".tar") || strings.HasSuffix(name, ".tar.gz") || strings.HasSuffix(name, ".tgz")
}

// stream writes an archive as a plain tar.
func stream(w io.Writer, archive string) error {
	if info, err := os.Stat(archive); err != nil {
		return err
	} else if info.IsDir() {
		t := tar.NewWriter(w)
		root, err := os.OpenRoot(archive)
		if err != nil {
			return err
		}
		defer root.Close()
		if err := t.AddFS(root.FS()); err != nil {
			return err
		}
		return t.Close()
	}
	r, err := openTar(archive)
	if err != nil {
		return err
	}
	defer r.Close()
	_, err = io.Copy(w, r)
	return err
}

// gzipMagic is how a gzipped file begins.
const gzipMagic = "\x1f\x8b"

func gzipped(archive string) (bool, error) {
	f, err := os.Open(archive)
	if err != nil {
		return false, err
	}
	defer f.Close()
	magic := make([]byte, len(gzipMagic))
	n, err := io.ReadFull(f, magic)
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		err = nil
	}
	return string(magic[:n]) == gzipMagic, err
}

// openTar opens an archive, unpacking it if it is gzipped.
func openTar(archive string) (io.ReadCloser, error) {
	f, err := os.Open(archive)
	if err != nil {
		return nil, err
	}
	b := bufio.NewReaderSize(f, 1<<20)
	if magic, _ := b.Peek(len(gzipMagic)); string(magic) == gzipMagic {
		z, err := gzip.NewReader(b)
		if err != nil {
			return nil, errors.Join(err, f.Close())
		}
		return reader{z, f}, nil
	}
	return reader{b, f}, nil
}

type reader struct {
	io.Reader
	io.Closer
}

// Names gives the names of an archive's images, as LoadArchive does.
func Names(archive string) ([]string, error) {
	names, err := namesIn(archive)
	if err != nil {
		return nil, fault.New(fault.Usage, "write it anew with docker save -o FILE.tar NAME", "reading archive %s: %w", archive, err)
	}
	return names, nil
}

// namesIn gives the names that the images of an archive have, spelled as the
// kubelet asks for them. Where both lists are there, the OCI one is what
// containerd goes by.
func namesIn(archive string) ([]string, error) {
	lists, err := listsIn(archive)
	if err != nil {
		return nil, err
	}
	var said []string
	if raw, found := lists["index.json"]; found {
		var index v1.IndexManifest
		if err := json.Unmarshal(raw, &index); err != nil {
			return nil, fmt.Errorf("reading index.json: %w", err)
		}
		for _, d := range index.Manifests {
			full := d.Annotations[imageName]
			if full == "" { // a full name by some tools, a mere tag by others
				full = d.Annotations["org.opencontainers.image.ref.name"]
				if !strings.ContainsAny(full, "/:") {
					continue
				}
			}
			said = append(said, full)
		}
	} else if raw, found := lists["manifest.json"]; found {
		var images []struct{ RepoTags []string }
		if err := json.Unmarshal(raw, &images); err != nil {
			return nil, fmt.Errorf("reading manifest.json: %w", err)
		}
		for _, i := range images {
			said = append(said, i.RepoTags...)
		}
	} else {
		return nil, errors.New("it has neither manifest.json nor index.json")
	}
	if len(said) == 0 {
		return nil, errors.New("its images have no names")
	}
	for i, s := range said {
		if said[i], err = canonical(s); err != nil {
			return nil, err
		}
	}
	return said, nil
}

// listsIn reads the lists of an archive, or of a layout's folder.
func listsIn(archive string) (map[string][]byte, error) {
	lists := map[string][]byte{}
	if isLayout(archive) {
		raw, err := os.ReadFile(filepath.Join(archive, "index.json"))
		lists["index.json"] = raw
		return lists, err
	}
	r, err := openTar(archive)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	for t := tar.NewReader(r); ; {
		h, err := t.Next()
		if err == io.EOF {
			return lists, nil
		}
		if err != nil {
			return nil, err
		}
		name := path.Clean(h.Name)
		if name != "manifest.json" && name != "index.json" {
			continue
		}
		raw, err := io.ReadAll(io.LimitReader(t, maxDocument+1))
		if err == nil && len(raw) > maxDocument {
			err = fs.ErrInvalid
		}
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", name, err)
		}
		lists[name] = raw
	}
}
