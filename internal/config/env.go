package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/vexxy/action/internal/fault"
)

// The prefixes of the variables that hold inputs. GitHub's runner passes the
// inputs of an action as INPUT_ and the name in upper case, hyphens kept
// (https://docs.github.com/actions, metadata syntax).
const (
	prefixOwn    = "VEXXY_"
	prefixGitHub = "INPUT_"
)

// fromEnviron finds the inputs among the variables. Those of GitHub count only
// under GitHub, where they win over VEXXY_*.
func fromEnviron(environ []string, known table, ignore []string) (map[string][]given, error) {
	vars := map[string]string{}
	for _, v := range environ {
		name, text, _ := strings.Cut(v, "=")
		vars[name] = text
	}
	names := make([]string, 0, len(vars))
	for name := range vars {
		names = append(names, name)
	}
	// Hyphens sort before underscores: of two spellings the runner's own wins.
	slices.Sort(names)

	found := map[string][]given{}
	for _, prefix := range []string{prefixGitHub, prefixOwn} {
		if prefix == prefixGitHub && vars["GITHUB_ACTIONS"] != "true" {
			continue
		}
		seen := map[string]bool{}
		here := map[string][]given{}
		for _, name := range names {
			rest, isOurs := strings.CutPrefix(name, prefix)
			if !isOurs || slices.Contains(ignore, name) || strings.TrimSpace(vars[name]) == "" {
				continue
			}
			key := strings.ReplaceAll(strings.ToLower(rest), "_", "-")
			in, ok := known[key]
			if !ok || rest != strings.ToUpper(rest) {
				return nil, unknownVariable(known, prefix, name, key)
			}
			if seen[key] {
				continue
			}
			seen[key] = true
			here[in.Name] = append(here[in.Name], given{items: []string{vars[name]}, origin: name})
		}
		for name, occurrences := range here {
			if found[name] == nil {
				found[name] = occurrences
			}
		}
	}
	return found, nil
}

func unknownVariable(known table, prefix, name, key string) error {
	hint := "see vexxy run --help for all inputs; each has the variable VEXXY_ and its name"
	if near := known.near(key); near != "" {
		like := strings.ToUpper(near)
		if prefix == prefixOwn {
			like = strings.TrimPrefix(variable(near), prefix)
		}
		hint = fmt.Sprintf("did you mean %s%s?", prefix, like)
	}
	return fault.New(fault.Usage, hint, "unknown input in the environment: %q", cut(name))
}
