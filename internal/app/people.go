package app

import (
	"fmt"

	"github.com/vexxy/action/internal/foreign"
	"github.com/vexxy/action/internal/judge"
)

// maxTold is how many contradictions an annotation names.
const maxTold = 10

// contradictions are findings that a person cleared and that were seen in use.
func contradictions(all []*judge.Assessment) string {
	text := fmt.Sprintf("%d findings were stated to be not affected by a person, and were seen in use; they stay affected and count:", len(all))
	for i, a := range all {
		if i == maxTold {
			return text + fmt.Sprintf("\nand %d more, see result.json", len(all)-i)
		}
		seen := ""
		if a.Seen != nil {
			seen = ", seen: " + foreign.Text(a.Seen.Path).Line(200)
		}
		text += fmt.Sprintf("\n%s in %s by %s (%s)%s", foreign.Text(a.Vulnerability).Line(60), foreign.Text(a.PackageName).Line(60),
			foreign.Text(a.Human.Author).Line(100), foreign.Text(a.Human.Source).Line(100), seen)
	}
	return text
}
