package report

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/vexxy/action/internal/foreign"
)

// schemaVersion is the version of result.json, which grows by one when a field
// goes or changes its meaning. New fields do not change it.
const schemaVersion = 1

// The kinds of result.json.
const (
	kindImage   = "image"
	kindFailure = "failure"
	kindRun     = "run"
)

// Result gives result.json of a judged image. Its last key is "publication",
// the only one that is no function of the record and the policy: see Pure.
// It follows the schema that Schema gives.
func Result(img Image) ([]byte, error) {
	r, j := img.Record, img.Judgement
	doc := imageResult{
		headline: headline{
			schemaVersion, kindImage, r.Run.ID, r.Run.Version, img.Decision.Verdict, img.Decision.Code,
			list(img.Decision.Causes), r.Run.StartedAt, r.Run.FinishedAt,
		},
		Subject: subjectPart{
			Subject: r.Subject, Digest: r.Subject.Digest(), Platform: r.Subject.Platform.String(),
			Local: r.Subject.Local(), Distro: r.Inventory.Distro,
		},
		Summary:    summaryOf(j.Summary, method(r.Evidence.Engine), j.Confidence),
		Gate:       gatePart{bySeverity(img.Decision.Counts), img.Decision.Counted},
		Triage:     triageOf(j.Triage),
		Change:     changeOf(img.Change),
		Sufficient: j.Sufficient,
		Checks:     list(j.Checks),
		Evidence: evidencePart{
			r.Evidence, windowPart{r.Evidence.Window, r.Evidence.Window.Seconds()},
			healthPart{r.Evidence.Health, r.Evidence.Health.Lost.Total()}, len(r.Evidence.Observations),
		},
		Kubescape: kubescapeOf(img),
		Packages:  packagesPart{len(r.Inventory.Packages), len(j.Observed)},
		Database:  r.Inventory.Database,
		Tools:     toolsPart{r.Inventory.Syft, r.Inventory.Grype},
		Settings:  r.Run.Settings,
		Timings:   timings(r.Run.Timings),
		Record:    recordPart{r.Digest, r.Run.Schema},
	}
	doc.Evidence.Kubescape = nil // it has a part of its own
	doc.Evidence.Phases = list(doc.Evidence.Phases)
	doc.Evidence.Health.Programs = list(doc.Evidence.Health.Programs)
	doc.Evidence.Health.Canaries = list(doc.Evidence.Health.Canaries)

	head, err := json.MarshalIndent(doc, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encoding result: %w", err)
	}
	var out bytes.Buffer
	out.Write(bytes.TrimSuffix(head, []byte("\n}")))
	out.WriteString(",\n  \"assessments\": [")
	for i := range j.Assessments {
		line, err := json.Marshal(bounded(j.Assessments[i]))
		if err != nil {
			return nil, fmt.Errorf("encoding result: %w", err)
		}
		if i > 0 {
			out.WriteByte(',')
		}
		out.WriteString("\n    ")
		out.Write(line)
	}
	out.WriteString("\n  ]" + publicationKey)
	img.Publication.Files = list(img.Publication.Files)
	if a := img.Publication.Attested; a != nil {
		copied := *a
		copied.Attestations = list(copied.Attestations)
		img.Publication.Attested = &copied
	}
	tail, err := json.MarshalIndent(img.Publication, "  ", "  ")
	if err != nil {
		return nil, fmt.Errorf("encoding result: %w", err)
	}
	out.Write(tail)
	out.WriteString("\n}\n")
	return foreign.JSON(out.Bytes()), nil
}

// publicationKey opens the last part of result.json. No string in JSON holds a
// line break, so that nothing else looks like it.
const publicationKey = ",\n  \"publication\": "

// Pure gives the part of a judged image's result.json that replaying its
// record gives again, byte for byte: all but "publication". Where attesting
// failed, verdict, exit code and causes say so, and are no such part either.
func Pure(result []byte) []byte {
	if i := bytes.LastIndex(result, []byte(publicationKey)); i >= 0 {
		return append(bytes.Clone(result[:i]), "\n}\n"...)
	}
	return result
}

func document(v any) ([]byte, error) {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encoding result: %w", err)
	}
	return foreign.JSON(append(data, '\n')), nil
}
