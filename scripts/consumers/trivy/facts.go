package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/aquasecurity/trivy-db/pkg/ecosystem"
	"github.com/aquasecurity/trivy-db/pkg/types"
	"github.com/aquasecurity/trivy-db/pkg/vulnsrc/bucket"
	"github.com/aquasecurity/trivy-db/pkg/vulnsrc/vulnerability"
)

// distributed is a fact on a distribution's source package.
type distributed struct {
	ID      string `json:"id"`
	Package string `json:"source_package"`
	Distro  string `json:"distro"`
	Status  string `json:"status"`
	Fixed   string `json:"fixed_version"`
	Text    string `json:"description"`
}

func (w *writer) distributed(d distributed) error {
	if d.Status == "not-affected" {
		return nil
	}
	name, version, _ := strings.Cut(d.Distro, ":")
	switch name {
	case "debian":
		return w.put(bucket.NewDebian(version).Name(), types.DataSource{ID: vulnerability.Debian, Name: "Debian Security Tracker"}, d.ID, d.Package, d.Text,
			types.Advisory{FixedVersion: d.Fixed, Status: types.StatusAffected})
	case "alpine":
		return w.put(bucket.NewAlpine(version).Name(), types.DataSource{ID: vulnerability.Alpine, Name: "Alpine Secdb"}, d.ID, d.Package, d.Text,
			types.Advisory{FixedVersion: d.Fixed})
	}
	return fmt.Errorf("%s: the distribution %q is not known", d.ID, d.Distro)
}

// osv is a record in OSV's format (https://ossf.github.io/osv-schema/).
type osv struct {
	ID       string   `json:"id"`
	Aliases  []string `json:"aliases"`
	Summary  string   `json:"summary"`
	Affected []struct {
		Package struct {
			Name      string `json:"name"`
			Ecosystem string `json:"ecosystem"`
		} `json:"package"`
		Ranges []struct {
			Events []event `json:"events"`
		} `json:"ranges"`
	} `json:"affected"`
}

type event struct {
	Introduced   string `json:"introduced"`
	Fixed        string `json:"fixed"`
	LastAffected string `json:"last_affected"`
}

// languages are the ecosystems that Trivy and the fixtures have.
var languages = map[string]struct {
	kind   ecosystem.Type
	bucket func(types.DataSource) (bucket.DataSourceBucket, error)
}{
	"Go":   {ecosystem.Go, bucket.NewGo},
	"npm":  {ecosystem.Npm, bucket.NewNpm},
	"PyPI": {ecosystem.Pip, bucket.NewPyPI},
}

// osv writes a record under its CVEs, as Trivy's own databases have it, or
// under its own identifier where it has none.
func (w *writer) osv(r osv) error {
	ids := slices.DeleteFunc(append([]string{r.ID}, r.Aliases...), func(id string) bool { return !strings.HasPrefix(id, "CVE-") })
	if len(ids) == 0 {
		ids = []string{r.ID}
	}
	ranges := map[[2]string][]string{} // several entries may speak of one package
	for _, a := range r.Affected {
		if _, known := languages[a.Package.Ecosystem]; !known {
			continue
		}
		key := [2]string{a.Package.Ecosystem, a.Package.Name}
		for _, span := range a.Ranges {
			ranges[key] = append(ranges[key], constraints(span.Events)...)
		}
	}
	for key, vulnerable := range ranges {
		language := languages[key[0]]
		source := types.DataSource{ID: vulnerability.GHSA, Name: "GitHub Security Advisory " + key[0]}
		b, err := language.bucket(source)
		if err != nil {
			return err
		}
		for _, id := range ids {
			if err := w.put(b.Name(), source, id, vulnerability.NormalizePkgName(language.kind, key[1]), r.Summary, types.Advisory{VulnerableVersions: vulnerable}); err != nil {
				return err
			}
		}
	}
	return nil
}

// constraints pairs the events of a range, which OSV sorts by version.
func constraints(events []event) []string {
	var out []string
	for _, e := range events {
		switch last := len(out) - 1; {
		case e.Introduced != "":
			out = append(out, ">="+e.Introduced)
		case last >= 0 && e.Fixed != "":
			out[last] += ", <" + e.Fixed
		case last >= 0:
			out[last] += ", <=" + e.LastAffected
		}
	}
	return out
}
