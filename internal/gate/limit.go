package gate

import (
	"slices"
	"strconv"
	"strings"

	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/foreign"
	"github.com/vexxy/action/internal/inventory"
)

const limitHint = `write a number ("3"), numbers by severity ("critical=0,high=3") or "unlimited"`

// ParseLimit reads the form of max-affected: a number for all severities
// together, numbers of single severities, or "unlimited". Limits by severity
// leave the whole unlimited. Everything else is a usage error.
func ParseLimit(s string) (limit int, by map[inventory.Severity]int, err error) {
	s = strings.ToLower(strings.TrimSpace(s))
	switch {
	case s == "unlimited":
		return Unlimited, nil, nil
	case !strings.Contains(s, "="):
		n, err := parseCount(s)
		return n, nil, err
	}
	by = map[inventory.Severity]int{}
	for part := range strings.SplitSeq(s, ",") {
		name, value, found := strings.Cut(strings.TrimSpace(part), "=")
		severity := inventory.Severity(strings.TrimSpace(name))
		if !found || !slices.Contains(inventory.Severities, severity) {
			return 0, nil, fault.New(fault.Usage, limitHint, "reading limit: %q is no severity with a number", foreign.Text(part).Line(40))
		}
		if _, twice := by[severity]; twice {
			return 0, nil, fault.New(fault.Usage, limitHint, "reading limit: %s is given twice", severity)
		}
		n, err := parseCount(strings.TrimSpace(value))
		if err != nil {
			return 0, nil, err
		}
		by[severity] = n
	}
	return Unlimited, by, nil
}

// parseCount reads a number of vulnerabilities, or "unlimited".
func parseCount(s string) (int, error) {
	if s == "unlimited" {
		return Unlimited, nil
	}
	n, err := strconv.ParseUint(s, 10, 31)
	if err != nil {
		return 0, fault.New(fault.Usage, limitHint, "reading limit: %q is no number of vulnerabilities", foreign.Text(s).Line(40))
	}
	return int(n), nil
}
