package github

import (
	"fmt"
	"os"

	"github.com/vexxy/action/internal/sticky"
)

// maxSummary is what GitHub takes of one step's summary, in bytes
// (https://docs.github.com/actions, workflow commands); more of it and nothing
// is shown.
const maxSummary = 1 << 20

// Body renders a text in at most limit bytes.
type Body func(limit int) []byte

// Summarise adds to the job's summary, within what is left of its size.
func (h *Host) Summarise(body Body) error {
	used := int64(0)
	if info, err := os.Stat(h.getenv("GITHUB_STEP_SUMMARY")); err == nil {
		used = info.Size()
	}
	left := maxSummary - int(min(used, maxSummary)) - len("\n\n")
	if left < 1<<10 {
		return fmt.Errorf("writing GITHUB_STEP_SUMMARY: %d bytes stand in it already, of %d", used, maxSummary)
	}
	text := sticky.Cut(body(left), left)
	if used > 0 {
		text = append([]byte("\n"), text...)
	}
	return h.file("step-summary", string(text))
}
