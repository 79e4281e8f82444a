package cluster

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vexxy/action/internal/cluster/clustertest"
	"github.com/vexxy/action/internal/fault"
)

// A control plane that kubeadm refuses to make is explained by its own words.
func TestClusterRefusedByKubeadm(t *testing.T) {
	image := nodeImage(t)
	config := "kind: Cluster\napiVersion: " + apiVersion + "\nkubeadmConfigPatches: [\"kind: ClusterConfiguration\\nnetworking: {dnsDomain: NO_DOMAIN}\"]\n"
	_, err := Create(t.Context(), Options{RunID: newRun(t), NodeImage: image, Config: []byte(config), Dir: t.TempDir()})
	t.Log(err)
	if fault.CodeOf(t.Context(), err) != fault.Infra || !strings.Contains(err.Error(), "NO_DOMAIN") || !strings.Contains(err.Error(), "Starting control-plane") || len(err.Error()) > 3000 {
		t.Errorf("%v", err)
	}
}

// A cluster on a Docker engine of another machine, which is this one behind a
// proxy: its API is reached at that machine's address. Then its node dies, and
// WaitReady says so and does not wait out its time.
func TestClusterRemoteEngine(t *testing.T) {
	image := nodeImage(t)
	address := proxy(t, "/var/run/docker.sock")
	t.Setenv("DOCKER_HOST", "tcp://"+address)
	given := t.TempDir()
	c := newCluster(t, Options{NodeImage: image, Mounts: []Mount{{HostPath: given, NodePath: "/given/here"}}})
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	if err := c.Start(ctx); err != nil {
		t.Fatal(err)
	}
	// What cannot be mounted there is copied.
	if err := os.WriteFile(filepath.Join(given, "late"), []byte("late"), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := c.Deliver(ctx, given); err != nil {
		t.Error(err)
	}
	if got := docker(t, "exec", c.nodes[0], "cat", "/given/here/late"); len(got) != 1 || got[0] != "late" {
		t.Errorf("the node has %q", got)
	}
	broken(t, ctx, c)
	if err := c.WaitAPI(ctx); err != nil {
		t.Fatal(err)
	}
	host, _, _ := net.SplitHostPort(address)
	if !strings.HasPrefix(c.Config.Host, "https://"+host+":") {
		t.Errorf("the API server is at %s", c.Config.Host)
	}
	docker(t, "kill", c.nodes[0])
	began := time.Now()
	err := c.WaitReady(ctx, true)
	if fault.CodeOf(ctx, err) != fault.Infra || !strings.Contains(err.Error(), "runs no more") || time.Since(began) > time.Minute {
		t.Errorf("after %s: %v", time.Since(began), err)
	}
	// What is there is in the bundle all the same.
	dir := t.TempDir()
	if err := c.Support(ctx, dir, nil); err != nil {
		t.Error(err)
	}
	for name, holds := range map[string]string{
		"nodes/" + c.nodes[0] + "/inspect.json": `"Running": false`, "nodes/" + c.nodes[0] + "/serial.log": "Multi-User", "errors.txt": "nodes.json",
	} {
		if raw, err := os.ReadFile(filepath.Join(dir, name)); err != nil || !strings.Contains(string(raw), holds) {
			t.Errorf("the bundle's %s: %v: %.500s", name, err, raw)
		}
	}
}

// broken loads images that cannot be read, and cancels a load.
func broken(t *testing.T, ctx context.Context, c *Cluster) {
	bad := tampered{fixture(t, "musl"), func(r io.ReadCloser) io.ReadCloser {
		return reader{io.MultiReader(io.LimitReader(r, 1000), failing{}), r}
	}}
	if err := c.LoadImage(ctx, bad, []string{"broken.example/team/a:v1"}); err == nil || !strings.Contains(err.Error(), "worn out") {
		t.Errorf("a layer that cannot be read: %v", err)
	}
	bad.change = func(r io.ReadCloser) io.ReadCloser { return reader{io.MultiReader(strings.NewReader("x"), r), r} }
	if err := c.LoadImage(ctx, bad, []string{"broken.example/team/a:v1"}); err == nil {
		t.Error("a layer of other bytes was loaded")
	}
	stop := errors.New("enough")
	ctx, cancel := context.WithCancelCause(ctx)
	bad.change = func(r io.ReadCloser) io.ReadCloser {
		cancel(stop)
		return r
	}
	if err := c.LoadImage(ctx, bad, []string{"broken.example/team/a:v1"}); !errors.Is(err, stop) {
		t.Errorf("a cancelled load: %v", err)
	}
}

// tampered is an image whose layers are read through a change.
type tampered struct {
	v1.Image
	change func(io.ReadCloser) io.ReadCloser
}

func (i tampered) LayerByDigest(d v1.Hash) (v1.Layer, error) {
	l, err := i.Image.LayerByDigest(d)
	return tamperedLayer{l, i.change}, err
}

type tamperedLayer struct {
	v1.Layer
	change func(io.ReadCloser) io.ReadCloser
}

func (l tamperedLayer) Compressed() (io.ReadCloser, error) {
	r, err := l.Layer.Compressed()
	if err != nil {
		return nil, err
	}
	return l.change(r), nil
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("worn out") }

// proxy serves a socket at an address that is not the loopback's.
func proxy(t *testing.T, socket string) string {
	t.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort(clustertest.OwnAddress(t), "0"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			from, err := l.Accept()
			if err != nil {
				return
			}
			to, err := net.Dial("unix", socket)
			if err != nil {
				from.Close()
				continue
			}
			relay := func(a, b net.Conn) {
				io.Copy(a, b)
				if half, ok := a.(interface{ CloseWrite() error }); ok {
					half.CloseWrite()
				}
			}
			go relay(to, from)
			go relay(from, to)
		}
	}()
	return l.Addr().String()
}

func TestElsewhere(t *testing.T) {
	for host, want := range map[string]string{
		"": "", "unix:///var/run/docker.sock": "", "tcp://127.0.0.1:2375": "", "tcp://localhost:2375": "",
		"tcp://docker:2375": "docker", "tcp://10.0.0.1:2376": "10.0.0.1", "::": "",
	} {
		if got := Elsewhere(host); got != want {
			t.Errorf("%q: %q", host, got)
		}
	}
}

// What WaitReady says when its time is over.
func TestMissing(t *testing.T) {
	node := func(name string, status corev1.ConditionStatus, message string) *corev1.Node {
		return &corev1.Node{
			ObjectMeta: metav1.ObjectMeta{Name: name},
			Status:     corev1.NodeStatus{Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: status, Message: message}}},
		}
	}
	cordoned := node("c", corev1.ConditionTrue, "")
	cordoned.Spec.Unschedulable = true
	a, b := node("a", corev1.ConditionTrue, ""), node("b", corev1.ConditionFalse, "no CNI\x1b[0m")
	for _, c := range []struct {
		nodes []*corev1.Node
		want  int
		says  string
	}{
		{[]*corev1.Node{a}, 1, ""},
		{[]*corev1.Node{a, b, cordoned}, 1, ""},
		{nil, 1, "0 of 1 nodes have joined"},
		{[]*corev1.Node{a}, 2, "1 of 2 nodes have joined"},
		{[]*corev1.Node{a, b}, 2, `node b is not ready: no CNI\x1b[0m`},
		{[]*corev1.Node{cordoned}, 1, "node c takes no pods"},
		{[]*corev1.Node{{ObjectMeta: metav1.ObjectMeta{Name: "d"}}}, 1, "node d has no state yet"},
	} {
		if got := lacking(c.nodes, c.want); got != c.says {
			t.Errorf("%d nodes: %q, want %q", len(c.nodes), got, c.says)
		}
	}
	set := &appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{Name: "kube-proxy", Generation: 2}}
	set.Status = appsv1.DaemonSetStatus{ObservedGeneration: 2, DesiredNumberScheduled: 2, NumberReady: 1}
	if got := unready(set); got != "kube-proxy has 1 of 2 pods ready" {
		t.Error(got)
	}
	set.Status.NumberReady = 2
	if got := unready(set); got != "" {
		t.Error(got)
	}
	set.Generation = 3
	if got := unready(set); got == "" {
		t.Error("an old state counts as ready")
	}
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: "coredns"}}
	if got := undeployed(d); got != "coredns has no pod ready" {
		t.Error(got)
	}
	d.Status.ReadyReplicas = 1
	if got := undeployed(d); got != "" {
		t.Error(got)
	}
}
