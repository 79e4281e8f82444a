package consume_test

import (
	"testing"

	"github.com/vexxy/action/internal/consume"
	"github.com/vexxy/action/internal/judge"
	"github.com/vexxy/action/internal/judge/judgetest"
	"github.com/vexxy/action/internal/vexdoc"
)

// BenchmarkCheck measures reading back the document of 5,000 findings by all
// consumers.
func BenchmarkCheck(b *testing.B) {
	r := judgetest.Large(10_000, 5000)
	j := judge.Judge(r)
	doc, err := vexdoc.Build(r, j)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		got, err := consume.Check(b.Context(), doc, r, j)
		if err != nil || !got.OK {
			b.Fatal(err, got)
		}
	}
}
