// Package gitlab writes a judged image as GitLab's security report of a
// container scan. Pure.
package gitlab

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/vexxy/action/internal/baseline"
	"github.com/vexxy/action/internal/foreign"
	"github.com/vexxy/action/internal/inventory"
	"github.com/vexxy/action/internal/judge"
	"github.com/vexxy/action/internal/report"
)

// ReportFile is the name under which a job hands the report to GitLab, as
// artifacts:reports:container_scanning.
const ReportFile = "gl-container-scanning.json"

// schemaVersion is the version of the report's format. GitLab takes a minor
// version as long as it takes its major one
// (https://docs.gitlab.com/development/integrations/secure/, version).
const schemaVersion = "15.0.7"

// maxVulnerabilities bounds the report; the worst are kept, and the report
// says so.
const maxVulnerabilities = 10_000

// ContainerScanning gives the report on one image.
func ContainerScanning(img report.Image) ([]byte, error) {
	return ContainerScanningOf([]report.Image{img}, 0)
}

// ContainerScanningOf gives the report of a container scan
// (https://gitlab.com/gitlab-org/security-products/security-report-schemas,
// container-scanning-report-format) on one image or several: what is affected
// alone, as GitLab has no status for the rest. The scan's status, success or
// failure in the format, is failure where the evidence is insufficient, or where
// missing says that further images have no judgement. GitLab takes one such
// report of a job.
func ContainerScanningOf(images []report.Image, missing int) ([]byte, error) {
	run := images[0].Record.Run // the same of all
	us := component{"vexxy", "vexxy", foreign.Text(version(run.Version)).Line(60), vendor{"vexxy"}, "https://github.com/vexxy/action"}
	s := scan{Analyzer: us, Scanner: us, Type: "container_scanning", Status: "success", Start: instant(run.StartedAt)}
	doc := document{Version: schemaVersion, Vulnerabilities: []vulnerability{}}
	left, open, end := 0, 0, run.FinishedAt
	sufficient := true
	seen := map[string]int{}
	for _, img := range images {
		r := img.Record
		if r.Run.FinishedAt.After(end) {
			end = r.Run.FinishedAt
		}
		where := location{OperatingSystem: "unknown", Image: name(img)}
		if r.Inventory.Distro != "" {
			where.OperatingSystem = text(r.Inventory.Distro, 200)
		}
		sufficient = sufficient && img.Judgement.Sufficient
		for i := range img.Judgement.Assessments {
			a := &img.Judgement.Assessments[i]
			switch {
			case a.Status == judge.UnderInvestigation:
				open++
			case a.Status != judge.Affected:
			case len(doc.Vulnerabilities) == maxVulnerabilities:
				left++
			default:
				id := identity(img, a)
				seen[id]++ // the same package in several versions
				doc.Vulnerabilities = append(doc.Vulnerabilities, vulnerabilityOf(a, uuid(fmt.Sprint(id, seen[id])), where))
			}
		}
	}
	if left > 0 {
		s.Messages = append(s.Messages, remark{"warn", fmt.Sprintf("%d further affected findings are left out; all are in result.json.", left)})
	}
	if !sufficient {
		s.Status = "failure"
		s.Messages = append(s.Messages, remark{"warn", fmt.Sprintf(
			"The evidence is insufficient: more may be affected. %d further findings are under investigation; see summary.md.", open)})
	}
	if missing > 0 {
		s.Status = "failure"
		s.Messages = append(s.Messages, remark{"warn", fmt.Sprintf("%d of the images have no judgement; see result.json.", missing)})
	}
	s.End = instant(end)
	doc.Scan = s
	data, err := json.MarshalIndent(doc, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("writing GitLab's container scanning report: %w", err)
	}
	return foreign.JSON(append(data, '\n')), nil
}

func vulnerabilityOf(a *judge.Assessment, id string, where location) vulnerability {
	where.Dependency = dependency{Package: pack{text(a.PackageName, 250)}, Version: text(a.PackageVersion, 250)}
	v := vulnerability{
		ID: id, Name: clip(text(a.Vulnerability, 100)+" in "+text(a.PackageName, 140), 255),
		Description: text(strings.Join(strings.Fields(a.Description), " "), 2000), Severity: severity(a.Severity),
		Solution: solution(a), Location: where, Identifiers: identifiers(a),
		Details: map[string]detail{"evidence": {"Seen in use", "text", text(a.Text, 1000)}},
	}
	if v.Description == "" {
		v.Description = text(a.Text, 1000)
	}
	return v
}

// identity tells a finding from all others of the image, across versions.
func identity(img report.Image, a *judge.Assessment) string {
	return strings.Join([]string{report.ImageKey(img.Record.Subject), a.Vulnerability, baseline.PackageKey(a.PURL, a.PackageType, a.PackageName), ""}, "\x00")
}

// uuid makes a name-based UUID, of version 8 (RFC 9562).
func uuid(name string) string {
	b := sha256.Sum256([]byte(name))
	b[6], b[8] = b[6]&0x0f|0x80, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:16])
}

// imageName is the form that the report's schema asks of an image.
var imageName = regexp.MustCompile(`^[^:\s]+(:\d+[^:\s]*)?(:[^:\s]+(:[^:\s]+)?)?$`)

// name names the image. Between runs GitLab tells images apart by what stands
// before the last colon, which is the repository here.
func name(img report.Image) string {
	s := img.Record.Subject
	full := text(s.Digest(), 500)
	if s.Repository != "" {
		if named := text(s.Repository+"@"+s.Digest(), 500); imageName.MatchString(named) {
			return named
		}
	}
	if full != "" && imageName.MatchString(full) {
		return full
	}
	return uuid(s.Repository + s.Digest()) // nothing names it in the form that is asked for
}

func solution(a *judge.Assessment) string {
	if len(a.FixVersions) == 0 {
		return ""
	}
	return "Upgrade " + text(a.PackageName, 200) + " to " + text(strings.Join(a.FixVersions, " or "), 300) + "."
}

// severity gives GitLab's word; it has no negligible.
func severity(s inventory.Severity) string {
	switch s {
	case inventory.Critical:
		return "Critical"
	case inventory.High:
		return "High"
	case inventory.Medium:
		return "Medium"
	case inventory.Low:
		return "Low"
	case inventory.Negligible:
		return "Info"
	}
	return "Unknown"
}

var (
	cve  = regexp.MustCompile(`^CVE-[0-9]{4}-[0-9]{4,19}$`)
	ghsa = regexp.MustCompile(`^GHSA(-[0-9a-z]{4}){3}$`)
)

// identifiers names the vulnerability and its aliases, at most 20 in all.
// Addresses are made of the names alone: those of a database are foreign.
func identifiers(a *judge.Assessment) []identifier {
	var all []identifier
	for _, id := range append([]string{a.Vulnerability}, a.Aliases...) {
		shown := text(id, 200)
		one := identifier{Type: "vexxy", Name: shown, Value: shown}
		switch {
		case cve.MatchString(id):
			one.Type, one.URL = "cve", "https://nvd.nist.gov/vuln/detail/"+id
		case ghsa.MatchString(id):
			one.Type, one.URL = "ghsa", "https://github.com/advisories/"+id
		case shown == "":
			continue
		}
		if all = append(all, one); len(all) == 20 {
			break
		}
	}
	if len(all) == 0 {
		all = append(all, identifier{Type: "vexxy", Name: "unnamed", Value: "unnamed"})
	}
	return all
}

// text encodes foreign text for GitLab, which shows it as Markdown in places.
func text(s string, max int) string { return foreign.Text(s).Message(max) }

func clip(s string, max int) string {
	if len(s) <= max {
		return s
	}
	return strings.ToValidUTF8(s[:max-3], "") + "…"
}

func version(s string) string {
	if s == "" {
		return "unknown"
	}
	return s
}

// instant is a time as the report has it: UTC, to the second.
func instant(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05") }
