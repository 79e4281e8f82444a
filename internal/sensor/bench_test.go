//go:build linux

package sensor

import (
	"os"
	"slices"
	"strconv"
	"testing"
	"time"
)

// rounds is how often each side of a comparison is measured; the median counts.
const rounds = 5

// compare measures a command of the probe, which prints one number, bare and
// under the sensor, by turns, and reports both medians and their ratio.
func compare(b *testing.B, unit string, check func(seen), args ...string) {
	image(b)
	b.Run("", func(b *testing.B) {
		for b.Loop() {
			var bare, observed []float64
			for range rounds {
				id := create(b, args...)
				docker(b, "start", id)
				docker(b, "wait", id)
				bare = append(bare, number(b, docker(b, "logs", id)))
				docker(b, "rm", id)
				s := observe(b, args...)
				observed = append(observed, number(b, s.output))
				check(s)
			}
			b.ReportMetric(median(bare), "bare-"+unit)
			b.ReportMetric(median(observed), "observed-"+unit)
			b.ReportMetric(median(observed)/median(bare), "ratio")
		}
	})
}

func number(b *testing.B, text string) float64 {
	b.Helper()
	n, err := strconv.ParseFloat(text, 64)
	if err != nil {
		b.Fatalf("the probe printed %q", text)
	}
	return n
}

func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}

// BenchmarkOpen opens one file over and over.
func BenchmarkOpen(b *testing.B) {
	compare(b, "ns/open", func(seen) {}, "--", "/bin/static", "flat", "/data/a", "300000")
}

// BenchmarkStart starts an interpreter that loads a few hundred files. It is
// the host's, on a volume: the image of the tests has none.
func BenchmarkStart(b *testing.B) {
	args := []string{}
	for _, dir := range []string{"/usr", "/lib", "/lib64"} {
		if _, err := os.Stat(dir); err == nil {
			args = append(args, "-v", dir+":"+dir+":ro")
		}
	}
	args = append(args, "--", "/bin/static", "time", "", "20", "/usr/bin/python3", "-c", "import asyncio, email.mime.text, http.server, json, unittest")
	compare(b, "s/start", func(seen) {}, args...)
}

// BenchmarkBurst opens 50,000 different files, and reports what was lost.
func BenchmarkBurst(b *testing.B) {
	var lost uint64
	compare(b, "s/burst", func(s seen) { lost += s.health.Lost.Total() }, "--", "/bin/static", "burst", "/burst", "50000")
	b.ReportMetric(float64(lost), "lost")
}

// BenchmarkAttach is the time from starting the helper until it is attached.
func BenchmarkAttach(b *testing.B) {
	ctx := deadline(b)
	for b.Loop() {
		s, err := Start(ctx, []string{os.Args[0], "sensor"})
		if err != nil {
			b.Fatal(err)
		}
		if _, _, err := s.Stop(ctx); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed())/float64(b.N)/float64(time.Millisecond), "ms/attach+stop")
}
