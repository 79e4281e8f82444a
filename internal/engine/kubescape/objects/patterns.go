package objects

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/vexxy/action/internal/evidence"
)

// The wildcards in a profile's paths: the first stands for one component, the
// second for any number of them
// (https://github.com/kubescape/storage, dynamicpathdetector).
const (
	anyName  = "\u22ef"
	anyNames = "*"
)

// maxPatterns bounds a profile's patterns, maxParts their components: what is
// deeper is cut.
const (
	maxPatterns = 1000
	maxParts    = 64
)

// isPattern reports whether a path has a component that stands for others. Two
// or more of the first kind in a row are the second.
func isPattern(name string) bool {
	return slices.ContainsFunc(parts(name), wildcard)
}

func wildcard(part string) bool { return part == anyNames || strings.Contains(part, anyName) }

// parts are the components of an absolute path.
func parts(name string) []string {
	return strings.Split(strings.TrimPrefix(name, "/"), "/")
}

// bounded cuts patterns to coarser ones until they are few enough: everything
// below their first components.
func bounded(patterns []string) []string {
	for depth := maxParts; len(patterns) > maxPatterns; depth /= 2 {
		coarse := map[string]bool{}
		for _, p := range patterns {
			coarse[cutPattern(p, depth)] = true
		}
		patterns = slices.Sorted(maps.Keys(coarse))
	}
	return patterns
}

// cutPattern keeps a pattern's first plain components, at most depth of them.
func cutPattern(pattern string, depth int) string {
	list := parts(pattern)
	n := slices.IndexFunc(list, wildcard)
	if n < 0 {
		n = len(list)
	}
	return "/" + strings.Join(append(slices.Clone(list[:min(n, depth)]), anyNames), "/")
}

// collapsed is how many names of one place a profile lists at least before it
// puts a wildcard in their stead.
const collapsed = 50

// Unexplained gives the patterns that stand for fewer files than the sensor
// must have seen to have seen them all. The lists stay as they are.
func Unexplained(patterns []string, sensor []evidence.Observation) []string {
	tree := treeOf(patterns)
	seen := make([]int, len(patterns))
	last := make([]int, len(patterns)) // the file counted last, plus one
	for i := range sensor {
		for _, name := range [][]byte{sensor[i].Path, sensor[i].ImagePath} {
			if len(name) > 0 {
				tree.match(string(name), func(pattern int) {
					if last[pattern] != i+1 {
						seen[pattern], last[pattern] = seen[pattern]+1, i+1
					}
				})
			}
		}
	}
	var open []string
	for i, p := range patterns {
		if seen[i] < collapsed {
			open = append(open, p)
		}
	}
	return open
}

// Expand gives an observation by node-agent of every file that an unexplained
// pattern may stand for, sorted: names that its storage does not list any more
// must clear nobody. The files are all that any package of the image owns.
func Expand(patterns []string, sensor []evidence.Observation, files []string, at time.Time) []evidence.Observation {
	open := Unexplained(patterns, sensor)
	if len(open) == 0 {
		return nil
	}
	tree := treeOf(open)
	found := map[string]bool{}
	for _, f := range files {
		if !found[f] {
			tree.match(f, func(int) { found[f] = true })
		}
	}
	all := make([]evidence.Observation, 0, len(found))
	for _, f := range slices.Sorted(maps.Keys(found)) {
		all = append(all, agentSaw(f, at, evidence.Open))
	}
	return all
}
