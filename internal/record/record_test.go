package record_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/vexxy/action/internal/evidence"
	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/foreign/foreigntest"
	"github.com/vexxy/action/internal/inventory"
	"github.com/vexxy/action/internal/record"
	"github.com/vexxy/action/internal/subject"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 123456789, time.FixedZone("CET", 3600))

// sample makes a record with n packages, half as many findings and twice as
// many observations, and with every kind of value that a record can hold.
func sample(n int) record.Record {
	rnd := rand.New(rand.NewPCG(1, uint64(n)))
	r := record.Record{
		Run: record.Run{ID: "run-1", Version: "1.0.0", StartedAt: start, FinishedAt: start.Add(time.Minute),
			Settings: map[string]string{"duration": "300s", "image": "nginx"},
			Timings:  []record.Timing{{Step: "pull", Start: start, End: start.Add(time.Second), Error: "x"}},
			Origin:   &record.Origin{Repository: "octo/app", Commit: strings.Repeat("c", 40), Run: "55"}},
		Subject: subject.Subject{Requested: "nginx", Source: subject.SourceRegistry, ConfigDigest: "sha256:" + strings.Repeat("a", 64),
			Platform: subject.Platform{OS: "linux", Architecture: "amd64"}},
		Inventory: inventory.Inventory{Distro: "debian 12", Syft: "1", Grype: "2",
			HardLinks: [][]string{{"/bin/a", "/bin/b"}}, Database: inventory.Database{Schema: "v6", Built: start, Digest: "sha256:d"}},
		Evidence: evidence.Evidence{Engine: "embedded", Window: evidence.Window{Start: start, End: start.Add(time.Minute), Configured: 60, Stopped: evidence.StopDuration},
			Health: evidence.Health{AttachedAt: start, Canaries: []evidence.Canary{{Stage: "start", At: start, Opened: 3, Seen: 3}}}},
		SBOM: []byte(`{"artifacts":[]}`),
		Raw:  map[string][]byte{"profile.json": []byte("{}\n")},
	}
	for i := range n {
		p := inventory.Package{ID: fmt.Sprint("p", i), Name: fmt.Sprint("name", i), Version: "1.2.3-4+deb12u1", Type: "deb", PURL: fmt.Sprintf("pkg:deb/debian/name%d@1.2.3?arch=amd64&distro=debian-12", i)}
		for j := range rnd.IntN(40) {
			p.Files = append(p.Files, fmt.Sprintf("/usr/lib/x86_64-linux-gnu/name%d/file%d.so", i, j))
		}
		r.Inventory.Packages = append(r.Inventory.Packages, p)
	}
	for i := range n / 2 {
		r.Inventory.Findings = append(r.Inventory.Findings, inventory.Finding{ID: fmt.Sprint("CVE-2026-", i), PackageID: fmt.Sprint("p", i), Severity: inventory.High, CVSS: 7.5, EPSS: 0.25, FixState: "fixed", FixVersions: []string{"1.2.4"}, Description: "A flaw <in> R&D."})
	}
	for i := range 2 * n {
		r.Evidence.Observations = append(r.Evidence.Observations, evidence.Observation{Path: fmt.Appendf(nil, "/usr/lib/x86_64-linux-gnu/name%d/file0.so", i), Device: 1, Inode: rnd.Uint64(), Kinds: []evidence.Kind{evidence.Map, evidence.Open}, Process: "nginx", PID: 1, Phase: evidence.PhaseStartup, At: start})
	}
	return r
}

func write(t testing.TB, r *record.Record) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "record")
	if err := record.Write(dir, r); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestReadGivesWhatWriteWasGiven(t *testing.T) {
	r := sample(20)
	for name, text := range foreigntest.Corpus() {
		text = text[:min(len(text), 8192)]
		r.Inventory.Packages = append(r.Inventory.Packages, inventory.Package{ID: name, Name: text, Files: []string{"/a", text}, Opaque: text, Source: &inventory.Source{Name: text}})
		r.Inventory.Findings = append(r.Inventory.Findings, inventory.Finding{ID: text, Aliases: []string{text}})
		r.Evidence.Observations = append(r.Evidence.Observations, evidence.Observation{Path: []byte("/" + text), ImagePath: []byte(text), Process: text})
		r.Evidence.Health.Errors = append(r.Evidence.Health.Errors, text)
		r.Inventory.HardLinks = append(r.Inventory.HardLinks, []string{text, "/x"})
		r.Run.Settings[fmt.Sprintf("%q", name)] = text
		k := &evidence.Kubescape{Images: map[string]string{"storage": text}, Agent: evidence.Agent{ReadyAt: start}, Profile: evidence.Profile{Error: text, Patterns: []string{text}}, Scan: text}
		r.Evidence.Kubescape = k
		r.Evidence.Observations[0].Witnesses = []evidence.Witness{evidence.WitnessNodeAgent, evidence.WitnessSensor}
	}
	r.Raw[record.RawManifestFiltered], r.Raw[record.RawVEX] = []byte("{}"), []byte("{\"spec\":{}}")
	r.Evidence.Observations = append(r.Evidence.Observations, evidence.Observation{Path: []byte("\x00base64:eA==")})
	r.Evidence.Phases = []evidence.Phase{} // empty and nil are the same in a record
	before := r.Inventory.Packages[len(r.Inventory.Packages)-1].Name

	dir := write(t, &r)
	if after := r.Inventory.Packages[len(r.Inventory.Packages)-1].Name; after != before {
		t.Errorf("Write changed a name from %q to %q", before, after)
	}
	got, err := record.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, r) {
		t.Errorf("Read differs from what was written:\n%+v\n%+v", got.Run, r.Run)
	}
	if !r.Run.StartedAt.Equal(start) || r.Run.StartedAt.Location() != time.UTC {
		t.Errorf("StartedAt = %v, want the same instant in UTC", r.Run.StartedAt)
	}
}

func TestReadableByOthers(t *testing.T) {
	r := sample(1)
	r.Evidence.Observations[0].Path = []byte("/usr/bin/grüße")
	dir := write(t, &r)
	data, err := os.ReadFile(filepath.Join(dir, "observations.jsonl"))
	if err != nil || !bytes.Contains(data, []byte(`"path":"/usr/bin/grüße"`)) {
		t.Errorf("observations.jsonl = %s, %v", data, err)
	}
	check := exec.Command("sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS")
	check.Dir = dir
	if out, err := check.CombinedOutput(); err != nil {
		t.Errorf("sha256sum --check: %v: %s", err, out)
	}
}

func TestBytesAndDigestDependOnTheRecordAlone(t *testing.T) {
	a, b := sample(50), sample(50)
	dirA, dirB := write(t, &a), write(t, &b)
	if a.Digest != b.Digest || !strings.HasPrefix(a.Digest, "sha256:") {
		t.Errorf("digests %q and %q", a.Digest, b.Digest)
	}
	again, err := record.Read(dirA)
	if err != nil {
		t.Fatal(err)
	}
	dirC := write(t, &again)
	for _, name := range []string{"run.json", "packages.jsonl", "observations.jsonl", "SHA256SUMS"} {
		first, _ := os.ReadFile(filepath.Join(dirA, name))
		for _, dir := range []string{dirB, dirC} {
			if other, err := os.ReadFile(filepath.Join(dir, name)); err != nil || !bytes.Equal(first, other) {
				t.Errorf("%s differs", name)
			}
		}
	}
	c := sample(50)
	c.Evidence.Health.Lost.Ring = 1
	if write(t, &c); c.Digest == a.Digest {
		t.Error("another record has the same digest")
	}
}

func TestWriteReplacesOnlyRecords(t *testing.T) {
	a, b := sample(1), sample(2)
	dir := write(t, &a)
	if err := record.Write(dir, &b); err != nil {
		t.Fatal(err)
	}
	if got, err := record.Read(dir); err != nil || got.Digest != b.Digest {
		t.Errorf("the second record is not there: %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(dir), ".record-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}

	home := t.TempDir()
	precious := filepath.Join(home, "thesis.txt")
	if err := os.WriteFile(precious, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := record.Write(home, &a); err == nil || fault.HintOf(err) == "" {
		t.Errorf("Write over a user's folder: %v", err)
	}
	if _, err := os.Stat(precious); err != nil {
		t.Error(err)
	}
}

func TestWriteErrors(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	r := sample(1)
	if err := record.Write(filepath.Join(file, "record"), &r); fault.CodeOf(t.Context(), err) != fault.Usage {
		t.Errorf("a folder under a file: %v", err)
	}
	r = sample(1)
	r.Raw["../x"] = nil
	if err := record.Write(filepath.Join(t.TempDir(), "record"), &r); err == nil {
		t.Error("a raw file outside of the record was written")
	}
	r = sample(1)
	r.Subject.ConfigDigest = ""
	if err := record.Write(filepath.Join(t.TempDir(), "record"), &r); err == nil {
		t.Error("a record without a subject was written")
	}
}

func BenchmarkWrite10kPackages(b *testing.B) {
	r := sample(10_000)
	dir := filepath.Join(b.TempDir(), "record")
	for b.Loop() {
		if err := record.Write(dir, &r); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRead10kPackages(b *testing.B) {
	r := sample(10_000)
	dir := write(b, &r)
	for b.Loop() {
		if _, err := record.Read(dir); err != nil {
			b.Fatal(err)
		}
	}
}
