package app

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/vexxy/action/internal/host/gitlab"
	"github.com/vexxy/action/internal/report"
	gitlabreport "github.com/vexxy/action/internal/report/gitlab"
	"github.com/vexxy/action/internal/run"
	"github.com/vexxy/action/internal/sbom"
)

// The files that a GitLab job takes its reports from, in the project's folder:
// templates/analyze.yml names them.
const (
	dotenvFile   = "vexxy.env"
	scanFile     = "gl-container-scanning-report.json"
	bomFile      = "gl-sbom-vexxy.cdx.json"
	moreBOMFiles = "gl-sbom-vexxy-%d.cdx.json" // of the second image and on
	allBOMFiles  = "gl-sbom-vexxy*.cdx.json"
)

func reportPath(dir, name string) string { return filepath.Join(dir, name) }

// clearReports removes all of them that there are.
func clearReports(dir string) error {
	boms, err := filepath.Glob(filepath.Join(dir, allBOMFiles))
	errs := []error{err}
	for _, path := range append(boms, reportPath(dir, dotenvFile), reportPath(dir, scanFile)) {
		if err := os.RemoveAll(path); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// writeReports writes the security report on all images that were judged, and
// an SBOM of each.
func writeReports(dir string, end ending) error {
	var images []report.Image
	for _, image := range end.out.Images {
		if !judged(image) {
			continue
		}
		name := bomFile
		if images = append(images, image.Image); len(images) > 1 {
			name = fmt.Sprintf(moreBOMFiles, len(images))
		}
		data, err := os.ReadFile(filepath.Join(image.Dir, sbom.CycloneDX))
		if err == nil {
			data, err = sbom.ForGitLab(data, image.Image.Record)
		}
		if err == nil {
			err = run.WriteFile(reportPath(dir, name), data)
		}
		if err != nil {
			return fmt.Errorf("writing %s: %w", name, err)
		}
	}
	if len(images) == 0 {
		return nil
	}
	data, err := gitlabreport.ContainerScanningOf(images, len(end.out.Images)-len(images))
	if err != nil {
		return err
	}
	return run.WriteFile(reportPath(dir, scanFile), data)
}

// prefix begins the names of the dotenv report. It is not VEXXY_: later jobs
// inherit the variables, and the program takes those for inputs.
const prefix = "VEX_"

// unlisted are outputs that the dotenv report has not, for GitLab takes 20
// variables: VEX_OUTPUT_DIR has the files, result.json the rest.
var unlisted = []string{"sarif", "summary", "attestations", "affected-negligible", "affected-unknown"}

// variables are the outputs as those of the dotenv report. Paths are relative to
// the project's folder, where a later job unpacks the artifacts.
func variables(end ending, dir string) []gitlab.Output {
	var all []gitlab.Output
	root, err := filepath.Abs(dir)
	for _, o := range outputs(end) {
		if slices.Contains(unlisted, o.Name) {
			continue
		}
		var values []string
		for _, value := range strings.Split(o.Value, "\n") {
			if rel, rerr := filepath.Rel(root, value); err == nil && rerr == nil && filepath.IsAbs(value) && filepath.IsLocal(rel) {
				value = filepath.ToSlash(rel)
			}
			values = append(values, value)
		}
		name := prefix + strings.ToUpper(strings.ReplaceAll(o.Name, "-", "_"))
		all = append(all, gitlab.Output{Name: name, Value: strings.Join(values, ",")})
	}
	return all
}
