package vexdiff

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/vexxy/action/internal/judge"
)

// Bounds of what is read: Kubescape's storage takes objects of 500,000 bytes
// unless it is told otherwise, some 1,000 statements. A decoded object may take
// forty times the bytes of its JSON, so that their number is bounded too.
const (
	maxBytes   = 16 << 20
	maxObjects = 400_000
	maxPairs   = 200_000
	maxName    = 4096 // of a package URL or an identifier, in bytes
)

// object is what is read of an OpenVulnerabilityExchangeContainer
// (https://github.com/kubescape/storage, pkg/apis/softwarecomposition).
type object struct {
	Spec *struct {
		Statements []statement `json:"statements"`
	} `json:"spec"`
}

type statement struct {
	Vulnerability struct {
		ID      string   `json:"@id"`
		Name    string   `json:"name"`
		Aliases []string `json:"aliases"`
	} `json:"vulnerability"`
	Products []product `json:"products"`
	Status   string    `json:"status"`
}

type product struct {
	ID            string `json:"@id"`
	Subcomponents []struct {
		ID string `json:"@id"`
	} `json:"subcomponents"`
}

// read files their statements with the assessments that they are about.
func (b *bench) read(raw []byte) error {
	if len(raw) > maxBytes {
		return fmt.Errorf("it has %d bytes, at most %d are read", len(raw), maxBytes)
	}
	if n := bytes.Count(raw, []byte("{")); n > maxObjects {
		return fmt.Errorf("it has %d objects, at most %d are read", n, maxObjects)
	}
	var o object
	if err := json.Unmarshal(raw, &o); err != nil {
		return fmt.Errorf("decoding it: %w", err)
	}
	if o.Spec == nil {
		return errors.New("it has no spec")
	}
	pairs := 0
	for i := range o.Spec.Statements {
		s := &o.Spec.Statements[i]
		b.out.Statements++
		name, packages := b.name(s), packagesOf(s)
		if name == "" || len(packages) == 0 {
			b.out.Unread++
			continue
		}
		swapped := isAddress(s.Vulnerability.ID) && s.Vulnerability.Name != "" && !isAddress(s.Vulnerability.Name)
		b.out.Swapped += boolRank(swapped)
		again := true
		for _, purl := range packages {
			if pairs == maxPairs {
				b.out.Truncated = true
				return nil
			}
			pairs++
			known := b.file(pair{name, purl}, s.Status, swapped)
			again = again && known
		}
		b.out.Repeated += boolRank(again)
	}
	return nil
}

// file adds what a statement says of a pair, and reports whether another one
// spoke of it already.
func (b *bench) file(p pair, status string, swapped bool) bool {
	var c *claim
	if i, known := b.ours[p]; known {
		if c = b.theirs[i]; c == nil {
			c = &claim{}
			b.theirs[i] = c
		}
	} else if c = b.strangers[p]; c == nil {
		c = &claim{}
		b.strangers[p] = c
	}
	status = cut(cmp.Or(status, "none"), 40)
	if i, known := slices.BinarySearch(c.statuses, status); !known && len(c.statuses) < 8 {
		c.statuses = slices.Insert(c.statuses, i, status)
	}
	c.swapped = c.swapped || swapped && status == string(judge.NotAffected)
	c.statements++
	return c.statements > 1
}

// name gives the vulnerability that a statement is about, by our name where we
// know one of its identifiers. Kubescape keeps the identifier in @id and an
// address in name, or the other way around.
func (b *bench) name(s *statement) string {
	v := s.Vulnerability
	best := ""
	for _, id := range append([]string{v.ID, v.Name}, v.Aliases[:min(100, len(v.Aliases))]...) {
		if id == "" || len(id) > maxName {
			continue
		}
		for _, spelling := range [...]string{id, id[strings.LastIndexByte(id, '/')+1:]} {
			if ours, known := b.names[spelling]; known && spelling != "" {
				return ours
			}
		}
		if best == "" || isAddress(best) && !isAddress(id) {
			best = id
		}
	}
	return best
}

func isAddress(s string) bool { return strings.Contains(s, "://") }

// packagesOf gives the bare package URLs of a statement, each once. A product
// without subcomponents is a package itself, unless it is an image.
func packagesOf(s *statement) []string {
	var out []string
	seen := map[string]bool{}
	take := func(purl string) {
		if purl == "" || len(purl) > maxName {
			return
		}
		if bare, ok := judge.BarePURL(purl); ok {
			purl = bare
		}
		if !seen[purl] {
			seen[purl] = true
			out = append(out, purl)
		}
	}
	for _, p := range s.Products {
		for _, c := range p.Subcomponents {
			take(c.ID)
		}
		if len(p.Subcomponents) == 0 && !strings.HasPrefix(p.ID, "pkg:oci/") && !strings.HasPrefix(p.ID, "pkg:docker/") {
			take(p.ID)
		}
	}
	return out
}

// cut bounds a word that becomes part of a document.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}
