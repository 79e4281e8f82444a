package github

import (
	"fmt"

	actions "github.com/sethvargo/go-githubactions"

	"github.com/vexxy/action/internal/steplog"
)

// Level is the kind of an annotation.
type Level string

// The kinds of annotations.
const (
	Error   Level = "error"
	Warning Level = "warning"
	Notice  Level = "notice"
)

// maxAnnotations is how many annotations of each kind GitHub shows for a step
// (https://docs.github.com/actions, limits of annotations); further ones would
// vanish without a word.
const maxAnnotations = 10

// Annotate puts a line onto the job's page. The lines of what it says may hold
// foreign text. Of each kind, what is beyond the limit goes into the log alone.
func (h *Host) Annotate(level Level, title, message string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	shown := ""
	for i, line := range steplog.Lines(message) {
		if i == 10 {
			shown += "\n…"
			break
		}
		if i > 0 {
			shown += "\n"
		}
		shown += text(line, 1000)
	}
	h.annotated[level]++
	if h.annotated[level] > maxAnnotations {
		// Our own prefix keeps the line from being read as a command.
		fmt.Fprintf(h.out, "%s: %s: %s\n", level, text(title, 200), text(message, 2000))
		return
	}
	a := h.action.WithFieldsMap(actions.CommandProperties{"title": text(title, 200)})
	switch level {
	case Error:
		a.Errorf("%s", shown)
	case Warning:
		a.Warningf("%s", shown)
	default:
		a.Noticef("%s", shown)
	}
}
