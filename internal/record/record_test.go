package record_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
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

// TestTamper changes, cuts, removes or replaces each file in turn.
func TestTamper(t *testing.T) {
	attacks := map[string]func(path string) error{
		"bit": func(path string) error {
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			data[len(data)/2] ^= 1
			return os.WriteFile(path, data, 0o644)
		},
		"cut": func(path string) error {
			info, err := os.Stat(path)
			if err != nil {
				return err
			}
			return os.Truncate(path, info.Size()/2)
		},
		"symlink": func(path string) error {
			return errors.Join(os.Rename(path, path+".real"), os.Symlink(filepath.Base(path)+".real", path))
		},
		"pipe": func(path string) error {
			return errors.Join(os.Remove(path), exec.Command("mkfifo", path).Run())
		},
		"removed": os.Remove,
	}
	r := sample(4)
	dir := write(t, &r)
	names, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(names) != 10 {
		t.Fatalf("%d files in the record, %v", len(names), err)
	}
	for attack, do := range attacks {
		for _, name := range append(names, filepath.Join(dir, "raw", "profile.json")) {
			if filepath.Base(name) == "raw" {
				continue
			}
			rel, _ := filepath.Rel(dir, name)
			t.Run(attack+"/"+rel, func(t *testing.T) {
				r := sample(4)
				victim := write(t, &r)
				if err := do(filepath.Join(victim, rel)); err != nil {
					t.Fatal(err)
				}
				_, err := record.Read(victim)
				want := fault.Integrity
				if attack == "removed" && rel == "SHA256SUMS" {
					want = fault.Usage // not a record at all
				}
				if code := fault.CodeOf(t.Context(), err); code != want {
					t.Errorf("Read: %v with code %d, want %d", err, code, want)
				}
			})
		}
	}
}

// TestConsistentForgery rewrites files together with their checksums.
func TestConsistentForgery(t *testing.T) {
	for name, c := range map[string]struct {
		file, old, new string
		want           fault.Code
		hint           string
	}{
		"newer schema":     {"run.json", `"schema": 1`, `"schema": 2`, fault.Usage, "1.0.0"},
		"unknown field":    {"evidence.json", `"engine":`, `"tampered": 1, "engine":`, fault.Integrity, "edited"},
		"missing line":     {"packages.jsonl", `"id":"p0"`, "\n", fault.Integrity, ""},
		"second value":     {"subject.json", "}\n}\n", "}\n}\n{}\n", fault.Integrity, ""},
		"no subject":       {"subject.json", "sha256:" + strings.Repeat("a", 64), "", fault.Integrity, ""},
		"observation kept": {"evidence.json", `"observations": 8`, `"observations": 7`, fault.Integrity, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := sample(4)
			dir := write(t, &r)
			path := filepath.Join(dir, c.file)
			data, err := os.ReadFile(path)
			if err != nil || !bytes.Contains(data, []byte(c.old)) {
				t.Fatalf("%s holds no %q: %v", c.file, c.old, err)
			}
			if err := os.WriteFile(path, bytes.Replace(data, []byte(c.old), []byte(c.new), 1), 0o644); err != nil {
				t.Fatal(err)
			}
			resum(t, dir)
			_, err = record.Read(dir)
			if code := fault.CodeOf(t.Context(), err); code != c.want || !strings.Contains(fault.HintOf(err), c.hint) {
				t.Errorf("Read: %v, code %d, hint %q", err, code, fault.HintOf(err))
			}
		})
	}
}

// resum makes SHA256SUMS fit the files again, as a forger would.
func resum(t *testing.T, dir string) {
	t.Helper()
	sums := filepath.Join(dir, "SHA256SUMS")
	old, err := os.ReadFile(sums)
	if err != nil {
		t.Fatal(err)
	}
	var fresh bytes.Buffer
	for line := range strings.Lines(string(old)) {
		_, name, _ := strings.Cut(strings.TrimSpace(line), "  ")
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&fresh, "%x  %s\n", sha256.Sum256(data), name)
	}
	if err := os.WriteFile(sums, fresh.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestSumsNameOnlyFilesOfARecord(t *testing.T) {
	for _, name := range []string{"../secret", "/etc/passwd", "raw/../../secret", "raw/.hidden", "raw/", "SHA256SUMS", "other.json"} {
		r := sample(1)
		dir := write(t, &r)
		f, err := os.OpenFile(filepath.Join(dir, "SHA256SUMS"), os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(f, "%s  %s\n", strings.Repeat("0", 64), name)
		f.Close()
		if _, err := record.Read(dir); fault.CodeOf(t.Context(), err) != fault.Integrity {
			t.Errorf("%q: %v", name, err)
		}
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

func FuzzRead(f *testing.F) {
	r := sample(2)
	dir := write(f, &r)
	for _, name := range []string{"run.json", "subject.json", "inventory.json", "packages.jsonl", "findings.jsonl", "evidence.json", "observations.jsonl", "SHA256SUMS"} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(name, data)
	}
	f.Fuzz(func(t *testing.T, name string, data []byte) {
		r := sample(2)
		dir := write(t, &r)
		if filepath.Base(name) != name {
			return
		}
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil || name == "raw" {
			return
		}
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
		if name != "SHA256SUMS" {
			resum(t, dir)
		}
		got, err := record.Read(dir)
		if err != nil {
			return
		}
		// What can be read can be written, and is then read as the same.
		copied := filepath.Join(t.TempDir(), "record")
		if err := record.Write(copied, &got); err != nil {
			t.Fatal(err)
		}
		again, err := record.Read(copied)
		if err != nil || !reflect.DeepEqual(got, again) {
			t.Errorf("a record that was read is written and read differently: %v", err)
		}
	})
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

// All files of a record together have a bound, beside that of each; a list that
// would take far more memory than its text is none.
func TestReadIsBounded(t *testing.T) {
	r := sample(50)
	dir := write(t, &r)
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	got, used, err := record.ReadIn(root, 1<<30)
	if err != nil || got.Digest != r.Digest {
		t.Fatalf("%v, %s", err, got.Digest)
	}
	if got, _, err := record.ReadIn(root, used); err != nil || got.Digest != r.Digest {
		t.Errorf("with just enough: %v", err)
	}
	if _, _, err := record.ReadIn(root, used-1); fault.CodeOf(t.Context(), err) != fault.Integrity {
		t.Errorf("with a byte too few: %v", err)
	}
	n := 2<<20 + 1
	if err := os.WriteFile(filepath.Join(dir, "packages.jsonl"), bytes.Repeat([]byte("{}\n"), n), 0o644); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "inventory.json")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, bytes.Replace(text, []byte(`"packages": 50`), fmt.Appendf(nil, `"packages": %d`, n), 1), 0o644); err != nil {
		t.Fatal(err)
	}
	resum(t, dir)
	if _, err := record.Read(dir); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("has %d lines, at most", n)) {
		t.Errorf("two million packages: %v", err)
	}
}
