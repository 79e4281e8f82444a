// Command docs writes what README.md takes from the code: the table of inputs.
// Its test fails when the two disagree.
//
//	go run ./scripts/docs README.md
package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/vexxy/action/internal/config"
)

const begin, end = "<!-- inputs:begin -->\n", "<!-- inputs:end -->\n"

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "docs:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 1 {
		return errors.New("usage: docs FILE")
	}
	text, err := os.ReadFile(args[0])
	if err != nil {
		return err
	}
	text, err = withInputs(text)
	if err != nil {
		return fmt.Errorf("writing %s: %w", args[0], err)
	}
	return os.WriteFile(args[0], text, 0o644)
}

// withInputs gives the text with the table of inputs between its marks.
func withInputs(text []byte) ([]byte, error) {
	before, rest, ok := strings.Cut(string(text), begin)
	if !ok {
		return nil, fmt.Errorf("looking for %q: there is none", strings.TrimSpace(begin))
	}
	_, after, ok := strings.Cut(rest, end)
	if !ok {
		return nil, fmt.Errorf("looking for %q: there is none", strings.TrimSpace(end))
	}
	return []byte(before + begin + strings.TrimSpace(config.Table()) + "\n" + end + after), nil
}
