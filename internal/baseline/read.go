package baseline

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"github.com/vexxy/action/internal/fault"
)

// The bounds of what is read.
const (
	maxResult     = 64 << 20 // bytes of one result.json
	maxImages     = 1000     // images of a run over several
	maxStatements = 200_000  // of one image
	maxAliases    = 100      // of one statement
	maxText       = 16 << 10 // bytes of one string; the report cuts at half of that
)

// schemaVersion is the version of result.json that is understood.
const schemaVersion = 1

// resultFile is the result's name in an output directory.
const resultFile = "result.json"

// result is what is read of any result.json; the rest of it is passed over.
type result struct {
	SchemaVersion int        `json:"schema_version"`
	Kind          string     `json:"kind"`
	RunID         string     `json:"run_id"`
	Version       string     `json:"vexxy_version"`
	FinishedAt    time.Time  `json:"finished_at"`
	Sufficient    bool       `json:"sufficient"`
	Requested     string     `json:"requested"` // of a failure
	Subject       image      `json:"subject"`
	Images        images     `json:"images"`
	Assessments   statements `json:"assessments"`
}

type image struct {
	Requested  string `json:"requested"`
	Repository string `json:"repository"`
	Digest     string `json:"digest"`
	Platform   string `json:"platform"`
}

type entry struct {
	Requested string `json:"requested"`
	Digest    string `json:"digest"`
	Folder    string `json:"folder"`
}

// Open reads an earlier result.json, or the one in an output directory: of one
// image, or of a run over several with their folders beside it. Nothing in it
// is trusted. An error is a usage fault with a hint; one image's result that
// cannot be used is a Baseline with a problem.
func Open(path string) (Set, error) { return OpenGuarded(path, nil) }

// OpenGuarded is Open under a guard, which decides of each file whose word is
// taken.
func OpenGuarded(path string, guard Guard) (Set, error) {
	dir, name := filepath.Split(path)
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		dir, name = path, resultFile
	}
	if dir == "" {
		dir = "."
	}
	files := openFolder(dir, guard)
	defer files.close()
	return open(path, name, files.bytes)
}

// Reader gives a file of an output directory by its path there, at most max
// bytes of it.
type Reader func(name string, max int64) ([]byte, error)

// OpenFiles is Open of an output directory that is kept elsewhere, such as in an
// artifact. from says where, for people.
func OpenFiles(from string, files Reader) (Set, error) { return open(from, resultFile, files) }

func open(from, name string, files Reader) (Set, error) {
	r, err := files.read(name)
	if err != nil {
		return Set{}, unread(err)
	}
	if r.Kind != kindRun {
		return Set{images: []Baseline{r.baseline(from)}}, nil
	}
	var s Set
	for _, e := range r.Images {
		s.images = append(s.images, e.read(files, from))
	}
	return s, nil
}

// unread is the fault of a result that cannot be read at all.
func unread(err error) error {
	hint := "name the result.json of an earlier run of vexxy with --baseline"
	if errors.Is(err, errVersion) {
		hint = "make the baseline anew with this version of vexxy"
	} else if own := fault.HintOf(err); own != "" {
		hint = own
	}
	return fault.New(fault.Usage, hint, "reading baseline: %w", err)
}

var errVersion = errors.New("it is of another version")

// The kinds of result.json.
const (
	kindImage   = "image"
	kindFailure = "failure"
	kindRun     = "run"
)

// folderName is a folder's name as a run gives it: no path leads out by it.
var folderName = regexp.MustCompile(`^[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}$`)

// read reads the result of one image of a run over several.
func (e entry) read(files Reader, from string) Baseline {
	var err error
	b := Baseline{}
	if !folderName.MatchString(e.Folder) {
		err = fmt.Errorf("reading baseline: %.100q is no folder of a run", e.Folder)
	} else if r, rerr := files.read(filepath.Join(e.Folder, resultFile)); rerr != nil {
		err = unread(rerr)
	} else if r.Kind == kindRun {
		err = fmt.Errorf("reading baseline: the result in %.100q is of several images", e.Folder)
	} else {
		b = r.baseline(from)
	}
	if err != nil {
		b = Unusable(from, err)
	}
	if b.Requested == "" {
		b.Requested, b.Digest = e.Requested, e.Digest
	}
	return b
}

// baseline makes a baseline of the result of one image.
func (r result) baseline(from string) Baseline {
	b := Baseline{
		From: from, RunID: r.RunID, Version: r.Version, FinishedAt: r.FinishedAt,
		Requested: r.Subject.Requested, Repository: r.Subject.Repository, Digest: r.Subject.Digest, Platform: r.Subject.Platform,
		Statements: r.Assessments,
	}
	switch {
	case r.Kind == kindFailure:
		b.Requested = r.Requested
		b.Problem = "the earlier run ended without a judgement"
	case !r.Sufficient:
		b.Problem = "the earlier run's evidence was insufficient"
	}
	if b.Statements == nil || b.Problem != "" {
		b.Statements = []Statement{}
	}
	return b
}

func parse(data []byte) (result, error) {
	var r result
	if err := json.Unmarshal(data, &r); err != nil {
		return result{}, fmt.Errorf("decoding it: %w", err)
	}
	switch {
	case r.SchemaVersion == 0:
		return result{}, errors.New("it is no result.json of vexxy: it has no schema_version")
	case r.SchemaVersion != schemaVersion:
		return result{}, fmt.Errorf("%w: its schema_version is %d, this version reads %d", errVersion, r.SchemaVersion, schemaVersion)
	case r.Kind != kindImage && r.Kind != kindFailure && r.Kind != kindRun:
		return result{}, fmt.Errorf("its kind %.40q is not known", r.Kind)
	}
	for _, s := range []string{r.RunID, r.Version, r.Requested, r.Subject.Requested, r.Subject.Repository, r.Subject.Digest, r.Subject.Platform} {
		if len(s) > maxText {
			return result{}, fmt.Errorf("a string in it has %d bytes, at most %d are allowed", len(s), maxText)
		}
	}
	return r, nil
}
