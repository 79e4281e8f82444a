package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/vexxy/action/internal/evidence"
	"github.com/vexxy/action/internal/foreign"
	"github.com/vexxy/action/internal/inventory"
	"github.com/vexxy/action/internal/judge"
)

// affected is the table of what was reached, worst first.
func (p *page) affected(j judge.Judgement, rows int) {
	all := withStatus(j, judge.Affected)
	if len(all) == 0 {
		return
	}
	p.f("### Affected: used while the image ran\n\n")
	p.rows(len(all), rows, noun{"affected finding", "affected findings"}, "| severity | vulnerability | package | fixed in | seen |\n|---|---|---|---|---|\n", func(i int) {
		a := all[i]
		p.f("| %s | %s | %s | %s | %s |\n", foreign.Text(a.Severity).Markdown(20), vulnerability(a), packageOf(a), fixedIn(a), sighting(a.Seen))
	})
}

// reasons say why a finding is still open, in words.
var reasons = map[judge.Reason]string{
	judge.ReasonInsufficient: "the evidence is insufficient (see above)",
	judge.ReasonNoFiles:      "the package owns no catalogued file that could be seen in use",
	judge.ReasonInArchive:    "inside an archive that was opened; what was loaded from it cannot be told",
	judge.ReasonOpaque:       "the package's files cannot be matched with what the kernel reports",
	judge.ReasonUnidentified: "no package URL with a version tells the package apart",
	judge.ReasonSource:       "another package of the same source package is not cleared",
	judge.ReasonLocal:        "the image was never pushed, and another package with this vulnerability is not cleared",
	judge.ReasonNamesake:     "a package that some consumers know by the same URL is not cleared",
	judge.ReasonHuman:        "a person is looking into it",
}

// open groups what is under investigation by its reason.
func (p *page) open(j judge.Judgement, rows int) {
	all := withStatus(j, judge.UnderInvestigation)
	if len(all) == 0 {
		return
	}
	groups := map[judge.Reason][]*judge.Assessment{}
	var order []judge.Reason
	for _, a := range all {
		if groups[a.Reason] == nil {
			order = append(order, a.Reason)
		}
		groups[a.Reason] = append(groups[a.Reason], a)
	}
	slices.SortFunc(order, func(a, b judge.Reason) int {
		if len(groups[a]) != len(groups[b]) {
			return len(groups[b]) - len(groups[a])
		}
		return strings.Compare(string(a), string(b))
	})
	p.f("### Under investigation\n\n| findings | packages | why | what would settle it |\n|---:|---:|---|---|\n")
	for _, reason := range order {
		group := groups[reason]
		why, known := reasons[reason]
		if !known {
			why = foreign.Text(reason).Markdown(100)
		}
		_, settle, _ := strings.Cut(group[0].Text, "What would settle it: ")
		p.f("| %d | %d | %s | %s |\n", len(group), packagesIn(group), why, foreign.Text(settle).Markdown(500))
	}
	p.f("\n")
	p.fold(len(all), rows, noun{"finding under investigation", "findings under investigation"}, "| severity | vulnerability | package | why |\n|---|---|---|---|\n", func(i int) {
		a := all[i]
		p.f("| %s | %s | %s | %s |\n", foreign.Text(a.Severity).Markdown(20), vulnerability(a), packageOf(a), foreign.Text(a.Reason).Markdown(40))
	})
}

// cleared lists what is not affected or fixed, one row a package.
func (p *page) cleared(img Image, rows int) {
	j := img.Judgement
	all := append(withStatus(j, judge.NotAffected), withStatus(j, judge.Fixed)...)
	if len(withStatus(j, judge.NotAffected)) > 0 {
		p.f("### Not affected: present, never used\n\n%s\n\n", claim(img))
	}
	if len(all) == 0 {
		return
	}
	type key struct{ purl, name, version string }
	groups := map[key][]*judge.Assessment{}
	var order []key
	for _, a := range all {
		k := key{a.PURL, a.PackageName, a.PackageVersion}
		if groups[k] == nil {
			order = append(order, k)
		}
		groups[k] = append(groups[k], a)
	}
	with := fmt.Sprintf(" with %s not affected or fixed", count(len(all), "finding", "findings"))
	p.fold(len(order), rows, noun{"package" + with, "packages" + with}, "| package | vulnerabilities |\n|---|---|\n", func(i int) {
		group := groups[order[i]]
		names := make([]string, 0, len(group))
		for _, a := range group {
			name := foreign.Text(a.Vulnerability).Markdown(100)
			if a.Status == judge.Fixed {
				name += " (fixed)"
			}
			names = append(names, name)
		}
		p.f("| %s | %s |\n", packageOf(group[0]), strings.Join(names, ", "))
	})
}

// claim is the bounded claim in words.
func claim(img Image) string {
	e := img.Record.Evidence
	exercise := "without an exercise"
	if n := len(e.Exercise); n > 0 {
		exercise = "with " + count(n, "exercise", "exercises")
	}
	return fmt.Sprintf("No file of these packages was used in %s of observation %s. **Not observed is bounded by this workload**: it is no proof that other input or configuration cannot reach the code.",
		e.Window.Length(), exercise)
}

// noun is a word for one and for many.
type noun struct{ one, many string }

// rows writes a table of at most limit of total rows and says what is left out.
func (p *page) rows(total, limit int, what noun, head string, row func(int)) {
	shown := min(total, limit)
	if shown > 0 {
		p.f("%s", head)
		for i := range shown {
			row(i)
		}
		p.f("\n")
	}
	if shown < total {
		p.f("%d of %s shown; all are in result.json.\n\n", shown, count(total, what.one, what.many))
	}
}

// fold is rows within a part that opens on a click.
func (p *page) fold(total, limit int, what noun, head string, row func(int)) {
	if limit == 0 {
		p.rows(total, 0, what, head, row)
		return
	}
	p.f("<details><summary>%s</summary>\n\n", count(total, what.one, what.many))
	p.rows(total, limit, what, head, row)
	p.f("</details>\n\n")
}

// withStatus gives the assessments with a status, in their order.
func withStatus(j judge.Judgement, status judge.Status) []*judge.Assessment {
	var some []*judge.Assessment
	for i := range j.Assessments {
		if j.Assessments[i].Status == status {
			some = append(some, &j.Assessments[i])
		}
	}
	return some
}

func packagesIn(group []*judge.Assessment) int {
	seen := map[string]bool{}
	for _, a := range group {
		seen[a.PURL+" "+a.PackageName+" "+a.PackageVersion] = true
	}
	return len(seen)
}

func vulnerability(a *judge.Assessment) string {
	text := foreign.Text(a.Vulnerability).Markdown(100)
	if a.KEV {
		text += " **known exploited**"
	}
	if a.EPSS >= 0.01 {
		text += fmt.Sprintf(" EPSS %.0f&nbsp;&#37;", 100*a.EPSS)
	}
	return text
}

func packageOf(a *judge.Assessment) string {
	return foreign.Text(a.PackageName).Code(120) + " " + foreign.Text(a.PackageVersion).Markdown(200)
}

func fixedIn(a *judge.Assessment) string {
	if len(a.FixVersions) > 0 {
		return foreign.Text(strings.Join(a.FixVersions, ", ")).Markdown(300)
	}
	return fixState(a)
}

// fixState says in words why there is no fixed version.
func fixState(a *judge.Assessment) string {
	switch a.FixState {
	case "wont-fix":
		return "will not be fixed"
	case "not-fixed":
		return "no fix yet"
	}
	return "no fix known"
}

func sighting(s *judge.Sighting) string {
	if s == nil {
		return ""
	}
	text := fmt.Sprintf("%s (%s) by ", foreign.Text(s.Path).Code(300), foreign.Text(kinds(s.Kinds)).Markdown(60))
	if s.Process == "" && s.ByAgent() {
		text += "the profile of node-agent"
	} else {
		text += fmt.Sprintf("%s in %s", foreign.Text(s.Process).Code(60), foreign.Text(s.Phase).Markdown(60))
	}
	if s.Files > 1 {
		text += ", and " + count(s.Files-1, "more file", "more files")
	}
	if s.Package != "" {
		text += ", of " + foreign.Text(s.Package).Code(60) + " from the same source"
	}
	return text
}

func kinds(all []evidence.Kind) string {
	words := make([]string, len(all))
	for i, kind := range all {
		words[i] = string(kind)
	}
	return strings.Join(words, ", ")
}

// severities gives the affected counts in words, worst first, without zeros.
func severities(s judge.Summary) string {
	var words []string
	for _, severity := range inventory.Severities {
		if n := s.AffectedBySeverity[severity]; n > 0 {
			words = append(words, fmt.Sprintf("%d %s", n, severity))
		}
	}
	return strings.Join(words, ", ")
}

func failed(checks []evidence.Check) []evidence.Check {
	var some []evidence.Check
	for _, c := range checks {
		if c.Applies && !c.OK {
			some = append(some, c)
		}
	}
	return some
}
