package sarif

import (
	"fmt"

	"github.com/vexxy/action/internal/inventory"
	"github.com/vexxy/action/internal/judge"
)

// band is what one severity is in SARIF and in code scanning, whose words for
// security-severity go by number: critical from 9.0, high from 7.0, medium
// from 4.0, low above 0.
type band struct {
	level         string
	least, most   float64
	whenUnscored  float64
	withoutNumber bool
}

var bands = map[inventory.Severity]band{
	inventory.Critical:   {level: "error", least: 9.0, most: 10, whenUnscored: 9.5},
	inventory.High:       {level: "error", least: 7.0, most: 8.9, whenUnscored: 8.0},
	inventory.Medium:     {level: "warning", least: 4.0, most: 6.9, whenUnscored: 5.5},
	inventory.Low:        {level: "note", least: 0.1, most: 3.9, whenUnscored: 2.0},
	inventory.Negligible: {level: "note", least: 0.1, most: 0.9, whenUnscored: 0.1},
	inventory.Unknown:    {level: "warning", withoutNumber: true},
}

func bandOf(s inventory.Severity) band {
	b, known := bands[s]
	if !known {
		return bands[inventory.Unknown]
	}
	return b
}

// score is the security-severity: the CVSS score, kept within the band of the
// severity, which is the distribution's word where it has one, so that code
// scanning's gate and ours agree; empty where the severity is not known.
func score(a *judge.Assessment) string {
	b := bandOf(a.Severity)
	switch {
	case b.withoutNumber && a.CVSS <= 0:
		return ""
	case b.withoutNumber:
		return fmt.Sprintf("%.1f", min(a.CVSS, 10))
	case a.CVSS <= 0:
		return fmt.Sprintf("%.1f", b.whenUnscored)
	}
	return fmt.Sprintf("%.1f", max(b.least, min(a.CVSS, b.most)))
}
