package report

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/vexxy/action/internal/evidence"
	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/gate"
	"github.com/vexxy/action/internal/inventory"
	"github.com/vexxy/action/internal/judge"
	"github.com/vexxy/action/internal/record"
	"github.com/vexxy/action/internal/subject"
)

// headline opens every result.json.
type headline struct {
	SchemaVersion int          `json:"schema_version"`
	Kind          string       `json:"kind"`
	RunID         string       `json:"run_id"`
	Version       string       `json:"vexxy_version"`
	Verdict       gate.Verdict `json:"verdict"`
	ExitCode      fault.Code   `json:"exit_code"`
	Causes        []string     `json:"causes"`
	StartedAt     time.Time    `json:"started_at"`
	FinishedAt    time.Time    `json:"finished_at"`
}

// imageResult is result.json of a judged image, without the two parts that
// Result writes itself: assessments and publication.
type imageResult struct {
	headline
	Subject    subjectPart        `json:"subject"`
	Summary    summaryPart        `json:"summary"`
	Gate       gatePart           `json:"gate"`
	Triage     *judge.Triage      `json:"triage,omitempty"`
	Change     *changePart        `json:"change,omitempty"`
	Sufficient bool               `json:"sufficient"`
	Checks     []evidence.Check   `json:"checks"`
	Evidence   evidencePart       `json:"evidence"`
	Kubescape  *kubescapePart     `json:"kubescape,omitempty"`
	Packages   packagesPart       `json:"packages"`
	Database   inventory.Database `json:"database"`
	Tools      toolsPart          `json:"tools"`
	Settings   map[string]string  `json:"settings"`
	Timings    []timing           `json:"timings"`
	Record     recordPart         `json:"record"`
}

type subjectPart struct {
	subject.Subject
	Digest   string `json:"digest"`
	Platform string `json:"platform"`
	Local    bool   `json:"local"`
	Distro   string `json:"distro,omitempty"`
}

type summaryPart struct {
	judge.Summary
	AffectedBySeverity map[inventory.Severity]int `json:"affected_by_severity"`
	Method             string                     `json:"analysis_method,omitempty"`
	Confidence         evidence.Confidence        `json:"confidence,omitempty"`
}

type gatePart struct {
	Counts  map[inventory.Severity]int `json:"counts"`
	Counted int                        `json:"counted"`
}

type evidencePart struct {
	evidence.Evidence
	Window       windowPart `json:"window"`
	Health       healthPart `json:"health"`
	Observations int        `json:"observations"`
}

type windowPart struct {
	evidence.Window
	Seconds float64 `json:"seconds"`
}

type healthPart struct {
	evidence.Health
	LostTotal uint64 `json:"lost_total"`
}

type packagesPart struct {
	Total    int `json:"total"`
	Observed int `json:"observed"`
}

type toolsPart struct {
	Syft  string `json:"syft"`
	Grype string `json:"grype"`
}

type timing struct {
	record.Timing
	Seconds float64 `json:"seconds"`
}

type recordPart struct {
	Digest string `json:"digest"`
	Schema int    `json:"schema"`
}

func summaryOf(s judge.Summary, method string, confidence evidence.Confidence) summaryPart {
	return summaryPart{s, bySeverity(s.AffectedBySeverity), method, confidence}
}

// bySeverity gives counts an entry for every severity.
func bySeverity(counts map[inventory.Severity]int) map[inventory.Severity]int {
	all := make(map[inventory.Severity]int, len(inventory.Severities))
	for _, severity := range inventory.Severities {
		all[severity] = 0
	}
	maps.Copy(all, counts)
	return all
}

// method names the way in which an engine finds out what was reached.
func method(engine string) string {
	if engine == evidence.Embedded {
		return "ebpf-runtime-observation"
	}
	return engine + "-runtime-observation"
}

func timings(all []record.Timing) []timing {
	out := make([]timing, len(all))
	for i, t := range all {
		out[i] = timing{t, t.End.Sub(t.Start).Seconds()}
	}
	return out
}

// list gives an empty list in place of none: readers of JSON expect a list.
func list[T any](l []T) []T {
	if l == nil {
		return []T{}
	}
	return l
}

// maxString is the greatest length of a string within an assessment, in bytes.
const maxString = 8192

// bounded gives a copy of a with all of its strings cut to maxString: there may
// be thousands of assessments, and a package's name may have any length.
func bounded(a judge.Assessment) judge.Assessment {
	for _, s := range []*string{
		&a.Vulnerability, &a.PURL, &a.PackageName, &a.PackageVersion, &a.PackageType, &a.FixState, &a.DataSource, &a.Description, &a.Text,
	} {
		*s = clip(*s)
	}
	a.Aliases, a.FixVersions = clipAll(a.Aliases), clipAll(a.FixVersions)
	a.SubcomponentPURLs, a.PackageIDs = list(clipAll(a.SubcomponentPURLs)), list(clipAll(a.PackageIDs))
	if a.Human != nil {
		h := *a.Human
		for _, s := range []*string{&h.Why, &h.Author, &h.Role, &h.Justification, &h.Impact, &h.Action, &h.Notes, &h.Document, &h.Source} {
			*s = clip(*s)
		}
		a.Human = &h
	}
	if a.Seen != nil {
		seen := *a.Seen
		seen.Path, seen.Process, seen.Phase = clip(seen.Path), clip(seen.Process), clip(seen.Phase)
		a.Seen = &seen
	}
	return a
}

func clip(s string) string {
	if len(s) <= maxString {
		return s
	}
	return strings.ToValidUTF8(s[:maxString], "") + "…"
}

func clipAll(all []string) []string {
	out := slices.Clone(all)
	for i := range out {
		out[i] = clip(out[i])
	}
	return out
}
