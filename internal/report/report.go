// Package report tells people and programs what was decided: result.json,
// summary.md, the comment on a change and the table at the end of
// a run. All of it is a pure function of the record, the judgement and the
// decision, but for the one part of result.json that says so. Foreign text
// reaches it only through the encoders of internal/foreign.
package report

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/vexxy/action/internal/baseline"
	"github.com/vexxy/action/internal/evidence"
	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/gate"
	"github.com/vexxy/action/internal/judge"
	"github.com/vexxy/action/internal/record"
	"github.com/vexxy/action/internal/subject"
	"github.com/vexxy/action/internal/vexdiff"
)

// Image is one image's run that came to a judgement.
type Image struct {
	Record    record.Record
	Judgement judge.Judgement
	Decision  gate.Decision
	// Differences compare the judgement with Kubescape's own document; nil for
	// an engine without one.
	Differences *vexdiff.Comparison
	// Change holds the judgement against the baseline; nil where there is none.
	Change *baseline.Change
	// Command is the `vexxy run` command that repeats the run, foreign text.
	Command     string
	Publication Publication
}

// Publication is what became of the documents. It is no function of the
// record, and the only part of result.json that is none.
type Publication struct {
	// Files are the documents beside result.json, sorted by name.
	Files []File `json:"files"`
	// Attested is what was attached to the image; nil when nothing was to be.
	Attested *Attested `json:"attested,omitempty"`
}

// Attested is what became of an image's attestations.
type Attested struct {
	// Mode is dry-run, key or keyless.
	Mode string `json:"mode"`
	// Skipped says why nothing was signed though it was asked for; empty when
	// something was, and for a failure, which is among the causes.
	Skipped      string        `json:"skipped,omitempty"`
	Attestations []Attestation `json:"attestations"`
	// Stored are those that GitHub's store has too.
	Stored []Stored `json:"stored,omitempty"`
	// Replaced are older attestations that are gone, Notes what else a user
	// should know, Commands how to verify what is there.
	Replaced []string `json:"replaced,omitempty"`
	Notes    []string `json:"notes,omitempty"`
	Commands []string `json:"commands,omitempty"`
}

// Stored is one statement in GitHub's store of attestations. ID is 0 where the
// store had the very same already.
type Stored struct {
	Statement string `json:"statement"`
	ID        int64  `json:"id"`
	URL       string `json:"url,omitempty"`
}

// Attestation is one statement as it was read back from the registry, and
// verified.
type Attestation struct {
	Statement     string `json:"statement"`
	PredicateType string `json:"predicate_type"`
	// Layout is bundle or legacy, Outcome attested or unchanged.
	Layout  string `json:"layout"`
	Outcome string `json:"outcome"`
	// Subject is the image, Reference the manifest that holds the attestation.
	Subject   string `json:"subject"`
	Reference string `json:"reference"`
	// PayloadSHA256 is of the signed statement.
	PayloadSHA256 string `json:"payload_sha256"`
	// Key is the key's fingerprint, Identity and Issuer those of the
	// certificate; SignedAt and LogIndex are there where a log took part.
	Key      string    `json:"key,omitempty"`
	Identity string    `json:"identity,omitempty"`
	Issuer   string    `json:"issuer,omitempty"`
	SignedAt time.Time `json:"signed_at,omitzero"`
	LogIndex *int64    `json:"log_index,omitempty"`
}

// File is one document.
type File struct {
	Name   string `json:"name"`
	SHA256 string `json:"sha256"`
	Bytes  int    `json:"bytes"`
}

// Published lists documents by name.
func Published(files map[string][]byte) Publication {
	list := make([]File, 0, len(files))
	for _, name := range slices.Sorted(maps.Keys(files)) {
		sum := sha256.Sum256(files[name])
		list = append(list, File{Name: name, SHA256: hex.EncodeToString(sum[:]), Bytes: len(files[name])})
	}
	return Publication{Files: list}
}

// Failure is a run, or one image's part of it, that ended without a judgement.
type Failure struct {
	RunID, Version        string
	Requested             string // the image's reference, if the failure is one image's
	StartedAt, FinishedAt time.Time
	Verdict               gate.Verdict
	Code                  fault.Code
	Causes                []string
	Hint                  string
	Settings              map[string]string
	Timings               []record.Timing
}

// Run is a run over several images.
type Run struct {
	RunID, Version        string
	StartedAt, FinishedAt time.Time
	// Verdict is the worst of all, Code the exit code.
	Verdict gate.Verdict
	Code    fault.Code
	Images  []Entry
}

// Entry is one image of a run over several.
type Entry struct {
	Requested string
	// Digest is the image's digest, empty when it is not known.
	Digest string
	// Folder holds the image's own documents, relative to the run's folder.
	Folder  string
	Verdict gate.Verdict
	Code    fault.Code
	Causes  []string
	// Summary is nil when there is no judgement.
	Summary *judge.Summary
	// Contradictions counts the findings that a person called not affected and
	// that were seen in use.
	Contradictions int
	Confidence     evidence.Confidence
}

//go:embed schema/result.schema.json
var schema []byte

// Schema gives the JSON Schema (draft 2020-12) of result.json.
func Schema() []byte { return slices.Clone(schema) }

// ImageKey names a subject across runs, by its repository and platform,
// whatever its version.
func ImageKey(s subject.Subject) string {
	name := s.Repository
	if name == "" {
		name = s.Requested
	}
	return strings.Join([]string{"vexxy", name, s.Platform.String()}, "\x00")
}
