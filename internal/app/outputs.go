package app

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/vexxy/action/internal/host/github"
	"github.com/vexxy/action/internal/inventory"
	"github.com/vexxy/action/internal/judge"
	"github.com/vexxy/action/internal/run"
)

// outputs are the step's outputs, all but comment-url. Of a run over several
// images, numbers are sums, and what each image has for itself is a list with
// one to a line. Where any image has no judgement there are no numbers: none
// affected would be no more than a guess.
func outputs(end ending) []github.Output {
	all := []github.Output{
		{Name: "verdict", Value: string(verdict(end))},
		{Name: "exit-code", Value: strconv.Itoa(int(end.code))},
		{Name: "run-id", Value: end.out.ID},
	}
	all = append(all, numbers(end.out)...)
	each := func(name string, of func(run.ImageOutcome) string) {
		var values []string
		for _, image := range end.out.Images {
			if v := of(image); v != "" {
				values = append(values, v)
			}
		}
		all = append(all, github.Output{Name: name, Value: strings.Join(values, "\n")})
	}
	each("digest", func(i run.ImageOutcome) string {
		if i.Image.Record.Digest == "" {
			return ""
		}
		return i.Image.Record.Subject.Digest()
	})
	for _, d := range []struct{ output, file string }{
		{"vex", run.VEXFile}, {"sbom", "sbom.cdx.json"}, {"runtime-sbom", "sbom.runtime.cdx.json"}, {"sarif", run.SARIFFile},
	} {
		each(d.output, func(i run.ImageOutcome) string { return file(i.Dir, d.file) })
	}
	each("attestations", attestations)
	dir := ""
	if end.out.ID != "" {
		dir, _ = filepath.Abs(end.cfg.OutputDir)
	}
	return append(all,
		github.Output{Name: "result", Value: file(dir, run.ResultFile)},
		github.Output{Name: "summary", Value: file(dir, run.SummaryFile)},
		github.Output{Name: "output-dir", Value: dir})
}

// attestations are what was attested to an image and where: statement, layout
// and the manifest that holds it, one to a line.
func attestations(i run.ImageOutcome) string {
	a := i.Image.Publication.Attested
	if a == nil {
		return ""
	}
	var lines []string
	for _, one := range a.Attestations {
		lines = append(lines, strings.Join([]string{one.Statement, one.Layout, one.Reference}, " "))
	}
	return strings.Join(lines, "\n")
}

// file gives the absolute path of a document if it is there.
func file(dir, name string) string {
	if dir == "" {
		return ""
	}
	path, err := filepath.Abs(filepath.Join(dir, name))
	if err != nil {
		return ""
	}
	if info, err := os.Lstat(path); err != nil || !info.Mode().IsRegular() {
		return ""
	}
	return path
}

// numbers are the counts. Those by severity add up to what is affected.
func numbers(out run.Outcome) []github.Output {
	known := len(out.Images) > 0
	var sum judge.Summary
	bySeverity := map[inventory.Severity]int{}
	for _, image := range out.Images {
		s := image.Image.Judgement.Summary
		known = known && image.Err == nil && image.Image.Record.Digest != ""
		sum.Affected += s.Affected
		sum.NotAffected += s.NotAffected
		sum.UnderInvestigation += s.UnderInvestigation
		sum.Fixed += s.Fixed
		sum.Total += s.Total
		for severity, n := range s.AffectedBySeverity {
			bySeverity[severity] += n
		}
	}
	var all []github.Output
	add := func(name string, n int) {
		o := github.Output{Name: name}
		if known {
			o.Value = strconv.Itoa(n)
		}
		all = append(all, o)
	}
	add("affected", sum.Affected)
	add("not-affected", sum.NotAffected)
	add("under-investigation", sum.UnderInvestigation)
	add("fixed", sum.Fixed)
	add("total", sum.Total)
	for _, severity := range inventory.Severities {
		add("affected-"+string(severity), bySeverity[severity])
	}
	return all
}
