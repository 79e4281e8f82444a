// Package judgetest makes records for tests: a good one to break, random ones,
// and large ones. Nothing in them is real; no value is meant to be.
package judgetest

import (
	"fmt"
	"strings"
	"time"

	"github.com/vexxy/action/internal/evidence"
	"github.com/vexxy/action/internal/inventory"
	"github.com/vexxy/action/internal/record"
	"github.com/vexxy/action/internal/subject"
)

// Start is the start of the window in all records.
var Start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// At gives a time some seconds into the window.
func At(seconds float64) time.Time {
	return Start.Add(time.Duration(seconds * float64(time.Second)))
}

// Digest makes a digest of one hex digit.
func Digest(digit string) string { return "sha256:" + strings.Repeat(digit, 64) }

// Good gives a record on which every check holds, of an image without packages
// of interest: one, that was used, and no finding.
func Good() record.Record {
	r := record.Record{
		Run: record.Run{
			Schema: record.Schema, ID: "0123456789abcdef01234567", Version: "1.0.0",
			StartedAt: At(-20), FinishedAt: At(310),
			Settings: map[string]string{"max-db-age": "5d", "test-command": "true"},
		},
		Subject: subject.Subject{
			Requested: "registry.example/team/app:1", Source: subject.SourceRegistry,
			Repository: "registry.example/team/app", Tag: "1",
			IndexDigest: Digest("a"), ManifestDigest: Digest("b"), ConfigDigest: Digest("c"),
			Platform: subject.Platform{OS: "linux", Architecture: "amd64"},
		},
		Evidence: Evidence(),
		Digest:   Digest("d"),
	}
	r.Inventory.Distro = "debian 12"
	r.Inventory.Database = inventory.Database{Schema: "v6", Built: At(-24 * 3600), Digest: Digest("e"), From: "test"}
	AddPackage(&r, Deb("init", "init", "/usr/bin/init"))
	Observe(&r, "/usr/bin/init", evidence.Exec)
	return r
}

// Evidence gives evidence on which every check holds, without observations.
func Evidence() evidence.Evidence {
	return evidence.Evidence{
		Engine: evidence.Embedded,
		Window: evidence.Window{Start: At(0), End: At(300.1), Configured: 300, Stopped: evidence.StopDuration},
		Health: evidence.Health{
			Kernel: "6.18", Programs: []string{"sys_exit", "sched_process_exec"},
			AttachedAt: At(-3), FirstExecAt: At(0), DetachedAt: At(301),
			Canaries: []evidence.Canary{
				{Stage: "start", At: At(-2), Opened: 16, Seen: 16, Place: "helper"},
				{Stage: "middle", At: At(150), Opened: 16, Seen: 16, Place: "container"},
				{Stage: "end", At: At(300.5), Opened: 16, Seen: 16, Place: "container"},
			},
		},
		Workload: evidence.Workload{
			ConfigDigest: Digest("c"), ContainerID: "f00", ReadyBy: evidence.ReadyInput, ReadyAt: At(2),
		},
		Exercise: []evidence.Exercise{{Kind: "test-command", What: "true", Start: At(3), End: At(9), Passed: true, Outcome: "exit code 0"}},
	}
}

// Facts gives the facts that go with Evidence.
func Facts() evidence.Facts {
	return evidence.Facts{
		SubjectConfigDigest: Digest("c"), Packages: 1,
		DatabaseBuilt: At(-24 * 3600), DatabaseDigest: Digest("e"), MaxDatabaseAge: 120 * time.Hour,
		Declared: []string{"test-command"},
	}
}

// Deb gives a Debian package with its files.
func Deb(name, source string, files ...string) inventory.Package {
	p := inventory.Package{
		ID: "deb-" + name, Name: name, Version: "1.2-3", Type: "deb", Files: files,
		PURL:     fmt.Sprintf("pkg:deb/debian/%s@1.2-3?arch=amd64&distro=debian-12&upstream=%s", name, source),
		Location: "/var/lib/dpkg/status",
	}
	if source != "" {
		p.Source = &inventory.Source{Name: source, Version: "1.2-3"}
	}
	return p
}

// AddPackage adds a package and one finding for each identifier.
func AddPackage(r *record.Record, p inventory.Package, vulnerabilities ...string) {
	r.Inventory.Packages = append(r.Inventory.Packages, p)
	for _, id := range vulnerabilities {
		AddFinding(r, inventory.Finding{ID: id, PackageID: p.ID})
	}
}

// AddFinding adds a finding, high and with a fix unless it says otherwise.
func AddFinding(r *record.Record, f inventory.Finding) {
	if f.Severity == "" {
		f.Severity = inventory.High
	}
	if f.FixState == "" {
		f.FixState, f.FixVersions = "fixed", []string{"9.9-1"}
	}
	r.Inventory.Findings = append(r.Inventory.Findings, f)
}

// Observe adds the use of a file by a process of the start-up.
func Observe(r *record.Record, path string, kinds ...evidence.Kind) *evidence.Observation {
	o := evidence.Observation{
		Path: []byte(path), Kinds: kinds, Process: "app", PID: 100, Phase: evidence.PhaseStartup,
		Device: 1, Inode: uint64(len(r.Evidence.Observations) + 1),
		At: At(0.01 * float64(len(r.Evidence.Observations)+1)),
	}
	r.Evidence.Observations = append(r.Evidence.Observations, o)
	return &r.Evidence.Observations[len(r.Evidence.Observations)-1]
}
