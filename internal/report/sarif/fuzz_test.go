package sarif_test

import (
	"testing"

	"github.com/vexxy/action/internal/foreign/foreigntest"
	"github.com/vexxy/action/internal/report/reporttest"
	"github.com/vexxy/action/internal/report/sarif"
)

// FuzzComplete puts text in every place of a file, and in the options.
func FuzzComplete(f *testing.F) {
	for _, text := range foreigntest.Corpus() {
		f.Add(text[:min(len(text), 2000)])
	}
	f.Add(`"rules": "here"`)
	s := schema(f)
	f.Fuzz(func(t *testing.T, text string) {
		d := must(t)(sarif.Complete(reporttest.Hostile(text), sarif.Options{Dockerfile: text}))
		if err := valid(t, s, d.Data); err != nil {
			t.Fatal(err)
		}
		whole(t, "fuzzed", d)
	})
}
