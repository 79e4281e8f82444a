package objects

import (
	"bytes"
	"cmp"
	"slices"
	"strings"

	"github.com/vexxy/action/internal/evidence"
)

// Merge gives the union of what the sensor and node-agent saw, sorted by path.
// A file that both saw is the sensor's, who knows more of it, with both as
// witnesses and the kinds of both. A path of node-agent's is the sensor's path
// or its path in the image; bytes that are no UTF-8 node-agent cannot write, so
// that its replacement for them is taken for any. The lists stay as they are.
func Merge(sensor, agent []evidence.Observation) []evidence.Observation {
	byPath := map[string][]int{}
	all := make([]evidence.Observation, 0, len(sensor)+len(agent))
	for i, o := range sensor {
		o.Witnesses = []evidence.Witness{evidence.WitnessSensor}
		all = append(all, o)
		known := map[string]bool{"": true}
		for _, name := range []string{string(o.Path), string(o.ImagePath)} {
			for _, name := range []string{name, strings.ToValidUTF8(name, "\uFFFD")} {
				if !known[name] {
					known[name] = true
					byPath[name] = append(byPath[name], i)
				}
			}
		}
	}
	for _, o := range agent {
		seen := byPath[string(o.Path)]
		for _, i := range seen {
			if i < len(sensor) {
				all[i].Witnesses = []evidence.Witness{evidence.WitnessNodeAgent, evidence.WitnessSensor}
			}
			all[i].Kinds = both(all[i].Kinds, o.Kinds)
		}
		if len(seen) == 0 {
			o.Witnesses = []evidence.Witness{evidence.WitnessNodeAgent}
			byPath[string(o.Path)] = []int{len(all)}
			all = append(all, o)
		}
	}
	slices.SortStableFunc(all, func(a, b evidence.Observation) int {
		return cmp.Or(bytes.Compare(a.Path, b.Path), bytes.Compare(a.ImagePath, b.ImagePath),
			cmp.Compare(a.Device, b.Device), cmp.Compare(a.Inode, b.Inode))
	})
	return all
}

func both[T cmp.Ordered](a, b []T) []T {
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}
