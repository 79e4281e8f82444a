package window

import (
	"sync"
	"time"

	"github.com/vexxy/action/internal/evidence"
	"github.com/vexxy/action/internal/inventory"
)

// Tracker follows which packages have been seen, for the early stop and the
// progress line. It decides nothing that a statement depends on.
type Tracker struct {
	mu       sync.Mutex
	owners   map[string][]int // by file; nil until the inventory is read
	waiting  []string         // files seen before that
	files    int
	packages map[int]bool
	last     time.Time
}

// NewTracker makes a tracker that has seen nothing.
func NewTracker() *Tracker { return &Tracker{packages: map[int]bool{}} }

// see notes a file's first use.
func (t *Tracker) see(o evidence.Observation) {
	path := string(o.Path)
	if len(o.ImagePath) > 0 {
		path = string(o.ImagePath)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.files++
	if t.owners == nil {
		t.waiting = append(t.waiting, path)
		t.last = time.Now()
		return
	}
	t.own(path)
}

func (t *Tracker) own(path string) {
	for _, p := range t.owners[path] {
		if !t.packages[p] {
			t.packages[p] = true
			t.last = time.Now()
		}
	}
}

// Know tells the tracker who owns which file.
func (t *Tracker) Know(packages []inventory.Package) {
	owners := make(map[string][]int)
	for i, p := range packages {
		for _, f := range p.Files {
			owners[f] = append(owners[f], i)
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.owners = owners
	for _, path := range t.waiting {
		t.own(path)
	}
	t.waiting = nil
}

// counts gives the files and packages seen so far.
func (t *Tracker) counts() (files, packages int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.files, len(t.packages)
}

// quietSince gives the time since which no new package was seen: the later of
// from and the last sight. Until the inventory is known nothing is quiet.
func (t *Tracker) quietSince(from time.Time) (time.Time, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.last.After(from) {
		from = t.last
	}
	return from, t.owners != nil
}
