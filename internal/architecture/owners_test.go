package architecture

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// A rule about who may import what holds by itself when nobody imports it, or
// when a name in it is misspelt: so each row's owners, where there are any yet,
// do import what is theirs.
func TestOwnersImportWhatTheyOwn(t *testing.T) {
	watch(t)
	g := read(t)
	for _, o := range owned {
		var owners, users []string
		for _, name := range slices.Sorted(maps.Keys(g)) {
			if !g[name].local {
				continue
			}
			if slices.ContainsFunc(o.by, func(by string) bool {
				return name == by || strings.HasSuffix(by, "/") && strings.HasPrefix(name, by)
			}) {
				owners = append(owners, name)
			}
			if slices.ContainsFunc(g[name].imports, func(to string) bool { return below(to, o.path) }) {
				users = append(users, name)
			}
		}
		switch {
		case len(owners) == 0 && len(users) > 0:
			t.Errorf("%s is imported by %s, and none of its owners exists", o.path, strings.Join(users, ", "))
		case len(owners) > 0 && len(users) == 0:
			t.Errorf("%s is left to %s, and nobody imports it", o.path, strings.Join(owners, ", "))
		}
		for _, name := range users {
			if !slices.Contains(owners, name) {
				t.Errorf("%s imports %s, which is left to %s", name, o.path, strings.Join(o.by, ", "))
			}
		}
	}
}
