package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/vexxy/action/internal/judge"
)

// agentEnv are values that give node-agent variables, NAME=value, beside those
// that it has in every run. The stand-in sees 3 containers start at once unless
// it is told of more, the real one heeds none of this.
func agentEnv(variables ...string) string {
	values := `
nodeAgent:
  env:
    - name: NodeName
      valueFrom: {fieldRef: {fieldPath: spec.nodeName}}
    - {name: PROCFSSCANINTERVAL, value: "1s"}
    - {name: BED_EYES, value: "8"}
`
	for _, v := range variables {
		name, value, _ := strings.Cut(v, "=")
		values += fmt.Sprintf("    - {name: %s, value: %q}\n", name, value)
	}
	return values
}

// kubescapeStandIn plants faults in node-agent's stand-in. One cluster serves
// for all of them: the first run keeps it, the others find it there, and
// cleanup takes it away.
func kubescapeStandIn(t *testing.T) {
	state := t.TempDir()
	env := []string{"VEXXY_STATE_DIR=" + state, "TMPDIR=" + state}
	values := filepath.Join(t.TempDir(), "losing.yaml")
	must(os.WriteFile(values, []byte(agentEnv("BED_DROP=libz*")), 0o600))
	var run string
	t.Cleanup(func() {
		kept := leftOf(t, run)
		out := vexxyEnv(t, env, "cleanup")
		left, _ := filepath.Glob(filepath.Join(state, "*", "*"))
		if run == "" || kept == "" || out.code != 0 || len(left) > 0 || leftOf(t, run) != "" {
			t.Errorf("cleanup of the kept cluster %q: exit code %d, left behind %q\n%s%s", kept, out.code, left, out.stdout, out.stderr)
		}
	})
	registry := newPrivateRegistry(t)
	all, each := observeInCluster(t, env, slices.Concat(clusterFlags(t), registry.flags(), []string{
		"--retain-cluster", "--values", values, "--duration", "20s", "--ready-timeout", "15s",
	}), "dlopen", "health", "crashloop", "never-ready")
	run = all.result.RunID
	if all.code != 4 || all.result.Verdict != "inconclusive" {
		t.Errorf("verdict %s, exit code %d\n%s", all.result.Verdict, all.code, all.stderr)
	}
	t.Run("disagreement", func(t *testing.T) { each["dlopen"].disagrees(t) })
	t.Run("control", func(t *testing.T) {
		if out := each["health"]; out.code != 0 || out.result.Summary.NotAffected == 0 {
			t.Errorf("without a fault: exit code %d, %d not affected", out.code, out.result.Summary.NotAffected)
		}
	})
	// The workload that ends again and again is looked at between two of its
	// lives or in one.
	for image, says := range map[string]string{"crashloop": "1 restarts|2 restarts|ended early with exit code 3", "never-ready": "not ready"} {
		t.Run(image, func(t *testing.T) { each[image].spoilt(t, "E4", says) })
	}
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	export := exec.Command(filepath.Join(root, ".cache", "testbed", "bin", "kind"), "export", "kubeconfig", "--name", "vexxy-"+run, "--kubeconfig", kubeconfig)
	if out, err := export.CombinedOutput(); err != nil {
		t.Fatalf("the run says that %q gives access to the kept cluster: %v: %s", export.Args, err, out)
	}
	occupy(t, kubeconfig, run)
	for _, f := range []struct{ name, variable, says, hint string }{
		{"partial", "BED_COMPLETION=partial", "partial", "the workload must start after node-agent"},
		// Kubescape's storage makes of a failed profile a partial one.
		{"failed", "BED_STATUS=failed", "ended with an exit code other than 0", "and keep running"},
		{"SBOM too large", "BED_SBOM=too-large", "SBOM is too large", "maxSBOMSize"},
	} {
		t.Run(f.name, func(t *testing.T) {
			plant(t, kubeconfig, f.variable)
			out, _ := observeInCluster(t, env, []string{"--kubeconfig", kubeconfig, "--duration", "10s"}, "health")
			out.spoilt(t, "E9", f.says)
			if !strings.Contains(string(read(t, out.dir, "summary.md")), f.hint) {
				t.Errorf("the summary does not say %q", f.hint)
			}
		})
	}
	plant(t, kubeconfig, "BED_DROP=")
	private(t, env, kubeconfig, registry)
	ailing(t, env, kubeconfig, "vexxy-"+run+"-control-plane")
}

// plant gives the node-agent of a cluster one fault in place of others, and
// waits until it watches again.
func plant(t *testing.T, kubeconfig, variable string) {
	t.Helper()
	set := []string{"set", "env", "daemonset/node-agent", variable}
	for _, other := range []string{"BED_DROP", "BED_COMPLETION", "BED_STATUS", "BED_SBOM"} {
		if !strings.HasPrefix(variable, other+"=") {
			set = append(set, other+"-")
		}
	}
	c := standing{kubeconfig: kubeconfig}
	c.kubectl(t, "", "delete", "sbomsyfts", "--all", "--namespace", "kubescape") // else the image's is taken as it is
	c.kubectl(t, "", append(set, "--namespace", "kubescape")...)
	c.kubectl(t, "", "rollout", "status", "daemonset/node-agent", "--timeout", "50s", "--namespace", "kubescape")
}

// occupy makes it known in a kept cluster that the run which made it uses it
// still: else the next run would remove the Kubescape that it leaves unused.
func occupy(t *testing.T, kubeconfig, run string) {
	t.Helper()
	c := standing{kubeconfig: kubeconfig}
	c.kubectl(t, "", "create", "configmap", "vexxy-run-"+run, "--namespace", "vexxy-sandbox")
	c.kubectl(t, "", "label", "configmap", "vexxy-run-"+run, "dev.vexxy.run="+run, "--namespace", "vexxy-sandbox")
}

// disagrees holds the run with the lossy node-agent to what it must say:
// Kubescape clears the library that it lost, we do not, and both are told.
func (o outcome) disagrees(t *testing.T) {
	o.only(t, "zlib1g", judge.Affected)
	k := o.result.Kubescape
	if k == nil || k.VEX == nil {
		t.Fatalf("the result says nothing of Kubescape: %+v", k)
	}
	if k.Profile.Status != "completed" || k.Profile.Completion != "complete" {
		t.Errorf("the loss was told: profile %+v", k.Profile)
	}
	var witness []string
	for _, d := range k.Witnesses.Disagreements {
		if d.Package == "zlib1g" {
			witness = append(witness, d.SeenBy+" "+d.Reason)
		}
	}
	if !slices.Equal(witness, []string{"sensor open"}) {
		t.Errorf("the witnesses' disagreement on zlib1g is %q", witness)
	}
	cleared := 0
	for _, d := range k.VEX.Differences {
		if d.Package != "zlib1g" {
			continue
		}
		if d.Theirs == "not_affected" && d.Ours == "affected" && d.Reason == "open" && d.Clears {
			cleared++
		} else {
			t.Errorf("difference %+v", d)
		}
	}
	if cleared == 0 || cleared != o.statuses("zlib1g")["affected"] {
		t.Errorf("%d differences on zlib1g, it has the findings %v", cleared, o.statuses("zlib1g"))
	}
	if summary := string(read(t, o.dir, "summary.md")); !strings.Contains(summary, "zlib1g") {
		t.Error("the summary does not name zlib1g")
	}
}

// spoilt fails the test unless a check fails in words that match, and nothing
// was cleared.
func (o outcome) spoilt(t *testing.T, check, says string) {
	t.Helper()
	ok, measured := o.check(t, check)
	if ok || !regexp.MustCompile(says).MatchString(measured) {
		t.Errorf("%s is %v: %s; want %q in it", check, ok, measured, says)
	}
	if o.code != 4 || o.result.Verdict != "inconclusive" || o.result.Summary.NotAffected != 0 || len(o.result.Assessments) == 0 {
		t.Errorf("verdict %s, exit code %d, %d of %d not affected", o.result.Verdict, o.code, o.result.Summary.NotAffected, len(o.result.Assessments))
	}
	for _, a := range o.result.Assessments {
		if a.Status == string(judge.NotAffected) {
			t.Errorf("%s of %s is not affected", a.Vulnerability, a.Package)
		}
	}
	t.Logf("%s: %s", check, measured)
}
