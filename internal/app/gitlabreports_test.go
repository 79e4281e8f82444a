package app

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vexxy/action/internal/host/gitlab"
	"github.com/vexxy/action/internal/run"
)

// Several images have one report of the scan and an SBOM each; one that was not
// judged makes the scan a failure, and no number known.
func TestReportsOnSeveralImages(t *testing.T) {
	p := newPipeline(t, "push", "", "")
	end := p.run(t)
	one := end.out.Images[0]
	end.out.Images = append(end.out.Images, one, run.ImageOutcome{Requested: "other", Err: fmt.Errorf("it does not start")})
	if err := writeReports(p.dir, end); err != nil {
		t.Fatal(err)
	}
	var scan struct {
		Scan            struct{ Status string }
		Vulnerabilities []struct{ ID string }
	}
	if err := json.Unmarshal([]byte(p.read(t, scanFile)), &scan); err != nil {
		t.Fatal(err)
	}
	ids := map[string]bool{}
	for _, v := range scan.Vulnerabilities {
		ids[v.ID] = true
	}
	if scan.Scan.Status != "failure" || len(scan.Vulnerabilities) != 6 || len(ids) != 6 {
		t.Errorf("%+v", scan)
	}
	if a, b := p.read(t, bomFile), p.read(t, fmt.Sprintf(moreBOMFiles, 2)); a != b {
		t.Error("the SBOM of the same image differs")
	}
	byName := map[string]string{}
	for _, v := range variables(end, p.dir) {
		byName[v.Name] = v.Value
	}
	if byName["VEX_AFFECTED"] != "" || byName["VEX_VEX"] != "vexxy-results/vex.openvex.json,vexxy-results/vex.openvex.json" {
		t.Errorf("%v", byName)
	}
}

// The component takes its reports from where the program writes them, and the
// README's table of variables is that of the report.
func TestComponentTakesWhatIsWritten(t *testing.T) {
	root := filepath.Join(sourceDir, "..", "..")
	component, err := os.ReadFile(filepath.Join(root, "templates", "analyze.yml"))
	if err != nil {
		t.Fatal(err)
	}
	for report, file := range map[string]string{"dotenv": dotenvFile, "container_scanning": scanFile, "cyclonedx": allBOMFiles} {
		if !strings.Contains(string(component), "      "+report+": "+file+"\n") {
			t.Errorf("the component takes the report %s from elsewhere than %s", report, file)
		}
	}
	for _, name := range []string{bomFile, fmt.Sprintf(moreBOMFiles, 2)} {
		if ok, err := filepath.Match(allBOMFiles, name); err != nil || !ok {
			t.Errorf("%s is not among %s", name, allBOMFiles)
		}
	}
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(readme), "<!-- variables:begin -->\n")
	table, _, _ = strings.Cut(table, "<!-- variables:end -->")
	all := append(variables(ending{}, "."), gitlab.Output{Name: "VEX_NOTE_URL"})
	for _, v := range all {
		if !strings.Contains(table, "| `"+v.Name+"` |") {
			t.Errorf("README.md has no variable %s", v.Name)
		}
	}
	if rows := strings.Count(table, "\n") - 2; rows != len(all) || rows > 20 {
		t.Errorf("README.md has %d variables, the report %d", rows, len(all))
	}
	for _, v := range all { // which the program would take for inputs
		if strings.HasPrefix(v.Name, "VEXXY_") {
			t.Errorf("%s keeps a later job of vexxy's from running", v.Name)
		}
	}
}
