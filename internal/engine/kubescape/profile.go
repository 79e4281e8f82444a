package kubescape

import (
	"bytes"
	"cmp"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/kubescape/storage/pkg/apis/softwarecomposition/v1beta1"

	"github.com/vexxy/action/internal/evidence"
)

// maxPatterns bounds the list of wildcards in the evidence.
const maxPatterns = 1000

// profileOf describes a profile for the evidence.
func profileOf(p *v1beta1.ContainerProfile) evidence.Profile {
	_, patterns := observationsOf(p, time.Time{})
	status, completion := p.Annotations[markStatus], p.Annotations[markCompletion]
	return evidence.Profile{
		Name: p.Name, Status: status, Completion: completion, Execs: len(p.Spec.Execs), Opens: len(p.Spec.Opens),
		Patterns: patterns[:min(len(patterns), maxPatterns)], Error: profileWords(status, completion),
	}
}

// observationsOf gives the files of a profile, at the given time for want of a
// better one, and the paths in which it has wildcards, both sorted. What is no
// file (a pipe, a socket) is left out.
func observationsOf(p *v1beta1.ContainerProfile, at time.Time) (files []evidence.Observation, patterns []string) {
	kinds := map[string][]evidence.Kind{}
	wild := map[string]bool{}
	note := func(name string, kind evidence.Kind) {
		switch {
		case !path.IsAbs(name):
		case isPattern(name):
			wild[name] = true
		case !slices.Contains(kinds[path.Clean(name)], kind):
			kinds[path.Clean(name)] = append(kinds[path.Clean(name)], kind)
		}
	}
	for _, e := range p.Spec.Execs {
		note(e.Path, evidence.Exec)
	}
	for _, o := range p.Spec.Opens {
		note(o.Path, evidence.Open)
	}
	for _, name := range slices.Sorted(maps.Keys(kinds)) {
		slices.Sort(kinds[name])
		files = append(files, evidence.Observation{
			Path: []byte(name), Kinds: kinds[name], Phase: evidence.PhaseIdle, At: at,
			Witnesses: []evidence.Witness{evidence.WitnessNodeAgent},
		})
	}
	return files, slices.Sorted(maps.Keys(wild))
}

// The wildcards of a profile: the first stands for one name, the second for
// one or more (github.com/kubescape/storage, dynamicpathdetector).
const (
	anyName  = "\u22ef"
	anyNames = "*"
)

func isPattern(name string) bool {
	return slices.ContainsFunc(strings.Split(name, "/"), func(part string) bool { return strings.Contains(part, anyName) || part == anyNames })
}

// merge gives the union of what the sensor and node-agent saw. A file that both
// saw is the sensor's, who knows more of it, with both as witnesses.
func merge(sensor, agent []evidence.Observation) []evidence.Observation {
	byPath := map[string][]int{}
	all := make([]evidence.Observation, 0, len(sensor)+len(agent))
	for _, o := range sensor {
		o.Witnesses = []evidence.Witness{evidence.WitnessSensor}
		for _, name := range [][]byte{o.Path, o.ImagePath} {
			if len(name) > 0 {
				byPath[string(name)] = append(byPath[string(name)], len(all))
			}
		}
		all = append(all, o)
	}
	for _, o := range agent {
		known := byPath[string(o.Path)]
		for _, i := range known {
			all[i].Witnesses = []evidence.Witness{evidence.WitnessNodeAgent, evidence.WitnessSensor}
		}
		if len(known) == 0 {
			all = append(all, o)
		}
	}
	slices.SortStableFunc(all, func(a, b evidence.Observation) int {
		return cmp.Or(bytes.Compare(a.Path, b.Path), bytes.Compare(a.ImagePath, b.ImagePath))
	})
	return all
}

// expand gives an observation for every file that a wildcard of the profile may
// stand for, unless the sensor saw a file that explains it: a name that
// node-agent does not list any more must not clear anybody.
func expand(patterns []string, sensor []evidence.Observation, files []string, at time.Time) []evidence.Observation {
	found := map[string]bool{}
	for _, pattern := range patterns {
		explained := slices.ContainsFunc(sensor, func(o evidence.Observation) bool {
			return covers(pattern, string(o.Path)) || covers(pattern, string(o.ImagePath))
		})
		if explained {
			continue
		}
		for _, f := range files {
			if covers(pattern, f) {
				found[f] = true
			}
		}
	}
	var all []evidence.Observation
	for _, f := range slices.Sorted(maps.Keys(found)) {
		all = append(all, evidence.Observation{
			Path: []byte(f), Kinds: []evidence.Kind{evidence.Open}, Phase: evidence.PhaseIdle, At: at,
			Witnesses: []evidence.Witness{evidence.WitnessNodeAgent},
		})
	}
	return all
}

func covers(pattern, name string) bool {
	return evidence.Profile{Patterns: []string{pattern}}.Covers(name)
}
