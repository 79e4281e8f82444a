package judge

import (
	"cmp"
	"slices"
	"strings"

	"github.com/vexxy/action/internal/evidence"
	"github.com/vexxy/action/internal/inventory"
)

// Disagreement is a package of which one witness saw a file in use and the
// other did not. It counts as used: observations are the union of both.
type Disagreement struct {
	PackageID string           `json:"package_id"`
	Name      string           `json:"package"`
	Version   string           `json:"version"`
	SeenBy    evidence.Witness `json:"seen_by"`
	Reason    Blindness        `json:"reason"`
	// Files counts its files that the one saw, Example is the first of them and
	// Kinds the ways in which that was used.
	Files   int             `json:"files"`
	Example string          `json:"example"`
	Kinds   []evidence.Kind `json:"kinds"`
}

// Blindness is why one of two witnesses did not see a package in use.
type Blindness string

// Why a witness did not see a package. node-agent traces exec, open and openat:
// what the kernel loads by itself, and what a loader maps from a descriptor
// that came from elsewhere, it cannot see.
const (
	BlindInterpreter Blindness = "interpreter" // node-agent: only ever an ELF or script interpreter
	BlindMapping     Blindness = "mapping"     // node-agent: only mapped, or mapped and an interpreter
	BlindWildcard    Blindness = "wildcard"    // node-agent: a wildcard of its profile may stand for the file
	BlindOpen        Blindness = "open"        // node-agent: missed an open or an exec
	BlindSensor      Blindness = "sensor"      // vexxy's sensor did not see it
)

// disagreements compares the two witnesses package by package, sorted by
// witness, reason, then package, and counts the packages that both saw. There
// are none where only one watched.
func (c *court) disagreements() (agreed int, all []Disagreement) {
	e := c.record.Evidence
	if !e.Both() {
		return 0, nil
	}
	sensor, agent := c.by(evidence.WitnessSensor), c.by(evidence.WitnessNodeAgent)
	for i := range c.record.Inventory.Packages {
		p := &c.record.Inventory.Packages[i]
		if p.Archive != "" {
			continue // what is within cannot be told
		}
		ours, theirs := sensor.of(p), agent.of(p)
		switch {
		case ours.first >= 0 && theirs.first >= 0:
			agreed++
		case ours.first >= 0:
			d := sensor.disagreement(p, ours, evidence.WitnessSensor)
			d.Reason = sensor.blindness(p, ours, e.Kubescape.Profile)
			all = append(all, d)
		case theirs.first >= 0:
			d := agent.disagreement(p, theirs, evidence.WitnessNodeAgent)
			d.Reason = BlindSensor
			all = append(all, d)
		}
	}
	slices.SortFunc(all, func(a, b Disagreement) int {
		return cmp.Or(
			strings.Compare(string(a.SeenBy), string(b.SeenBy)), strings.Compare(string(a.Reason), string(b.Reason)),
			strings.Compare(a.Name, b.Name), strings.Compare(a.Version, b.Version), strings.Compare(a.PackageID, b.PackageID),
			strings.Compare(a.Example, b.Example), cmp.Compare(a.Files, b.Files),
		)
	})
	return agreed, all
}

// by indexes what one witness saw.
func (c *court) by(w evidence.Witness) *seen {
	var some []evidence.Observation
	for _, o := range c.record.Evidence.Observations {
		if slices.Contains(o.Witnesses, w) {
			some = append(some, o)
		}
	}
	return newSeen(some, c.record.Inventory.HardLinks)
}

func (s *seen) disagreement(p *inventory.Package, u use, w evidence.Witness) Disagreement {
	o := &s.observations[u.first]
	kinds := slices.Clone(o.Kinds)
	slices.Sort(kinds)
	return Disagreement{
		PackageID: p.ID, Name: p.Name, Version: p.Version, SeenBy: w,
		Files: u.files, Example: string(o.Path), Kinds: kinds,
	}
}

// blindness says why node-agent did not see a package that the sensor saw.
func (s *seen) blindness(p *inventory.Package, u use, profile evidence.Profile) Blindness {
	why := BlindInterpreter
	for _, i := range s.all(p, u) {
		o := &s.observations[i]
		for _, path := range [][]byte{o.Path, o.ImagePath} {
			if len(path) > 0 && profile.Covers(string(path)) {
				return BlindWildcard
			}
		}
		for _, kind := range o.Kinds {
			switch {
			case kind == evidence.Open || kind == evidence.Exec:
				why = BlindOpen
			case kind == evidence.Map && why == BlindInterpreter:
				why = BlindMapping
			}
		}
	}
	return why
}

// all gives the observations of a package's own files, and the first that
// counts where that is of another file.
func (s *seen) all(p *inventory.Package, u use) []int32 {
	out := []int32{u.first}
	for _, f := range append([]string{p.Location}, p.Files...) {
		if f == p.Location && osTypes[p.Type] {
			continue
		}
		for _, i := range s.files[f] {
			if classify(f) != metadata || ran(s.observations[i].Kinds) {
				out = append(out, i)
			}
		}
	}
	return out
}

// agentAlone reports whether node-agent was the only one to see a file.
func agentAlone(o *evidence.Observation) bool {
	return len(o.Witnesses) == 1 && o.Witnesses[0] == evidence.WitnessNodeAgent
}

// ByAgent reports whether node-agent's profile is all that tells of the file: it
// names no process, no phase and no time.
func (s *Sighting) ByAgent() bool {
	return len(s.Witnesses) == 1 && s.Witnesses[0] == evidence.WitnessNodeAgent
}
