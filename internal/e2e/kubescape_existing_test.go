package e2e

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// standing is a cluster that is there before a run, with Kubescape in it.
type standing struct{ name, kubeconfig string }

// existing makes a cluster of the test bed by these steps of its script, each
// with what it needs beside the cluster's name.
func existing(t *testing.T, name string, steps ...[]string) standing {
	t.Helper()
	if os.Getenv("VEXXY_TEST_NODE_IMAGE") == "" {
		t.Fatalf("%s names no kind node image; leave this test out by -skip '^TestExistingCluster'", nodeVariable)
	}
	c := standing{name: fmt.Sprintf("bed-%s-%d", name, os.Getpid())}
	var err error
	if c.kubeconfig, err = filepath.Abs(filepath.Join(root, ".cache/testbed/clusters", c.name, "kubeconfig")); err != nil {
		t.Fatal(err)
	}
	script := func(ctx context.Context, verb string, more ...string) error {
		cmd := exec.CommandContext(ctx, "scripts/testbed/cluster.sh", append([]string{verb, c.name}, more...)...)
		cmd.Dir = root
		out, err := cmd.CombinedOutput()
		if err != nil {
			return fmt.Errorf("cluster.sh %s: %w\n%s", verb, err, out)
		}
		return nil
	}
	t.Cleanup(func() {
		if err := script(context.WithoutCancel(t.Context()), "down"); err != nil {
			t.Error(err)
		}
	})
	for _, step := range steps {
		if err := script(t.Context(), step[0], step[1:]...); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// kubectl asks the cluster, with an input if it is not empty.
func (c standing) kubectl(t *testing.T, input string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(root, ".cache/testbed/bin/kubectl"), append([]string{"--kubeconfig", c.kubeconfig}, args...)...)
	cmd.Stdin = strings.NewReader(input)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("kubectl %q: %v\n%s", args, err, &stderr)
	}
	return strings.TrimSpace(string(out))
}

// give puts a fixture into the registry, and into the node by the digest that
// it has there: the node itself does not reach this registry.
func (c standing) give(t *testing.T, image string) (ref string) {
	t.Helper()
	ref = push(t, image)
	repository, _, _ := strings.Cut(ref, "@")
	r, w := io.Pipe()
	go func() {
		archive := tar.NewWriter(w)
		err := archive.AddFS(os.DirFS(fixture(t, image)))
		if err == nil {
			err = archive.Close()
		}
		w.CloseWithError(err)
	}()
	for _, args := range [][]string{{"import", "--base-name", repository, "-"}, {"tag", "--force", repository + ":fixture", ref}} {
		cmd := exec.CommandContext(t.Context(), "docker", append([]string{"exec", "-i", c.name + "-control-plane", "ctr", "--namespace", "k8s.io", "images"}, args...)...)
		cmd.Stdin = r
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("giving %s to the node: %v\n%s", image, err, out)
		}
	}
	return ref
}

// analyse runs vexxy in the cluster.
func (c standing) analyse(t *testing.T, args ...string) outcome {
	t.Helper()
	return analyse(t, append([]string{"--engine", "kubescape", "--kubeconfig", c.kubeconfig}, args...)...)
}

// refused runs vexxy in the cluster where it ends without a result.
func (c standing) refused(t *testing.T, image string) outcome {
	t.Helper()
	db, err := database()
	must(err)
	return vexxy(t, "run", "--vulnerability-db", db, "--max-db-age", "0", "--output-dir", t.TempDir(),
		"--engine", "kubescape", "--kubeconfig", c.kubeconfig, image)
}

// uids are the identities of what Kubescape consists of.
func (c standing) uids(t *testing.T) string {
	t.Helper()
	return c.kubectl(t, "", "-n", "kubescape", "get", "deployments,daemonsets,services,configmaps,secrets",
		"-o", `jsonpath={range .items[*]}{.kind}/{.metadata.name} {.metadata.uid} {.metadata.generation}{"\n"}{end}`)
}

// ours lists what bears the mark of a run.
func (c standing) ours(t *testing.T) string {
	t.Helper()
	return c.kubectl(t, "", "get", "deployments,pods,services,configmaps,secrets,networkpolicies", "-A", "-l", "dev.vexxy.run", "-o", "name")
}

// dead is what a run that was killed long ago left, and beside it what is
// nobody's but its owner's.
const dead = `
apiVersion: v1
kind: Namespace
metadata: {name: vexxy-sandbox, labels: {dev.vexxy.run: "000000000000000000000000"}, annotations: {dev.vexxy.expires: "2026-01-01T00:00:00Z"}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: foreign, namespace: vexxy-sandbox}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: alive, namespace: vexxy-sandbox, labels: {dev.vexxy.run: "111111111111111111111111"}, annotations: {dev.vexxy.expires: "2999-01-01T00:00:00Z"}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: dead, namespace: vexxy-sandbox, labels: {dev.vexxy.run: "000000000000000000000000"}, annotations: {dev.vexxy.expires: "2026-01-01T00:00:00Z"}}
spec:
  replicas: 0
  selector: {matchLabels: {app: dead}}
  template: {metadata: {labels: {app: dead}}, spec: {containers: [{name: c, image: none}]}}
`

// store is a workload as a user has it: two containers, of which one has the
// subject's image under another tag, and a service in another namespace.
const store = `
apiVersion: v1
kind: Service
metadata: {name: store, namespace: shop}
spec: {selector: {app: store}, ports: [{port: 8080}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: store, namespace: shop}
spec:
  replicas: 2
  selector: {matchLabels: {app: store}}
  template:
    metadata: {labels: {app: store}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - {name: beside, image: %s, imagePullPolicy: Never}
      - name: web
        image: %s:some-tag
        ports: [{containerPort: 8080}]
        readinessProbe: {httpGet: {path: /, port: 8080}, periodSeconds: 1}
`

// shopChart are the files of a Helm chart with a hook.
var shopChart = map[string]string{
	"Chart.yaml":  "{apiVersion: v2, name: shop, version: 1.0.0}",
	"values.yaml": "{image: none}",
	"templates/web.yaml": `
apiVersion: apps/v1
kind: Deployment
metadata: {name: {{ .Release.Name }}-web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: web, image: {{ .Values.image }}, ports: [{containerPort: 8080}], readinessProbe: {httpGet: {path: /, port: 8080}, periodSeconds: 1}}
`,
	"templates/hook.yaml": `
apiVersion: v1
kind: ConfigMap
metadata: {name: hooked, annotations: {helm.sh/hook: pre-install}}
`,
	"templates/migrate.yaml": `
{{- with .Values.migration }}
apiVersion: batch/v1
kind: Job
metadata: {name: migrate, annotations: {helm.sh/hook: pre-install, helm.sh/hook-delete-policy: hook-succeeded}}
spec:
  template:
    spec:
      restartPolicy: Never
      containers: [{name: migrate, image: {{ . }}, command: [nginx, -v]}]
{{- end }}
`,
}

// Three runs at once in a cluster that is there: each has its evidence, what is
// dead is swept, and what is not of a run stays as it was.
func TestExistingCluster(t *testing.T) {
	t.Parallel()
	c := existing(t, "existing", []string{"up"}, []string{"install"})
	nginx, beside := c.give(t, "nginx"), c.give(t, "never-ready")
	c.kubectl(t, dead, "apply", "-f", "-")
	before := c.uids(t)

	repository, _, _ := strings.Cut(nginx, "@")
	manifests := filepath.Join(t.TempDir(), "store.yaml")
	must(os.WriteFile(manifests, fmt.Appendf(nil, store, beside, repository), 0o644))
	chart, values := t.TempDir(), filepath.Join(t.TempDir(), "values.yaml")
	must(os.Mkdir(filepath.Join(chart, "templates"), 0o755))
	for name, text := range shopChart {
		must(os.WriteFile(filepath.Join(chart, name), []byte(text), 0o644))
	}
	must(os.WriteFile(values, []byte("{image: "+repository+":some-tag}"), 0o644))
	t.Run("runs", func(t *testing.T) {
		for name, args := range map[string][]string{
			"image": nil, "manifests": {"--manifests", manifests}, "chart": {"--helm-chart", chart, "--helm-values", values},
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				out := c.analyse(t, append(args, "--duration", "20s", "--http-probe", "/", nginx)...)
				if out.code != 0 {
					t.Errorf("exit code %d\n%s", out.code, out.stderr)
				}
				for _, check := range out.result.Checks {
					if check.Applies && !check.OK {
						t.Errorf("%s: %s", check.ID, check.Measured)
					}
				}
				if s := out.statuses("zlib1g"); s["affected"] == 0 {
					t.Errorf("zlib1g, which nginx loads, is %v", s)
				}
			})
		}
	})
	c.awaitNone(t, "alive", "foreign")
	if hooked := c.kubectl(t, "", "-n", "vexxy-sandbox", "get", "configmap", "hooked", "--ignore-not-found"); hooked != "" {
		t.Errorf("the chart's hook is left behind: %s", hooked)
	}
	if after := c.uids(t); after != before {
		t.Errorf("Kubescape was\n%s\nand is\n%s", before, after)
	}

	// A hook that has run the image, and is gone, was seen by nobody.
	t.Run("migration", func(t *testing.T) {
		migrating := filepath.Join(t.TempDir(), "values.yaml")
		must(os.WriteFile(migrating, []byte("{image: "+repository+":some-tag, migration: "+nginx+"}"), 0o644))
		out := c.analyse(t, "--helm-chart", chart, "--helm-values", migrating, "--duration", "10s", nginx)
		if ok, measured := out.check(t, "E8"); ok || !strings.Contains(measured, "migrate") || out.code != 4 || out.result.Summary.NotAffected != 0 {
			t.Errorf("exit code %d, %d not affected, E8 %v: %s", out.code, out.result.Summary.NotAffected, ok, measured)
		}
	})

	t.Run("image that no registry has", func(t *testing.T) {
		c.kubectl(t, "", "-n", "vexxy-sandbox", "delete", "configmap", "foreign", "alive")
		out := c.refused(t, "oci-dir:"+fixture(t, "nginx"))
		if out.code != 3 || !strings.Contains(out.stderr, "no registry has published it") {
			t.Errorf("exit code %d\n%s", out.code, out.stderr)
		}
		// Now that nothing else lives there, the namespace goes as well.
		c.kubectl(t, "", "wait", "--for=delete", "namespace/vexxy-sandbox", "--timeout=50s")
	})
	t.Run("user without rights", func(t *testing.T) {
		poor := c.poor(t)
		out := poor.refused(t, nginx)
		if out.code != 5 {
			t.Errorf("exit code %d\n%s", out.code, out.stderr)
		}
		for _, want := range []string{"list nodes", "create namespaces", "create deployments of apps in namespace vexxy-sandbox", "create services/proxy"} {
			if !strings.Contains(strings.Join(strings.Fields(out.stderr), " "), want) {
				t.Errorf("%q is not said\n%s", want, out.stderr)
			}
		}
		if ns := c.kubectl(t, "", "get", "namespaces", "-o", "name"); strings.Contains(ns, "vexxy") {
			t.Errorf("something was made: %s", ns)
		}
	})
	if after := c.uids(t); after != before {
		t.Errorf("Kubescape was\n%s\nand is\n%s", before, after)
	}
}

// A run in a cluster without Kubescape brings its own and takes all of it back,
// with what Helm leaves.
func TestExistingClusterWithoutKubescape(t *testing.T) {
	t.Parallel()
	archives, err := filepath.Glob(filepath.Join(root, ".cache/testbed/apps/*.tar"))
	if err != nil || len(archives) == 0 {
		t.Fatalf("the test bed has no images: %v", err)
	}
	for i := range archives {
		archives[i] = must1(filepath.Abs(archives[i]))
	}
	kubectl := must1(filepath.Abs(filepath.Join(root, ".cache/testbed/bin/kubectl")))
	c := existing(t, "bare", []string{"up"}, append([]string{"load"}, archives...))
	nginx := c.give(t, "nginx")
	values := filepath.Join(t.TempDir(), "values.yaml")
	must(os.WriteFile(values, []byte("grypeOfflineDB: {enabled: true}"), 0o644))
	all := func() string {
		return c.kubectl(t, "", "get", "namespaces,customresourcedefinitions,apiservices,clusterroles,clusterrolebindings,priorityclasses,secrets,serviceaccounts", "-A", "-o", "name")
	}
	before := all()
	out := c.analyse(t, "--chart", must1(filepath.Abs(filepath.Join(root, "testdata/chart/kubescape-operator"))), "--values", values,
		"--duration", "20s", "--http-probe", "/", "--exec-command", "nginx -v", "--ready-command", "test -e /usr/sbin/nginx",
		"--test-command", kubectl+` -n "$VEXXY_NAMESPACE" get pod "$VEXXY_POD" && curl -fsS "$VEXXY_URL/"`, nginx)
	if out.code != 0 || !strings.Contains(out.stderr, "✓ install Kubescape") {
		t.Errorf("exit code %d\n%s", out.code, out.stderr)
	}
	if _, measured := out.check(t, "E5"); !strings.Contains(measured, "3 exercises passed") {
		t.Errorf("E5: %s", measured)
	}
	if _, measured := out.check(t, "E4"); !strings.Contains(measured, "ready by input") {
		t.Errorf("E4: %s", measured)
	}
	for _, check := range out.result.Checks {
		if check.Applies && !check.OK {
			t.Errorf("%s: %s", check.ID, check.Measured)
		}
	}
	if s := out.statuses("zlib1g"); s["affected"] == 0 {
		t.Errorf("zlib1g, which nginx loads, is %v", s)
	}
	after := all()
	for end := time.Now().Add(60 * time.Second); after != before && time.Now().Before(end); after = all() {
		time.Sleep(time.Second)
	}
	if after != before {
		t.Errorf("the cluster had\n%s\nand has\n%s", before, after)
	}
}

// awaitNone waits until of all that bears the mark of a run only the first of
// the given config maps is there, and checks that each of them is.
func (c standing) awaitNone(t *testing.T, but ...string) {
	t.Helper()
	want := "configmap/" + but[0]
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(time.Second) {
		got := c.ours(t)
		if got == want {
			break
		}
		if time.Now().After(end) {
			t.Errorf("left behind, beside %s:\n%s", want, got)
			break
		}
	}
	for _, name := range but {
		c.kubectl(t, "", "-n", "vexxy-sandbox", "get", "configmap", name)
	}
}

// poor is the cluster as a user sees it who may do nothing.
func (c standing) poor(t *testing.T) standing {
	t.Helper()
	c.kubectl(t, "", "-n", "default", "create", "serviceaccount", "poor")
	token := c.kubectl(t, "", "-n", "default", "create", "token", "poor")
	raw, err := os.ReadFile(c.kubeconfig)
	must(err)
	poor := standing{c.name, filepath.Join(t.TempDir(), "kubeconfig")}
	must(os.WriteFile(poor.kubeconfig, raw, 0o600))
	poor.kubectl(t, "", "config", "set-credentials", "poor", "--token", token)
	poor.kubectl(t, "", "config", "set-context", "--current", "--user", "poor")
	return poor
}
