package main

import (
	"fmt"
	"strings"
)

// osv is a record in OSV's format, as far as it is used here.
// https://ossf.github.io/osv-schema/
type osv struct {
	ID        string   `json:"id"`
	Aliases   []string `json:"aliases"`
	Withdrawn string   `json:"withdrawn"`
	Summary   string   `json:"summary"`
	Severity  []struct {
		Type  string `json:"type"`
		Score string `json:"score"`
	} `json:"severity"`
	Affected []struct {
		Package struct {
			Name      string `json:"name"`
			Ecosystem string `json:"ecosystem"`
		} `json:"package"`
		Ranges []struct {
			Type   string  `json:"type"`
			Events []event `json:"events"`
		} `json:"ranges"`
	} `json:"affected"`
	Specific struct {
		Severity string `json:"severity"`
	} `json:"database_specific"`
}

// event is a version at which a package becomes vulnerable or stops being so.
type event struct {
	Introduced   string `json:"introduced"`
	Fixed        string `json:"fixed"`
	LastAffected string `json:"last_affected"`
}

// languages are OSV's ecosystems by the names and version formats that Grype uses.
var languages = map[string]struct{ packages, format string }{
	"Go":   {"go-module", "go"},
	"npm":  {"npm", "semver"},
	"PyPI": {"python", "python"},
}

// fromOSV makes advisories of records, without withdrawn ones and without
// packages of other ecosystems. A record without a severity takes that of
// another record of the same vulnerability.
func fromOSV(records []osv) ([]advisory, error) {
	rated := map[string]osv{}
	for _, r := range records {
		if r.rating() != "" {
			for _, id := range append([]string{r.ID}, r.Aliases...) {
				rated[id] = r
			}
		}
	}
	var out []advisory
	for _, r := range records {
		if r.Withdrawn != "" {
			continue
		}
		a := advisory{id: r.ID, aliases: r.Aliases, text: r.Summary, provider: "github", url: "https://github.com/advisories/" + r.ID}
		if strings.HasPrefix(r.ID, "GO-") {
			a.provider, a.url = "go", "https://pkg.go.dev/vuln/"+r.ID
		}
		rating := r
		for _, id := range r.Aliases {
			if rating.rating() == "" {
				rating = rated[id]
			}
		}
		a.severity, a.cvss = rating.rating(), rating.vector()
		for _, p := range r.Affected {
			language, ok := languages[p.Package.Ecosystem]
			if !ok {
				continue
			}
			one := affected{ecosystem: language.packages, name: p.Package.Name, format: language.format}
			for _, rng := range p.Ranges {
				spans, err := spansOf(rng.Events)
				if err != nil {
					return nil, fmt.Errorf("%s: %w", r.ID, err)
				}
				one.ranges = append(one.ranges, spans...)
			}
			if len(one.ranges) > 0 {
				a.packages = append(a.packages, one)
			}
		}
		if len(a.packages) > 0 {
			out = append(out, a)
		}
	}
	return out, nil
}

// spansOf pairs the events of one range, which OSV sorts by version.
func spansOf(events []event) ([]span, error) {
	var out []span
	from, open := "", false
	lower := func(upper string) string {
		if from == "" || from == "0" {
			return upper
		}
		return ">=" + from + "," + upper
	}
	for _, e := range events {
		switch {
		case e.Introduced != "":
			from, open = e.Introduced, true
		case e.Fixed != "" && open:
			out, open = append(out, span{constraint: lower("<" + e.Fixed), fix: e.Fixed, state: "fixed"}), false
		case e.LastAffected != "" && open:
			out, open = append(out, span{constraint: lower("<=" + e.LastAffected), state: "not-fixed"}), false
		default:
			return nil, fmt.Errorf("the event %+v is not understood", e)
		}
	}
	if open {
		constraint := ""
		if from != "" && from != "0" {
			constraint = ">=" + from
		}
		out = append(out, span{constraint: constraint, state: "not-fixed"})
	}
	return out, nil
}

// rating is GitHub's severity in the words of Grype.
func (r osv) rating() string {
	if s := strings.ToLower(r.Specific.Severity); s != "moderate" {
		return s
	}
	return "medium"
}

// vector is the record's CVSS 3 vector.
func (r osv) vector() string {
	for _, s := range r.Severity {
		if s.Type == "CVSS_V3" {
			return s.Score
		}
	}
	return ""
}
