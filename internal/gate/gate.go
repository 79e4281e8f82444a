// Package gate turns a judgement and a policy, and a baseline where there is
// one, into a verdict and an exit code.
// It depends on no renderer and on nothing outside.
package gate

import "github.com/vexxy/action/internal/inventory"

// Verdict is the outcome of a run.
type Verdict string

// The verdicts. A run starts as VerdictError; VerdictPass is written last.
const (
	VerdictPass         Verdict = "pass"
	VerdictFail         Verdict = "fail"
	VerdictInconclusive Verdict = "inconclusive"
	VerdictError        Verdict = "error"
	VerdictCancelled    Verdict = "cancelled"
)

// Unlimited as a count means that there is no limit.
const Unlimited = -1

// Policy says what fails a run.
type Policy struct {
	// FailOn is the lowest severity that counts towards Max; empty counts all.
	FailOn inventory.Severity
	// Max is the number of affected vulnerabilities allowed in all, Unlimited
	// for no limit.
	Max int
	// MaxBySeverity are limits of single severities.
	MaxBySeverity map[inventory.Severity]int
	// OnlyNew counts only what was not affected in the baseline already. Without
	// a baseline that can be used all counts.
	OnlyNew bool
	// OnlyFixed counts only vulnerabilities that have a fixed version.
	OnlyFixed bool
	// WarnOnInconclusive ends an inconclusive run with code 0; the verdict stays.
	WarnOnInconclusive bool
	// WarnOnly ends a failed gate with code 0; the verdict stays.
	WarnOnly bool
}
