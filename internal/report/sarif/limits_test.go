package sarif_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/vexxy/action/internal/inventory"
	"github.com/vexxy/action/internal/judge"
	"github.com/vexxy/action/internal/report/reporttest"
	"github.com/vexxy/action/internal/report/sarif"
)

// TestLimits: the file to upload has what is shown, the whole what is taken,
// the worst of it, and both say what they leave out.
func TestLimits(t *testing.T) {
	img := reporttest.Sized(26_000) // 10400 of them are affected
	slices.SortStableFunc(img.Judgement.Assessments, func(a, b judge.Assessment) int {
		return slices.Index(inventory.Severities, a.Severity) - slices.Index(inventory.Severities, b.Severity)
	})
	for name, c := range map[string]struct {
		d             sarif.Document
		results, left int
	}{
		"affected": {must(t)(sarif.Affected(img, sarif.Options{})), sarif.Shown, 5_400},
		"all":      {must(t)(sarif.Complete(img, sarif.Options{})), sarif.Accepted, 1_000},
	} {
		if c.d.Results != c.results || c.d.Left != c.left {
			t.Errorf("%s: %d results, %d left", name, c.d.Results, c.d.Left)
		}
		run := read(t, c.d).Runs[0]
		notes := run.Invocations[0].ToolExecutionNotifications
		if len(notes) != 1 || !strings.Contains(notes[0].Message.Text, fmt.Sprintf("%d are left out", c.left)) {
			t.Errorf("%s: %+v", name, notes)
		}
		if run.Results[0].Properties["status"] != "affected" || run.Tool.Driver.Rules[0].DefaultConfiguration.Level != "error" {
			t.Errorf("%s begins with %+v", name, run.Results[0])
		}
		var small bytes.Buffer
		z := gzip.NewWriter(&small)
		z.Write(c.d.Data)
		z.Close()
		t.Logf("%s: %d bytes, %d compressed", name, len(c.d.Data), small.Len())
		if small.Len() > sarif.MaxCompressed {
			t.Errorf("%s: %d bytes compressed", name, small.Len())
		}
	}
}

// What does not compress is cut by its size.
func TestIncompressible(t *testing.T) {
	img := reporttest.Sized(18_000)
	seed := uint32(1)
	for i := range img.Judgement.Assessments {
		a := &img.Judgement.Assessments[i]
		noise := make([]byte, 480)
		for j := range noise {
			seed = seed*1664525 + 1013904223
			noise[j] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[seed>>26]
		}
		a.Status, a.Text, a.Description = judge.NotAffected, string(noise), string(noise[100:])
	}
	d := must(t)(sarif.Complete(img, sarif.Options{}))
	var small bytes.Buffer
	z := gzip.NewWriter(&small)
	z.Write(d.Data)
	z.Close()
	if small.Len() > sarif.MaxCompressed || d.Left == 0 || d.Results == 0 || d.Results+d.Left != 18_000 {
		t.Errorf("%d bytes compressed, %d results, %d left", small.Len(), d.Results, d.Left)
	}
}
