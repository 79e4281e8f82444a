package objects

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/kubescape/storage/pkg/apis/softwarecomposition/v1beta1"
)

func seed(f *testing.F, names ...string) {
	for _, name := range names {
		data, err := os.ReadFile("testdata/" + name + ".json")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte("{}"))
}

// FuzzProfile: an odd profile breaks nothing, and each of its paths is an
// observation, within a pattern, or no file.
func FuzzProfile(f *testing.F) {
	seed(f, "containerprofile")
	f.Add([]byte(`{"spec":{"execs":[{"path":"/a/⋯/b"},{"path":"/*"}],"opens":[{"path":"/a/x/b"},{"path":"/\ufffd"},{"path":"//"},{"path":"/..⋯"}]}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var p v1beta1.ContainerProfile
		if json.Unmarshal(data, &p) != nil {
			return
		}
		got := profileOf(&p)
		seen, patterns := Observations(&p, noon)
		if len(patterns) > maxPatterns || !utf8.ValidString(got.Evidence.Error) {
			t.Errorf("%d patterns, %q", len(patterns), got.Evidence.Error)
		}
		var names []string
		plain := map[string]bool{}
		for _, o := range seen {
			plain[string(o.Path)] = true
		}
		for _, o := range p.Spec.Opens {
			if name, ok := fileName(o.Path); ok {
				names = append(names, name)
			}
		}
		for _, o := range Merge(nil, append(seen, Expand(patterns, nil, names, noon)...)) {
			plain[string(o.Path)] = true
		}
		for _, name := range names {
			if !plain[name] {
				t.Errorf("%q is in none of %d observations and %q", name, len(seen), patterns)
			}
		}
		Unexplained(patterns, seen)
		if _, err := Raw(&p); err != nil {
			t.Error(err)
		}
	})
}

// FuzzManifest: an odd list breaks nothing; each finding has its package, and a
// package that is ours only in Kubescape's eyes has no file.
func FuzzManifest(f *testing.F) {
	seed(f, "vulnerabilitymanifest-full", "vulnerabilitymanifest-filtered")
	f.Fuzz(func(t *testing.T, data []byte) {
		var m v1beta1.VulnerabilityManifest
		if json.Unmarshal(data, &m) != nil {
			return
		}
		ours := catalogued(t)
		findings, missing, err := Findings(&m, ours)
		if err != nil {
			t.Fatal(err)
		}
		known := map[string]bool{}
		for _, p := range append(ours, missing...) {
			known[p.ID] = true
			if strings.HasPrefix(p.ID, "kubescape-") == (p.Files != nil) {
				t.Errorf("got %+v", p)
			}
		}
		seen := map[string]bool{}
		for _, x := range findings {
			key := x.PackageID + "\x00" + x.ID + "\x00" + x.Namespace
			if !known[x.PackageID] || seen[key] || len(x.Description) > maxDescription || !utf8.ValidString(x.ID) {
				t.Errorf("got %+v", x)
			}
			seen[key] = true
		}
		if _, err := json.Marshal([]any{findings, missing, Database(&m)}); err != nil {
			t.Error(err)
		}
	})
}

// FuzzSBOM: an odd SBOM breaks nothing.
func FuzzSBOM(f *testing.F) {
	seed(f, "sbomsyft", "sbomsyftfiltered")
	f.Fuzz(func(t *testing.T, data []byte) {
		var s v1beta1.SBOMSyft
		if json.Unmarshal(data, &s) != nil {
			return
		}
		imageOf(s.Annotations, workloadNames)
	})
}
