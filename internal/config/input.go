package config

import (
	"strings"

	"github.com/vexxy/action/internal/fault"
)

// Kind says how an input's value is written.
type Kind string

// The kinds of inputs.
const (
	Text     Kind = "text"
	Switch   Kind = "switch"   // true or false; a flag without value is true
	Choice   Kind = "choice"   // one of Input.Values
	Duration Kind = "duration" // 300s, 5m, 5d; a plain number is seconds
	Size     Kind = "size"     // 512Mi, 4Gi; a plain number is bytes
	Number   Kind = "number"
	Limit    Kind = "limit"     // a number, or severity=number pairs
	List     Kind = "list"      // separated by commas or newlines
	Words    Kind = "words"     // split as a shell does, or a JSON array
	Pairs    Kind = "variables" // NAME=value, separated by newlines
)

// Input is one row of the table of inputs.
type Input struct {
	// Name is the flag's name and the file's key. VEXXY_ and the name in upper
	// case with underscores is the variable.
	Name string
	// Aliases are other names for the same list.
	Aliases []string
	Group   string
	Kind    Kind
	// Default is the value that stands when none is given; where it is empty,
	// Unset says what happens then.
	Default, Unset string
	// Doc is one line without a full stop.
	Doc string
	// Values are the allowed values of a Choice.
	Values []string
	// Secret values are never printed.
	Secret bool
	// NoFile inputs are refused in the configuration file.
	NoFile bool
	// Host is the one CI host that has a use for it, empty for all.
	Host string

	set  func(*Config, []given) error
	show func(*Config) string
}

// Variable is the input's environment variable.
func (in Input) Variable() string { return variable(in.Name) }

// variable is the environment variable for an input's name.
func variable(name string) string {
	return "VEXXY_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
}

// given is one occurrence of an input in one source.
type given struct {
	// items is the text as it stands in the source, or the items of a list or
	// mapping there.
	items []string
	// list says that items are already separate.
	list bool
	// origin says where it stands: a flag, a variable, a file and line.
	origin string
}

// empty reports whether the occurrence counts as not given.
func (g given) empty() bool {
	return len(g.items) == 0 || !g.list && strings.TrimSpace(g.items[0]) == ""
}

// table finds inputs by name and alias.
type table map[string]Input

func newTable(inputs []Input) table {
	t := table{}
	for _, in := range inputs {
		t[in.Name] = in
		for _, alias := range in.Aliases {
			t[alias] = in
		}
	}
	return t
}

// near gives the known name closest to an unknown one, or "". Underscores and
// capitals are forgiven.
func (t table) near(name string) string {
	names := make([]string, 0, len(t))
	for known := range t {
		names = append(names, known)
	}
	return nearest(strings.ReplaceAll(strings.ToLower(name), "_", "-"), names)
}

// invalid is a value that an input cannot take, with what would do.
type invalid struct{ what, hint string }

func (e invalid) Error() string { return e.what }

// refuse makes the fault for a value that was refused.
func refuse(in Input, origin string, err error) error {
	hint := "see vexxy run --help"
	if e, ok := err.(invalid); ok && e.hint != "" {
		hint = e.hint
	} else if own := fault.HintOf(err); own != "" {
		hint = own
	}
	return fault.New(fault.Usage, hint, "reading input %s from %s: %w", in.Name, origin, err)
}
