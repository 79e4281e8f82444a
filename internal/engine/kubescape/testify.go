package kubescape

import (
	"context"
	"fmt"
	"slices"

	"github.com/kubescape/storage/pkg/apis/softwarecomposition/v1beta1"

	"github.com/vexxy/action/internal/catalog"
	"github.com/vexxy/action/internal/evidence"
	"github.com/vexxy/action/internal/inventory"
	"github.com/vexxy/action/internal/record"
)

// testify collects what Kubescape made of the workload, takes the workload
// away, and puts all of it into the record beside what the sensor saw.
// Whatever Kubescape does not give is said in the evidence, which then clears
// nothing; it is no error.
func (s *sighting) testify(ctx context.Context, read *catalog.Catalog, rec *record.Record) error {
	k, o := &s.kubescape, s.engine.kubescape.objects
	k.Chart, k.ChartDigest = s.engine.kubescape.chart, s.engine.kubescape.digest
	k.Images, k.Found = s.engine.kubescape.images, s.engine.kubescape.found
	k.Agent = s.agent
	if !s.engine.options.Packaged.given() {
		k.Requests = s.engine.share.String()
	}

	done := s.progress.Step("wait for node-agent's profile")
	limit := profileTimeout
	if w := s.Evidence.Workload; w.Exited && w.ExitCode != 0 {
		limit = failedTimeout // it will be failed, if it comes at all
	}
	profile, err := o.profile(ctx, s.workload, limit)
	done(err)
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	if err != nil {
		k.Profile.Error = err.Error()
	}
	if profile != nil {
		k.Profile = profileOf(profile)
	}
	keep(rec, k, record.RawProfile, profile)
	if err := s.judgeAgent(ctx); err != nil {
		return err
	}

	done = s.progress.Step("collect Kubescape's documents")
	manifest := s.collect(ctx, profile, rec)
	done(nil)
	if s.remove != nil {
		if err := s.remove(ctx); err != nil {
			s.progress.Note("removing the workload: " + err.Error())
		}
	}
	if rec.Inventory, err = s.takeStock(ctx, read, manifest); err != nil {
		return err
	}
	rec.SBOM = read.SBOM
	s.unite(profile, rec.Inventory.Packages)
	rec.Evidence = s.Evidence
	rec.Evidence.Kubescape = k
	return context.Cause(ctx)
}

// keep puts an object into the record as it is, nil for none.
func keep[T any](rec *record.Record, k *evidence.Kubescape, name string, object *T) {
	if object == nil {
		return
	}
	data, err := raw(object)
	if err != nil {
		k.Scan = joinWords(k.Scan, fmt.Sprintf("%s is not kept: %s", name, err))
		return
	}
	rec.Raw[name] = data
}

func joinWords(a, b string) string {
	if a == "" {
		return b
	}
	return a + "; " + b
}

// judgeAgent counts the restarts of the node-agent on the workload's node since
// before the workload was made. Another pod in its place is a restart.
func (s *sighting) judgeAgent(ctx context.Context) error {
	now, err := s.engine.agent(ctx, s.instance.node)
	if err != nil {
		return err
	}
	a := &s.kubescape.Agent
	before := a.Restarts
	a.Restarts = max(0, now.Restarts-before)
	if now.Pod != a.Pod {
		a.Pod, a.Restarts = now.Pod, a.Restarts+1
	}
	return nil
}

// collect asks for everything that hangs on the profile, and gives kubevuln's
// full list of vulnerabilities, nil for none.
func (s *sighting) collect(ctx context.Context, profile *v1beta1.ContainerProfile, rec *record.Record) *v1beta1.VulnerabilityManifest {
	k, o := &s.kubescape, s.engine.kubescape.objects
	sbom, err := o.sbom(ctx, s.names(), sbomTimeout)
	if err != nil {
		k.Scan = joinWords(k.Scan, err.Error())
	} else {
		k.SBOM = sbom.Annotations[markStatus]
	}
	keep(rec, k, record.RawSBOM, sbom)
	switch {
	case profile == nil || sbom == nil:
		return nil
	case profileWords(profile.Annotations[markStatus], profile.Annotations[markCompletion]) != "":
		k.Scan = joinWords(k.Scan, "kubevuln scans nothing without a finished profile")
		return nil
	}
	got, err := o.scan(ctx, profile, sbom.Name)
	if err != nil {
		k.Scan = joinWords(k.Scan, err.Error())
	}
	keep(rec, k, record.RawManifest, got.full)
	keep(rec, k, record.RawManifestFiltered, got.filtered)
	keep(rec, k, record.RawSBOMFiltered, got.sbomFiltered)
	keep(rec, k, record.RawVEX, got.vex)
	return got.full
}

// names are all names under which the image may be known to node-agent.
func (s *sighting) names() []string {
	img := s.image
	names := []string{reference(img, s.engine.options.RunID), s.instance.imageID, img.Pull, img.Requested}
	for _, digest := range []string{img.IndexDigest, img.ManifestDigest} {
		if img.Repository != "" && digest != "" {
			names = append(names, img.Repository+"@"+digest)
		}
	}
	return slices.Compact(names)
}

// takeStock gives the image's packages and findings. Both matchers' findings
// count when they used one database; else kubevuln's stand alone, with its
// database; without any of kubevuln's, ours.
func (s *sighting) takeStock(ctx context.Context, read *catalog.Catalog, manifest *v1beta1.VulnerabilityManifest) (inventory.Inventory, error) {
	done := s.progress.Step("match vulnerabilities")
	matcher, err := s.engine.matcher(ctx)
	var inv inventory.Inventory
	if err == nil {
		inv, err = matcher.Complete(ctx, read)
	}
	done(err)
	if err != nil || manifest == nil {
		return inv, err
	}
	findings, missing := findingsOf(manifest, inv.Packages)
	theirs := databaseOf(manifest)
	if theirs.Built.Equal(inv.Database.Built) {
		inv.Findings = joined(inv.Findings, findings)
	} else {
		inv.Findings, inv.Database = findings, theirs
		inv.Grype = manifest.Spec.Metadata.Tool.Version
	}
	inv.Packages = append(inv.Packages, missing...)
	return inv, nil
}

// unite joins what both witnesses saw. Time is the window's end for what only
// a profile knows, as it tells none.
func (s *sighting) unite(profile *v1beta1.ContainerProfile, packages []inventory.Package) {
	if profile == nil {
		s.Evidence.Observations = merge(s.Evidence.Observations, nil)
		return
	}
	at := s.Evidence.Window.End
	files, patterns := observationsOf(profile, at)
	var owned []string
	if len(patterns) > 0 {
		for _, p := range packages {
			owned = append(owned, p.Files...)
		}
	}
	files = append(files, expand(patterns, s.Evidence.Observations, owned, at)...)
	s.Evidence.Observations = merge(s.Evidence.Observations, files)
}
