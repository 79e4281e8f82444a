package evidence

import "time"

// Check is one condition of sufficiency with its measured value.
type Check struct {
	// ID is E1 to E9.
	ID string `json:"id"`
	// Title names the condition in a few words.
	Title string `json:"title"`
	// OK is false when the condition does not hold or could not be measured.
	OK bool `json:"ok"`
	// Applies is false for a check that this engine does not have.
	Applies bool `json:"applies"`
	// Measured is what was found, in words and numbers.
	Measured string `json:"measured"`
	// Remedy says what to do when the check does not hold.
	Remedy string `json:"remedy,omitempty"`
}

// Confidence grades evidence that is sufficient.
type Confidence string

// The grades of confidence. ConfidenceNone goes with insufficient evidence.
const (
	ConfidenceHigh   Confidence = "high"
	ConfidenceMedium Confidence = "medium"
	ConfidenceLow    Confidence = "low"
	ConfidenceNone   Confidence = "none"
)

// Facts are what the rule needs to know beside the evidence itself.
type Facts struct {
	// SubjectConfigDigest is the configuration that the subject's manifest names.
	SubjectConfigDigest string
	// InventoryIncomplete says why the package list is not whole; empty when it is.
	InventoryIncomplete string
	Packages            int
	DatabaseBuilt       time.Time
	DatabaseDigest      string
	// MaxDatabaseAge is the oldest database allowed; 0 lifts the limit, less
	// than 0 says that the limit could not be read.
	MaxDatabaseAge time.Duration
	// Declared are the kinds of exercise that the inputs ask for (test-command,
	// exec-command, http-probe); each must have been done.
	Declared []string
}

// Sufficiency measures every condition that must hold before anything may be
// called not affected: E1 to E9, in that order. Whatever was not measured does
// not hold.
func Sufficiency(e Evidence, f Facts) []Check {
	checks := []Check{
		{ID: "E1", Title: "sensor attached before the first process and until the end"},
		{ID: "E2", Title: "no lost events"},
		{ID: "E3", Title: "canary seen whole at start, middle and end"},
		{ID: "E4", Title: "workload ready, never restarted, and the image that was asked for"},
		{ID: "E5", Title: "window met and exercise passed"},
		{ID: "E6", Title: "package list complete"},
		{ID: "E7", Title: "vulnerability database known and recent"},
		{ID: "E8", Title: "no way around the sensor was used"},
		{ID: "E9", Title: "Kubescape profile completed and complete"},
	}
	results := []result{
		attached(e), lossless(e), canary(e), healthy(e, f), window(e, f),
		catalogued(e, f), database(e, f), covered(e), profile(e),
	}
	for i, r := range results {
		checks[i].OK, checks[i].Applies = r.ok, true
		checks[i].Measured, checks[i].Remedy = r.measured, r.remedy
		if r.ok {
			checks[i].Remedy = ""
		}
	}
	// Only Kubescape keeps profiles. Evidence of an engine that is not known
	// has the check too, and fails it.
	if e.Engine == Embedded {
		checks[8].Applies, checks[8].Remedy = false, ""
	}
	return checks
}

// The names of the engines in Evidence.Engine: Embedded watches a container of
// the local Docker engine, KubescapeEngine a pod beside Kubescape.
const (
	Embedded        = "embedded"
	KubescapeEngine = "kubescape"
)

// result is a check's outcome.
type result struct {
	ok               bool
	measured, remedy string
}

// Sufficient reports whether the evidence allows calling anything not
// affected: E1 to E8 are all there and hold, and so does every other check
// that applies.
func Sufficient(checks []Check) bool {
	held := map[string]bool{}
	for _, c := range checks {
		if c.Applies && !c.OK {
			return false
		}
		if c.Applies {
			held[c.ID] = true
		}
	}
	for _, id := range []string{"E1", "E2", "E3", "E4", "E5", "E6", "E7", "E8"} {
		if !held[id] {
			return false
		}
	}
	return true
}
