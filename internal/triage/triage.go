// Package triage holds what people have stated about findings: OpenVEX
// documents that a repository keeps (.openvex) or that a run is given. It reads
// and bounds them, keeps them in the record, and finds the statement that holds
// for a finding, as go-vex matches vulnerabilities and products. All of it is
// foreign. What a statement does to a status is package judge's to say.
package triage

import (
	"time"
)

// The folders in which a repository keeps its OpenVEX documents
// (https://github.com/openvex/vexctl, "Golden data").
const (
	Folder    = ".openvex"
	Templates = Folder + "/templates"
)

// DefaultMaxAge is how old a statement may be that clears a finding. OpenVEX has
// no field for an expiry: the age since a statement was made, or last updated,
// stands for it.
const DefaultMaxAge = 180 * 24 * time.Hour

// skew is how far ahead of the run's clock a statement's may be.
const skew = 10 * time.Minute

// Set is everything that people stated, for one run.
type Set struct {
	// MaxAge bounds the age of what clears; 0 lifts the bound.
	MaxAge    time.Duration
	Documents []Document
}

// Document is one OpenVEX document, as far as it is read.
type Document struct {
	// Source is its path as it was given or found, ID its @id.
	Source string `json:"source"`
	ID     string `json:"id,omitempty"`
	Author string `json:"author,omitempty"`
	Role   string `json:"role,omitempty"`
	// Foreign says that another job's record told of it, and nobody of this job's.
	Foreign bool `json:"foreign,omitempty"`
	// Problem says in one bounded line why nothing in it counts; empty when all
	// does.
	Problem string `json:"problem,omitempty"`
	// Unread counts the statements that name no vulnerability, no product or no
	// status that is known.
	Unread     int         `json:"unread,omitempty"`
	Statements []Statement `json:"statements"`
}

// Statement is one statement of a document.
type Statement struct {
	// Vulnerability are its identifiers: name, @id and aliases.
	Vulnerability []string  `json:"vulnerability"`
	Products      []Product `json:"products"`
	Status        Status    `json:"status"`
	Justification string    `json:"justification,omitempty"`
	Impact        string    `json:"impact_statement,omitempty"`
	Action        string    `json:"action_statement,omitempty"`
	Notes         string    `json:"status_notes,omitempty"`
	// Void says why it clears nothing, whatever its time.
	Void string `json:"void,omitempty"`
	// At is when it was last updated, or made; the document's time where it has
	// none, zero where that has none either.
	At time.Time `json:"at,omitzero"`
}

// Product is an image or a package, Subcomponents what in it is meant; none
// stands for all of it.
type Product struct {
	Component
	Subcomponents []Component `json:"subcomponents,omitempty"`
}

// Component is named by identifiers, package URLs among them, and hashes in
// hexadecimal digits.
type Component struct {
	IDs    []string `json:"ids,omitempty"`
	Hashes []string `json:"hashes,omitempty"`
}

// Status is an OpenVEX status.
type Status string

// The statuses.
const (
	Affected           Status = "affected"
	UnderInvestigation Status = "under_investigation"
	NotAffected        Status = "not_affected"
	Fixed              Status = "fixed"
)

// rank orders statuses, worst first.
var rank = map[Status]int{Affected: 0, UnderInvestigation: 1, NotAffected: 2, Fixed: 3}

// clears reports whether a status takes a finding away.
func (s Status) clears() bool { return s == NotAffected || s == Fixed }

// raises reports whether a status makes a finding worse.
func (s Status) raises() bool { return s == Affected || s == UnderInvestigation }

// Justifications are those that OpenVEX knows
// (https://github.com/openvex/spec/blob/v0.2.0/OPENVEX-SPEC.md, "Status Justifications").
var Justifications = []string{
	"component_not_present", "vulnerable_code_not_present", "vulnerable_code_not_in_execute_path",
	"vulnerable_code_cannot_be_controlled_by_adversary", "inline_mitigations_already_exist",
}
