package attest

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/vexxy/action/internal/evidence"
	"github.com/vexxy/action/internal/judge"
	"github.com/vexxy/action/internal/record"
)

// Tool is the name by which an evidence predicate says who made it.
const Tool = "vexxy"

const toolURI = "https://github.com/vexxy/action"

// Evidence is the predicate of type TypeEvidence: how an image was watched, for
// how long, and how far that carries. It holds everything that a policy needs
// to decide whether to trust the OpenVEX document that it names. Times are in
// UTC, lengths in seconds, digests "sha256:" and 64 hexadecimal digits but
// where a name says otherwise.
type Evidence struct {
	SchemaVersion int           `json:"schemaVersion"`
	Tool          EvidenceTool  `json:"tool"`
	Run           EvidenceRun   `json:"run"`
	Image         EvidenceImage `json:"image"`
	Engine        string        `json:"engine"`
	// Inconclusive says that the evidence was not sufficient: nothing is called
	// not affected on its strength.
	Inconclusive bool               `json:"inconclusive"`
	Confidence   string             `json:"confidence"`
	Verdict      string             `json:"verdict"`
	Window       EvidenceWindow     `json:"window"`
	Ready        EvidenceReady      `json:"ready"`
	Exercise     []EvidenceExercise `json:"exercise"`
	Checks       []EvidenceCheck    `json:"checks"`
	LostEvents   uint64             `json:"lostEvents"`
	Summary      EvidenceSummary    `json:"summary"`
	Scanners     []EvidenceTool     `json:"scanners"`
	Database     EvidenceDatabase   `json:"database"`
	Record       EvidenceRecord     `json:"record"`
	Documents    []EvidenceDocument `json:"documents"`
	// Spellings are the package URLs in the OpenVEX document that are other
	// names, for other consumers, of packages that stand there by their own.
	Spellings []string `json:"spellings"`
}

// EvidenceTool is one program that took part.
type EvidenceTool struct {
	Name    string `json:"name"`
	URI     string `json:"uri,omitempty"`
	Version string `json:"version"`
}

// EvidenceRun identifies the run.
type EvidenceRun struct {
	ID         string    `json:"id"`
	StartedAt  time.Time `json:"startedAt"`
	FinishedAt time.Time `json:"finishedAt"`
}

// EvidenceImage is what was observed.
type EvidenceImage struct {
	Repository     string `json:"repository"`
	Platform       string `json:"platform"`
	ManifestDigest string `json:"manifestDigest"`
	IndexDigest    string `json:"indexDigest,omitempty"`
	ConfigDigest   string `json:"configDigest"`
}

// EvidenceWindow is the time in which the workload was watched.
type EvidenceWindow struct {
	Start             time.Time `json:"start"`
	End               time.Time `json:"end"`
	Seconds           float64   `json:"seconds"`
	ConfiguredSeconds float64   `json:"configuredSeconds"`
	Stopped           string    `json:"stopped"`
}

// EvidenceReady says how the workload was known to be ready; At is missing when
// it never was.
type EvidenceReady struct {
	By string    `json:"by"`
	At time.Time `json:"at,omitzero"`
}

// EvidenceExercise is one way in which the workload was put to use.
type EvidenceExercise struct {
	Kind    string `json:"kind"`
	What    string `json:"what"`
	Passed  bool   `json:"passed"`
	Outcome string `json:"outcome"`
}

// EvidenceCheck is one condition of sufficiency.
type EvidenceCheck struct {
	ID       string `json:"id"`
	Title    string `json:"title"`
	OK       bool   `json:"ok"`
	Applies  bool   `json:"applies"`
	Measured string `json:"measured"`
}

// EvidenceSummary counts vulnerabilities by their worst status.
type EvidenceSummary struct {
	Total              int `json:"total"`
	Affected           int `json:"affected"`
	NotAffected        int `json:"notAffected"`
	UnderInvestigation int `json:"underInvestigation"`
	Fixed              int `json:"fixed"`
}

// EvidenceDatabase is the vulnerability database. From is missing where it was
// a path on the machine of the run.
type EvidenceDatabase struct {
	Schema string    `json:"schema"`
	Built  time.Time `json:"built"`
	Digest string    `json:"digest"`
	From   string    `json:"from,omitempty"`
}

// EvidenceRecord names the record that everything follows from.
type EvidenceRecord struct {
	Digest string `json:"digest"`
	Schema int    `json:"schema"`
}

// EvidenceDocument is a document of the same run. SHA256 is of its file, in
// hexadecimal digits; PredicateSHA256 of the same document as it stands in its
// own statement, without insignificant space. Part counts from 1 where the
// document is attested in several parts, and SHA256 is then of the whole.
type EvidenceDocument struct {
	Name            string `json:"name"`
	PredicateType   string `json:"predicateType"`
	SHA256          string `json:"sha256"`
	PredicateSHA256 string `json:"predicateSha256"`
	Part            int    `json:"part,omitempty"`
	Parts           int    `json:"parts,omitempty"`
}

//go:embed schema/evidence.schema.json
var evidenceSchema []byte

// EvidenceSchema gives the JSON Schema (draft 2020-12) of Evidence.
func EvidenceSchema() []byte { return slices.Clone(evidenceSchema) }

func newEvidence(r record.Record, j judge.Judgement, verdict string) Evidence {
	s, w := r.Subject, r.Evidence.Window
	e := Evidence{
		SchemaVersion: 1,
		Tool:          EvidenceTool{Tool, toolURI, r.Run.Version},
		Run:           EvidenceRun{r.Run.ID, r.Run.StartedAt.UTC(), r.Run.FinishedAt.UTC()},
		Image:         EvidenceImage{s.Repository, s.Platform.String(), s.ManifestDigest, s.IndexDigest, s.ConfigDigest},
		Engine:        r.Evidence.Engine,
		Inconclusive:  !j.Sufficient, Confidence: string(j.Confidence), Verdict: verdict,
		Window:     EvidenceWindow{w.Start.UTC(), w.End.UTC(), w.Seconds(), w.Configured, string(w.Stopped)},
		Ready:      EvidenceReady{By: string(r.Evidence.Workload.ReadyBy)},
		Exercise:   []EvidenceExercise{},
		Checks:     []EvidenceCheck{},
		LostEvents: r.Evidence.Health.Lost.Total(),
		Summary: EvidenceSummary{
			j.Summary.Total, j.Summary.Affected, j.Summary.NotAffected, j.Summary.UnderInvestigation, j.Summary.Fixed,
		},
		Scanners:  scanners(r),
		Database:  EvidenceDatabase{Schema: r.Inventory.Database.Schema, Built: r.Inventory.Database.Built.UTC(), Digest: r.Inventory.Database.Digest},
		Record:    EvidenceRecord{r.Digest, r.Run.Schema},
		Documents: []EvidenceDocument{},
		Spellings: spellings(j),
	}
	if at := r.Evidence.Workload.ReadyAt; !at.IsZero() {
		e.Ready.At = at.UTC()
	}
	if from := r.Inventory.Database.From; strings.HasPrefix(from, "https://") {
		e.Database.From = from
	}
	for _, x := range r.Evidence.Exercise {
		e.Exercise = append(e.Exercise, EvidenceExercise{x.Kind, bounded(x.What), x.Passed, bounded(x.Outcome)})
	}
	for _, c := range j.Checks {
		e.Checks = append(e.Checks, EvidenceCheck{c.ID, c.Title, c.OK, c.Applies, bounded(c.Measured)})
	}
	return e
}

// spellings lists the package URLs that are no assessment's own.
func spellings(j judge.Judgement) []string {
	own, other := map[string]bool{}, []string{}
	for i := range j.Assessments {
		own[j.Assessments[i].PURL] = true
	}
	for i := range j.Assessments {
		for _, s := range j.Assessments[i].SubcomponentPURLs {
			if !own[s] {
				own[s] = true
				other = append(other, s)
			}
		}
	}
	slices.Sort(other)
	return other
}

func scanners(r record.Record) []EvidenceTool {
	all := []EvidenceTool{{Name: "syft", Version: r.Inventory.Syft}, {Name: "grype", Version: r.Inventory.Grype}}
	if k := r.Evidence.Kubescape; k != nil && r.Evidence.Engine == evidence.KubescapeEngine {
		all = append(all, EvidenceTool{Name: "kubescape-operator", Version: k.Chart})
	}
	return all
}

// readEvidence reads the predicate of a verified statement.
func readEvidence(predicate []byte) (Evidence, error) {
	var e Evidence
	if err := json.Unmarshal(predicate, &e); err != nil {
		return e, fmt.Errorf("reading the evidence: %w", err)
	}
	switch {
	case e.SchemaVersion != 1:
		return e, fmt.Errorf("the evidence has the schema version %d, this program reads 1", e.SchemaVersion)
	case e.Tool.Name != Tool:
		return e, fmt.Errorf("the evidence is not vexxy's")
	case e.Window.End.IsZero() || e.Window.End.Before(e.Window.Start):
		return e, fmt.Errorf("the evidence has no window")
	}
	return e, nil
}
