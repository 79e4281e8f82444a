// Package record keeps one image's run on disk: what was analysed, what is in
// it and what was seen of it. Everything that vexxy says about an image is a
// function of its record.
package record

import (
	"time"

	"github.com/vexxy/action/internal/evidence"
	"github.com/vexxy/action/internal/inventory"
	"github.com/vexxy/action/internal/subject"
)

// Schema is the version of the record's layout.
const Schema = 1

// The names, in Record.Raw, of what Kubescape made: its objects as JSON.
const (
	RawVEX              = "kubescape-vex.json"
	RawProfile          = "kubescape-containerprofile.json"
	RawSBOM             = "kubescape-sbomsyft.json"
	RawSBOMFiltered     = "kubescape-sbomsyftfiltered.json"
	RawManifest         = "kubescape-vulnerabilitymanifest.json"
	RawManifestFiltered = "kubescape-vulnerabilitymanifest-filtered.json"
)

// RawBaseline is the name, in Record.Raw, of what an earlier run said of the
// image, in the form of package baseline; absent in a run that was given none.
const RawBaseline = "baseline.json"

// RawTriage is the name, in Record.Raw, of what people have stated about
// findings, in the form of package triage; absent where nothing was found.
const RawTriage = "triage.json"

// Record is one image's run.
type Record struct {
	Run       Run
	Subject   subject.Subject
	Inventory inventory.Inventory
	Evidence  evidence.Evidence
	// SBOM is the image's SBOM as Syft JSON.
	SBOM []byte
	// Raw holds what an engine saw in its own form, the baseline and people's
	// statements, by file name (letters, digits, dots, dashes and underscores).
	// Nothing is judged by it but the statements; the gate may be by the baseline.
	Raw map[string][]byte
	// Digest is the SHA-256 over the names and digests of the record's files,
	// as "sha256:…"; set by Write and Read.
	Digest string
}

// Run identifies the run and holds the inputs that the judgement depends on.
type Run struct {
	Schema     int       `json:"schema"`
	ID         string    `json:"id"`
	Version    string    `json:"version"` // of vexxy
	StartedAt  time.Time `json:"started_at"`
	FinishedAt time.Time `json:"finished_at"`
	// Settings are the effective inputs by name, secrets left out.
	Settings map[string]string `json:"settings"`
	// Timings are the run's steps in the order of their start.
	Timings []Timing `json:"timings"`
	// Origin is the CI job that made the record; nil outside of one.
	Origin *Origin `json:"origin,omitempty"`
}

// Origin is where a record was made, by the word of the record itself: nothing
// vouches for it. It tells records that were mixed up from those that are
// meant; whose word counts is decided by where a record was fetched from.
type Origin struct {
	// Repository is OWNER/NAME, Commit what was built: of a pull request the
	// head's. Run is the workflow's run, whose attempts are one.
	Repository string `json:"repository"`
	Commit     string `json:"commit"`
	Run        string `json:"run"`
}

// Timing is one step of the run.
type Timing struct {
	Step  string    `json:"step"`
	Start time.Time `json:"start"`
	End   time.Time `json:"end"`
	Error string    `json:"error,omitempty"`
}
