// Package fault holds errors that know how the program must end: each carries
// one of the documented exit codes and, where a user can mend the cause, a
// hint. Errors without a fault are internal errors.
package fault

import (
	"context"
	"errors"
	"fmt"
)

// Code is an exit code of vexxy. The codes are documented and stable.
type Code int

// The exit codes.
const (
	Pass         Code = 0
	Internal     Code = 1
	GateFailed   Code = 2
	Usage        Code = 3
	Inconclusive Code = 4
	Infra        Code = 5
	Integrity    Code = 6
	Attest       Code = 7
	Publish      Code = 8
	Deadline     Code = 124
	Interrupted  Code = 130
	Terminated   Code = 143
)

// precedence lists the codes that win over others, strongest first.
var precedence = []Code{
	Interrupted, Terminated, Deadline, Integrity, Internal, Usage, Infra,
	Inconclusive, GateFailed, Attest, Publish, Pass,
}

// Worst gives the code that ends a run which met all the given ones. Without
// codes it is Pass.
func Worst(codes ...Code) Code {
	for _, p := range precedence {
		for _, c := range codes {
			if c == p {
				return p
			}
		}
	}
	if len(codes) > 0 {
		return Internal
	}
	return Pass
}

// Error is an error with an exit code and a hint.
type Error struct {
	Code Code
	// Hint says what the user can do; it may be empty.
	Hint string
	Err  error
}

func (e *Error) Error() string { return e.Err.Error() }

func (e *Error) Unwrap() error { return e.Err }

// New makes an error with a code and a hint. The format is fmt.Errorf's.
func New(code Code, hint, format string, args ...any) error {
	return &Error{Code: code, Hint: hint, Err: fmt.Errorf(format, args...)}
}

// Signal is the cause of a context that an operating system's signal ended.
type Signal struct{ Code Code }

func (s Signal) Error() string {
	if s.Code == Terminated {
		return "terminated"
	}
	return "interrupted"
}

// ErrDeadline is the cause of a context whose deadline for the run passed.
var ErrDeadline = errors.New("the run's deadline passed")

// CodeOf gives the exit code that err asks for. Cancellation of the run, told
// by the context's cause, wins over whatever error it led to.
func CodeOf(ctx context.Context, err error) Code {
	cause := context.Cause(ctx)
	var signal Signal
	switch {
	case errors.As(cause, &signal):
		return signal.Code
	case errors.Is(cause, ErrDeadline):
		return Deadline
	case err == nil:
		return Pass
	}
	var f *Error
	if errors.As(err, &f) {
		return f.Code
	}
	return Internal
}

// HintOf gives the hint closest to the surface of err's tree, or "".
func HintOf(err error) string {
	if f, ok := err.(*Error); ok && f.Hint != "" {
		return f.Hint
	}
	switch e := err.(type) {
	case interface{ Unwrap() error }:
		return HintOf(e.Unwrap())
	case interface{ Unwrap() []error }:
		for _, inner := range e.Unwrap() {
			if hint := HintOf(inner); hint != "" {
				return hint
			}
		}
	}
	return ""
}
