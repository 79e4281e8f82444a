package judgetest

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/vexxy/action/internal/evidence"
	"github.com/vexxy/action/internal/inventory"
	"github.com/vexxy/action/internal/record"
)

// Random gives a record with good evidence and with packages, findings and
// observations of many kinds, small enough that names collide often: packages
// that share files, sources and package URLs, vulnerabilities under several
// identifiers.
func Random(rng *rand.Rand) record.Record {
	r := Good()
	if rng.IntN(4) == 0 { // never pushed
		r.Subject.IndexDigest, r.Subject.ManifestDigest = "", ""
	}
	files := make([]string, 12)
	for i := range files {
		files[i] = randomFile(rng, i)
	}
	for i := range 1 + rng.IntN(8) {
		r.Inventory.Packages = append(r.Inventory.Packages, randomPackage(rng, i, files))
	}
	for range 1 + rng.IntN(16) {
		r.Inventory.Findings = append(r.Inventory.Findings, RandomFinding(rng, r.Inventory.Packages))
	}
	if rng.IntN(3) == 0 {
		r.Inventory.HardLinks = [][]string{{files[0], files[1]}}
	}
	if rng.IntN(2) == 0 {
		Witness(&r)
	}
	for range rng.IntN(5) {
		RandomObservation(rng, &r)
	}
	return r
}

func randomFile(rng *rand.Rand, i int) string {
	forms := []string{
		"/usr/lib/f%d.so", "/lib/f%d.so", "/usr/lib/python3/dist-packages/m%d/x.py", "/app/f%d.jar", "/app/bin%d",
		"/usr/share/doc/p%d/copyright", "/app/node_modules/n%d/index.js", "/usr/lib/python3/dist-packages/m%d.egg-info/PKG-INFO",
	}
	return fmt.Sprintf(forms[rng.IntN(len(forms))], i)
}

func randomPackage(rng *rand.Rand, i int, files []string) inventory.Package {
	name := fmt.Sprintf("p%d", rng.IntN(5))
	p := inventory.Package{ID: fmt.Sprintf("id-%d", i), Name: name, Version: "1.0"}
	switch rng.IntN(6) {
	case 0, 1, 2:
		p.Type, p.PURL = "deb", fmt.Sprintf("pkg:deb/debian/%s@1.0?arch=a%d", name, rng.IntN(3))
		p.Location = "/var/lib/dpkg/status"
		p.Source = &inventory.Source{Name: fmt.Sprintf("p%d", rng.IntN(5)), Version: "1.0"}
	case 3:
		p.Type, p.PURL = "npm", "pkg:npm/"+name+"@1.0"
		p.Location = fmt.Sprintf("/app/node_modules/n%d/package.json", rng.IntN(12))
	case 4:
		p.Type, p.PURL = "go-module", []string{"pkg:golang/stdlib@1.0", "pkg:golang/stdlib@v1.0", "pkg:golang/x/" + name + "@v1.0#sub"}[rng.IntN(3)]
		p.Location = files[rng.IntN(len(files))]
	default:
		p.Type, p.PURL = "java-archive", "pkg:maven/g/"+name+"@1.0"
		p.Location = files[rng.IntN(len(files))]
		if rng.IntN(2) == 0 {
			p.Archive = p.Location
		}
	}
	for range rng.IntN(4) {
		p.Files = append(p.Files, files[rng.IntN(len(files))])
	}
	switch rng.IntN(20) {
	case 0:
		p.PURL = ""
	case 1:
		p.PURL = "pkg:deb/debian/" + name
	case 2:
		p.Opaque = "a cut name"
	case 3, 4:
		p.PURL = fmt.Sprintf("pkg:deb/debian/%s@%s1.0", name, []string{"0:", "1:", "2:", "1:2:"}[rng.IntN(4)])
	case 5:
		p.PURL = fmt.Sprintf("pkg:rpm/%s/%s@1.0", []string{"alma", "almalinux", "centos"}[rng.IntN(3)], name)
	case 6:
		p.PURL = fmt.Sprintf("pkg:npm/%s@1.0", strings.ToUpper(name))
	}
	return p
}

// RandomFinding gives a finding on one of the packages, under one of a few
// identifiers of which some name the same vulnerability.
func RandomFinding(rng *rand.Rand, packages []inventory.Package) inventory.Finding {
	n := rng.IntN(6)
	f := inventory.Finding{
		ID: fmt.Sprintf("CVE-2026-%d", n), PackageID: packages[rng.IntN(len(packages))].ID,
		Severity: inventory.Severities[rng.IntN(len(inventory.Severities))], FixState: "not-fixed",
		Namespace: fmt.Sprintf("ns:%d", rng.IntN(2)), CVSS: float64(rng.IntN(100)) / 10,
	}
	switch rng.IntN(6) {
	case 0:
		f.ID, f.Aliases = fmt.Sprintf("GHSA-%d", n), []string{f.ID}
	case 1:
		f.ID, f.Aliases = fmt.Sprintf("PYSEC-%d", n), []string{fmt.Sprintf("GHSA-%d", n)}
	case 2:
		f.ID, f.Aliases = "DSA-1", []string{"CVE-2026-0", "CVE-2026-1"}
	}
	switch rng.IntN(5) {
	case 0:
		f.FixState, f.FixVersions = "fixed", []string{"1.0", "2.0"}
	case 1:
		f.FixState, f.FixVersions = "fixed", []string{"2.0"}
	}
	return f
}

// RandomObservation adds the use of a file: of a package's file, of one beside
// it, or of none.
func RandomObservation(rng *rand.Rand, r *record.Record) {
	path := fmt.Sprintf("/somewhere/f%d", rng.IntN(9))
	if p := r.Inventory.Packages[rng.IntN(len(r.Inventory.Packages))]; len(p.Files) > 0 && rng.IntN(4) > 0 {
		path = p.Files[rng.IntN(len(p.Files))]
	}
	kinds := []evidence.Kind{evidence.Exec, evidence.Interp, evidence.Map, evidence.Open}
	o := Observe(r, path, kinds[rng.IntN(len(kinds))])
	o.At = At(float64(rng.IntN(5)))
	switch rng.IntN(8) {
	case 0:
		o.Path, o.ImagePath = []byte("/mnt/alias"), o.Path
	case 1:
		o.Foreign = true
	case 2:
		o.Path = append(o.Path, 0xff)
	}
	if r.Evidence.Kubescape == nil {
		return
	}
	switch rng.IntN(3) {
	case 0:
		o.Witnesses = []evidence.Witness{evidence.WitnessSensor}
	case 1:
		o.Witnesses = []evidence.Witness{evidence.WitnessNodeAgent, evidence.WitnessSensor}
	default:
		o.Witnesses = []evidence.Witness{evidence.WitnessNodeAgent}
		o.Process, o.PID, o.Device, o.Inode, o.At = "", 0, 0, 0, r.Evidence.Window.End
	}
}

// Worsen makes the health of a record's evidence worse in one way, and says
// which.
func Worsen(rng *rand.Rand, r *record.Record) string {
	e := &r.Evidence
	if e.Kubescape != nil && rng.IntN(2) == 0 {
		return WorsenKubescape(rng, r)
	}
	ways := []struct {
		name string
		do   func()
	}{
		{"late attachment", func() { e.Health.AttachedAt = At(1) }},
		{"lost event", func() { e.Health.Lost.Ring++ }},
		{"blind canary", func() { e.Health.Canaries[rng.IntN(3)].Seen-- }},
		{"restart", func() { e.Workload.Restarts++ }},
		{"not ready", func() { e.Workload.ReadyBy = evidence.ReadyNever }},
		{"another image", func() { e.Workload.ConfigDigest = Digest("9") }},
		{"interrupted", func() { e.Window.Stopped = evidence.StopInterrupted }},
		{"exercise failed", func() { e.Exercise[0].Passed = false }},
		{"incomplete", func() { r.Inventory.Incomplete = "cut" }},
		{"old database", func() { r.Inventory.Database.Built = r.Inventory.Database.Built.Add(-240 * time.Hour) }},
		{"io_uring", func() { e.Health.Blind = append(e.Health.Blind, evidence.Blind{What: "io_uring", Count: 1}) }},
		{"sensor error", func() { e.Health.Errors = append(e.Health.Errors, "gone") }},
	}
	way := ways[rng.IntN(len(ways))]
	way.do()
	return way.name
}

// Shuffle permutes everything in a record whose order has no meaning.
func Shuffle(rng *rand.Rand, r record.Record) record.Record {
	out := r
	out.Inventory.Packages = shuffled(rng, r.Inventory.Packages)
	out.Inventory.Findings = shuffled(rng, r.Inventory.Findings)
	out.Inventory.HardLinks = shuffled(rng, r.Inventory.HardLinks)
	out.Evidence.Observations = shuffled(rng, r.Evidence.Observations)
	for i := range out.Inventory.Packages {
		out.Inventory.Packages[i].Files = shuffled(rng, out.Inventory.Packages[i].Files)
	}
	for i := range out.Inventory.Findings {
		out.Inventory.Findings[i].Aliases = shuffled(rng, out.Inventory.Findings[i].Aliases)
	}
	return out
}

func shuffled[T any](rng *rand.Rand, in []T) []T {
	out := append([]T(nil), in...)
	rng.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}
