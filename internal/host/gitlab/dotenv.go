package gitlab

import (
	"fmt"
	"regexp"
	"strings"
)

// Output is one variable of the dotenv report.
type Output struct{ Name, Value string }

// What GitLab takes of a dotenv report where nobody has raised it
// (https://docs.gitlab.com/ci/yaml/artifacts_reports, dotenv;
// https://docs.gitlab.com/administration/instance_limits).
const (
	maxDotenv    = 5 << 10
	maxVariables = 20
)

// maxValue bounds one value, in bytes, so that all fit together.
const maxValue = 200

var (
	variableName = regexp.MustCompile(`^[A-Z][A-Z0-9_]{0,39}$`)
	// plain is what a value may hold: nothing that a shell, GitLab's parser or the
	// expansion of variables gives a meaning to.
	plain = regexp.MustCompile(`^[A-Za-z0-9._:/@+,=~#-]*$`)
)

// Dotenv gives the report: NAME=value, one to a line. A value that is too long
// or holds anything but plain characters is left empty rather than shortened,
// which could be taken for another one; left names those variables.
func Dotenv(outputs []Output) (report []byte, left []string, err error) {
	var b strings.Builder
	if len(outputs) > maxVariables {
		return nil, nil, fmt.Errorf("writing the dotenv report: %d variables, GitLab takes %d", len(outputs), maxVariables)
	}
	for _, o := range outputs {
		if !variableName.MatchString(o.Name) {
			return nil, nil, fmt.Errorf("writing the dotenv report: %q is no name", o.Name)
		}
		if len(o.Value) > maxValue || !plain.MatchString(o.Value) {
			left, o.Value = append(left, o.Name), ""
		}
		fmt.Fprintf(&b, "%s=%s\n", o.Name, o.Value)
	}
	if b.Len() > maxDotenv {
		return nil, nil, fmt.Errorf("writing the dotenv report: %d bytes, GitLab takes %d", b.Len(), maxDotenv)
	}
	return []byte(b.String()), left, nil
}
