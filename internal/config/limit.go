package config

import (
	"strconv"
	"strings"

	"github.com/vexxy/action/internal/gate"
	"github.com/vexxy/action/internal/inventory"
)

// parseLimit reads max-affected: a number, or severity=number pairs.
func parseLimit(s string) (int, map[inventory.Severity]int, error) {
	if n, err := strconv.ParseUint(s, 10, 31); err == nil {
		return int(n), nil, nil
	}
	by := map[inventory.Severity]int{}
	for _, pair := range strings.Split(s, ",") {
		name, number, _ := strings.Cut(strings.TrimSpace(pair), "=")
		n, err := strconv.ParseUint(strings.TrimSpace(number), 10, 31)
		severity, _ := knownSeverity(strings.TrimSpace(name))
		_, twice := by[severity]
		if err != nil || severity == "" || twice {
			return 0, nil, invalid{what: strconv.Quote(cut(s)) + " is not a limit"}
		}
		by[severity] = int(n)
	}
	return gate.Unlimited, by, nil
}

func knownSeverity(s string) (inventory.Severity, bool) {
	for _, known := range inventory.Severities {
		if string(known) == s {
			return known, true
		}
	}
	return "", false
}
