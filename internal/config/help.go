package config

import (
	"fmt"
	"io"
	"strings"
)

// helpWidth is the width of the help text, in columns.
const helpWidth = 80

// WriteHelp writes the help of inputs, by groups in their order.
func WriteHelp(w io.Writer, inputs []Input) error {
	var b strings.Builder
	last := ""
	for i, in := range inputs {
		if in.Group != last {
			if i > 0 {
				b.WriteByte('\n')
			}
			fmt.Fprintf(&b, "%s:\n", in.Group)
			last = in.Group
		}
		head := "--" + in.Name
		if in.Kind != Switch {
			head += " " + strings.ToUpper(string(in.Kind))
		}
		fmt.Fprintf(&b, "  %s\n", head)
		for _, l := range wrap(in.Doc+" "+in.standing(), helpWidth-6) {
			fmt.Fprintf(&b, "      %s\n", l)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// standing says what holds when the input is not given, and what it may be.
func (in Input) standing() string {
	standing := "default: " + in.Default
	if in.Default == "" {
		standing = "default: " + in.Unset
	}
	if len(in.Values) > 0 {
		standing = "one of " + strings.Join(in.Values, ", ") + "; " + standing
	}
	return "(" + standing + ")"
}

// wrap breaks text at blanks into lines of at most width bytes; a longer word
// has a line of its own.
func wrap(text string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && len(line)+1+len(word) > width {
			lines = append(lines, line)
			line = ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return append(lines, line)
}

// Table gives the inputs as a Markdown table for the documentation.
func Table() string {
	var b strings.Builder
	b.WriteString("| input | kind | default | meaning |\n|---|---|---|---|\n")
	for _, in := range Inputs() {
		name := "`" + in.Name + "`"
		for _, alias := range in.Aliases {
			name += ", `" + alias + "`"
		}
		standing := in.Unset
		if in.Default != "" {
			standing = "`" + in.Default + "`"
		}
		kind := string(in.Kind)
		if len(in.Values) > 0 {
			kind = "`" + strings.Join(in.Values, "`, `") + "`"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", name, kind, standing, strings.ReplaceAll(in.Doc, "|", `\|`))
	}
	return b.String()
}
