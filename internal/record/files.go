package record

import (
	"errors"
	"fmt"
	"regexp"

	"github.com/vexxy/action/internal/evidence"
	"github.com/vexxy/action/internal/inventory"
)

// The files of a record. A name that ends in .jsonl holds one JSON value on
// each line.
const (
	runFile          = "run.json"
	subjectFile      = "subject.json"
	inventoryFile    = "inventory.json"
	packagesFile     = "packages.jsonl"
	findingsFile     = "findings.jsonl"
	evidenceFile     = "evidence.json"
	observationsFile = "observations.jsonl"
	sbomFile         = "sbom.syft.json"
	// sumsFile lists the others with their SHA-256, in the form that
	// sha256sum -c reads, sorted by name.
	sumsFile  = "SHA256SUMS"
	rawFolder = "raw/"
)

// limits are the greatest sizes in bytes, for writing and for reading.
var limits = map[string]int64{
	runFile: 4 << 20, subjectFile: 1 << 20, inventoryFile: 64 << 20, packagesFile: 512 << 20,
	findingsFile: 512 << 20, evidenceFile: 64 << 20, observationsFile: 512 << 20,
	sbomFile: 512 << 20, sumsFile: 1 << 20,
}

// RawLimit and rawFiles bound one raw file and their number.
const (
	RawLimit = 64 << 20
	rawFiles = 1000
)

var rawName = regexp.MustCompile(`^[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}$`)

// limitOf gives the greatest size of a record's file and whether a record can
// have a file of that name.
func limitOf(name string) (int64, bool) {
	if limit, ok := limits[name]; ok {
		return limit, true
	}
	if len(name) > len(rawFolder) && name[:len(rawFolder)] == rawFolder && rawName.MatchString(name[len(rawFolder):]) {
		return RawLimit, true
	}
	return 0, false
}

// header is inventory.json: the inventory without its two long lists, of which
// it holds the lengths.
type header struct {
	Distro     string             `json:"distro,omitempty"`
	HardLinks  [][]string         `json:"hard_links,omitempty"`
	Incomplete string             `json:"incomplete,omitempty"`
	Database   inventory.Database `json:"database"`
	Syft       string             `json:"syft"`
	Grype      string             `json:"grype"`
	Packages   int                `json:"packages"`
	Findings   int                `json:"findings"`
}

// seen is evidence.json: the evidence without its observations, of which it
// holds the number.
type seen struct {
	evidence.Evidence
	Observations int `json:"observations"`
}

type plainObservation evidence.Observation

// observation is one line of observations.jsonl. Paths are strings instead of
// base64, so that people can read and search them.
type observation struct {
	Path      string `json:"path"`
	ImagePath string `json:"image_path,omitempty"`
	plainObservation
}

// encode gives the contents of all files of r but SHA256SUMS.
func encode(r *Record) (map[string][]byte, error) {
	var errs []error
	files := map[string][]byte{sbomFile: r.SBOM}
	put := func(name string, data []byte, err error) {
		if err != nil {
			errs = append(errs, fmt.Errorf("encoding %s: %w", name, err))
		}
		files[name] = data
	}
	object := func(name string, v any) {
		data, err := marshal(v, "  ")
		put(name, data, err)
	}
	inv := r.Inventory
	object(runFile, &r.Run)
	object(subjectFile, &r.Subject)
	object(inventoryFile, &header{
		inv.Distro, inv.HardLinks, inv.Incomplete, inv.Database, inv.Syft, inv.Grype,
		len(inv.Packages), len(inv.Findings),
	})
	object(evidenceFile, &seen{r.Evidence, len(r.Evidence.Observations)})
	data, err := lines(inv.Packages, func(p *inventory.Package) any { return p })
	put(packagesFile, data, err)
	data, err = lines(inv.Findings, func(f *inventory.Finding) any { return f })
	put(findingsFile, data, err)
	data, err = lines(r.Evidence.Observations, func(o *evidence.Observation) any {
		return &observation{string(o.Path), string(o.ImagePath), plainObservation(*o)}
	})
	put(observationsFile, data, err)
	for name, data := range r.Raw {
		files[rawFolder+name] = data
	}
	if len(r.Raw) > rawFiles {
		errs = append(errs, fmt.Errorf("%d raw files, at most %d are allowed", len(r.Raw), rawFiles))
	}
	for name, data := range files {
		limit, ok := limitOf(name)
		switch {
		case !ok:
			errs = append(errs, fmt.Errorf("a record has no file %q", name))
		case int64(len(data)) > limit:
			errs = append(errs, fmt.Errorf("%s has %d bytes, at most %d are allowed", name, len(data), limit))
		}
	}
	return files, errors.Join(errs...)
}

// decode is the inverse of encode. All files have passed their checksums.
func decode(files map[string][]byte) (Record, error) {
	var r Record
	var head header
	var ev seen
	for name, v := range map[string]any{
		runFile: &r.Run, subjectFile: &r.Subject, inventoryFile: &head, evidenceFile: &ev,
	} {
		if err := unmarshal(files[name], v); err != nil {
			return Record{}, fmt.Errorf("decoding %s: %w", name, err)
		}
	}
	r.Inventory = inventory.Inventory{
		Distro: head.Distro, HardLinks: head.HardLinks, Incomplete: head.Incomplete,
		Database: head.Database, Syft: head.Syft, Grype: head.Grype,
	}
	r.Evidence = ev.Evidence
	var err error
	if r.Inventory.Packages, err = items(files, packagesFile, head.Packages, func(p *inventory.Package) inventory.Package { return *p }); err != nil {
		return Record{}, err
	}
	if r.Inventory.Findings, err = items(files, findingsFile, head.Findings, func(f *inventory.Finding) inventory.Finding { return *f }); err != nil {
		return Record{}, err
	}
	if r.Evidence.Observations, err = items(files, observationsFile, ev.Observations, func(o *observation) evidence.Observation {
		o.plainObservation.Path, o.plainObservation.ImagePath = []byte(o.Path), nil
		if o.ImagePath != "" {
			o.plainObservation.ImagePath = []byte(o.ImagePath)
		}
		return evidence.Observation(o.plainObservation)
	}); err != nil {
		return Record{}, err
	}
	r.SBOM = files[sbomFile]
	for name, data := range files {
		if _, fixed := limits[name]; !fixed {
			if r.Raw == nil {
				r.Raw = map[string][]byte{}
			}
			r.Raw[name[len(rawFolder):]] = data
		}
	}
	settle(&r)
	return r, check(&r)
}

// digestForm is that of all digests: others have no meaning to a registry.
var digestForm = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

// check refuses a record that says nothing of which image it is about, or
// something else than a digest in place of one.
func check(r *Record) error {
	if r.Subject.ConfigDigest == "" {
		return errors.New("its subject has no configuration digest")
	}
	for _, d := range []string{r.Subject.IndexDigest, r.Subject.ManifestDigest, r.Subject.ConfigDigest} {
		if d != "" && !digestForm.MatchString(d) {
			return fmt.Errorf("its subject has %.80q in place of a digest", d)
		}
	}
	return nil
}
