package e2e

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/vexxy/action/internal/judge"
	"github.com/vexxy/action/internal/record"
	"github.com/vexxy/action/internal/report"
)

// parityFlags are the same for both engines: neither ends the window early.
var parityFlags = []string{"--duration", "30s", "--http-probe", "/"}

// parityImages run side by side in one cluster.
var parityImages = []string{"python-web", "nginx", "go-app", "node-app"}

// allowed are the differences between the engines, each with its reason. What
// is not named here is a failure, and so is what is named and does not occur.
var allowed = []struct{ image, vulnerability, pkg, embedded, cluster, why string }{
	{"python-web", "CVE-2023-30861", "flask", "", "affected", debian},
	{"python-web", "CVE-2024-22195", "jinja2", "", "affected", debian},
	{"python-web", "CVE-2024-34064", "jinja2", "", "affected", debian},
	{"python-web", "CVE-2023-23934", "werkzeug", "", "affected", debian},
	{"python-web", "CVE-2023-25577", "werkzeug", "", "affected", debian},
	{"python-web", "CVE-2023-46136", "werkzeug", "", "affected", debian},
	{"python-web", "CVE-2024-34069", "werkzeug", "", "affected", debian},
}

const debian = "a Debian package owns the Python one: our Grype leaves that to Debian's advisories, kubevuln's does not"

// rawObjects are what the record keeps of Kubescape.
var rawObjects = []string{
	record.RawVEX, record.RawProfile, record.RawSBOM, record.RawSBOMFiltered, record.RawManifest, record.RawManifestFiltered,
}

// kubescapeParity: four images side by side in a cluster are judged as the
// embedded engine judges them, and as is known of them.
func kubescapeParity(t *testing.T) {
	values := filepath.Join(t.TempDir(), "eyes.yaml")
	must(os.WriteFile(values, []byte(agentEnv()), 0o600))
	all, clustered := observeInCluster(t, nil, slices.Concat(pullFlags(t), parityFlags, []string{"--values", values}), parityImages...)
	if all.code != 0 || all.result.Verdict != "pass" {
		t.Errorf("verdict %s, exit code %d\n%s\n%s", all.result.Verdict, all.code, all.stdout, all.stderr)
	}
	if !strings.Contains(all.stderr, "✓ pull images") || strings.Contains(all.stderr, "not pulled ahead") {
		t.Errorf("the images were not pulled ahead\n%s", all.stderr)
	}
	if left := leftOf(t, all.result.RunID); left != "" {
		t.Errorf("left behind: %s", left)
	}
	for _, image := range parityImages {
		out := clustered[image]
		t.Run(image, func(t *testing.T) {
			t.Parallel()
			t.Run("truth", func(t *testing.T) { out.knownInCluster(t, image) })
			t.Run("kubescape", func(t *testing.T) { out.kubescaped(t) })
			t.Run("replay", func(t *testing.T) { out.replays(t) })
			embedded := analyse(t, append(slices.Clone(parityFlags), push(t, image))...)
			compare(t, image, embedded.verdicts(), out.verdicts())
		})
	}
}

// verdicts are the statuses of a run by vulnerability and package, of several
// instances of a package in the order of the alphabet.
func (o outcome) verdicts() map[string]string {
	lists := map[string][]string{}
	for _, a := range o.result.Assessments {
		key := a.Vulnerability + " " + a.Package
		lists[key] = append(lists[key], a.Status)
	}
	set := map[string]string{}
	for key, list := range lists {
		slices.Sort(list)
		set[key] = strings.Join(list, ",")
	}
	return set
}

func compare(t *testing.T, image string, embedded, cluster map[string]string) {
	t.Helper()
	named := map[string]bool{}
	for _, a := range allowed {
		key := a.vulnerability + " " + a.pkg
		if a.image != image {
			continue
		}
		named[key] = true
		if embedded[key] != a.embedded || cluster[key] != a.cluster {
			t.Errorf("%s: embedded %q, cluster %q; allowed are %q, %q: %s", key, embedded[key], cluster[key], a.embedded, a.cluster, a.why)
		}
	}
	both := maps.Clone(embedded)
	maps.Copy(both, cluster)
	for _, key := range slices.Sorted(maps.Keys(both)) {
		if embedded[key] != cluster[key] && !named[key] {
			t.Errorf("%s: embedded %q, cluster %q", key, embedded[key], cluster[key])
		}
	}
	if len(both) == 0 {
		t.Error("nothing was compared")
	}
	t.Logf("%d pairs compared, %d differ as allowed", len(both), len(named))
}

// knownInCluster holds the run against what is known of the fixture.
func (o outcome) knownInCluster(t *testing.T, image string) {
	if o.code != 0 || o.result.Verdict != "pass" {
		t.Errorf("verdict %s, exit code %d", o.result.Verdict, o.code)
	}
	ids := map[string]bool{}
	for _, c := range o.result.Checks {
		ids[c.ID] = true
		if !c.OK || !c.Applies {
			t.Errorf("%s does not hold: %s", c.ID, c.Measured)
		}
		for id, want := range map[string]string{
			"E1": "before the first process", "E2": "0 lost events, 0 sensor errors", "E3": "start 64/64, middle 64/64, end 64/64",
			"E4": "ready by ports", "E5": " of 30.0 s, ended by duration, 1 exercises passed", "E6": "complete",
			"E7": "built ", "E8": "none used", "E9": "completed and complete",
		} {
			if c.ID == id && !strings.Contains(c.Measured, want) {
				t.Errorf("%s measured %q, want %q in it", id, c.Measured, want)
			}
		}
	}
	if len(ids) != 9 {
		t.Errorf("%d checks, want 9", len(ids))
	}
	f := fixtures[slices.IndexFunc(fixtures, func(k known) bool { return k.image == image })]
	for _, name := range f.affected {
		o.only(t, name, judge.Affected)
	}
	for _, name := range f.spared {
		o.only(t, name, judge.NotAffected)
	}
	o.consumed(t)
}

// kubescaped looks at what the result and the record have of Kubescape.
func (o outcome) kubescaped(t *testing.T) {
	k := o.result.Kubescape
	if k == nil || k.VEX == nil {
		t.Fatalf("the result says nothing of Kubescape: %+v", k)
	}
	if k.Profile.Name == "" || k.Profile.Status != "completed" || k.Profile.Completion != "complete" || k.Profile.Execs == 0 {
		t.Errorf("profile %+v", k.Profile)
	}
	if k.SBOM != "ready" || k.Scan != "" || k.Sensor != "" || k.Agent.Restarts != 0 {
		t.Errorf("SBOM %q, scan %q, sensor %q, %d restarts of node-agent", k.SBOM, k.Scan, k.Sensor, k.Agent.Restarts)
	}
	if !k.Witnesses.Compared || k.Witnesses.Agreed == 0 {
		t.Errorf("witnesses %+v", k.Witnesses)
	}
	v := k.VEX
	count := 0
	for _, r := range v.Reasons {
		count += r.Count
	}
	if v.Missing != "" || v.Statements == 0 || v.Compared == 0 || v.Same+v.Different != v.Compared || count != v.Different || len(v.Differences) != v.Different {
		t.Errorf("VEX: missing %q, %d statements, %d compared, %d same, %d different, reasons %v", v.Missing, v.Statements, v.Compared, v.Same, v.Different, v.Reasons)
	}
	t.Logf("profile %d execs, %d opens; witnesses agree on %d packages, disagree on %v; VEX: %d of %d the same, %d cleared that were used, %v",
		k.Profile.Execs, k.Profile.Opens, k.Witnesses.Agreed, k.Witnesses.Disagreements, v.Same, v.Compared, v.Clears, v.Reasons)
	for _, name := range rawObjects {
		var object struct {
			Metadata struct{ Name string }
			Spec     map[string]any
		}
		raw := read(t, filepath.Join(o.dir, "record", "raw"), name)
		if err := json.Unmarshal(raw, &object); err != nil || object.Metadata.Name == "" || len(object.Spec) == 0 {
			t.Errorf("%s is not whole: %v: %.200s", name, err, raw)
		}
	}
}

// replays judges the record anew and compares all documents.
func (o outcome) replays(t *testing.T) {
	again := t.TempDir()
	replayed := vexxy(t, "replay", "--output-dir", again, filepath.Join(o.dir, "record"))
	if replayed.code != o.code {
		t.Fatalf("exit code %d, the run had %d\n%s", replayed.code, o.code, replayed.stderr)
	}
	for _, name := range documents {
		same(t, name, read(t, o.dir, name), read(t, again, name))
	}
	same(t, "result.json", report.Pure(read(t, o.dir, "result.json")), report.Pure(read(t, again, "result.json")))
}
