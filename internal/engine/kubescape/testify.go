package kubescape

import (
	"context"
	"fmt"
	"slices"

	"github.com/kubescape/storage/pkg/apis/softwarecomposition/v1beta1"

	"github.com/vexxy/action/internal/catalog"
	"github.com/vexxy/action/internal/engine/kubescape/objects"
	"github.com/vexxy/action/internal/evidence"
	"github.com/vexxy/action/internal/inventory"
	"github.com/vexxy/action/internal/record"
)

// testify collects what Kubescape made of the workload, takes the workload
// away, and puts all of it into the record beside what the sensor saw.
// Whatever Kubescape does not give is said in the evidence, which then clears
// nothing; it is no error.
func (s *sighting) testify(ctx context.Context, read *catalog.Catalog, rec *record.Record) error {
	k, client := &s.kubescape, s.engine.kubescape.objects
	k.Chart, k.ChartDigest = s.engine.kubescape.chart, s.engine.kubescape.digest
	k.Images, k.Found = s.engine.kubescape.images, s.engine.kubescape.found
	k.Agent = s.agent
	if !s.engine.options.Packaged.given() {
		k.Requests = s.engine.share.String()
	}

	done := s.progress.Step("wait for node-agent's profile")
	profile, err := client.Profile(ctx, s.workload)
	done(err)
	if err != nil {
		return err
	}
	k.Profile = profile.Evidence
	keep(rec, k, record.RawProfile, withoutArguments(profile.Object))
	if err := s.judgeAgent(ctx); err != nil {
		return err
	}

	done = s.progress.Step("collect Kubescape's documents")
	scan, err := s.collect(ctx, profile, rec)
	done(err)
	if err != nil {
		return err
	}
	if s.remove != nil {
		if err := s.remove(ctx); err != nil {
			s.progress.Note("removing the workload: " + err.Error())
		}
	}
	if rec.Inventory, err = s.takeStock(ctx, read, scan); err != nil {
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
	data, err := objects.Raw(object)
	if err != nil {
		k.Scan = join(k.Scan, fmt.Sprintf("%s is not kept: %s", name, err))
		return
	}
	rec.Raw[name] = data
}

// withoutArguments takes out of a profile what programs were called with: it
// may hold the user's secrets, and nothing is judged by it.
func withoutArguments(p *v1beta1.ContainerProfile) *v1beta1.ContainerProfile {
	if p == nil {
		return nil
	}
	p = p.DeepCopy()
	for i := range p.Spec.Execs {
		p.Spec.Execs[i].Args, p.Spec.Execs[i].Envs = nil, nil
	}
	p.Spec.IdentifiedCallStacks = nil
	return p
}

// join puts two sentences into one line, either of which may be empty.
func join(a, b string) string {
	if a == "" || b == "" {
		return a + b
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

// collect asks for everything that hangs on the profile.
func (s *sighting) collect(ctx context.Context, profile objects.Profile, rec *record.Record) (objects.Scan, error) {
	k, client := &s.kubescape, s.engine.kubescape.objects
	sbom, err := client.SBOM(ctx, s.names())
	if err != nil {
		return objects.Scan{}, err
	}
	k.SBOM, k.Scan = sbom.Status, sbom.Error
	keep(rec, k, record.RawSBOM, sbom.Object)
	scan, err := client.Scan(ctx, profile, sbom)
	if err != nil {
		return scan, err
	}
	if scan.Asked != "" {
		s.engine.progress.Note("kubevuln could not be asked, so Kubescape's operator was waited for: " + scan.Asked)
	}
	k.Scan = join(k.Scan, scan.Error)
	keep(rec, k, record.RawManifest, scan.Full)
	keep(rec, k, record.RawManifestFiltered, scan.Filtered)
	keep(rec, k, record.RawSBOMFiltered, scan.SBOM)
	keep(rec, k, record.RawVEX, scan.VEX)
	return scan, nil
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
	return names
}

// takeStock gives the image's packages and findings: what either matcher finds
// is a finding. Where they used two databases the older one stands for both.
func (s *sighting) takeStock(ctx context.Context, read *catalog.Catalog, scan objects.Scan) (inventory.Inventory, error) {
	done := s.progress.Step("match vulnerabilities")
	matcher, err := s.engine.matcher(ctx)
	var inv inventory.Inventory
	if err == nil {
		inv, err = matcher.Complete(ctx, read)
	}
	done(err)
	if err != nil || scan.Full == nil {
		return inv, err
	}
	findings, missing, err := objects.Findings(scan.Full, inv.Packages)
	if err != nil {
		return inv, err
	}
	inv.Findings = union(inv.Findings, findings)
	if theirs := objects.Database(scan.Full).Database; theirs.Built.Before(inv.Database.Built) {
		inv.Database = theirs // the older one, or one of no known age: E7 has the worse to judge
	}
	inv.Packages = append(inv.Packages, missing...)
	return inv, nil
}

// union adds to our findings those that only kubevuln has.
func union(ours, theirs []inventory.Finding) []inventory.Finding {
	type key struct{ packageID, id string }
	known := map[key]bool{}
	for _, f := range ours {
		known[key{f.PackageID, f.ID}] = true
	}
	all := slices.Clone(ours)
	for _, f := range theirs {
		if !known[key{f.PackageID, f.ID}] {
			all = append(all, f)
		}
	}
	return all
}

// unite joins what both witnesses saw. Time is the window's end for what only
// a profile knows, as it tells none.
func (s *sighting) unite(profile objects.Profile, packages []inventory.Package) {
	var seen []evidence.Observation
	if profile.Object != nil {
		at := s.Evidence.Window.End
		files, patterns := objects.Observations(profile.Object, at)
		var owned []string
		if len(patterns) > 0 {
			for _, p := range packages {
				owned = append(owned, p.Files...)
			}
		}
		seen = objects.Merge(nil, append(files, objects.Expand(patterns, s.Evidence.Observations, owned, at)...))
	}
	s.Evidence.Observations = objects.Merge(s.Evidence.Observations, seen)
}
