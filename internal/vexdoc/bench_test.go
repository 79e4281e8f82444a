package vexdoc_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/vexxy/action/internal/judge"
	"github.com/vexxy/action/internal/judge/judgetest"
	"github.com/vexxy/action/internal/vexdoc"
)

// BenchmarkJudge measures judge, document and write together. The sizes grow
// in packages and in findings alike.
func BenchmarkJudge(b *testing.B) {
	for _, packages := range []int{5_000, 10_000, 20_000} {
		b.Run(fmt.Sprintf("packages=%d", packages), func(b *testing.B) {
			r := judgetest.Large(packages, packages/2)
			path := filepath.Join(b.TempDir(), "vex.json")
			before := usage(b)
			for b.Loop() {
				j := judge.Judge(r)
				doc, err := vexdoc.Build(r, j)
				if err != nil {
					b.Fatal(err)
				}
				if err := os.WriteFile(path, doc, 0o600); err != nil {
					b.Fatal(err)
				}
				if j.Summary.NotAffected*5 != j.Summary.Total*4 {
					b.Fatalf("summary %+v", j.Summary)
				}
			}
			after := usage(b)
			cpu := syscall.TimevalToNsec(after.Utime) + syscall.TimevalToNsec(after.Stime) -
				syscall.TimevalToNsec(before.Utime) - syscall.TimevalToNsec(before.Stime)
			b.ReportMetric(float64(cpu)/1e6/float64(b.N), "cpu-ms/op")
			b.ReportMetric(float64(after.Maxrss)/1024, "peak-MiB")
		})
	}
}

func usage(b *testing.B) (u syscall.Rusage) {
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return u
}

// BenchmarkSize measures the document of 5,000 findings: 1,000 vulnerabilities
// in 5 packages each, four fifths cleared. Beside it stands the same lossless
// content with one statement a finding and one product, as a writer without
// grouping has it.
func BenchmarkSize(b *testing.B) {
	r := judgetest.Large(1250, 5000)
	j := judge.Judge(r)
	var doc []byte
	for b.Loop() {
		var err error
		if doc, err = vexdoc.Build(r, j); err != nil {
			b.Fatal(err)
		}
	}
	ungrouped := 0
	for _, a := range j.Assessments {
		line, err := json.MarshalIndent(map[string]any{
			"vulnerability": map[string]any{"@id": "https://nvd.nist.gov/vuln/detail/" + a.Vulnerability, "name": a.Vulnerability},
			"products":      []any{map[string]any{"@id": "pkg:oci/app@" + judgetest.Digest("a"), "subcomponents": []any{map[string]any{"@id": a.PURL}}}},
			"status":        a.Status, "status_notes": a.Text,
		}, "    ", "  ")
		if err != nil {
			b.Fatal(err)
		}
		ungrouped += len(line)
	}
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	if _, err := w.Write(doc); err != nil {
		b.Fatal(err)
	}
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(len(doc)), "bytes")
	b.ReportMetric(float64(len(doc))/float64(len(j.Assessments)), "bytes/finding")
	b.ReportMetric(float64(packed.Len()), "gzip-bytes")
	b.ReportMetric(float64(ungrouped), "ungrouped-bytes")
}
