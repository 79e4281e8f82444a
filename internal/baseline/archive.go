package baseline

import "github.com/vexxy/action/internal/judge"

// finding is one vulnerability in one package of the present judgement, over
// all the package's versions.
type finding struct {
	key   subjectKey
	worst *judge.Assessment
}

// group joins assessments to findings, in their order.
func group(assessments []judge.Assessment) []*finding {
	var order []*finding
	byKey := make(map[subjectKey]*finding, len(assessments))
	for i := range assessments {
		a := &assessments[i]
		key := subjectKey{a.Vulnerability, PackageKey(a.PURL, a.PackageType, a.PackageName)}
		f := byKey[key]
		switch {
		case f == nil:
			f = &finding{key, a}
			byKey[key] = f
			order = append(order, f)
		case rank[a.Status] < rank[f.worst.Status]:
			f.worst = a
		}
	}
	return order
}

// past is one finding of the baseline, over all the package's versions.
type past struct {
	worst *Statement
	key   subjectKey
	taken bool
}

// archive finds the baseline's findings by every identifier of theirs.
type archive struct {
	order []*past
	byID  map[subjectKey][]*past
}

// maxNamesakes bounds how many findings of one package one identifier leads
// to. What is beyond it is not found: it counts as new.
const maxNamesakes = 16

func newArchive(all []Statement) archive {
	a := archive{byID: make(map[subjectKey][]*past, len(all))}
	byKey := make(map[subjectKey]*past, len(all))
	for i := range all {
		s := &all[i]
		key := subjectKey{s.Vulnerability, PackageKey(s.PURL, s.Type, s.Package)}
		p := byKey[key]
		switch {
		case p == nil:
			p = &past{worst: s, key: key}
			byKey[key] = p
			a.order = append(a.order, p)
			a.byID[key] = append(a.byID[key], p)
		case rank[s.Status] < rank[p.worst.Status]:
			p.worst = s
		}
		for _, alias := range s.Aliases {
			key := subjectKey{alias, key.pack}
			if list := a.byID[key]; len(list) < maxNamesakes && (len(list) == 0 || list[len(list)-1] != p) {
				a.byID[key] = append(list, p)
			}
		}
	}
	return a
}

// take gives the worst status that the baseline has for a finding under any of
// its identifiers, and takes what it found out of what is left. Empty says that
// it has none.
func (a archive) take(f *finding) judge.Status {
	status := judge.Status("")
	for _, id := range append([]string{f.worst.Vulnerability}, f.worst.Aliases...) {
		for _, p := range a.byID[subjectKey{id, f.key.pack}] {
			if apart(f.worst.Vulnerability, p.worst.Vulnerability) {
				continue
			}
			p.taken = true
			if status == "" || rank[p.worst.Status] < rank[status] {
				status = p.worst.Status
			}
		}
	}
	return status
}

// left gives what take did not find.
func (a archive) left() []*Statement {
	var some []*Statement
	for _, p := range a.order {
		if !p.taken {
			some = append(some, p.worst)
		}
	}
	return some
}
