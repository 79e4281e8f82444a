package config

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/vexxy/action/internal/fault"
)

// ErrHelp says that the command line asks for help.
var ErrHelp = errors.New("help is asked for")

// Line is a command line, split into flags and the rest.
type Line struct {
	// Rest are the arguments that are no flags, in order.
	Rest []string

	flags map[string][]given
}

// ParseLine splits args by a table of inputs. Flags may stand anywhere before
// "--"; they are written --name value or --name=value, and a switch may stand
// alone. The error is ErrHelp for -h and --help, else a usage fault.
func ParseLine(args []string, inputs []Input) (Line, error) {
	known := newTable(inputs)
	line := Line{flags: map[string][]given{}}
	for i := 0; i < len(args); i++ {
		arg := args[i]
		switch {
		case arg == "--":
			line.Rest = append(line.Rest, args[i+1:]...)
			return line, nil
		case arg == "-h" || arg == "--help":
			return line, ErrHelp
		case len(arg) < 2 || arg[0] != '-':
			line.Rest = append(line.Rest, arg)
			continue
		}
		name, text, hasText := strings.Cut(strings.TrimPrefix(arg, "--"), "=")
		in, found := known[name]
		if !found || !strings.HasPrefix(arg, "--") {
			return line, unknownFlag(known, arg, name)
		}
		switch {
		case hasText:
		case in.Kind == Switch:
			text = "true"
		case i+1 == len(args):
			return line, fault.New(fault.Usage, fmt.Sprintf("write --%s VALUE", name), "flag --%s has no value", name)
		default:
			i++
			text = args[i]
		}
		line.flags[in.Name] = append(line.flags[in.Name], given{items: []string{text}, origin: "--" + name})
	}
	return line, nil
}

func unknownFlag(known table, arg, name string) error {
	hint := "see --help for all flags"
	bare := strings.TrimLeft(name, "-")
	switch in, isKnown := known[strings.TrimPrefix(bare, "no-")]; {
	case isKnown && in.Kind == Switch && strings.HasPrefix(bare, "no-"):
		hint = fmt.Sprintf("write --%s=false", in.Name)
	case known.near(bare) != "":
		hint = fmt.Sprintf("did you mean --%s?", known.near(bare))
	}
	// The value may be a secret that stands behind a mistyped name.
	shown, _, _ := strings.Cut(arg, "=")
	return fault.New(fault.Usage, hint, "unknown flag %q", cut(shown))
}

// Text gives a flag's text, the last where it was repeated.
func (l Line) Text(name string) (text string, given bool) {
	all := l.flags[name]
	if len(all) == 0 {
		return "", false
	}
	return all[len(all)-1].items[0], true
}

// Switch gives a switch's state, off when it was not given.
func (l Line) Switch(name string) (bool, error) {
	text, found := l.Text(name)
	if !found {
		return false, nil
	}
	on, err := parseSwitch(text)
	if err != nil {
		return false, refuse(Input{Name: name}, "--"+name, err)
	}
	return on, nil
}

// Duration gives a flag's length of time, 0 when it was not given.
func (l Line) Duration(name string) (time.Duration, error) {
	text, found := l.Text(name)
	if !found {
		return 0, nil
	}
	d, err := parseDuration(text)
	if err == nil && d < 0 {
		err = invalid{"it is negative", "write a length such as 5m or 30d"}
	}
	if err != nil {
		return 0, refuse(Input{Name: name}, "--"+name, err)
	}
	return d, nil
}

// Choice gives a flag's text, which must be one of the values; the first when
// it was not given.
func (l Line) Choice(name string, values ...string) (string, error) {
	text, found := l.Text(name)
	if !found {
		return values[0], nil
	}
	if !slices.Contains(values, text) {
		return "", refuse(Input{Name: name}, "--"+name, invalid{strconv.Quote(cut(text)) + " is not a value of it", "write one of " + strings.Join(values, ", ")})
	}
	return text, nil
}
