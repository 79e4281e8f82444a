package judgetest

import (
	"fmt"

	"github.com/vexxy/action/internal/evidence"
	"github.com/vexxy/action/internal/inventory"
	"github.com/vexxy/action/internal/record"
)

// Large gives a record of a large image: Debian packages with 30 files each,
// five to a source, of which every fifth source was used, and for each
// vulnerability five findings on the packages of one source. Packages and
// findings must divide by 5. Four fifths of the findings are to be cleared.
func Large(packages, findings int) record.Record {
	r := Good()
	sources := packages / 5
	for s := range sources {
		for b := range 5 {
			p := Deb(fmt.Sprintf("libsource%d-%d", s, b), fmt.Sprintf("source%d", s))
			for f := range 30 {
				p.Files = append(p.Files, fmt.Sprintf("/usr/share/source%d/%d/data-%02d.bin", s, b, f))
			}
			r.Inventory.Packages = append(r.Inventory.Packages, p)
			if s%5 == 0 {
				for _, f := range p.Files[:3] {
					Observe(&r, f, evidence.Open)
				}
			}
		}
	}
	for v := range findings / 5 {
		source := v % sources
		for b := range 5 {
			AddFinding(&r, inventory.Finding{
				ID: fmt.Sprintf("CVE-2026-%05d", v), PackageID: r.Inventory.Packages[1+5*source+b].ID,
				Severity: inventory.Severities[v%len(inventory.Severities)], Namespace: "debian:distro:debian:12",
			})
		}
	}
	return r
}
