package app

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"

	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/foreign"
	"github.com/vexxy/action/internal/record"
)

// The bounds of what another job has left. Within them a hostile one costs time
// and memory, and nothing else.
const (
	maxObserved = 1 << 30 // bytes of all records
	maxEntries  = 1000    // of the folder
)

// recordFolder is a record's name in the folder of its image.
const recordFolder = "record"

// observed is what another job has seen of one image: its record, and the
// folder that the record was in, with the job's own documents.
type observed struct {
	record record.Record
	folder string // below the root; "." for the root itself
}

// shelf is an output directory of another job, and nothing outside of it.
type shelf struct {
	root   *os.Root
	images []observed
}

func (s shelf) close() { _ = s.root.Close() }

// openShelf reads the records in an output directory of another job: of one
// image, or of several with a folder each. dir may be a record itself. Nothing
// in it is trusted, and no other file of it is read here. All records must be
// of one run.
func openShelf(dir string) (shelf, error) {
	const hint = "name the output directory of the job that ran the image, as its artifact has it"
	root, err := os.OpenRoot(dir)
	if err != nil {
		return shelf{}, fault.New(fault.Usage, hint, "reading what was observed: %w", err)
	}
	s := shelf{root: root}
	names, err := recordsIn(root)
	if err == nil && len(names) == 0 {
		err = fault.New(fault.Usage, hint+"; where that job came to no judgement, it has left none", "reading what was observed: there is no record in %s", dir)
	}
	left := int64(maxObserved)
	for _, name := range names {
		if err != nil {
			break
		}
		var rec record.Record
		var used int64
		if rec, used, err = readRecord(root, name, left); err == nil {
			s.images, left = append(s.images, observed{rec, filepath.Dir(name)}), left-used
		}
	}
	if err == nil {
		err = s.oneRun()
	}
	if err != nil {
		s.close()
		return shelf{}, err
	}
	return s, nil
}

// recordsIn gives the folders of records, sorted.
func recordsIn(root *os.Root) ([]string, error) {
	if isFile(root, "SHA256SUMS") {
		return []string{"."}, nil
	}
	if isFolder(root, recordFolder) {
		return []string{recordFolder}, nil
	}
	f, err := root.Open(".")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	entries, err := f.ReadDir(maxEntries + 1)
	switch {
	case err != nil && !errors.Is(err, io.EOF):
		return nil, err
	case len(entries) > maxEntries:
		return nil, fault.New(fault.Integrity, "", "reading what was observed: there are more than %d files in %s", maxEntries, root.Name())
	}
	var names []string
	for _, e := range entries {
		if name := filepath.Join(e.Name(), recordFolder); isFolder(root, e.Name()) && isFolder(root, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// isFolder and isFile follow no link: what a link stands for is somebody's
// choice.
func isFolder(root *os.Root, name string) bool {
	info, err := root.Lstat(name)
	return err == nil && info.IsDir()
}

func isFile(root *os.Root, name string) bool {
	info, err := root.Lstat(name)
	return err == nil && info.Mode().IsRegular()
}

func readRecord(root *os.Root, name string, most int64) (record.Record, int64, error) {
	sub, err := root.OpenRoot(name)
	if err != nil {
		return record.Record{}, 0, fault.New(fault.Integrity, "", "reading what was observed: %w", err)
	}
	defer sub.Close()
	return record.ReadIn(sub, most)
}

// runName is the form of a run's ID.
var runName = regexp.MustCompile(`^[0-9a-f]{24}$`)

// oneRun refuses records of several runs, and two of one image.
func (s shelf) oneRun() error {
	const hint = "give each run's artifact a step of its own"
	seen := map[string]bool{}
	for _, o := range s.images {
		id, requested := o.record.Run.ID, o.record.Subject.Requested
		switch {
		case !runName.MatchString(id):
			return fault.New(fault.Integrity, "", "reading what was observed: %.40q is no run's ID", id)
		case id != s.images[0].record.Run.ID:
			return fault.New(fault.Integrity, hint, "reading what was observed: it is of two runs, %s and %s", s.images[0].record.Run.ID, id)
		case seen[requested]:
			return fault.New(fault.Integrity, hint, "reading what was observed: it has two records of %s", short(requested))
		}
		seen[requested] = true
	}
	return nil
}

// of holds the records against the jobs that they may be of, and against the
// images that this job is about; without images any will do. Every image that
// is named must be there: what was left away cannot pass.
func (s shelf) of(origins []record.Origin, images []string) error {
	for _, o := range s.images {
		requested := o.record.Subject.Requested
		if len(images) > 0 && !slices.Contains(images, requested) {
			return fault.New(fault.Integrity, "give this job the images of the job that ran them",
				"reading what was observed: it is of %s, which is none of this job's images", short(requested))
		}
		if origin := o.record.Run.Origin; len(origins) > 0 && (origin == nil || !slices.Contains(origins, *origin)) {
			return fault.New(fault.Integrity, "take the artifact of the run that this job belongs to, or follows",
				"reading what was observed: it is of %s, not of %s", describe(origin), describe(&origins[0]))
		}
	}
	for _, o := range s.images {
		sub := o.record.Subject
		_, digest, named := strings.Cut(sub.Requested, "@")
		if named && digest != sub.IndexDigest && digest != sub.ManifestDigest {
			return fault.New(fault.Integrity, "find out which job changed the record",
				"reading what was observed: the record of %s is of the digest %s", short(sub.Requested), short(sub.ManifestDigest))
		}
	}
	for _, image := range images {
		if !slices.ContainsFunc(s.images, func(o observed) bool { return o.record.Subject.Requested == image }) {
			return fault.New(fault.Integrity, "where that image came to no judgement, the log of the job that ran it says why",
				"reading what was observed: there is no record of %s", short(image))
		}
	}
	return nil
}

func describe(o *record.Origin) string {
	if o == nil {
		return "no job"
	}
	return fmt.Sprintf("run %s at commit %.12s of %s", foreign.Text(o.Run).Line(40), foreign.Text(o.Commit).Line(64), short(o.Repository))
}

// same holds documents of the job's own against those made anew. A document
// that is not there is none that anybody could mistake.
func (s shelf) same(o observed, documents map[string][]byte) error {
	for name, want := range documents {
		got, err := s.slurp(filepath.Join(o.folder, name), int64(len(want)))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil && !bytes.Equal(got, want) {
			err = errors.New("it is not what follows from the record")
		}
		if err != nil {
			return fault.New(fault.Integrity, "give this job the inputs of the job that observed, such as max-db-age, and the same version of vexxy; else find out who has changed it",
				"comparing %s with its record: %w", name, err)
		}
	}
	return nil
}

// slurp reads a regular file of at most max bytes. O_NONBLOCK keeps a pipe from
// holding the open call.
func (s shelf) slurp(name string, max int64) ([]byte, error) {
	info, err := s.root.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("it is no regular file")
	}
	f, err := s.root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, max+1))
}
