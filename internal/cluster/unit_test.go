package cluster

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
	"sigs.k8s.io/kind/pkg/apis/config/defaults"
	"sigs.k8s.io/kind/pkg/apis/config/v1alpha4"

	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/journal"
)

const someRun = "0123456789abcdef01234567"

func TestConfiguration(t *testing.T) {
	given := `kind: Cluster
apiVersion: kind.x-k8s.io/v1alpha4
name: mine
networking: {podSubnet: 10.9.0.0/16}
kubeadmConfigPatches: ["kind: ClusterConfiguration"]
nodes:
- role: control-plane
  extraMounts: [{hostPath: /a, containerPath: /b}]
- role: worker
  image: example/node:v1
`
	c, err := configuration(Options{RunID: someRun, Config: []byte(given), Pids: 9, Mounts: []Mount{{"/host", "/node", true}}}, true)
	if err != nil {
		t.Fatal(err)
	}
	if c.Name != "vexxy-"+someRun || c.Networking.PodSubnet != "10.9.0.0/16" || len(c.Nodes) != 2 {
		t.Errorf("configuration: %+v", c)
	}
	if p := c.KubeadmConfigPatches; len(p) != 3 || p[0] != quick(c.Nodes) || p[1] != "kind: ClusterConfiguration" || !strings.Contains(p[2], "podPidsLimit: 9\n") {
		t.Errorf("patches: %q", c.KubeadmConfigPatches)
	}
	if m := c.Nodes[0].ExtraMounts; len(m) != 2 || m[0].HostPath != "/a" || m[1].HostPath != "/host" || m[1].ContainerPath != "/node" || !m[1].Readonly {
		t.Errorf("mounts: %+v", m)
	}
	if len(c.Nodes[1].ExtraMounts) != 1 || c.Nodes[1].Image != "example/node:v1" || c.Nodes[0].Image != defaults.Image {
		t.Errorf("nodes: %+v", c.Nodes)
	}
	if got := images(c); !reflect.DeepEqual(got, []string{defaults.Image, "example/node:v1"}) {
		t.Errorf("images: %q", got)
	}

	c, err = configuration(Options{RunID: someRun, NodeImage: "example/node:v2", Config: []byte(given)}, true)
	if err != nil || c.Nodes[0].Image != "example/node:v2" || c.Nodes[1].Image != "example/node:v2" || len(c.KubeadmConfigPatches) != 2 {
		t.Errorf("with a node image: %+v, %v", c, err)
	}
	if c, err = configuration(Options{RunID: someRun, Mounts: []Mount{{"/host", "/node", true}}}, false); err != nil || len(c.Nodes) != 1 || len(c.KubeadmConfigPatches) != 1 || len(c.Nodes[0].ExtraMounts) != 0 {
		t.Errorf("with nothing: %+v, %v", c, err)
	}
}

// The controller manager waits for no lease where it is the only one. What kind
// makes of the patch is for the tests with a cluster to say.
func TestControllerManagerIsQuick(t *testing.T) {
	plane, worker := v1alpha4.Node{Role: v1alpha4.ControlPlaneRole}, v1alpha4.Node{Role: v1alpha4.WorkerRole}
	for name, row := range map[string]struct {
		nodes []v1alpha4.Node
		lone  bool
	}{
		"one": {[]v1alpha4.Node{plane}, true}, "one with a worker": {[]v1alpha4.Node{worker, {}}, true}, "two": {[]v1alpha4.Node{plane, plane, worker}, false},
	} {
		var got struct {
			APIVersion, Kind  string
			ControllerManager struct {
				ExtraArgs map[string]string `yaml:"extraArgs"`
			} `yaml:"controllerManager"`
		}
		if err := yaml.Unmarshal([]byte(quick(row.nodes)), &got); err != nil {
			t.Fatal(err)
		}
		want := map[string]string{"kube-api-qps": "500", "kube-api-burst": "500"}
		if row.lone {
			want["leader-elect"] = "false"
		}
		if got.APIVersion != "" || got.Kind != "ClusterConfiguration" || !reflect.DeepEqual(got.ControllerManager.ExtraArgs, want) {
			t.Errorf("%s: %+v, want %v", name, got, want)
		}
	}
}

func TestUnfitConfiguration(t *testing.T) {
	for name, given := range map[string]string{
		"no YAML":       "{",
		"unknown field": "kind: Cluster\napiVersion: kind.x-k8s.io/v1alpha4\nnode: []\n",
		"another kind":  "kind: Pod\napiVersion: v1\n",
		"no kind":       "nodes: []\n",
	} {
		_, err := New(Options{RunID: someRun, Config: []byte(given)})
		var f *fault.Error
		if !errors.As(err, &f) || f.Code != fault.Usage || f.Hint == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := New(Options{RunID: "x"}); err == nil {
		t.Error("x is taken for a run ID")
	}
	if _, err := New(Options{RunID: someRun, Provider: "lxc"}); fault.CodeOf(t.Context(), err) != fault.Usage {
		t.Errorf("provider lxc: %v", err)
	}
}

func TestHosts(t *testing.T) {
	for _, c := range []struct{ host, mirror, want string }{
		{"quay.io", "https://mirror.example", "server = \"https://quay.io\"\n\n[host.\"https://mirror.example\"]\n  capabilities = [\"pull\", \"resolve\"]\n"},
		{"docker.io", "http://10.0.0.1:5000/", "server = \"https://registry-1.docker.io\"\n\n[host.\"http://10.0.0.1:5000\"]\n  capabilities = [\"pull\", \"resolve\"]\n"},
		{"quay.io", "https://mirror.example/quay", "server = \"https://quay.io\"\n\n[host.\"https://mirror.example/v2/quay\"]\n  capabilities = [\"pull\", \"resolve\"]\n  override_path = true\n"},
		{"quay.io", "https://mirror.example/v2/quay", "server = \"https://quay.io\"\n\n[host.\"https://mirror.example/v2/quay\"]\n  capabilities = [\"pull\", \"resolve\"]\n  override_path = true\n"},
	} {
		if got := hosts(c.host, c.mirror); got != c.want {
			t.Errorf("hosts(%q, %q) = %s", c.host, c.mirror, got)
		}
	}
	if folder("index.docker.io") != "docker.io" || folder("localhost:5000") != "localhost:5000" {
		t.Error("folders")
	}
}

// Nothing but a run's own cluster is a leftover.
func TestOurs(t *testing.T) {
	docker, _ := engineOf("")
	got := docker.leftovers(journal.Cluster, []string{
		"kind", "vexxy-" + someRun, "vexxy-" + someRun, "vexxy-" + someRun + "-x", "x-vexxy-" + someRun, "vexxy-" + someRun[1:],
		"vexxy-" + strings.ToUpper(someRun), "vexxy-" + someRun + "\nkind", "", "vexxy-",
	})
	if want := []Leftover{{journal.Cluster, "vexxy-" + someRun, someRun, "docker"}}; !reflect.DeepEqual(got, want) {
		t.Errorf("leftovers: %+v", got)
	}
	for _, name := range []string{"kind", "vexxy-x", "vexxy-" + someRun + "-x"} {
		if err := Remove(t.Context(), Leftover{Kind: journal.Cluster, Name: name, binary: "docker"}); err == nil {
			t.Errorf("%q may be removed", name)
		}
	}
}

func TestHints(t *testing.T) {
	for _, c := range []struct{ says, hint string }{
		{"Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?", "start the engine"},
		{"permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock", "group"},
		{"write /var/lib/docker/tmp/x: no space left on device", "free disk space"},
		{"Failed to create control group inotify object: Too many open files", "max_user_instances=512"},
		{"Bind for 127.0.0.1:6443 failed: port is already allocated", "free the port"},
		{"could not find an available, non-overlapping IPv4 address pool among the defaults", "network prune"},
		{"pull access denied for example/node, repository does not exist or may require 'docker login'", "node image's name"},
		{"manifest for kindest/node:v9 not found: manifest unknown: manifest unknown", "node image's name"},
		{"Get \"https://registry-1.docker.io/v2/\": dial tcp: lookup registry-1.docker.io: no such host", "way to the registry"},
		{"could not find a log line that matches \"Reached target .*Multi-User System.*\"", "did not boot"},
		{"something else", ""},
	} {
		if got := hintOf(c.says, "docker"); !strings.Contains(got, c.hint) || (got == "") != (c.hint == "") {
			t.Errorf("%q: %q", c.says, got)
		}
	}
	if got := hintOf("no space left on device", "podman"); !strings.Contains(got, "`podman system df`") {
		t.Errorf("for podman: %q", got)
	}
}

// A full disk of the node, as containerd 2.3.4 tells of it: the cause is the end
// of a long line, after a warning that is about something else.
func TestRefusalOfAFullDisk(t *testing.T) {
	const digest = "sha256:d0f9f55cfc32d4f92a93752c92ec805eedc9f421ed07797d32dbb405df0ef38c"
	const mount = "/var/lib/containerd/tmpmounts/containerd-mount3604765598"
	said := `time="2026-11-26T21:24:27Z" level=warning msg="DEPRECATION: The support for cgroup v1 is deprecated since containerd v2.2 and will be removed by no later than May 2029. Upgrade the host to use cgroup v2."
ctr: failed to extract layer (application/vnd.docker.image.rootfs.diff.tar ` + digest + `) to overlayfs as "extract-281413700-Ft3C ` + digest + `": mount callback failed on ` + mount + ": write " + mount + `/usr/bin/operator: no space left on device
`
	got := (&refusal{"docker exec", errors.New("exit status 1"), said}).Error()
	if !strings.HasPrefix(got, "running docker exec: exit status 1: ctr: failed to extract layer (") || !strings.HasSuffix(got, "/usr/bin/operator: no space left on device") || len(got) > 500 {
		t.Errorf("got %q", got)
	}
	if hint := hintOf(got, "docker"); !strings.Contains(hint, "free disk space") {
		t.Errorf("the hint is %q", hint)
	}
}

// kubeadm's last words count, not its progress nor the stack below.
func TestSayings(t *testing.T) {
	said := `I0102 10:00:00.000000     123 initconfiguration.go:255] loading configuration
[certs] Generating "ca" certificate and key
[kubelet-check] The kubelet is not healthy after 4m0s

Unfortunately, an error has occurred:
	The HTTP call equal to 'curl -sSL http://127.0.0.1:10248/healthz' returned error: connection refused
couldn't initialize a Kubernetes cluster
k8s.io/kubernetes/cmd/kubeadm/app/cmd/phases/init.runWaitControlPlanePhase
	/workspace/cmd/kubeadm/app/cmd/phases/init/waitcontrolplane.go:112
main.main
	/workspace/cmd/kubeadm/kubeadm.go:25
runtime.goexit
	/usr/local/go/src/runtime/asm_amd64.s:1700
`
	got := sayings(said)
	want := []string{
		"[kubelet-check] The kubelet is not healthy after 4m0s", "Unfortunately, an error has occurred:",
		"The HTTP call equal to 'curl -sSL http://127.0.0.1:10248/healthz' returned error: connection refused",
		"couldn't initialize a Kubernetes cluster", "/usr/local/go/src/runtime/asm_amd64.s:1700",
	}
	if !reflect.DeepEqual(got, want[:4]) {
		t.Errorf("%q", got)
	}
	if got := lastLines("a\x1b[0m\nb\nc", 2); got != "b; c" {
		t.Errorf("%q", got)
	}
	if got := brief(`failed to init node with kubeadm: command "docker exec --privileged x kubeadm init --v=6" failed with error: exit status 1`); strings.Contains(got, "privileged") || !strings.Contains(got, "exit status 1") {
		t.Errorf("%q", got)
	}
}

func TestCanonical(t *testing.T) {
	digest := "@sha256:" + strings.Repeat("a", 64)
	for given, want := range map[string]string{
		"nginx":                        "docker.io/library/nginx:latest",
		"nginx" + digest:               "docker.io/library/nginx" + digest,
		"docker.io/team/app:v1":        "docker.io/team/app:v1",
		"quay.io/kubescape/storage:v1": "quay.io/kubescape/storage:v1",
		"localhost:5000/app" + digest:  "localhost:5000/app" + digest,
	} {
		got, err := canonical(given)
		if err != nil || got != want {
			t.Errorf("%q: %q, %v", given, got, err)
		}
		if repository(got)+":x" == got || strings.Contains(repository(got), "@") {
			t.Errorf("repository of %q: %q", got, repository(got))
		}
	}
	if _, err := canonical("A B"); err == nil {
		t.Error("A B is a name")
	}
}

// No value of a container's environment gets into a bundle, wherever it stands.
func TestTidyBlanksEnvironments(t *testing.T) {
	const list = `{"kind": "DeploymentList", "items": [{
		"metadata": {"name": "a", "managedFields": ["v0"], "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "v0", "mine": "kept"}},
		"spec": {"template": {"spec": {
			"initContainers": [{"env": [{"name": "A", "value": "v0"}]}],
			"containers": [{"image": "kept", "env": [{"name": "B", "value": "v0"}, {"name": "C", "valueFrom": {"secretKeyRef": {"name": "kept"}}}]}]}}}},
		{"spec": {"execs": [{"path": "kept", "envs": ["PASSWORD=v0=v0", "EMPTY"]}]}}]}`
	raw, err := tidy([]byte(list))
	if err != nil || strings.Contains(string(raw), "v0") || !json.Valid(raw) {
		t.Errorf("%v\n%s", err, raw)
	}
	for word, n := range map[string]int{"kept": 4, leftOut: 4, "PASSWORD=": 1, `"A"`: 1, `"B"`: 1, `"C"`: 1} {
		if got := strings.Count(string(raw), word); got != n {
			t.Errorf("%s stands there %d times, want %d\n%s", word, got, n, raw)
		}
	}
}
