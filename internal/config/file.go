package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/vexxy/action/internal/fault"
)

// DefaultFile is the configuration file that is read where it exists.
const DefaultFile = ".vexxy.yml"

// likelyFile is what users call it by mistake. A file that is silently not
// read would be a gate that is silently not applied.
const likelyFile = ".vexxy.yaml"

// maxFile bounds the configuration file, in bytes.
const maxFile = 1 << 20

// fromFile reads the file's inputs. A file that was asked for must exist; the
// default one need not. path is "" when there is none.
func fromFile(asked string, readFile func(string) ([]byte, error), known table) (path string, found map[string][]given, err error) {
	path = asked
	if path == "" {
		path = DefaultFile
	}
	text, err := readFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && asked == "":
		if _, err := readFile(likelyFile); err == nil {
			return "", nil, fault.New(fault.Usage, "rename it to "+DefaultFile, "%s would not be read", likelyFile)
		}
		return "", nil, nil
	case err != nil && fault.HintOf(err) != "":
		return "", nil, fmt.Errorf("reading configuration file: %w", err)
	case err != nil:
		return "", nil, fault.New(fault.Usage, "check the path and its permissions", "reading configuration file: %w", err)
	}
	found, err = parseFile(path, text, known)
	return path, found, err
}

// parseFile finds the inputs in the text of a configuration file: one YAML
// mapping from names to scalars or lists of scalars; of env and limits also to
// mappings. Anchors are followed, never multiplied: a list holds scalars only.
func parseFile(path string, text []byte, known table) (map[string][]given, error) {
	bad := func(line int, hint, format string, args ...any) error {
		where := path
		if line > 0 {
			where += ":" + strconv.Itoa(line)
		}
		return fault.New(fault.Usage, hint, "reading %s: %s", where, fmt.Sprintf(format, args...))
	}
	if len(text) > maxFile {
		return nil, bad(0, "keep it to inputs", "it has more than %d bytes", maxFile)
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	var document yaml.Node
	switch err := decoder.Decode(&document); {
	case errors.Is(err, io.EOF):
		return nil, nil
	case err != nil:
		return nil, bad(0, "write it as YAML: one NAME: VALUE to a line", "%s", cut(err.Error()))
	}
	if err := decoder.Decode(&yaml.Node{}); !errors.Is(err, io.EOF) {
		return nil, bad(0, "keep one document, without ---", "it holds more than one YAML document")
	}
	root := resolve(document.Content[0])
	if root.Kind == yaml.ScalarNode && root.Tag == "!!null" {
		return nil, nil
	}
	if root.Kind != yaml.MappingNode {
		return nil, bad(root.Line, "write one NAME: VALUE to a line", "it is not a mapping of inputs")
	}
	found := map[string][]given{}
	seen := map[string]int{}
	for i := 0; i+1 < len(root.Content); i += 2 {
		key, node := root.Content[i], root.Content[i+1]
		name := key.Value
		if first, twice := seen[name]; twice {
			return nil, bad(key.Line, "keep one of them", "key %q stands in line %d already", cut(name), first)
		}
		seen[name] = key.Line
		in, ok := known[name]
		switch {
		case key.Kind != yaml.ScalarNode || !ok:
			hint := "see vexxy run --help for all keys"
			if near := known.near(name); near != "" {
				hint = fmt.Sprintf("did you mean %s?", near)
			}
			return nil, bad(key.Line, hint, "unknown key %q", cut(name))
		case in.NoFile:
			return nil, bad(key.Line, fmt.Sprintf("use --%s or %s", in.Name, in.Variable()), "key %q cannot stand in the file", name)
		}
		items, isList, err := fileItems(in, node)
		if err != nil {
			return nil, bad(node.Line, err.hint, "key %q: %s", name, err.what)
		}
		g := given{items: items, list: isList, origin: fmt.Sprintf("%s:%d", path, key.Line)}
		found[in.Name] = append(found[in.Name], g)
	}
	return found, nil
}

// resolve follows an alias to the node it names.
func resolve(n *yaml.Node) *yaml.Node {
	for range 8 { // an anchor names no alias; the bound costs nothing
		if n.Kind != yaml.AliasNode || n.Alias == nil {
			break
		}
		n = n.Alias
	}
	return n
}

// fileItems gives the texts of a key's value; none for null.
func fileItems(in Input, n *yaml.Node) (items []string, isList bool, bad *invalid) {
	n = resolve(n)
	switch n.Kind {
	case yaml.ScalarNode:
		s, ok, bad := scalarText(n)
		if bad != nil || !ok {
			return nil, false, bad
		}
		return []string{s}, false, nil
	case yaml.SequenceNode:
		for _, item := range n.Content {
			s, ok, bad := scalarText(resolve(item))
			if bad != nil {
				return nil, false, bad
			}
			if ok {
				items = append(items, s)
			}
		}
	case yaml.MappingNode:
		if in.Kind != Pairs && in.Kind != Limit {
			return nil, false, &invalid{"it cannot be a mapping", "write a value or a list"}
		}
		for i := 0; i+1 < len(n.Content); i += 2 {
			name, ok, bad := scalarText(resolve(n.Content[i]))
			if bad != nil || !ok || strings.Contains(name, "=") {
				return nil, false, &invalid{"a name in it is not plain text", "write NAME: VALUE"}
			}
			s, _, bad := scalarText(resolve(n.Content[i+1]))
			if bad != nil {
				return nil, false, bad
			}
			items = append(items, name+"="+s)
		}
	}
	if len(items) > maxItems {
		return nil, false, &invalid{"it has too many items", fmt.Sprintf("write at most %d", maxItems)}
	}
	return items, true, nil
}

// scalarText gives a scalar as it is written; ok is false for null.
func scalarText(n *yaml.Node) (s string, ok bool, bad *invalid) {
	if n.Kind != yaml.ScalarNode {
		return "", false, &invalid{"a list in it holds more than plain values", "write one value to an item"}
	}
	switch n.ShortTag() {
	case "!!null":
		return "", false, nil
	case "!!str", "!!int", "!!float", "!!bool", "!!timestamp":
		return n.Value, true, nil
	}
	return "", false, &invalid{"its tag " + strconv.Quote(cut(n.Tag)) + " is not known", "write a plain value"}
}
