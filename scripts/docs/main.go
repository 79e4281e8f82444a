// Command docs writes what is said in more than one place from where it is
// said first: the inputs of action.yml and of templates/analyze.yml from the
// program's, and the tables of README.md from all three. Its tests fail when they disagree.
//
//	go run ./scripts/docs
package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/vexxy/action/internal/config"
)

func main() {
	if err := run("."); err != nil {
		fmt.Fprintln(os.Stderr, "docs:", err)
		os.Exit(1)
	}
}

// run brings the files below root up to date.
func run(root string) error {
	files, err := written(root)
	if err != nil {
		return err
	}
	for path, text := range files {
		if err := os.WriteFile(path, text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// written gives the files as they should be, by their paths.
func written(root string) (map[string][]byte, error) {
	actionPath, readmePath, templatePath := root+"/action.yml", root+"/README.md", root+"/templates/analyze.yml"
	action, err := os.ReadFile(actionPath)
	if err != nil {
		return nil, err
	}
	readme, err := os.ReadFile(readmePath)
	if err != nil {
		return nil, err
	}
	if action, err = between(action, "  # inputs:begin\n", "  # inputs:end\n", actionInputs(config.Inputs())); err != nil {
		return nil, fmt.Errorf("writing %s: %w", actionPath, err)
	}
	meta, err := parseAction(action)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", actionPath, err)
	}
	part, err := os.ReadFile(templatePath)
	if err != nil {
		return nil, err
	}
	if part, err = template(part, config.Inputs()); err != nil {
		return nil, fmt.Errorf("writing %s: %w", templatePath, err)
	}
	spec, err := parseComponent(part)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", templatePath, err)
	}
	for mark, table := range map[string]string{
		"inputs": config.Table(), "action-inputs": meta.ownInputs(), "outputs": meta.outputs(),
		"component-inputs": spec.ownInputs(), "variables": meta.variables(),
	} {
		readme, err = between(readme, "<!-- "+mark+":begin -->\n", "<!-- "+mark+":end -->\n", table)
		if err != nil {
			return nil, fmt.Errorf("writing %s: %w", readmePath, err)
		}
	}
	return map[string][]byte{actionPath: action, readmePath: readme, templatePath: part}, nil
}

// between gives the text with another one between its two marks.
func between(text []byte, begin, end, other string) ([]byte, error) {
	before, rest, ok := strings.Cut(string(text), begin)
	if !ok {
		return nil, fmt.Errorf("looking for %q: there is none", strings.TrimSpace(begin))
	}
	_, after, ok := strings.Cut(rest, end)
	if !ok {
		return nil, fmt.Errorf("looking for %q: there is none", strings.TrimSpace(end))
	}
	return []byte(before + begin + strings.Trim(other, "\n") + "\n" + end + after), nil
}
