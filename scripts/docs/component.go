package main

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/vexxy/action/internal/config"
)

// outputDir is the one input of the program that the component always gives:
// the job's artifacts are taken from there.
const outputDir = "output-dir"

// componentInputs gives the program's inputs as those of a component
// (https://docs.gitlab.com/ci/inputs).
func componentInputs(inputs []config.Input) string {
	var b strings.Builder
	for _, in := range inputs {
		if in.Host == config.GitHub {
			continue
		}
		text, standard := described(in), "''"
		switch {
		case in.Name == outputDir:
			text, standard = in.Doc+", of which the artifacts are made: it wins over the configuration file", in.Default
		case in.Secret:
			text += ". Name a masked variable, such as $NAME: inputs can be read by whoever sees the pipeline"
		}
		fmt.Fprintf(&b, "    %s:\n      description: %s\n", in.Name, quoted(text))
		if values := choices(in); len(values) > 0 {
			fmt.Fprintf(&b, "      options: ['', %s]\n", strings.Join(values, ", "))
		}
		fmt.Fprintf(&b, "      default: %s\n", standard)
	}
	return b.String()
}

// choices are an input's values in YAML's quotes: GitLab refuses others.
func choices(in config.Input) []string {
	values := in.Values
	if in.Kind == config.Switch {
		values = []string{"true", "false"}
	}
	var all []string
	for _, v := range values {
		all = append(all, quoted(v))
	}
	return all
}

// componentVariables hands the inputs to the program. What a shell will read is
// not expanded before: its variables are not GitLab's.
func componentVariables(inputs []config.Input) string {
	var b strings.Builder
	for _, in := range inputs {
		if in.Host == config.GitHub {
			continue
		}
		value := quoted("$[[ inputs." + in.Name + " ]]")
		if in.Kind == config.Words || strings.HasSuffix(in.Name, "-command") {
			fmt.Fprintf(&b, "    %s:\n      value: %s\n      expand: false\n", in.Variable(), value)
			continue
		}
		fmt.Fprintf(&b, "    %s: %s\n", in.Variable(), value)
	}
	return b.String()
}

// template gives the component's file as it should be.
func template(text []byte, inputs []config.Input) ([]byte, error) {
	text, err := between(text, "    # inputs:begin\n", "    # inputs:end\n", componentInputs(inputs))
	if err != nil {
		return nil, err
	}
	return between(text, "    # variables:begin\n", "    # variables:end\n", componentVariables(inputs))
}

// component is the header of the template, with its inputs in their order.
type component struct {
	Spec struct{ Inputs componentEntries }
}

type componentEntry struct {
	Name        string `yaml:"-"`
	Description string
	Type        string
	Regex       string
	Options     []string
	Default     yaml.Node // zero where a value must be given
}

type componentEntries []componentEntry

func (e *componentEntries) UnmarshalYAML(n *yaml.Node) error {
	for i := 0; i+1 < len(n.Content); i += 2 {
		one := componentEntry{Name: n.Content[i].Value}
		if err := n.Content[i+1].Decode(&one); err != nil {
			return err
		}
		*e = append(*e, one)
	}
	return nil
}

func parseComponent(text []byte) (component, error) {
	var c component
	return c, yaml.Unmarshal(text, &c) // the first document of two
}

// ownInputs is the table of the inputs that the component alone has.
func (c component) ownInputs() string {
	var b strings.Builder
	b.WriteString("| input | default | meaning |\n|---|---|---|\n")
	program := programInputs()
	for _, in := range c.Spec.Inputs {
		if program[in.Name] && in.Name != outputDir {
			continue
		}
		standard := "required"
		switch {
		case in.Default.Value != "":
			standard = "`" + in.Default.Value + "`"
		case !in.Default.IsZero():
			standard = "none"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", in.Name, standard, cell(in.Description))
	}
	return b.String()
}

// unlisted are outputs that the component has not: GitLab takes 20 variables.
var unlisted = []string{"sarif", "summary", "attestations", "affected-negligible", "affected-unknown"}

// variables is the table of the component's variables, which are outputs of the
// action by other names.
func (m metadata) variables() string {
	var b strings.Builder
	b.WriteString("| variable | holds |\n|---|---|\n")
	for _, out := range m.Outputs {
		if slices.Contains(unlisted, out.Name) {
			continue
		}
		name, text := out.Name, out.Description
		if name == "comment-url" {
			name, text = "note-url", "address of the note on the merge request, where there is one"
		}
		text = strings.ReplaceAll(text, "one to a line", "separated by commas")
		fmt.Fprintf(&b, "| `VEX_%s` | %s |\n", strings.ToUpper(strings.ReplaceAll(name, "-", "_")), cell(text))
	}
	return b.String()
}
