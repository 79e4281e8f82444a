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
// under the sensor, by turns, and reports both medians, their ratio and how
// many events were lost in all.
func compare(b *testing.B, unit string, args ...string) {
	image(b)
	for b.Loop() {
		var bare, observed []float64
		var lost uint64
		for range rounds {
			id := create(b, args...)
			docker(b, "start", id)
			docker(b, "wait", id)
			bare = append(bare, number(b, docker(b, "logs", id)))
			docker(b, "rm", id)
			s := observe(b, args...)
			observed = append(observed, number(b, s.output))
			lost += s.health.Lost.Total()
		}
		b.ReportMetric(median(bare), "bare-"+unit)
		b.ReportMetric(median(observed), "observed-"+unit)
		b.ReportMetric(median(observed)/median(bare), "ratio")
		b.ReportMetric(float64(lost), "lost")
	}
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

// BenchmarkOpen opens one file over and over; in processor time, which other
// work on the machine disturbs least.
func BenchmarkOpen(b *testing.B) {
	compare(b, "ns/open", "--", "/bin/static", "flat", "/data/a", "300000")
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
	compare(b, "s/start", args...)
}

// BenchmarkBurst opens 50,000 different files as fast as it can.
func BenchmarkBurst(b *testing.B) {
	compare(b, "s/burst", "--", "/bin/static", "burst", "/burst", "50000")
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
