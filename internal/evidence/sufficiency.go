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
	// MaxDatabaseAge is the oldest database allowed; 0 lifts the limit.
	MaxDatabaseAge time.Duration
}
