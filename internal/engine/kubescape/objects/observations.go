package objects

import (
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/kubescape/storage/pkg/apis/softwarecomposition/v1beta1"

	"github.com/vexxy/action/internal/evidence"
)

// maxPath is the longest path in bytes that a kernel takes.
const maxPath = 4096

// Observations gives the files of a profile, at the given time for want of a
// better one, and the paths in which it has wildcards; both sorted, each once.
// A profile tells of one container: an init container has its own. What is no
// file, such as pipe:[1], a socket or /proc, is left out, as the sensor does.
// There are at most 1000 patterns: of more, the paths are cut to coarser ones,
// which stand for all of theirs and more.
func Observations(p *v1beta1.ContainerProfile, at time.Time) (files []evidence.Observation, patterns []string) {
	kinds := map[string][]evidence.Kind{}
	wild := map[string]bool{}
	note := func(name string, kind evidence.Kind) {
		name, ok := fileName(name)
		switch {
		case !ok:
		case isPattern(name):
			wild[name] = true
		case !slices.Contains(kinds[name], kind):
			kinds[name] = append(kinds[name], kind)
		}
	}
	for i := range p.Spec.Execs {
		note(p.Spec.Execs[i].Path, evidence.Exec)
	}
	for i := range p.Spec.Opens {
		note(p.Spec.Opens[i].Path, evidence.Open)
	}
	files = make([]evidence.Observation, 0, len(kinds))
	for _, name := range slices.Sorted(maps.Keys(kinds)) {
		files = append(files, agentSaw(name, at, kinds[name]...))
	}
	return files, bounded(slices.Sorted(maps.Keys(wild)))
}

// agentSaw is an observation by node-agent, which knows a name and no more.
func agentSaw(name string, at time.Time, kinds ...evidence.Kind) evidence.Observation {
	slices.Sort(kinds)
	return evidence.Observation{
		Path: []byte(name), Kinds: kinds, Phase: evidence.PhaseIdle, At: at,
		Witnesses: []evidence.Witness{evidence.WitnessNodeAgent},
	}
}

// fileName gives the path of a file in its shortest form, and whether it is
// one. node-agent writes what the kernel calls a file: pipe:[1], socket:[1],
// anon_inode:[eventpoll] and memfd:x have no place in a file system, and a file
// that was removed while it was open has a mark behind its name.
func fileName(name string) (string, bool) {
	name = strings.TrimSuffix(name, " (deleted)")
	if !strings.HasPrefix(name, "/") || len(name) > maxPath || strings.ContainsRune(name, 0) {
		return "", false
	}
	name = path.Clean(name)
	if name == "/" || strings.HasPrefix(name, "/memfd:") {
		return "", false
	}
	first, rest, _ := strings.Cut(name[1:], "/")
	switch first {
	case "proc", "sys":
		return "", false
	case "dev":
		return name, strings.HasPrefix(rest, "shm/")
	}
	return name, true
}
