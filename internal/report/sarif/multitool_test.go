package sarif_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vexxy/action/internal/foreign/foreigntest"
	"github.com/vexxy/action/internal/report/reporttest"
	"github.com/vexxy/action/internal/report/sarif"
)

// multitool gives the path of Microsoft's validator, which it puts below the
// cache where it is missing.
func multitool(t *testing.T) string {
	t.Helper()
	cache := os.Getenv("VEXXY_TEST_CACHE")
	if cache == "" {
		cache = "../../../.cache"
	}
	cache, err := filepath.Abs(cache)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "../../../scripts/setup/sarif.sh", cache)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("installing the SARIF Multitool (it needs npm: scripts/setup/packages.sh test): %v", err)
	}
	return strings.TrimSpace(string(out))
}

// The standard's validator finds no error, also by the rules of code scanning.
func TestMultitool(t *testing.T) {
	tool := multitool(t)
	dir := t.TempDir()
	write := func(name string, d sarif.Document) {
		if err := os.WriteFile(filepath.Join(dir, name), d.Data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	o := sarif.Options{Dockerfile: "Dockerfile", Open: true}
	write("none.sarif", must(t)(sarif.Affected(reporttest.Sized(0), o)))
	write("affected.sarif", must(t)(sarif.Affected(reporttest.Sized(60), o)))
	write("all.sarif", must(t)(sarif.Complete(reporttest.Sized(60), o)))
	write("inconclusive.sarif", must(t)(sarif.Complete(reporttest.Inconclusive(), o)))
	for _, name := range []string{"html script", "bidi override", "attribute and entity", "invalid utf-8", "table", "link"} {
		write(strings.ReplaceAll(name, " ", "-")+".sarif", must(t)(sarif.Complete(reporttest.Hostile(foreigntest.Corpus()[name]), o)))
	}
	// The validator can fail.
	d := must(t)(sarif.Affected(reporttest.Sized(1), o))
	d.Data = []byte(strings.Replace(string(d.Data), `"ruleIndex":0`, `"ruleIndex":5`, 1))
	write("bad.sarif", d)
	caught := false
	for _, f := range validate(t, tool, dir) {
		if f.file == "bad.sarif" {
			caught = true
		} else {
			t.Errorf("%s: %s", f.file, f.what)
		}
	}
	if !caught {
		t.Error("a result with another's rule passes")
	}
}

// finding is what the validator says of one file.
type finding struct{ file, what string }

// validate gives the errors that the validator finds in a folder's files.
func validate(t *testing.T, tool, dir string) []finding {
	t.Helper()
	out := filepath.Join(t.TempDir(), "out.sarif")
	cmd := exec.CommandContext(t.Context(), tool, "validate", filepath.Join(dir, "*.sarif"), "--rule-kind", "Sarif;Ghas", "--level", "Error", "--output", out, "--log", "ForceOverwrite")
	cmd.Env = append(os.Environ(), "DOTNET_SYSTEM_GLOBALIZATION_INVARIANT=1")
	said, err := cmd.CombinedOutput()
	data, rerr := os.ReadFile(out)
	if rerr != nil {
		t.Fatalf("validating: %v, %v: %s", err, rerr, said)
	}
	var l log
	if err := json.Unmarshal(data, &l); err != nil {
		t.Fatal(err)
	}
	var found []finding
	for _, r := range l.Runs[0].Results {
		if r.Level != "error" {
			continue
		}
		f := finding{what: r.RuleID + ": " + r.Message.Text + " " + string(said)}
		if len(r.Locations) > 0 {
			f.file = filepath.Base(r.Locations[0].PhysicalLocation.ArtifactLocation.URI)
		}
		found = append(found, f)
	}
	return found
}
