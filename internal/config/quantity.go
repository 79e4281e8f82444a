package config

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// parseDuration reads Go's durations, days ("5d", alone or in front) and plain
// numbers of seconds.
func parseDuration(s string) (time.Duration, error) {
	bad := invalid{strconv.Quote(cut(s)) + " is not a duration", "write a number with a unit, such as 300s, 5m, 2h or 5d"}
	if n, err := strconv.ParseInt(s, 10, 32); err == nil {
		return time.Duration(n) * time.Second, nil
	}
	var days time.Duration
	if before, after, found := strings.Cut(s, "d"); found {
		n, err := strconv.ParseInt(before, 10, 32)
		if err != nil || n < 0 || n > math.MaxInt64/int64(24*time.Hour) {
			return 0, bad
		}
		days = time.Duration(n) * 24 * time.Hour
		if after == "" {
			return days, nil
		}
		s = after
	}
	d, err := time.ParseDuration(s)
	if err != nil || d > math.MaxInt64-days {
		return 0, bad
	}
	return days + d, nil
}

// formatDuration writes d so that parseDuration reads it back: in days where
// they are whole, else as Go does, without zero units at the end.
func formatDuration(d time.Duration) string {
	if d >= 24*time.Hour && d%(24*time.Hour) == 0 {
		return strconv.FormatInt(int64(d/(24*time.Hour)), 10) + "d"
	}
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// units are the factors of sizes, the largest of each system first.
var units = [...]struct {
	name   string
	factor int64
}{
	{"Ti", 1 << 40}, {"Gi", 1 << 30}, {"Mi", 1 << 20}, {"Ki", 1 << 10},
	{"T", 1e12}, {"G", 1e9}, {"M", 1e6}, {"k", 1e3}, {"K", 1e3},
}

// parseSize reads a quantity of bytes as Kubernetes writes them, with an
// optional B at the end: 4Gi, 512MiB, 1.5G, 1048576.
func parseSize(s string) (int64, error) {
	bad := invalid{strconv.Quote(cut(s)) + " is not a size", "write bytes with a unit, such as 512Mi or 4Gi"}
	number, factor := strings.TrimSuffix(s, "B"), int64(1)
	for _, u := range units {
		if before, found := strings.CutSuffix(number, u.name); found {
			number, factor = before, u.factor
			break
		}
	}
	if n, err := strconv.ParseInt(number, 10, 64); err == nil {
		if n < 0 || n > math.MaxInt64/factor {
			return 0, bad
		}
		return n * factor, nil
	}
	f, err := parseDecimal(number)
	if err != nil || f*float64(factor) >= math.MaxInt64 {
		return 0, bad
	}
	return int64(f * float64(factor)), nil
}

// formatSize writes n in the largest binary unit that divides it.
func formatSize(n int64) string {
	for _, u := range units[:4] {
		if n != 0 && n%u.factor == 0 {
			return strconv.FormatInt(n/u.factor, 10) + u.name
		}
	}
	return strconv.FormatInt(n, 10)
}

// parseCPU reads a number of CPUs, whole, decimal or in thousandths ("500m").
func parseCPU(s string) (float64, error) {
	number, factor := s, 1.0
	if before, found := strings.CutSuffix(s, "m"); found {
		number, factor = before, 1000
	}
	f, err := parseDecimal(number)
	if err != nil {
		return 0, invalid{strconv.Quote(cut(s)) + " is not a number of CPUs", "write a number such as 2, 0.5 or 500m"}
	}
	return f / factor, nil
}

// parseDecimal reads digits with at most one point: no sign, exponent,
// hexadecimal digits, infinity or NaN.
func parseDecimal(s string) (float64, error) {
	if s == "" || len(s) > 20 || strings.Trim(s, "0123456789.") != "" {
		return 0, strconv.ErrSyntax
	}
	return strconv.ParseFloat(s, 64)
}

// cut bounds a value that is quoted in a message.
func cut(s string) string {
	const most = 80
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
