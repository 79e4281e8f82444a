package report

import (
	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/gate"
	"github.com/vexxy/action/internal/inventory"
	"github.com/vexxy/action/internal/judge"
)

// Failed gives result.json of a run that ended without a judgement.
func Failed(f Failure) ([]byte, error) {
	return document(struct {
		headline
		Hint      string            `json:"hint,omitempty"`
		Requested string            `json:"requested,omitempty"`
		Settings  map[string]string `json:"settings"`
		Timings   []timing          `json:"timings"`
	}{
		headline{
			schemaVersion, kindFailure, f.RunID, f.Version, f.Verdict, f.Code, list(f.Causes),
			f.StartedAt.UTC(), f.FinishedAt.UTC(),
		},
		f.Hint, f.Requested, f.Settings, timings(f.Timings),
	})
}

type entryPart struct {
	Requested string       `json:"requested"`
	Digest    string       `json:"digest,omitempty"`
	Folder    string       `json:"folder"`
	Verdict   gate.Verdict `json:"verdict"`
	ExitCode  fault.Code   `json:"exit_code"`
	Causes    []string     `json:"causes"`
	Summary   *summaryPart `json:"summary,omitempty"`
	// Contradictions counts what a person cleared and was seen in use.
	Contradictions int `json:"contradictions,omitempty"`
}

// Overall gives result.json of a run over several images. Its summary adds the
// images up: a vulnerability in two images counts twice.
func Overall(r Run) ([]byte, error) {
	total := judge.Summary{AffectedBySeverity: map[inventory.Severity]int{}}
	images := make([]entryPart, 0, len(r.Images))
	causes := []string{}
	for _, e := range r.Images {
		part := entryPart{e.Requested, e.Digest, e.Folder, e.Verdict, e.Code, list(e.Causes), nil, e.Contradictions}
		if e.Summary != nil {
			s := summaryOf(*e.Summary, "", e.Confidence)
			part.Summary = &s
			add(&total, *e.Summary)
		}
		for _, cause := range e.Causes {
			causes = append(causes, e.Requested+": "+cause)
		}
		images = append(images, part)
	}
	return document(struct {
		headline
		Summary summaryPart `json:"summary"`
		Images  []entryPart `json:"images"`
	}{
		headline{
			schemaVersion, kindRun, r.RunID, r.Version, r.Verdict, r.Code, causes,
			r.StartedAt.UTC(), r.FinishedAt.UTC(),
		},
		summaryOf(total, "", ""), images,
	})
}

func add(total *judge.Summary, s judge.Summary) {
	total.Total += s.Total
	total.NotAffected += s.NotAffected
	total.Affected += s.Affected
	total.UnderInvestigation += s.UnderInvestigation
	total.Fixed += s.Fixed
	total.Findings += s.Findings
	for severity, n := range s.AffectedBySeverity {
		total.AffectedBySeverity[severity] += n
	}
}
