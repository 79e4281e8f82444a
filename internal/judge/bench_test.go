package judge_test

import (
	"fmt"
	"testing"

	"github.com/vexxy/action/internal/evidence"
	"github.com/vexxy/action/internal/inventory"
	"github.com/vexxy/action/internal/judge"
	"github.com/vexxy/action/internal/judge/judgetest"
)

// BenchmarkNames judges packages whose names some consumer takes for others', all
// with one vulnerability: n of one name but for the epoch beside n of which that
// is the source, and a chain of n in which each is the next one's source and the
// last was used. Time is to grow as n does.
func BenchmarkNames(b *testing.B) {
	for _, n := range []int{1000, 2000, 4000} {
		r := judgetest.Good()
		for i := range n {
			p := judgetest.Deb(fmt.Sprintf("e%d", i), "", fmt.Sprintf("/e%d", i))
			p.PURL = fmt.Sprintf("pkg:deb/debian/x@%d:1", i+1)
			judgetest.AddPackage(&r, p, "CVE-1")
			p = judgetest.Deb(fmt.Sprintf("s%d", i), "", fmt.Sprintf("/s%d", i))
			p.Source = &inventory.Source{Name: "x", Version: "1"}
			judgetest.AddPackage(&r, p, "CVE-1")
		}
		b.Run(fmt.Sprintf("one/%d", n), func(b *testing.B) {
			for b.Loop() {
				judge.Judge(r)
			}
		})
		r = judgetest.Good()
		for i := range n {
			p := judgetest.Deb(fmt.Sprintf("c%d", i), fmt.Sprintf("c%d", i-1), fmt.Sprintf("/c%d", i))
			judgetest.AddPackage(&r, p, "CVE-1")
		}
		judgetest.Observe(&r, fmt.Sprintf("/c%d", n-1), evidence.Map)
		b.Run(fmt.Sprintf("chain/%d", n), func(b *testing.B) {
			for b.Loop() {
				judge.Judge(r)
			}
		})
	}
}
