// Package sensor watches which files the processes of one container execute,
// map and open, by an eBPF program in the kernel. The program needs root, the
// rest of vexxy does not: it runs in a helper process (Serve) that speaks
// newline-delimited JSON with its client (Start, Session).
//
// The order of one observation is fixed: Start returns when the program is
// attached, then the container is started, then Claim names it. What the
// program sees before the claim is kept, by control group, so that nothing
// between the container's first exec and the claim is missed.
package sensor

import "errors"

// ErrPermission says that the helper may not load eBPF programs.
var ErrPermission = errors.New("no permission for eBPF")

// ErrUnsupported says that this kernel or operating system cannot run the sensor.
var ErrUnsupported = errors.New("the sensor needs Linux 5.17 or later with BTF")

// canaryFiles is how many files each self-test opens.
const canaryFiles = 64

// Report is what this machine can do, for vexxy doctor.
type Report struct {
	// OK says that the sensor can run.
	OK     bool
	Checks []ReportCheck
}

// ReportCheck is one ability of the machine.
type ReportCheck struct {
	Name   string
	OK     bool
	Detail string
	// Remedy says what to do about it; empty when OK.
	Remedy string
}
