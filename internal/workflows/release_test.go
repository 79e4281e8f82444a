package workflows

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// ofBuild is where a job has the checksums from that it holds programs to.
const ofBuild = "${{ needs.build.outputs.sums }}"

// jobsOf are the jobs of a workflow.
func jobsOf(t *testing.T, name string) map[string]*yaml.Node {
	t.Helper()
	var root yaml.Node
	if err := yaml.Unmarshal(file(t, ".github/workflows/"+name), &root); err != nil {
		t.Fatal(err)
	}
	return maps.Collect(pairs(get(root.Content[0], "jobs")))
}

func releaseJobs(t *testing.T) map[string]*yaml.Node {
	t.Helper()
	jobs := jobsOf(t, "release.yml")
	if len(jobs) < 7 {
		t.Fatalf("release.yml has %d jobs", len(jobs))
	}
	return jobs
}

// script is a step's, by its name.
func script(t *testing.T, job *yaml.Node, name string) string {
	t.Helper()
	for _, step := range items(get(job, "steps")) {
		if value(get(step, "name")) == name && get(step, "run") != nil {
			return value(get(step, "run"))
		}
	}
	t.Fatalf("there is no step %q", name)
	return ""
}

// bash runs a script as a runner does.
func bash(dir, script string, environ ...string) (string, error) {
	cmd := exec.Command("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), environ...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// Whatever writes or signs waits for the environment's reviewer.
func TestReleaseIsReviewed(t *testing.T) {
	for name, job := range releaseJobs(t) {
		writes := false
		for _, level := range pairs(get(job, "permissions")) {
			writes = writes || value(level) == "write"
		}
		if reviewed := value(get(job, "environment")) == "release"; reviewed != writes {
			t.Errorf("job %s: writes %t, reviewed %t", name, writes, reviewed)
		}
	}
}

// Whoever takes the programs out of the artifact checks them next, against what
// the job that built them said, and nothing is unpacked beside them.
func TestReleaseTakesWhatWasBuilt(t *testing.T) {
	taken := 0
	for name, job := range releaseJobs(t) {
		steps := items(get(job, "steps"))
		folders := map[string]bool{}
		for i, step := range steps {
			if !strings.HasPrefix(value(get(step, "uses")), "actions/download-artifact@") {
				continue
			}
			with := get(step, "with")
			artifact, folder := value(get(with, "name")), value(get(with, "path"))
			if artifact == "" || folder == "" || folders[folder] || get(with, "pattern") != nil || get(with, "merge-multiple") != nil {
				t.Errorf("job %s line %d: an artifact has a name and a folder of its own", name, step.Line)
			}
			folders[folder] = true
			if artifact != "dist" {
				continue
			}
			taken++
			if i+1 == len(steps) || value(get(steps[i+1], "run")) != `cd dist && sha256sum --check --strict <<< "$SUMS"` || value(get(get(job, "env"), "SUMS")) != ofBuild {
				t.Errorf("job %s line %d: the programs are used unchecked", name, step.Line)
			}
		}
	}
	if taken < 3 {
		t.Errorf("%d jobs take the programs", taken)
	}
}

// released makes the folders that the last job finds, and gives the checksums
// that the first one has said.
func released(t *testing.T, dir string) string {
	t.Helper()
	write := func(name, text string) {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, arch := range []string{"amd64", "arm64"} {
		write("dist/vexxy_linux_"+arch, "program for "+arch)
		for _, kind := range []string{"openvex", "cdx", "spdx", "result"} {
			write(fmt.Sprintf("analysis/%s/vexxy_linux_%s.%s.json", arch, arch, kind), kind)
		}
	}
	sums, err := bash(dir+"/dist", "sha256sum vexxy_linux_*")
	if err != nil {
		t.Fatal(err)
	}
	write("dist/SHA256SUMS", sums)
	return strings.TrimSpace(sums) // an output has no line feed at its end
}

// What the job that ran the image leaves cannot take the place of a program nor
// of the checksums, and what is not the programs built is not released.
func TestReleasePublishesWhatWasBuilt(t *testing.T) {
	publish := releaseJobs(t)["publish"]
	check, files := script(t, publish, "They are what was built"), script(t, publish, "Files, by their names")
	for name, c := range map[string]struct {
		forge string
		fails bool
	}{
		"as it was built":          {"true", false},
		"a program in an analysis": {"cd analysis/amd64 && echo evil > vexxy_linux_amd64 && echo evil > vexxy_linux_arm64 && sha256sum vexxy_linux_amd64 vexxy_linux_arm64 > SHA256SUMS", false},
		"another artifact":         {"cd dist && echo evil > vexxy_linux_amd64 && sha256sum vexxy_linux_* > SHA256SUMS", true},
		"a further program":        {"echo evil > dist/vexxy_linux_riscv64", false},
		"a link":                   {"ln -sf /etc/passwd analysis/arm64/vexxy_linux_arm64.cdx.json", true},
		"a document missing":       {"rm analysis/arm64/vexxy_linux_arm64.cdx.json", true},
	} {
		dir := t.TempDir()
		sums := "SUMS=" + released(t, dir)
		if out, err := bash(dir, c.forge); err != nil {
			t.Fatalf("%s: %v: %s", name, err, out)
		}
		out, err := bash(dir, check, sums)
		if err == nil {
			out, err = bash(dir, files, sums)
		}
		if failed := err != nil; failed != c.fails {
			t.Errorf("%s: %v: %s", name, err, out)
		}
		if c.fails {
			continue
		}
		entries, err := os.ReadDir(filepath.Join(dir, "files"))
		if err != nil || len(entries) != 11 {
			t.Errorf("%s: %d files, %v", name, len(entries), err)
		}
		if text, err := os.ReadFile(filepath.Join(dir, "files/vexxy_linux_amd64")); err != nil || string(text) != "program for amd64" {
			t.Errorf("%s: it releases %q, %v", name, text, err)
		}
	}
	if out, err := bash(t.TempDir(), "mkdir dist && "+check, "SUMS="); err == nil {
		t.Errorf("without checksums anything passes: %s", out)
	}
}

// Findings are signed for the image that was pushed, whatever the job that ran
// it says.
func TestReleaseSignsForWhatWasPushed(t *testing.T) {
	findings := releaseJobs(t)["findings"]
	if got := value(get(get(findings, "env"), "DIGEST")); got != "${{ needs.image.outputs[matrix.arch] }}" {
		t.Errorf("the digest is %s", got)
	}
	signed := 0
	for _, step := range items(get(findings, "steps")) {
		if with := get(step, "with"); get(with, "subject-name") != nil {
			if signed++; value(get(with, "subject-digest")) != "${{ env.DIGEST }}" {
				t.Errorf("line %d: it signs for %s", step.Line, value(get(with, "subject-digest")))
			}
		}
	}
	if signed != 2 {
		t.Errorf("it signs %d statements", signed)
	}
	check := script(t, findings, "They are of the image that was pushed")
	pushed, other := "sha256:"+strings.Repeat("a", 64), "sha256:"+strings.Repeat("b", 64)
	for _, c := range []struct {
		told, result string
		fails        bool
	}{
		{pushed, `{"subject": {"manifest_digest": "` + pushed + `"}}`, false},
		{pushed, `{"subject": {"manifest_digest": "` + other + `"}}`, true},
		{pushed, `{}`, true}, {pushed, "", true}, {"", `{"subject": {"manifest_digest": ""}}`, true},
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, "analysis")
		if err := os.Mkdir(path, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(path, "vexxy_linux_amd64.result.json"), []byte(c.result), 0o644); err != nil {
			t.Fatal(err)
		}
		if out, err := bash(dir, check, "ARCH=amd64", "DIGEST="+c.told); (err != nil) != c.fails {
			t.Errorf("%+v: %v: %s", c, err, out)
		}
	}
}

// The index is of the two images that were pushed, and of nothing else.
func TestReleaseJoinsWhatWasPushed(t *testing.T) {
	check := script(t, releaseJobs(t)["index"], "It is of the two that were pushed")
	amd, arm, other := "sha256:"+strings.Repeat("a", 64), "sha256:"+strings.Repeat("b", 64), "sha256:"+strings.Repeat("c", 64)
	one := func(arch, digest string) string {
		return fmt.Sprintf(`{"digest": %q, "platform": {"os": "linux", "architecture": %q}}`, digest, arch)
	}
	for _, c := range []struct {
		manifests []string
		fails     bool
	}{
		{[]string{one("amd64", amd), one("arm64", arm)}, false},
		{[]string{one("arm64", arm), one("amd64", amd)}, false},
		{[]string{one("arm64", amd), one("amd64", arm)}, true},
		{[]string{one("amd64", other), one("arm64", arm)}, true},
		{[]string{one("amd64", amd)}, true}, {nil, true},
		{[]string{one("amd64", amd), one("arm64", arm), one("amd64", other)}, true},
	} {
		dir := t.TempDir()
		output := filepath.Join(dir, "output")
		if err := os.WriteFile(filepath.Join(dir, "index.json"), []byte(`{"manifests": [`+strings.Join(c.manifests, ",")+`]}`), 0o644); err != nil {
			t.Fatal(err)
		}
		out, err := bash(dir, check, "AMD64="+amd, "ARM64="+arm, "GITHUB_OUTPUT="+output)
		if (err != nil) != c.fails {
			t.Errorf("%v: %v: %s", c.manifests, err, out)
		}
		told, _ := os.ReadFile(output)
		if lines := strings.Fields(string(told)); c.fails != (len(lines) == 0) || !c.fails && !slices.ContainsFunc(lines, digestOutput) {
			t.Errorf("%v: it says %q", c.manifests, told)
		}
	}
}

func digestOutput(line string) bool {
	hex, ok := strings.CutPrefix(line, "digest=sha256:")
	return ok && len(hex) == 64
}
