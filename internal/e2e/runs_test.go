package e2e

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vexxy/action/internal/report"
)

var documents = []string{
	"vex.openvex.json", "summary.md", "sbom.spdx.json", "sbom.cdx.json", "sbom.runtime.spdx.json", "sbom.runtime.cdx.json",
	"comment.md", "results.sarif", "results.all.sarif", "gl-container-scanning.json",
}

// A replay of the record gives the documents byte for byte, and all of the
// result that follows from the record.
func TestReplay(t *testing.T) {
	out := analyse(t, push(t, "job"))
	again := t.TempDir()
	replayed := vexxy(t, "replay", "--output-dir", again, filepath.Join(out.dir, "record"))
	if replayed.code != out.code {
		t.Fatalf("exit code %d, the run had %d\n%s", replayed.code, out.code, replayed.stderr)
	}
	for _, name := range documents {
		same(t, name, read(t, out.dir, name), read(t, again, name))
	}
	same(t, "result.json", report.Pure(read(t, out.dir, "result.json")), report.Pure(read(t, again, "result.json")))
}

// Several images have a folder each and one verdict over all.
func TestSeveralImages(t *testing.T) {
	out := analyse(t, push(t, "exit0"), push(t, "exit1"))
	if out.code != 4 || out.result.Verdict != "inconclusive" {
		t.Errorf("verdict %s, exit code %d\n%s", out.result.Verdict, out.code, out.stderr)
	}
	var overall struct {
		Images []struct{ Folder, Verdict string }
	}
	must(json.Unmarshal(read(t, out.dir, "result.json"), &overall))
	if len(overall.Images) != 2 || overall.Images[0].Verdict != "pass" || overall.Images[1].Verdict != "inconclusive" {
		t.Fatalf("images are %+v", overall.Images)
	}
	for _, image := range overall.Images {
		for _, name := range append(documents, "result.json") {
			if len(read(t, filepath.Join(out.dir, image.Folder), name)) == 0 {
				t.Errorf("%s is empty", name)
			}
		}
	}
}

// An image that was never pushed is analysed too, from each local source.
func TestLocalSources(t *testing.T) {
	for _, ref := range []string{"oci-dir:" + fixture(t, "exit0"), "docker-archive:" + archive(t, "exit0"), "docker-daemon:" + loaded(t, "exit0")} {
		out := analyse(t, ref)
		if out.code != 0 || out.result.Summary.NotAffected == 0 {
			t.Errorf("%s: verdict %s, exit code %d, %d not affected\n%s", ref, out.result.Verdict, out.code, out.result.Summary.NotAffected, out.stderr)
		}
		var result struct {
			Subject struct {
				Local  bool
				Digest string `json:"manifest_digest"`
			}
		}
		must(json.Unmarshal(read(t, out.dir, "result.json"), &result))
		if !result.Subject.Local || result.Subject.Digest != "" {
			t.Errorf("%s: subject %+v names a digest that nobody published", ref, result.Subject)
		}
		out.consumed(t)
	}
}

// loaded puts a fixture into the local engine, for the time of the test, and
// gives its name there.
func loaded(t *testing.T, image string) string {
	t.Helper()
	out, err := exec.Command("docker", "load", "--quiet", "--input", archive(t, image)).CombinedOutput()
	name, ok := strings.CutPrefix(strings.TrimSpace(string(out)), "Loaded image: ")
	if err != nil || !ok {
		t.Fatalf("loading %s: %v: %s", image, err, out)
	}
	t.Cleanup(func() { exec.Command("docker", "image", "rm", name).Run() })
	return name
}

// The gate fails on what was reached, by the policy's counts, and only then.
func TestGate(t *testing.T) {
	ref := push(t, "exit0")
	for _, c := range []struct {
		flags   []string
		code    int
		verdict string
	}{
		{[]string{"--max-affected", "0"}, 2, "fail"},
		{[]string{"--max-affected", "0", "--warn-only"}, 0, "fail"},
		{[]string{"--max-affected", "1000"}, 0, "pass"},
		{[]string{"--fail-on-severity", "critical"}, 0, "pass"},
	} {
		out := analyse(t, append(c.flags, ref)...)
		if out.code != c.code || out.result.Verdict != c.verdict {
			t.Errorf("%v: verdict %s, exit code %d, want %s, %d\n%s", c.flags, out.result.Verdict, out.code, c.verdict, c.code, out.stderr)
		}
	}
}

func read(t *testing.T, dir, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func same(t *testing.T, name string, a, b []byte) {
	t.Helper()
	if bytes.Equal(a, b) {
		return
	}
	i := 0
	for i < min(len(a), len(b)) && a[i] == b[i] {
		i++
	}
	from := max(0, i-80)
	t.Errorf("%s differs at byte %d:\n%q\n%q", name, i, a[from:min(len(a), i+80)], b[from:min(len(b), i+80)])
}
