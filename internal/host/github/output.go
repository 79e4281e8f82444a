package github

import (
	"fmt"
	"os"
	"regexp"
	"strings"

	actions "github.com/sethvargo/go-githubactions"
)

// Output is one of the step's outputs.
type Output struct{ Name, Value string }

// maxOutput bounds one output; GitHub takes 1 MB for all of a job.
const maxOutput = 512 << 10

var outputName = regexp.MustCompile(`^[a-z][a-z0-9-]*$`)

// SetOutputs writes all outputs at once to the file that GITHUB_OUTPUT names.
// Values may hold line breaks and foreign text: each stands between delimiters
// that nobody can guess.
func (h *Host) SetOutputs(outputs []Output) error {
	var b strings.Builder
	for _, o := range outputs {
		if !outputName.MatchString(o.Name) {
			return fmt.Errorf("writing output %q: it is no name", o.Name)
		}
		if len(o.Value) > maxOutput {
			return fmt.Errorf("writing output %s: it has %d bytes, more than %d", o.Name, len(o.Value), maxOutput)
		}
		if strings.ContainsRune(o.Value, 0) {
			return fmt.Errorf("writing output %s: it holds a NUL byte", o.Name)
		}
		delimiter := token()
		fmt.Fprintf(&b, "%s<<%s\n%s\n%s\n", o.Name, delimiter, o.Value, delimiter)
	}
	return h.file("output", b.String())
}

// file appends to one of the runner's files: output or step-summary. The
// library panics where it cannot.
func (h *Host) file(name, text string) (err error) {
	variable := "GITHUB_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("writing %s: %v", variable, r)
		}
	}()
	path := h.getenv(variable)
	if path == "" {
		return fmt.Errorf("writing %s: the variable is not set", variable)
	}
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("writing %s: %s is no file", variable, path)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.action.IssueFileCommand(&actions.Command{Name: name, Message: strings.TrimSuffix(text, "\n")})
	return nil
}
