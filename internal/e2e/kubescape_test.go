package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// These tests run images in real clusters. Which node image, chart and images
// they use is told by variables, so that the same tests run on the test bed
// (scripts/testbed) and with kind's and Kubescape's own.
const (
	nodeVariable     = "VEXXY_TEST_NODE_IMAGE" // a kind node image
	chartVariable    = "VEXXY_TEST_CHART"      // Kubescape's chart; empty is vexxy's default
	archivesVariable = "VEXXY_TEST_ARCHIVES"   // the chart's images; empty has them pulled
)

// standIn is the part of these tests that plants faults in the test bed's
// node-agent, which the real one does not take.
const standIn = "stand-in"

// TestKubescape is the cluster engine through the real command. Its parts run
// side by side, as runs of different users would, beside a cluster and a
// container that are none of theirs.
func TestKubescape(t *testing.T) {
	if os.Getenv(nodeVariable) == "" {
		t.Fatalf("%s names no kind node image; leave these tests out by -skip '^TestKubescape'", nodeVariable)
	}
	foreign := foreigners(t)
	before := wholeEngine(t)
	t.Run("runs", func(t *testing.T) {
		for _, part := range []struct { // the longest first
			name string
			f    func(*testing.T)
		}{
			{standIn, kubescapeStandIn}, {"parity", kubescapeParity}, {"kill", kubescapeKill},
			{"cancel observing", kubescapeCancelObserving}, {"cancel booting", kubescapeCancelBooting}, {"bad input", kubescapeBadInput},
		} {
			t.Run(part.name, func(t *testing.T) { t.Parallel(); part.f(t) })
		}
	})
	if after := wholeEngine(t); after != before {
		t.Errorf("the engine has:\n%s\nand had:\n%s", after, before)
	}
	foreign.untouched(t)
}

// clusterFlags are those of a run with a cluster of its own.
func clusterFlags(t *testing.T) []string {
	t.Helper()
	flags := []string{"--node-image", os.Getenv(nodeVariable)}
	for _, f := range []struct{ name, variable string }{{"--chart", chartVariable}, {"--image-archives", archivesVariable}} {
		v := os.Getenv(f.variable)
		if v == "" {
			continue
		}
		if !filepath.IsAbs(v) && !strings.Contains(v, "://") {
			v = must1(filepath.Abs(filepath.Join(root, v)))
		}
		flags = append(flags, f.name, v)
	}
	return flags
}

// kubescapeResult is what the tests look at of result.json's Kubescape part.
type kubescapeResult struct {
	Agent   struct{ Restarts int }
	Profile struct {
		Name, Status, Completion string
		Execs, Opens             int
	}
	SBOM, Scan, Sensor string
	Witnesses          struct {
		Compared      bool
		Agreed        int
		Disagreements []struct {
			Package, Reason string
			SeenBy          string `json:"seen_by"`
		}
	}
	VEX *struct {
		Missing                                               string
		Statements, Unread, Compared, Same, Different, Clears int
		Reasons                                               []struct {
			Reason string
			Count  int
		}
		Differences []struct {
			Vulnerability, Package, Theirs, Ours, Reason, Detail string
			Clears                                               bool
		}
	}
}

// observeInCluster runs fixtures side by side in one cluster and gives the
// outcome of the whole run, and of each image with the code of its own.
func observeInCluster(t *testing.T, env, flags []string, images ...string) (all outcome, each map[string]outcome) {
	t.Helper()
	args := append([]string{"--engine", "kubescape"}, flags...)
	for _, image := range images {
		args = append(args, push(t, image))
	}
	began := time.Now()
	all = analyseEnv(t, env, args...)
	t.Logf("%s: %.0f s, verdict %s; %s", strings.Join(images, ", "), time.Since(began).Seconds(), all.result.Verdict, steps(all.stderr))
	each = map[string]outcome{}
	if len(images) == 1 {
		each[images[0]] = all
		return all, each
	}
	var overall struct{ Images []struct{ Folder string } }
	must(json.Unmarshal(read(t, all.dir, "result.json"), &overall))
	if len(overall.Images) != len(images) {
		t.Fatalf("the result has %d images, want %d\n%s", len(overall.Images), len(images), all.stderr)
	}
	for i, image := range images {
		one := outcome{stdout: all.stdout, stderr: all.stderr}
		one.load(t, filepath.Join(all.dir, overall.Images[i].Folder))
		one.code = one.result.ExitCode
		each[image] = one
	}
	return all, each
}

// steps are the times of a run's longer steps, of each image its own.
func steps(stderr string) string {
	var times []string
	for _, step := range []string{"create cluster", "pull images", "boot control plane", "prepare engine", "prepare workload", "observe", "read packages", "wait for node-agent's profile", "collect Kubescape's documents", "clean up"} {
		for line := range strings.Lines(stderr) {
			if rest, found := strings.CutPrefix(line, "✓ "+step); found {
				times = append(times, step+rest[strings.LastIndex(rest, " ("):len(rest)-1])
			}
		}
	}
	return strings.Join(times, ", ")
}

// strangers are a container that looks like the node of another run's cluster,
// and a network that looks like its network.
type strangers struct{ name, state string }

func foreigners(t *testing.T) strangers {
	t.Helper()
	s := strangers{name: fmt.Sprintf("vexxy-%024x", os.Getpid())}
	t.Cleanup(func() {
		exec.Command("docker", "rm", "-f", "-v", s.name+"-control-plane").Run()
		exec.Command("docker", "network", "rm", s.name).Run()
	})
	engine(t, "network", "create", "--label", "dev.vexxy.run="+strings.TrimPrefix(s.name, "vexxy-"), s.name)
	engine(t, "run", "-d", "--name", s.name+"-control-plane", "--network", s.name, "--label", "io.x-k8s.kind.cluster="+s.name,
		"--entrypoint", "sleep", os.Getenv(nodeVariable), "3600")
	s.state = s.look(t)
	return s
}

func (s strangers) look(t *testing.T) string {
	return engine(t, "inspect", "-f", "{{.Id}} {{.State.Status}} {{.State.StartedAt}} {{json .NetworkSettings.Networks}}", s.name+"-control-plane")
}

func (s strangers) untouched(t *testing.T) {
	t.Helper()
	if now := s.look(t); now != s.state || !strings.Contains(now, " running ") {
		t.Errorf("the stranger's container was %s and is %s", s.state, now)
	}
}

// wholeEngine lists what runs could have left that has no run's name. Each part
// looks for the rest by the names of its runs: others may run here as well.
func wholeEngine(t *testing.T) string {
	t.Helper()
	var all []string
	for _, args := range [][]string{
		{"network", "ls", "--filter", "name=^kind$", "--format", "network {{.Name}}"},
		{"image", "ls", "--filter", "reference=vexxy.local/*", "--format", "image {{.Repository}}"},
		{"volume", "ls", "--filter", "dangling=true", "--format", "volume {{.Name}}"},
	} {
		if out := engine(t, args...); out != "" {
			all = append(all, out)
		}
	}
	return strings.Join(all, "\n")
}

// leftOf lists what Docker has of a run.
func leftOf(t *testing.T, run string) string {
	t.Helper()
	return engine(t, "ps", "-a", "--filter", "name="+run, "--format", "container {{.Names}}") +
		engine(t, "network", "ls", "--filter", "name="+run, "--format", "network {{.Name}}")
}

// engine asks Docker.
func engine(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command("docker", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("docker %s: %v: %s", args[0], err, out)
	}
	return strings.TrimSpace(string(out))
}

// packed makes a gzipped archive of a folder, as `helm package` does.
func packed(t *testing.T, file, parent, folder string) {
	t.Helper()
	if out, err := exec.Command("tar", "-czf", file, "-C", parent, folder).CombinedOutput(); err != nil {
		t.Fatalf("packing %s: %v: %s", folder, err, out)
	}
}
