// Package judge decides, for every finding of a record, whether the vulnerable
// package was reached. It is a pure function of the record and errs towards
// under_investigation.
package judge

import (
	"time"

	"github.com/vexxy/action/internal/evidence"
	"github.com/vexxy/action/internal/inventory"
	"github.com/vexxy/action/internal/record"
)

// Judge decides every finding of a record. It depends on nothing else: equal
// records give equal judgements, whatever the order of their parts.
func Judge(r record.Record) Judgement {
	facts := factsOf(r)
	checks := evidence.Sufficiency(r.Evidence, facts)
	c := court{
		record:     r,
		sufficient: evidence.Sufficient(checks),
		seen:       newSeen(r.Evidence.Observations, r.Inventory.HardLinks),
	}
	c.stated, c.people = statedBy(r)
	c.examine()
	drafts := c.assess()
	review := c.review(drafts)
	assessments := c.describe(drafts, checks)
	agreed, disagreements := c.disagreements()
	return Judgement{
		Assessments:   assessments,
		Checks:        checks,
		Sufficient:    c.sufficient,
		Confidence:    evidence.Grade(r.Evidence, checks),
		Summary:       summarise(assessments),
		Observed:      c.observed(),
		Agreed:        agreed,
		Disagreements: disagreements,
		Triage:        review,
	}
}

// Status is an OpenVEX status.
type Status string

// The four statuses of OpenVEX, worst first.
const (
	Affected           Status = "affected"
	UnderInvestigation Status = "under_investigation"
	NotAffected        Status = "not_affected"
	Fixed              Status = "fixed"
)

// Reason is the rule that gave an assessment its status.
type Reason string

// The reasons of assessments.
const (
	ReasonObserved     Reason = "observed"     // affected: a file was used
	ReasonNotObserved  Reason = "not-observed" // not_affected: sufficient evidence, no use
	ReasonInsufficient Reason = "insufficient" // under_investigation: a check failed
	ReasonNoFiles      Reason = "no-files"     // under_investigation: the package owns no file
	ReasonInArchive    Reason = "in-archive"   // under_investigation: inside an archive that was opened
	ReasonOpaque       Reason = "opaque"       // under_investigation: file names cannot be matched
	ReasonFixed        Reason = "fixed"        // fixed: the distribution's record says so
	// ReasonUnidentified is under_investigation: the package, or another one
	// with the same vulnerability, has no package URL with a version by which a
	// consumer could tell it apart.
	ReasonUnidentified Reason = "unidentified"
	// ReasonSource is under_investigation: the package shares the name of its
	// source package with others that are not cleared.
	ReasonSource Reason = "source"
	// ReasonNamesake is under_investigation: some consumer knows the package by the
	// URL of another one that is not cleared.
	ReasonNamesake Reason = "namesake"
	// ReasonLocal is under_investigation: the image was never pushed, and the
	// vulnerability is not cleared in all of its packages.
	ReasonLocal Reason = "local"
	// ReasonHuman is any status that a person stated and that holds: see Human.
	ReasonHuman Reason = "human"
)

// Assessment is the verdict on one vulnerability in one package URL. It stands
// for all instances of that package in the image; the worst status wins.
type Assessment struct {
	// Vulnerability is the CVE where there is one, else the identifier matched.
	Vulnerability string   `json:"vulnerability"`
	Aliases       []string `json:"aliases,omitempty"`
	// PURL is the package URL without qualifiers and subpath; empty when the
	// package has none with a version.
	PURL string `json:"purl"`
	// SubcomponentPURLs are all spellings under which consumers look for it,
	// without qualifiers, PURL first. No two assessments of one vulnerability
	// share one.
	SubcomponentPURLs []string `json:"subcomponent_purls"`
	PackageIDs        []string `json:"package_ids"`
	PackageName       string   `json:"package"`
	PackageVersion    string   `json:"version"`
	PackageType       string   `json:"type"`

	Severity    inventory.Severity `json:"severity"`
	CVSS        float64            `json:"cvss,omitempty"`
	EPSS        float64            `json:"epss,omitempty"`
	KEV         bool               `json:"kev,omitempty"`
	FixState    string             `json:"fix_state"`
	FixVersions []string           `json:"fix_versions,omitempty"`
	DataSource  string             `json:"data_source,omitempty"`
	Description string             `json:"description,omitempty"`

	Status Status `json:"status"`
	Reason Reason `json:"reason"`
	// Seen is the first sighting, set when Status is affected or the archive
	// around the package was opened.
	Seen *Sighting `json:"seen,omitempty"`
	// Human is what a person stated about it; nil for nothing.
	Human *Human `json:"human,omitempty"`
	// Text is one bounded line: what was seen, or the bounded claim, or what
	// would settle the question. Foreign text in it is escaped.
	Text string `json:"text"`
}

// Sighting is the use of one file of a package.
type Sighting struct {
	// Package names the package that owns the file, where it is not the
	// assessed one but another of the same source.
	Package string          `json:"package,omitempty"`
	Path    string          `json:"path"`
	Kinds   []evidence.Kind `json:"kinds"`
	Process string          `json:"process"`
	Phase   string          `json:"phase"`
	At      time.Time       `json:"at"`
	// Witnesses are those who saw it, where more than one watched. What
	// node-agent alone saw has no process, and the window's end as its time.
	Witnesses []evidence.Witness `json:"witnesses,omitempty"`
	// Files counts the package's files that were used.
	Files int `json:"files"`
}

// Summary counts vulnerabilities by their worst status over all packages, so
// that the four statuses add up to Total. Findings counts assessments.
type Summary struct {
	Total              int `json:"total_cves_analyzed"`
	NotAffected        int `json:"not_affected"`
	Affected           int `json:"affected"`
	UnderInvestigation int `json:"under_investigation"`
	Fixed              int `json:"fixed"`
	Findings           int `json:"findings"`
	// AffectedBySeverity counts affected vulnerabilities by severity.
	AffectedBySeverity map[inventory.Severity]int `json:"affected_by_severity"`
}

// Judgement is everything that was decided about one record.
type Judgement struct {
	// Assessments are sorted by severity (worst first), vulnerability, PURL.
	Assessments []Assessment        `json:"assessments"`
	Checks      []evidence.Check    `json:"checks"`
	Sufficient  bool                `json:"sufficient"`
	Confidence  evidence.Confidence `json:"confidence"`
	Summary     Summary             `json:"summary"`
	// Observed holds the IDs of the packages of which a file was used, sorted:
	// the contents of the runtime-filtered SBOM.
	Observed []string `json:"observed"`
	// Agreed counts the packages that both witnesses saw in use, Disagreements
	// are those that one of them alone saw; both are empty where only one
	// watched: see evidence.Evidence.Both.
	Agreed        int            `json:"agreed,omitempty"`
	Disagreements []Disagreement `json:"disagreements,omitempty"`
	// Triage is what people's statements did; nil where none were given.
	Triage *Triage `json:"triage,omitempty"`
}
