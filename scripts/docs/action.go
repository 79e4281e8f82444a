package main

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/vexxy/action/internal/config"
)

// metadata is action.yml, with its inputs and outputs in their order
// (https://docs.github.com/actions, metadata syntax).
type metadata struct {
	Inputs, Outputs entries
	Runs            struct {
		Using, Main, Post string
		PostIf            string `yaml:"post-if"`
	}
}

type entry struct {
	Name        string `yaml:"-"`
	Description string
	Default     string
	Required    bool
	Deprecation string `yaml:"deprecationMessage"`
}

type entries []entry

func (e *entries) UnmarshalYAML(n *yaml.Node) error {
	for i := 0; i+1 < len(n.Content); i += 2 {
		one := entry{Name: n.Content[i].Value}
		if err := n.Content[i+1].Decode(&one); err != nil {
			return err
		}
		*e = append(*e, one)
	}
	return nil
}

func parseAction(text []byte) (metadata, error) {
	var m metadata
	return m, yaml.Unmarshal(text, &m)
}

// tokenInput is the one input of the program to which the action gives a value:
// it stands in no file.
const tokenInput = "github-token"

// actionInputs gives the program's inputs as those of an action.
func actionInputs(inputs []config.Input) string {
	var b strings.Builder
	for _, in := range inputs {
		if in.Host == config.GitLab {
			continue
		}
		fmt.Fprintf(&b, "  %s:\n    description: %s\n", in.Name, quoted(described(in)))
		if in.Name == tokenInput {
			b.WriteString("    default: ${{ github.token }}\n")
		}
		for _, alias := range in.Aliases {
			fmt.Fprintf(&b, "  %s:\n    description: %s\n", alias, quoted("the same as "+in.Name))
		}
	}
	return b.String()
}

// described is an input in words: what it is, what it may be, what stands when
// it is not given.
func described(in config.Input) string {
	d := in.Doc
	if len(in.Values) > 0 {
		d += ". One of " + strings.Join(in.Values, ", ")
	} else if in.Kind != config.Text {
		d += ". Written as " + string(in.Kind)
	}
	if in.Default != "" {
		return d + ". Default: " + in.Default
	}
	return d + ". Default: " + in.Unset
}

// quoted is a text in YAML's single quotes, in which nothing but a quote means
// anything.
func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// programInputs are the names of the program's inputs.
func programInputs() map[string]bool {
	names := map[string]bool{}
	for _, in := range config.Inputs() {
		names[in.Name] = true
		for _, alias := range in.Aliases {
			names[alias] = true
		}
	}
	return names
}

// ownInputs is the table of the inputs that the action alone has.
func (m metadata) ownInputs() string {
	var b strings.Builder
	b.WriteString("| input | meaning |\n|---|---|\n")
	program := programInputs()
	for _, in := range m.Inputs {
		if !program[in.Name] {
			fmt.Fprintf(&b, "| `%s` | %s |\n", in.Name, cell(in.Description))
		}
	}
	return b.String()
}

// outputs is the table of outputs.
func (m metadata) outputs() string {
	var b strings.Builder
	b.WriteString("| output | holds |\n|---|---|\n")
	for _, out := range m.Outputs {
		fmt.Fprintf(&b, "| `%s` | %s |\n", out.Name, cell(out.Description))
	}
	return b.String()
}

func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }
