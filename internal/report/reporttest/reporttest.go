// Package reporttest makes judged images for the tests of all reports: a plain
// one, large ones, hostile ones. Nothing in them is real.
package reporttest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/vexxy/action/internal/baseline"
	"github.com/vexxy/action/internal/evidence"
	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/gate"
	"github.com/vexxy/action/internal/inventory"
	"github.com/vexxy/action/internal/judge"
	"github.com/vexxy/action/internal/record"
	"github.com/vexxy/action/internal/report"
	"github.com/vexxy/action/internal/subject"
)

var zero = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func At(seconds float64) time.Time { return zero.Add(time.Duration(seconds * float64(time.Second))) }

// Checks are the nine conditions, those in failed with a value that does not hold.
func Checks(failed ...string) []evidence.Check {
	all := []evidence.Check{
		{ID: "E1", Title: "sensor attached before the first process and until the end", OK: true, Applies: true, Measured: "attached 3.0 s before the first exec"},
		{ID: "E2", Title: "no lost events", OK: true, Applies: true, Measured: "0 lost"},
		{ID: "E3", Title: "canary seen whole", OK: true, Applies: true, Measured: "16 of 16 at start, middle and end"},
		{ID: "E4", Title: "workload ready", OK: true, Applies: true, Measured: "ready by ports, 0 restarts"},
		{ID: "E5", Title: "window met and exercise passed", OK: true, Applies: true, Measured: "300.1 s of 300 s"},
		{ID: "E6", Title: "package list complete", OK: true, Applies: true, Measured: "412 packages"},
		{ID: "E7", Title: "vulnerability database known and recent", OK: true, Applies: true, Measured: "1.0 days old"},
		{ID: "E8", Title: "no way around the sensor was used", OK: true, Applies: true, Measured: "none"},
		{ID: "E9", Title: "Kubescape profile completed", Applies: false, Measured: "not this engine"},
	}
	for i := range all {
		for _, id := range failed {
			if all[i].ID == id {
				all[i].OK, all[i].Measured, all[i].Remedy = false, "12 events lost: ring 12", "Lower the load of the exercise, or raise sensor-buffer."
			}
		}
	}
	return all
}

// Sample is a judged image: two affected findings, one open, two cleared.
func Sample() report.Image {
	img := report.Image{
		Record: record.Record{
			Run: record.Run{Schema: 1, ID: "0123456789abcdef01234567", Version: "1.0.0", StartedAt: At(-20), FinishedAt: At(305),
				Settings: map[string]string{"duration": "300s"},
				Timings: []record.Timing{{Step: "resolve nginx:1.25", Start: At(-20), End: At(-18)},
					{Step: "read packages", Start: At(-18), End: At(-10)}, {Step: "observe", Start: At(-3), End: At(304), Error: ""}}},
			Subject: subject.Subject{Requested: "nginx:1.25", Source: subject.SourceRegistry, Repository: "index.docker.io/library/nginx", Tag: "1.25",
				IndexDigest: "sha256:" + strings.Repeat("a", 64), ManifestDigest: "sha256:" + strings.Repeat("b", 64), ConfigDigest: "sha256:" + strings.Repeat("c", 64),
				Platform: subject.Platform{OS: "linux", Architecture: "amd64"}},
			Inventory: inventory.Inventory{Distro: "debian 12", Packages: make([]inventory.Package, 412), Syft: "1.42.3", Grype: "0.110.0",
				Database: inventory.Database{Schema: "v6.1.4", Built: At(-86400), Digest: "sha256:" + strings.Repeat("e", 64), From: "https://grype.anchore.io"}},
			Evidence: evidence.Evidence{Engine: evidence.Embedded,
				Window:       evidence.Window{Start: At(0), End: At(300.1), Configured: 300, Stopped: evidence.StopDuration},
				Phases:       []evidence.Phase{{Name: "startup", Start: At(0), End: At(2.5)}, {Name: "exercise", Start: At(2.5), End: At(40)}, {Name: "idle", Start: At(40), End: At(300.1)}},
				Observations: make([]evidence.Observation, 187),
				Health: evidence.Health{Kernel: "6.18", Programs: []string{"sys_exit"}, AttachedAt: At(-3), DetachedAt: At(301), FirstExecAt: At(0),
					Canaries: []evidence.Canary{{Stage: "start", At: At(-1), Opened: 16, Seen: 16}},
					Blind:    []evidence.Blind{{What: "io_uring", Count: 0}}, Errors: []string{"none"}},
				Workload: evidence.Workload{ConfigDigest: "sha256:" + strings.Repeat("c", 64), ContainerID: "f00", ReadyBy: evidence.ReadyPorts, ReadyAt: At(2.5),
					Command: []string{"nginx"}, Relaxed: []string{"privileged"}, OOMKilled: true},
				Exercise: []evidence.Exercise{{Kind: "http-probe", What: "/", Start: At(2.5), End: At(40), Passed: true, Outcome: "200"}},
			},
			Digest: "sha256:" + strings.Repeat("d", 64),
		},
		Judgement: judge.Judgement{Checks: Checks(), Sufficient: true, Confidence: evidence.ConfidenceHigh, Observed: []string{"p1", "p2"},
			Assessments: []judge.Assessment{
				{Vulnerability: "CVE-2026-0001", Aliases: []string{"GHSA-xxxx-yyyy-zzzz"}, PURL: "pkg:deb/debian/zlib1g@1.2.13", SubcomponentPURLs: []string{"pkg:deb/debian/zlib1g@1.2.13"}, PackageIDs: []string{"p1"},
					PackageName: "zlib1g", PackageVersion: "1.2.13", PackageType: "deb", Severity: inventory.Critical, CVSS: 9.8, EPSS: 0.42, KEV: true, FixState: "fixed", FixVersions: []string{"1.2.14"},
					DataSource: "https://security-tracker.debian.org/tracker/CVE-2026-0001", Description: "A flaw.", Status: judge.Affected, Reason: judge.ReasonObserved,
					Seen: &judge.Sighting{Path: "/usr/lib/x86_64-linux-gnu/libz.so.1.2.13", Kinds: []evidence.Kind{evidence.Map, evidence.Open}, Process: "nginx", Phase: "startup", At: At(0.2), Files: 2},
					Text: "Upgrade to 1.2.14."},
				{Vulnerability: "CVE-2026-0002", PURL: "pkg:deb/debian/libpcre2-8-0@10.42", PackageName: "libpcre2-8-0", PackageVersion: "10.42", PackageType: "deb", Severity: inventory.Medium, FixState: "wont-fix",
					Status: judge.Affected, Reason: judge.ReasonObserved, Seen: &judge.Sighting{Path: "/usr/lib/x86_64-linux-gnu/libpcre2-8.so.0", Kinds: []evidence.Kind{evidence.Map}, Process: "nginx", Phase: "startup", At: At(0.2), Files: 1}, Text: "The maintainers will not fix it."},
				{Vulnerability: "CVE-2026-0003", PURL: "pkg:maven/a/b@1", PackageName: "b", PackageVersion: "1", PackageType: "java-archive", Severity: inventory.High, FixState: "unknown",
					Status: judge.UnderInvestigation, Reason: judge.ReasonInArchive, Text: "Inside an archive that was opened. What would settle it: the archive unpacked in the image."},
				{Vulnerability: "CVE-2026-0004", PURL: "pkg:deb/debian/perl-base@5.36", PackageName: "perl-base", PackageVersion: "5.36", PackageType: "deb", Severity: inventory.High, FixState: "not-fixed",
					Status: judge.NotAffected, Reason: judge.ReasonNotObserved, Text: "No file of the package was used in 300 s."},
				{Vulnerability: "CVE-2026-0005", PURL: "pkg:deb/debian/perl-base@5.36", PackageName: "perl-base", PackageVersion: "5.36", PackageType: "deb", Severity: inventory.Low, FixState: "fixed", FixVersions: []string{"5.36"},
					Status: judge.Fixed, Reason: judge.ReasonFixed, Text: "The vulnerability database names the installed version as one with the fix."},
			},
			Summary: judge.Summary{Total: 5, Affected: 2, UnderInvestigation: 1, NotAffected: 1, Fixed: 1, Findings: 5, AffectedBySeverity: map[inventory.Severity]int{inventory.Critical: 1, inventory.Medium: 1}},
		},
		Decision: gate.Decision{Verdict: gate.VerdictFail, Code: fault.GateFailed, Causes: []string{"1 affected vulnerabilities of severity high or worse, 0 allowed"},
			Counts: map[inventory.Severity]int{inventory.Critical: 1, inventory.Medium: 1}, Counted: 1},
	}
	img.Publication = report.Published(map[string][]byte{"vex.openvex.json": []byte("{}"), "summary.md": []byte("x")})
	return img
}

// Inconclusive is Sample with events lost.
func Inconclusive() report.Image {
	img := Sample()
	img.Judgement.Checks, img.Judgement.Sufficient, img.Judgement.Confidence = Checks("E2", "E5"), false, evidence.ConfidenceNone
	for i := range img.Judgement.Assessments {
		a := &img.Judgement.Assessments[i]
		if a.Status == judge.NotAffected {
			a.Status, a.Reason, a.Text = judge.UnderInvestigation, judge.ReasonInsufficient, "The evidence is insufficient. What would settle it: a run without lost events."
		}
	}
	s := &img.Judgement.Summary
	s.NotAffected, s.UnderInvestigation = 0, 2
	img.Decision = gate.Decision{Verdict: gate.VerdictInconclusive, Code: fault.Inconclusive, Causes: []string{"the evidence is insufficient: E2 (12 events lost: ring 12), E5 (12 events lost: ring 12)"}}
	return img
}

// Large is Sample with n findings of every status.
func Large(n int) report.Image {
	img := Sample()
	kinds := img.Judgement.Assessments
	img.Judgement.Assessments = nil
	for i := range n {
		a := kinds[i%len(kinds)]
		a.Vulnerability = fmt.Sprintf("CVE-2026-%05d", i)
		a.PackageName = fmt.Sprint("package", i/5)
		img.Judgement.Assessments = append(img.Judgement.Assessments, a)
	}
	img.Judgement.Summary = judge.Summary{Total: n, Affected: 2 * n / 5, UnderInvestigation: n / 5, NotAffected: n / 5, Fixed: n / 5, Findings: n,
		AffectedBySeverity: map[inventory.Severity]int{inventory.Critical: n / 5, inventory.Medium: n / 5}}
	return img
}

// Hostile is Sample with text in every place that an image, a registry or a
// database fills.
func Hostile(long string) report.Image {
	img := Sample()
	text := long[:min(len(long), 64<<10)] // what a record holds once is bounded by the record
	r := &img.Record
	r.Subject.Requested, r.Subject.Repository, r.Subject.Tag = text, text, text
	r.Subject.Platform.Architecture, r.Inventory.Distro = text, text
	r.Evidence.Exercise[0].What, r.Evidence.Exercise[0].Outcome = text, text
	r.Evidence.Workload.Command, r.Evidence.Health.Errors = []string{text}, []string{text}
	r.Evidence.Health.Blind[0].Detail = text
	r.Run.Timings[0].Step, r.Run.Timings[0].Error = text, text
	r.Inventory.Database.From, r.Inventory.Database.Schema = text, text
	r.Run.Settings["image"] = text
	for i := range img.Judgement.Checks {
		img.Judgement.Checks[i].Measured, img.Judgement.Checks[i].Remedy = text, text
	}
	for i := range img.Judgement.Assessments {
		a, text := &img.Judgement.Assessments[i], long
		a.Vulnerability, a.PURL, a.PackageName, a.PackageVersion, a.FixVersions, a.Text, a.Description = text, text, text, text, []string{text}, text, text
		a.Aliases, a.DataSource, a.Severity, a.FixState = []string{text}, text, inventory.High, text
		if a.Seen != nil {
			a.Seen.Path, a.Seen.Process, a.Seen.Phase = text, text, text
		}
	}
	img.Decision.Causes = []string{text}
	old := baseline.Baseline{From: text, RunID: text, Version: text, Requested: text, Digest: text, Platform: text}
	old.Statements = []baseline.Statement{{Vulnerability: text + "1", Package: text, Version: text, Severity: inventory.High, Status: judge.Affected}}
	if len(text)%2 == 0 {
		old = baseline.Unusable(text, errors.New(text))
	}
	img.Change, img.Command = baseline.Compare(old, img.Judgement), text
	return img
}

// Earlier is what a run before Sample said: zlib1g was not reached yet,
// another package had a vulnerability that is gone, one finding is as it was.
func Earlier() baseline.Baseline {
	return baseline.Baseline{
		From: "baseline/result.json", RunID: "fedcba9876543210fedcba98", Version: "0.9.0", FinishedAt: At(-86400),
		Requested: "nginx:1.24", Digest: "sha256:" + strings.Repeat("9", 64), Platform: "linux/amd64",
		Statements: []baseline.Statement{
			{Vulnerability: "GHSA-xxxx-yyyy-zzzz", PURL: "pkg:deb/debian/zlib1g@1.2.12", Package: "zlib1g", Version: "1.2.12", Severity: inventory.Critical, Status: judge.NotAffected},
			{Vulnerability: "CVE-2026-0002", PURL: "pkg:deb/debian/libpcre2-8-0@10.42", Package: "libpcre2-8-0", Version: "10.42", Severity: inventory.Medium, Status: judge.Affected},
			{Vulnerability: "CVE-2026-0004", PURL: "pkg:deb/debian/perl-base@5.36", Package: "perl-base", Version: "5.36", Severity: inventory.High, Status: judge.UnderInvestigation},
			{Vulnerability: "CVE-2025-9999", PURL: "pkg:deb/debian/libxml2@2.9", Package: "libxml2", Version: "2.9", Severity: inventory.High, Status: judge.Affected},
		},
	}
}

// Compared is Sample held against Earlier, with a gate on what is new.
func Compared() report.Image {
	img := Sample()
	img.Change = baseline.Compare(Earlier(), img.Judgement)
	img.Decision.Causes = []string{"1 newly affected vulnerabilities of severity high or worse, 0 allowed"}
	img.Command = "vexxy run --engine embedded --http-probe / --fail-on new index.docker.io/library/nginx@sha256:" + strings.Repeat("a", 64)
	return img
}

// Sizes are the numbers of findings that documents are made for.
var Sizes = []int{0, 1, 60, 5000}

// Sized is Sample with n findings of every status, of severities in turn, and
// held against a baseline that has every third of them.
func Sized(n int) report.Image {
	img := Compared()
	kinds := img.Judgement.Assessments
	j := &img.Judgement
	j.Assessments, j.Summary = nil, judge.Summary{Total: n, Findings: n, AffectedBySeverity: map[inventory.Severity]int{}}
	old := baseline.Baseline{From: "result.json", RunID: "fedcba9876543210fedcba98", FinishedAt: At(-86400)}
	for i := range n {
		a := kinds[i%len(kinds)]
		a.Vulnerability = fmt.Sprintf("CVE-2026-%05d", i)
		a.PackageName, a.PURL = fmt.Sprint("package", i/5), fmt.Sprintf("pkg:deb/debian/package%d@1", i/5)
		a.SubcomponentPURLs, a.Aliases, a.Severity = []string{a.PURL}, nil, inventory.Severities[i/7%6]
		j.Assessments = append(j.Assessments, a)
		if i%3 == 0 {
			old.Statements = append(old.Statements, baseline.Statement{Vulnerability: a.Vulnerability, PURL: a.PURL, Package: a.PackageName, Status: a.Status})
		}
		switch a.Status {
		case judge.Affected:
			j.Summary.Affected++
			j.Summary.AffectedBySeverity[a.Severity]++
		case judge.UnderInvestigation:
			j.Summary.UnderInvestigation++
		case judge.NotAffected:
			j.Summary.NotAffected++
		default:
			j.Summary.Fixed++
		}
	}
	img.Change = baseline.Compare(old, *j)
	img.Decision = gate.Decide(gate.Policy{FailOn: inventory.High}, *j, img.Change)
	return img
}

// Shortened is a golden form of a large document: its length, its digest and
// its first lines.
func Shortened(data []byte, lines int) []byte {
	sum := sha256.Sum256(data)
	head := bytes.SplitAfterN(data, []byte("\n"), lines+1)
	return fmt.Appendf(nil, "%d bytes, %d lines, sha256:%s\n\n%s", len(data), bytes.Count(data, []byte("\n")), hex.EncodeToString(sum[:]), bytes.Join(head[:min(lines, len(head))], nil))
}
