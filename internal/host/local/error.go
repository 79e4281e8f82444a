package local

import (
	"fmt"
	"io"
	"strings"

	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/foreign"
)

// errorLines is the greatest number of lines that an error is printed with.
const errorLines = 40

// PrintError prints err the way every command ends: what went wrong and, where
// it is known, what to do about it. The further lines of an error that has
// several are indented.
func PrintError(out io.Writer, err error) {
	if err == nil {
		return
	}
	lines := strings.SplitN(strings.TrimSpace(err.Error()), "\n", errorLines+1)
	if len(lines) > errorLines {
		lines[errorLines] = "…"
	}
	for i, line := range lines {
		prefix := "error: "
		if i > 0 {
			prefix = "  "
		}
		fmt.Fprintf(out, "%s%s\n", prefix, foreign.Text(line).Terminal(2000))
	}
	if hint := fault.HintOf(err); hint != "" {
		fmt.Fprintf(out, "hint: %s\n", foreign.Text(hint).Terminal(1000))
	}
}
