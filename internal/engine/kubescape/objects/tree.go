package objects

import "strings"

// tree holds patterns by their components, so that a path is matched with all
// of them at once. It is used by one goroutine at a time.
type tree struct {
	root *branch
	// round numbers the components of all paths that were matched.
	round     int
	now, next []*branch
}

// branch is what patterns have in common up to a component.
type branch struct {
	names map[string]*branch
	one   *branch // after any one component
	many  *branch // after any number of components, none among them
	// self says that the branch follows such a number: each component may be
	// one more.
	self bool
	// ends are the patterns that end here, by their place in the list.
	ends []int
	// round is the last one that came here.
	round int
}

// treeOf takes a component that has a wildcard in it for one that is a
// wildcard: it stands for more then, never for less. So it does with what is
// too deep.
func treeOf(patterns []string) *tree {
	t := &tree{root: &branch{}}
	for i, pattern := range patterns {
		at := t.root
		for n, part := range parts(pattern) {
			if n == maxParts {
				at = at.grow(anyNames)
				break
			}
			at = at.grow(part)
		}
		at.ends = append(at.ends, i)
	}
	return t
}

// grow gives the branch after a component.
func (b *branch) grow(part string) *branch {
	switch {
	case part == anyNames && b.self:
		return b
	case part == anyNames:
		if b.many == nil {
			b.many = &branch{self: true}
		}
		return b.many
	case wildcard(part):
		if b.one == nil {
			b.one = &branch{}
		}
		return b.one
	}
	if b.names == nil {
		b.names = map[string]*branch{}
	}
	if b.names[part] == nil {
		b.names[part] = &branch{}
	}
	return b.names[part]
}

// match calls hit with each pattern that may stand for an absolute path.
func (t *tree) match(name string, hit func(pattern int)) {
	rest, ok := strings.CutPrefix(name, "/")
	if !ok {
		return
	}
	t.next = t.next[:0]
	t.round++
	t.enter(t.root)
	for more := true; more && len(t.next) > 0; {
		t.now, t.next = t.next, t.now[:0]
		t.round++
		var part string
		part, rest, more = strings.Cut(rest, "/")
		for _, b := range t.now {
			if b.self {
				t.enter(b)
			}
			t.enter(b.one)
			t.enter(b.names[part])
		}
	}
	for _, b := range t.next {
		for _, pattern := range b.ends {
			hit(pattern)
		}
	}
}

// enter comes to a branch, and to the one after no component at all.
func (t *tree) enter(b *branch) {
	for ; b != nil && b.round != t.round; b = b.many {
		b.round = t.round
		t.next = append(t.next, b)
	}
}
