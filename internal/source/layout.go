package source

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/subject"
)

// layoutDir is an OCI image layout
// (https://github.com/opencontainers/image-spec/blob/main/image-layout.md).
// Nothing outside of its folder is read, whatever its links say.
type layoutDir struct{ root *os.Root }

// open opens a regular file of the layout.
func (l layoutDir) open(name string) (*os.File, error) {
	f, err := l.root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, fault.New(fault.Usage, "write the layout anew", "reading OCI layout: %w", err)
	}
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		f.Close()
		return nil, fault.New(fault.Usage, "write the layout anew", "reading OCI layout: %s is not a regular file", name)
	}
	return f, nil
}

// blob opens the file of a descriptor, unverified. The digest was parsed from
// JSON by v1.Hash, which allows nothing but an algorithm and its hex digits.
func (l layoutDir) blob(d v1.Descriptor) (io.ReadCloser, error) {
	f, err := l.open(path.Join("blobs", d.Digest.Algorithm, d.Digest.Hex))
	if err != nil {
		return nil, err
	}
	return f, nil
}

// document reads a manifest or index and verifies it.
func (l layoutDir) document(d v1.Descriptor) ([]byte, error) {
	r, err := l.blob(d)
	if err != nil {
		return nil, err
	}
	return readVerified(r, "the layout's manifest "+d.Digest.String(), d, fault.Usage)
}

// index reads the layout's own index.
func (l layoutDir) index() ([]byte, v1.IndexManifest, error) {
	var index v1.IndexManifest
	f, err := l.open("index.json")
	if err != nil {
		return nil, index, err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxDocument+1))
	if err == nil && len(raw) > maxDocument {
		err = fmt.Errorf("it has more than %d bytes", maxDocument)
	}
	if err == nil {
		err = json.Unmarshal(raw, &index)
	}
	if err != nil {
		return nil, index, unfit("write the layout anew", "reading the layout's index.json: %w", quiet{err})
	}
	return raw, index, nil
}

// refName is the annotation with an entry's tag or full name.
const refName = "org.opencontainers.image.ref.name"

// fromLayout reads an image of an OCI layout.
func fromLayout(r reference, want subject.Platform, o Options) (image Image, err error) {
	root, err := os.OpenRoot(r.path)
	if err != nil {
		return Image{}, fault.New(fault.Usage, "check the path and its permissions", "opening OCI layout: %w", err)
	}
	defer func() {
		if err != nil {
			err = undone(err, root.Close)
		}
	}()
	l := layoutDir{root}
	raw, index, err := l.index()
	if err != nil {
		return Image{}, err
	}
	entry, single, err := chooseEntry(index, r.chosen)
	if err != nil {
		return Image{}, err
	}
	s := subject.Subject{Source: subject.SourceOCIDir}
	digests := []string{}
	if single {
		if raw, err = l.document(entry); err != nil {
			return Image{}, err
		}
		digests = append(digests, entry.Digest.String())
		s.Repository, s.Tag = entryName(entry)
	}
	read := func(d v1.Descriptor) ([]byte, error) {
		digests = append(digests, d.Digest.String())
		return l.document(d)
	}
	manifest, err := descend(raw, want, read)
	if err != nil {
		return Image{}, err
	}
	image, err = assemble(manifest, s, want, content{l.blob, fault.Usage, o.MaxBytes})
	if err != nil {
		return Image{}, err
	}
	if err := checkWanted(o.WantDigest, append([]string{image.ConfigDigest}, digests...)...); err != nil {
		return Image{}, err
	}
	image.closers = append(image.closers, root.Close)
	return image, nil
}

// chooseEntry picks the entry that chosen names by tag, name or digest. With
// nothing chosen it is the only one; where all are platforms of one image,
// single is false and the layout's index is the image's.
func chooseEntry(index v1.IndexManifest, chosen string) (entry v1.Descriptor, single bool, err error) {
	var entries []v1.Descriptor
	var names []string
	anonymous := true
	for _, d := range index.Manifests {
		if attestation(d) {
			continue
		}
		label := d.Annotations[refName]
		anonymous = anonymous && label == "" && d.Platform != nil
		if chosen != "" && (label == chosen || d.Digest.String() == chosen || label != "" && sameName(label, chosen) || hasTag(label, chosen)) {
			return d, true, nil
		}
		if label == "" {
			label = d.Digest.String()
		}
		entries = append(entries, d)
		if len(names) < 30 {
			names = append(names, cut(label))
		}
	}
	switch {
	case len(entries) == 0:
		return entry, false, unfit("name another folder", "the OCI layout holds no image")
	case chosen == "" && len(entries) == 1:
		return entries[0], true, nil
	case chosen == "" && anonymous:
		return entry, false, nil
	}
	slices.Sort(names)
	return entry, false, unfit("write oci-dir:FOLDER:TAG or oci-dir:FOLDER@DIGEST with one of "+strings.Join(names, ", "),
		"the OCI layout holds %d images, and none is %q", len(entries), cut(chosen))
}

// entryName gives what an entry is called: a tag, or a full name.
func entryName(d v1.Descriptor) (repository, tag string) {
	if full := d.Annotations["io.containerd.image.name"]; full != "" {
		return splitName(full)
	}
	label := d.Annotations[refName]
	if strings.ContainsAny(label, ":/") {
		return splitName(label)
	}
	return "", label
}

func hasTag(label, tag string) bool {
	_, has := splitName(label)
	return has != "" && has == tag
}

// fullName is the full spelling of a name with a tag, or what was given where
// it is none.
func fullName(s string) string {
	tag, err := name.NewTag(s)
	if err != nil {
		return s
	}
	return tag.Name()
}
