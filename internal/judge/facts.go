package judge

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/vexxy/action/internal/evidence"
	"github.com/vexxy/action/internal/record"
)

// defaultMaxAge is the oldest database allowed when the record does not say.
const defaultMaxAge = 120 * time.Hour

// exerciseInputs are the inputs that ask for an exercise; an exercise has the
// input's name as its kind.
var exerciseInputs = [...]string{"test-command", "exec-command", "http-probe"}

// factsOf gathers what the sufficiency rule needs beside the evidence.
func factsOf(r record.Record) evidence.Facts {
	f := evidence.Facts{
		SubjectConfigDigest: r.Subject.ConfigDigest,
		InventoryIncomplete: r.Inventory.Incomplete,
		Packages:            len(r.Inventory.Packages),
		DatabaseBuilt:       r.Inventory.Database.Built,
		DatabaseDigest:      r.Inventory.Database.Digest,
		MaxDatabaseAge:      maxAge(r.Run.Settings["max-db-age"]),
	}
	for _, name := range exerciseInputs {
		if strings.TrimSpace(r.Run.Settings[name]) != "" {
			f.Declared = append(f.Declared, name)
		}
	}
	slices.Sort(f.Declared)
	return f
}

// maxAge reads a limit of age: a Go duration, days in front of it or alone
// ("5d", "1d12h"), or a number of seconds. 0 lifts the limit; what cannot be
// read gives less than 0, which no database meets.
func maxAge(s string) time.Duration {
	s = strings.TrimSpace(s)
	if s == "" {
		return defaultMaxAge
	}
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return scaled(n, time.Second)
	}
	var days time.Duration
	if before, after, found := strings.Cut(s, "d"); found {
		n, err := strconv.ParseInt(before, 10, 64)
		if err != nil {
			return -1
		}
		if days = scaled(n, 24*time.Hour); after == "" || days < 0 {
			return days
		}
		s = after
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 || d > math.MaxInt64-days {
		return -1
	}
	return days + d
}

// scaled multiplies, or gives -1 for what is negative or too large.
func scaled(n int64, unit time.Duration) time.Duration {
	if n < 0 || n > math.MaxInt64/int64(unit) {
		return -1
	}
	return time.Duration(n) * unit
}
