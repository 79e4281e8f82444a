package e2e

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// ailing takes a kept cluster apart, piece by piece: what no longer works is
// said with what to do, and nothing is ever cleared.
func ailing(t *testing.T, env []string, kubeconfig, node string) {
	c := standing{kubeconfig: kubeconfig}
	kubescape := func(t *testing.T, args ...string) {
		t.Helper()
		c.kubectl(t, "", append([]string{"--namespace", "kubescape"}, args...)...)
	}
	served := func(t *testing.T) {
		t.Helper()
		kubescape(t, "rollout", "status", "deployment/storage", "--timeout", "50s")
		kubescape(t, "wait", "--for=condition=Available", "apiservice/v1beta1.spdx.softwarecomposition.kubescape.io", "--timeout", "50s")
	}
	inNode := func(t *testing.T, args ...string) { t.Helper(); engine(t, append([]string{"exec", node}, args...)...) }
	// analyse is a run in the cluster that fails with this exit code, and says
	// all of this.
	analyse := func(t *testing.T, code int, args []string, words ...string) {
		t.Helper()
		began := time.Now()
		out := analyseEnv(t, env, append([]string{"--engine", "kubescape", "--kubeconfig", kubeconfig, "--duration", "10s"}, args...)...)
		t.Logf("%.0f s, exit code %d: %s", time.Since(began).Seconds(), out.code, out.stderr[max(0, len(out.stderr)-1500):])
		if out.code != code || out.result.Summary.NotAffected != 0 {
			t.Errorf("exit code %d, want %d; %d not affected", out.code, code, out.result.Summary.NotAffected)
		}
		for _, w := range words {
			if !strings.Contains(strings.Join(strings.Fields(out.stderr), " "), w) {
				t.Errorf("it does not say %q", w)
			}
		}
	}

	t.Run("node-agent restarted", func(t *testing.T) {
		s := start(t, `"step":"prepare workload","outcome":"ok"`, time.Minute, "--engine", "kubescape", "--kubeconfig", kubeconfig, "--duration", "15s", push(t, "health"))
		kubescape(t, "delete", "pod", "--selector", "app.kubernetes.io/component=node-agent", "--wait=false")
		<-s.ended
		out := outcome{code: s.cmd.ProcessState.ExitCode(), stderr: s.stderr.String()}
		out.load(t, s.dir)
		out.spoilt(t, "E9", "restarted|partial")
		if k := out.result.Kubescape; k == nil || k.Agent.Restarts != 1 {
			t.Errorf("the result tells of no restart: %+v", k)
		}
	})
	// What Kubescape's storage refuses to keep, kubevuln only logs.
	t.Run("VEX too large to be stored", func(t *testing.T) {
		config := c.kubectl(t, "", "--namespace", "kubescape", "get", "configmap", "storage", "-o", `jsonpath={.data.config\.json}`)
		small := regexp.MustCompile(`("openvulnerabilityexchangecontainers".*"maxObjectSize": )\d+`).ReplaceAllString(config, "${1}1000")
		patch := must1(json.Marshal(map[string]any{"data": map[string]string{"config.json": small}}))
		kubescape(t, "patch", "configmap", "storage", "--type", "merge", "--patch", string(patch))
		kubescape(t, "rollout", "restart", "deployment/storage")
		served(t)
		plant(t, kubeconfig, "BED_DROP=")
		out := analyseEnv(t, env, "--engine", "kubescape", "--kubeconfig", kubeconfig, "--duration", "10s", push(t, "health"))
		k := out.result.Kubescape
		if small == config || k == nil || k.VEX == nil || k.VEX.Missing == "" || k.VEX.Compared != 0 {
			t.Fatalf("the result tells of no missing document: %+v", k)
		}
		t.Logf("exit code %d, %d not affected: %s", out.code, out.result.Summary.NotAffected, k.VEX.Missing)
	})
	t.Run("storage gone when it is needed", func(t *testing.T) {
		s := start(t, `"step":"prepare workload","outcome":"ok"`, time.Minute, "--engine", "kubescape", "--kubeconfig", kubeconfig, "--duration", "10s", push(t, "health"))
		kubescape(t, "scale", "deployment/storage", "--replicas", "0")
		began := time.Now()
		<-s.ended
		out := outcome{code: s.cmd.ProcessState.ExitCode(), stderr: s.stderr.String()}
		out.load(t, s.dir)
		t.Logf("%.0f s, exit code %d: %s", time.Since(began).Seconds(), out.code, out.stderr[max(0, len(out.stderr)-1500):])
		if out.code != 4 && out.code != 5 || out.result.Summary.NotAffected != 0 {
			t.Errorf("exit code %d, %d not affected", out.code, out.result.Summary.NotAffected)
		}
		kubescape(t, "scale", "deployment/storage", "--replicas", "1")
		served(t)
	})
	t.Run("image that no registry gives", func(t *testing.T) {
		analyse(t, 5, []string{push(t, "exit0")}, "ImagePull", "hint:")
	})
	t.Run("node-agent never ready", func(t *testing.T) {
		kubescape(t, "set", "env", "daemonset/node-agent", "BED_READY_AFTER=1h")
		analyse(t, 5, []string{"--install-timeout", "15s", push(t, "health")}, "node-agent not ready after 15s", "it is ready once its eBPF tracers run")
		kubescape(t, "set", "env", "daemonset/node-agent", "BED_READY_AFTER-")
		kubescape(t, "rollout", "status", "daemonset/node-agent", "--timeout", "50s")
	})
	t.Run("API server gone", func(t *testing.T) {
		s := start(t, `"step":"prepare workload","outcome":"ok"`, time.Minute, "--engine", "kubescape", "--kubeconfig", kubeconfig, "--duration", "10s", push(t, "health"))
		began := time.Now()
		inNode(t, "mv", "/etc/kubernetes/manifests/kube-apiserver.yaml", "/etc/kubernetes/")
		<-s.ended
		out := outcome{code: s.cmd.ProcessState.ExitCode(), stderr: s.stderr.String()}
		out.load(t, s.dir)
		t.Logf("%.0f s, exit code %d: %s", time.Since(began).Seconds(), out.code, out.stderr[max(0, len(out.stderr)-1500):])
		if out.code != 4 && out.code != 5 || out.result.Summary.NotAffected != 0 {
			t.Errorf("exit code %d, %d not affected", out.code, out.result.Summary.NotAffected)
		}
		inNode(t, "mv", "/etc/kubernetes/kube-apiserver.yaml", "/etc/kubernetes/manifests/")
		for end := time.Now().Add(time.Minute); ; time.Sleep(time.Second) {
			if err := exec.Command(filepath.Join(root, ".cache/testbed/bin/kubectl"), "--kubeconfig", kubeconfig, "get", "--raw", "/readyz").Run(); err == nil {
				break
			} else if time.Now().After(end) {
				t.Fatal("the API server does not come back")
			}
		}
	})
	// The database that the run which made the cluster gave to it went with that
	// run: kubevuln starts without one, and can download none.
	t.Run("kubevuln without database", func(t *testing.T) {
		kubescape(t, "rollout", "restart", "deployment/kubevuln")
		analyse(t, 5, []string{"--install-timeout", "15s", push(t, "health")}, "kubevuln not ready after 15s", "it is ready once it has its vulnerability database")
	})
}
