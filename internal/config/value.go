package config

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// value ties an input to its field of Config: how it is read and written.
type value struct {
	kind   Kind
	values []string
	set    func(*Config, []given) error
	show   func(*Config) string
}

// scalar gives the one text of an input: the last occurrence wins.
func scalar(occurrences []given) (string, error) {
	g := occurrences[len(occurrences)-1]
	if g.list {
		return "", invalid{"it is a list", "write one value"}
	}
	return strings.TrimSpace(g.items[0]), nil
}

// one makes a value of a single text.
func one[T any](kind Kind, field func(*Config) *T, parse func(string) (T, error), format func(T) string) value {
	return value{
		kind: kind,
		set: func(c *Config, occurrences []given) error {
			s, err := scalar(occurrences)
			if err != nil {
				return err
			}
			v, err := parse(s)
			if err != nil {
				return err
			}
			*field(c) = v
			return nil
		},
		show: func(c *Config) string { return format(*field(c)) },
	}
}

// text is any text that check, if there is one, accepts.
func text(field func(*Config) *string, check func(string) error) value {
	return one(Text, field, func(s string) (string, error) {
		if check == nil {
			return s, nil
		}
		return s, check(s)
	}, func(s string) string { return s })
}

func onOff(field func(*Config) *bool) value {
	return one(Switch, field, parseSwitch, strconv.FormatBool)
}

func parseSwitch(s string) (bool, error) {
	switch strings.ToLower(s) {
	case "true", "yes", "on", "1":
		return true, nil
	case "false", "no", "off", "0":
		return false, nil
	}
	return false, invalid{strconv.Quote(cut(s)) + " is neither true nor false", "write true or false"}
}

// choice is one of the values, in lower case.
func choice(field func(*Config) *string, values ...string) value {
	v := one(Choice, field, func(s string) (string, error) {
		lower := strings.ToLower(s)
		if slices.Contains(values, lower) {
			return lower, nil
		}
		hint := "write one of " + strings.Join(values, ", ")
		if near := nearest(lower, slices.Clone(values)); near != "" {
			hint = fmt.Sprintf("did you mean %s? It is one of %s", near, strings.Join(values, ", "))
		}
		return "", invalid{strconv.Quote(cut(s)) + " is not a value of it", hint}
	}, func(s string) string { return s })
	v.values = values
	return v
}

func duration(field func(*Config) *time.Duration, least, most time.Duration) value {
	return one(Duration, field, func(s string) (time.Duration, error) {
		d, err := parseDuration(s)
		return d, within(err, d, least, most, formatDuration)
	}, formatDuration)
}

func size(field func(*Config) *int64, least, most int64) value {
	return one(Size, field, func(s string) (int64, error) {
		n, err := parseSize(s)
		return n, within(err, n, least, most, formatSize)
	}, formatSize)
}

func count(field func(*Config) *int64, least, most int64) value {
	format := func(n int64) string { return strconv.FormatInt(n, 10) }
	return one(Number, field, func(s string) (int64, error) {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			err = invalid{strconv.Quote(cut(s)) + " is not a whole number", "write a number such as " + format(least)}
		}
		return n, within(err, n, least, most, format)
	}, format)
}

func cpus(field func(*Config) *float64, least, most float64) value {
	format := func(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }
	return one(Number, field, func(s string) (float64, error) {
		f, err := parseCPU(s)
		return f, within(err, f, least, most, format)
	}, format)
}

// within adds the check of a range to an earlier error.
func within[T int64 | float64 | time.Duration](err error, v, least, most T, format func(T) string) error {
	if err != nil || v >= least && v <= most {
		return err
	}
	return invalid{fmt.Sprintf("%s is out of range", format(v)), fmt.Sprintf("write a value from %s to %s", format(least), format(most))}
}

// list is a list of texts that check, if there is one, accepts. In one text
// newlines separate, or commas where there is no newline.
func list(field func(*Config) *[]string, check func(string) error) value {
	return value{
		kind: List,
		set: func(c *Config, occurrences []given) error {
			items, err := collect(occurrences, func(s string) ([]string, error) { return splitList(s), nil })
			if err != nil {
				return err
			}
			for i, item := range items {
				if check != nil {
					if err := check(item); err != nil {
						return err
					}
				}
				if !slices.Contains(items[:i], item) {
					*field(c) = append(*field(c), item)
				}
			}
			return nil
		},
		show: func(c *Config) string {
			s := strings.Join(*field(c), "\n")
			if strings.Contains(s, ",") && !strings.Contains(s, "\n") {
				s += "\n" // so that the comma does not separate
			}
			return s
		},
	}
}

func splitList(s string) []string {
	if strings.Contains(s, "\n") {
		return strings.Split(s, "\n")
	}
	return strings.Split(s, ",")
}

// words is a command line.
func words(field func(*Config) *[]string) value {
	return value{
		kind: Words,
		set: func(c *Config, occurrences []given) error {
			for _, g := range occurrences {
				if g.list {
					*field(c) = append(*field(c), g.items...)
					continue
				}
				split, err := splitWords(g.items[0])
				if err != nil {
					return err
				}
				*field(c) = append(*field(c), split...)
			}
			return nil
		},
		show: func(c *Config) string { return joinWords(*field(c)) },
	}
}

// maxItems bounds every list.
const maxItems = 10_000

// collect gives the items of all occurrences, trimmed, without empty ones.
func collect(occurrences []given, split func(string) ([]string, error)) ([]string, error) {
	var all []string
	for _, g := range occurrences {
		items := g.items
		if !g.list {
			var err error
			if items, err = split(g.items[0]); err != nil {
				return nil, err
			}
		}
		for _, item := range items {
			if item = strings.TrimSpace(item); item != "" {
				all = append(all, item)
			}
		}
	}
	if len(all) > maxItems {
		return nil, invalid{fmt.Sprintf("it has %d items", len(all)), fmt.Sprintf("write at most %d", maxItems)}
	}
	return all, nil
}

// portList is a list of TCP ports.
func portList(field func(*Config) *[]int) value {
	return value{
		kind: List,
		set: func(c *Config, occurrences []given) error {
			items, err := collect(occurrences, func(s string) ([]string, error) { return splitList(s), nil })
			if err != nil {
				return err
			}
			for _, item := range items {
				port, err := parsePort(item)
				if err != nil {
					return err
				}
				if !slices.Contains(*field(c), port) {
					*field(c) = append(*field(c), port)
				}
			}
			return nil
		},
		show: func(c *Config) string {
			ports := make([]string, len(*field(c)))
			for i, p := range *field(c) {
				ports[i] = strconv.Itoa(p)
			}
			return strings.Join(ports, ",")
		},
	}
}

func parsePort(s string) (int, error) {
	number, protocol, found := strings.Cut(s, "/")
	if found && !strings.EqualFold(protocol, "tcp") {
		return 0, invalid{strconv.Quote(cut(s)) + " is not a TCP port", "only TCP ports can be waited for and asked"}
	}
	port, err := strconv.ParseUint(number, 10, 16)
	if err != nil || port == 0 || port > math.MaxUint16 {
		return 0, invalid{strconv.Quote(cut(s)) + " is not a port", "write a number from 1 to 65535, such as 8080"}
	}
	return int(port), nil
}

// notInName reports whether a variable's name cannot hold r: blanks, controls
// and quotation marks, which are slips of quoting.
func notInName(r rune) bool { return r <= ' ' || r == 0x7f || r == '"' || r == '\'' }

// pairs is a list of NAME=value, each on a line of its own where they stand in
// one text. A value is never part of an error.
func pairs(field func(*Config) *[]Variable) value {
	return value{
		kind: Pairs,
		set: func(c *Config, occurrences []given) error {
			var items []string
			for _, g := range occurrences {
				if g.list {
					items = append(items, g.items...)
				} else {
					items = append(items, strings.Split(g.items[0], "\n")...)
				}
			}
			for i, item := range items {
				item = strings.TrimSuffix(item, "\r")
				if strings.TrimSpace(item) == "" {
					continue
				}
				name, v, found := strings.Cut(item, "=")
				name = strings.TrimSpace(name)
				if !found || name == "" || strings.ContainsFunc(name, notInName) {
					return invalid{fmt.Sprintf("its item %d is not NAME=value", i+1), "write NAME=value, one to a line"}
				}
				*field(c) = append(*field(c), Variable{name, NewSecret(v)})
			}
			if len(*field(c)) > maxItems {
				return invalid{"it has too many items", fmt.Sprintf("write at most %d", maxItems)}
			}
			return nil
		},
		show: func(c *Config) string {
			shown := make([]string, len(*field(c)))
			for i, v := range *field(c) {
				shown[i] = v.Name + "=" + redacted
			}
			return strings.Join(shown, "\n")
		},
	}
}
