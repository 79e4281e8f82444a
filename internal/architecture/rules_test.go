package architecture

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// node is a package as it is.
type node struct {
	imports []string
	tests   []string // what its tests import beside
	lines   int      // of its files; known of commands alone
	local   bool     // of this module
}

// graph is all packages by name: the module's and what they import.
type graph map[string]node

// check gives a line for each violation of the map and the rules.
func check(g graph, rows []row) []string {
	bad := checkRows(g, rows)
	for _, name := range slices.Sorted(maps.Keys(g)) {
		n := g[name]
		if !n.local {
			continue
		}
		bad = append(bad, checkMap(g, rows, name)...)
		bad = append(bad, checkOwned(n, name)...)
		if from := adapter(name); from != "" {
			bad = append(bad, reaches(g, name, n.imports, "imports another adapter", func(p string) bool {
				to := adapter(p)
				return to != "" && to != from
			})...)
		}
		if slices.Contains(pure, name) {
			bad = append(bad, reaches(g, name, n.imports, "is not pure", within(world))...)
			bad = append(bad, reaches(g, name, n.tests, "has tests that link a heavy library", within(heavy))...)
		}
		if strings.HasPrefix(name, "cmd/") {
			bad = append(bad, checkCommand(n, name)...)
		}
	}
	return bad
}

// checkRows holds the map itself: each row stands for a package, and its
// arrows point down.
func checkRows(g graph, rows []row) (bad []string) {
	for i, r := range rows {
		if !g[r.name].local {
			bad = append(bad, r.name+" is on the map, but there is no such package")
		}
		for _, to := range r.imports {
			if to != anything && find(rows[i+1:], to) < 0 {
				bad = append(bad, fmt.Sprintf("the map lets %s import %s, which is not below it", r.name, to))
			}
		}
	}
	return bad
}

// checkMap holds a package's imports of this module against its row.
func checkMap(g graph, rows []row, name string) (bad []string) {
	i := find(rows, name)
	if i < 0 {
		return []string{name + " is not on the map of packages"}
	}
	for _, to := range g[name].imports {
		if !g[to].local || slices.Contains(rows[i].imports, to) {
			continue
		}
		if slices.Contains(rows[i].imports, anything) && find(rows[i+1:], to) >= 0 {
			continue
		}
		bad = append(bad, fmt.Sprintf("%s imports %s, which the map does not allow", name, to))
	}
	return bad
}

// checkOwned holds a package's imports against the owners of each.
func checkOwned(n node, name string) (bad []string) {
	for _, o := range owned {
		for _, to := range n.imports {
			owner := slices.ContainsFunc(o.by, func(by string) bool {
				return name == by || strings.HasSuffix(by, "/") && strings.HasPrefix(name, by)
			})
			if below(to, o.path) && !owner {
				bad = append(bad, fmt.Sprintf("%s imports %s, which is left to %s", name, to, strings.Join(o.by, ", ")))
			}
		}
	}
	return bad
}

// checkCommand keeps commands short and without code of their own.
func checkCommand(n node, name string) (bad []string) {
	if n.lines > maxCommandLines {
		bad = append(bad, fmt.Sprintf("%s has %d lines, more than %d", name, n.lines, maxCommandLines))
	}
	for _, to := range n.imports {
		first, _, _ := strings.Cut(to, "/")
		if to != "app" && strings.Contains(first, ".") {
			bad = append(bad, fmt.Sprintf("%s imports %s, a command imports app alone", name, to))
		}
	}
	return bad
}

// reaches follows the imports, and gives the shortest way to a package that
// forbidden names, if there is one.
func reaches(g graph, name string, imports []string, what string, forbidden func(string) bool) []string {
	way := map[string]string{}
	var queue []string
	visit := func(from string, to []string) {
		for _, p := range to {
			if _, seen := way[p]; !seen && p != name {
				way[p] = from
				queue = append(queue, p)
			}
		}
	}
	visit(name, imports)
	for len(queue) > 0 {
		p := queue[0]
		queue = queue[1:]
		if !forbidden(p) {
			visit(p, g[p].imports)
			continue
		}
		path := p
		for at := way[p]; at != name; at = way[at] {
			path = at + " > " + path
		}
		return []string{fmt.Sprintf("%s %s: %s > %s", name, what, name, path)}
	}
	return nil
}

// adapter gives the adapter that a package belongs to, empty for others.
func adapter(name string) string {
	parts := strings.Split(name, "/")
	switch {
	case parts[0] == "attest":
		return parts[0]
	case (parts[0] == "engine" || parts[0] == "host") && len(parts) > 1:
		return parts[0] + "/" + parts[1]
	}
	return ""
}

// within reports of a package whether it is one of the paths or below one.
func within(paths []string) func(string) bool {
	return func(p string) bool {
		return slices.ContainsFunc(paths, func(path string) bool { return below(p, path) })
	}
}

// below reports whether p is the package at path or below it; below "net" is
// nothing.
func below(p, path string) bool {
	return p == path || path != "net" && strings.HasPrefix(p, path+"/")
}

func find(rows []row, name string) int {
	return slices.IndexFunc(rows, func(r row) bool { return r.name == name })
}
