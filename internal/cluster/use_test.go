package cluster

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/vexxy/action/internal/cluster/clustertest"
	"github.com/vexxy/action/internal/fault"
)

// TestClusterTwo makes two clusters at once. Neither takes notice of the other's end.
// The second serves for all that needs a cluster that is there.
func TestClusterTwo(t *testing.T) {
	image := nodeImage(t)
	ctx, cancel := context.WithTimeout(t.Context(), 6*time.Minute)
	defer cancel()
	mirrored := mirrorRegistry(t)
	one := newCluster(t, Options{NodeImage: image})
	archive := filepath.Join(t.TempDir(), "exit0.tar")
	if out, err := exec.Command("sh", "-c", `cp "$(../../scripts/images/build.sh -archive exit0)" "$0"`, archive).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	two := newCluster(t, Options{NodeImage: image, Mirrors: mirrored.mirrors, Mounts: []Mount{{HostPath: archive, NodePath: "/given.tar", ReadOnly: true}}})
	var g errgroup.Group
	for _, c := range []*Cluster{one, two} {
		g.Go(func() error {
			if err := c.Start(ctx); err != nil {
				return err
			}
			return c.WaitAPI(ctx)
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	if v := os.Getenv("KIND_EXPERIMENTAL_DOCKER_NETWORK"); v != "" {
		t.Errorf("the environment keeps the network %s", v)
	}
	for _, c := range []*Cluster{one, two} {
		nets := docker(t, "inspect", "-f", "{{range $n, $_ := .NetworkSettings.Networks}}{{$n}} {{end}}", c.nodes[0])
		if !slices.Equal(nets, []string{c.Name}) {
			t.Errorf("%s is on the networks %q", c.Name, nets)
		}
	}
	found, err := Leftovers(ctx)
	for _, c := range []*Cluster{one, two} {
		n := 0
		for _, l := range found {
			if l.Name == c.Name && l.Run == c.options.RunID {
				n++
			}
		}
		if n != 2 || err != nil {
			t.Errorf("of %s %d are listed, %v: %+v", c.Name, n, err, found)
		}
	}
	// One ends as a killed run's does: by cleanup.
	for _, l := range found {
		if l.Name == one.Name {
			if err := Remove(ctx, l); err != nil {
				t.Error(err)
			}
		}
	}
	if left := remains(t, one.options.RunID); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
	if err := two.WaitReady(ctx, true); err != nil {
		t.Fatal(err)
	}
	t.Run("pulled ahead", func(t *testing.T) { pulledAhead(t, ctx, two, mirrored) })
	t.Run("mirrors", func(t *testing.T) {
		for i, ref := range mirrored.refs {
			pod := startPod(t, ctx, two, fmt.Sprintf("mirrored-%d", i), ref, corev1.PullAlways)
			if got := pod.Status.ContainerStatuses[0].ImageID; !strings.HasSuffix(got, mirrored.digest) {
				t.Errorf("%s runs as %s", ref, got)
			}
		}
	})
	t.Run("mounted archive", func(t *testing.T) {
		if seen := two.inNode(ctx, two.nodes[0], archive); seen != "/given.tar" {
			t.Errorf("the node sees it as %q", seen)
		}
		names, err := two.LoadArchive(ctx, archive)
		if err != nil || len(names) != 1 {
			t.Fatalf("%q, %v", names, err)
		}
		if there, err := two.imagesOf(ctx, two.nodes[0]); err != nil || there[names[0]] == "" {
			t.Errorf("the node has %v, %v", there, err)
		}
	})
	// As where the engine sees other files than this process.
	t.Run("not mounted", func(t *testing.T) {
		given := t.TempDir()
		two.options.Mounts = append(two.options.Mounts, Mount{HostPath: given, NodePath: "/never/mounted"})
		if err := os.WriteFile(filepath.Join(given, "file"), []byte("copied"), 0o666); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := two.Deliver(ctx, given); err != nil {
				t.Fatal(err)
			}
		}
		if got := docker(t, "exec", two.nodes[0], "cat", "/never/mounted/file"); !slices.Equal(got, []string{"copied"}) {
			t.Errorf("the node has %q", got)
		}
	})
	t.Run("archives", func(t *testing.T) { archives(t, ctx, two) })
	t.Run("open", func(t *testing.T) { open(t, ctx, two) })
	t.Run("support", func(t *testing.T) { support(t, ctx, two) })
}

// pulledAhead: the kubelet finds what the nodes were told to pull, and pulls no
// more. The registry is then asked for nothing that is there.
func pulledAhead(t *testing.T, ctx context.Context, c *Cluster, m mirrored) {
	const absent = "root.example/team/none:v1"
	for range 2 {
		if err := c.PullImage(ctx, m.refs[0]); err != nil {
			t.Fatal(err)
		}
	}
	pod := startPod(t, ctx, c, "ahead", m.refs[0], corev1.PullNever)
	if got := pod.Status.ContainerStatuses[0].ImageID; !strings.HasSuffix(got, m.digest) {
		t.Errorf("%s runs as %s", m.refs[0], got)
	}
	for _, name := range []string{absent, "no name"} {
		if err := c.PullImage(ctx, name); err == nil {
			t.Errorf("pulling %q is no error", name)
		} else {
			t.Log(err)
		}
	}
}

// archives loads a folder of a docker archive, a gzipped one and a layout.
func archives(t *testing.T, ctx context.Context, c *Cluster) {
	dir := t.TempDir()
	for _, make := range []string{
		`ln -s "$(../../scripts/images/build.sh -archive scratch-static)" "$0/a.tar"`,
		`gzip -1 < "$(../../scripts/images/build.sh -archive exit0)" > "$0/b.tgz"`,
	} {
		if out, err := exec.Command("sh", "-c", make, dir).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	img := fixture(t, "musl")
	digest, _ := img.Digest()
	to, err := layout.Write(filepath.Join(dir, "c"), empty.Index)
	if err == nil {
		err = to.AppendImage(img, layout.WithAnnotations(map[string]string{imageName: "quay.io/team/musl:v3"}))
	}
	if err != nil {
		t.Fatal(err)
	}
	names, err := c.LoadArchive(ctx, dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%q", names)
	if len(names) != 3 || !slices.Contains(names, "quay.io/team/musl:v3") {
		t.Errorf("names: %q", names)
	}
	there, err := c.imagesOf(ctx, c.nodes[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range names {
		if d := there[n]; d == "" || there[repository(n)+"@"+d] != d {
			t.Errorf("%s has digest %q and is called %q by it", n, d, there[repository(n)+"@"+d])
		}
	}
	if there["quay.io/team/musl@"+digest.String()] != digest.String() {
		t.Error("the layout's image has lost its digest")
	}
	startPod(t, ctx, c, "archived", "quay.io/team/musl:v3", corev1.PullNever)

	if err := os.WriteFile(filepath.Join(dir, "d.tar"), []byte("no archive"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{filepath.Join(dir, "d.tar"), filepath.Join(dir, "none"), t.TempDir()} {
		if _, err := c.LoadArchive(ctx, bad); fault.CodeOf(ctx, err) != fault.Usage {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

// open uses the cluster as one that is there.
func open(t *testing.T, ctx context.Context, c *Cluster) {
	config, err := clientcmd.LoadFromFile(c.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	mine := config.CurrentContext
	config.Contexts["dead"] = config.Contexts[mine].DeepCopy()
	config.Contexts["dead"].Cluster = "dead"
	config.Clusters["dead"] = config.Clusters[config.Contexts[mine].Cluster].DeepCopy()
	config.Clusters["dead"].Server = "https://127.0.0.1:1"
	config.Contexts["stranger"] = config.Contexts[mine].DeepCopy()
	config.Contexts["stranger"].AuthInfo = "stranger"
	config.AuthInfos["stranger"] = config.AuthInfos[config.Contexts[mine].AuthInfo].DeepCopy()
	config.AuthInfos["stranger"].ClientCertificateData, config.AuthInfos["stranger"].ClientKeyData = nil, nil
	config.AuthInfos["stranger"].Token = "wrong"
	config.CurrentContext = "dead"
	users := filepath.Join(t.TempDir(), "config")
	here := config.Clusters[config.Contexts[mine].Cluster]
	if err := os.WriteFile(filepath.Join(filepath.Dir(users), "ca.crt"), here.CertificateAuthorityData, 0o644); err != nil {
		t.Fatal(err)
	}
	here.CertificateAuthorityData, here.CertificateAuthority = nil, "ca.crt"
	if err := clientcmd.WriteToFile(*config, users); err != nil {
		t.Fatal(err)
	}
	before, _ := os.ReadFile(users)

	t.Setenv("KUBECONFIG", users)
	dir := t.TempDir()
	opened, err := Open(ctx, "", mine, dir)
	if err != nil {
		t.Fatal(err)
	}
	private, err := clientcmd.LoadFromFile(opened.Kubeconfig)
	if err != nil || len(private.Contexts) != 1 || private.CurrentContext != mine || opened.Own {
		t.Errorf("opened %+v with %d contexts, %v", opened, len(private.Contexts), err)
	}
	for _, to := range private.Clusters {
		if len(to.CertificateAuthorityData) == 0 || to.CertificateAuthority != "" {
			t.Errorf("the private kubeconfig depends on the file %q", to.CertificateAuthority)
		}
	}
	if err := opened.WaitReady(ctx, true); err != nil {
		t.Error(err)
	}
	if err := opened.LoadImage(ctx, fixture(t, "scratch-static"), []string{"x"}); err == nil {
		t.Error("a foreign cluster was loaded with an image")
	}
	if err := opened.Delete(ctx); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(opened.Kubeconfig); err == nil {
		t.Error("the private kubeconfig is left behind")
	}
	if err := c.WaitReady(ctx, true); err != nil {
		t.Errorf("after an opened cluster was deleted: %v", err)
	}
	for _, bad := range []struct {
		kubeconfig, context, says, hint string
		code                            fault.Code
	}{
		{users, "none", `no context "none"`, "choose one of dead, " + mine, fault.Usage},
		{users, "", "connection refused", "check that the cluster runs", fault.Infra},
		{users, "stranger", "reaching cluster stranger", "log in", fault.Infra},
		{filepath.Join(dir, "none"), "", "none", "check the path", fault.Usage},
		{os.DevNull, "", "no current context", "name a kubeconfig", fault.Usage},
	} {
		_, err := Open(ctx, bad.kubeconfig, bad.context, dir)
		if err == nil || fault.CodeOf(ctx, err) != bad.code || !strings.Contains(err.Error(), bad.says) || !strings.Contains(fault.HintOf(err), bad.hint) {
			t.Errorf("%+v: %v; hint: %s", bad, err, fault.HintOf(err))
		}
		if left, _ := os.ReadDir(dir); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	}
	if after, _ := os.ReadFile(users); string(after) != string(before) {
		t.Error("the user's kubeconfig was changed")
	}
}

// support collects a bundle that holds what it should and no secret.
func support(t *testing.T, ctx context.Context, c *Cluster) {
	_, err := c.Client.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "kubescape"}}, metav1.CreateOptions{})
	if err == nil {
		_, err = c.Client.CoreV1().Secrets("kubescape").Create(ctx, &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Name: "s", Annotations: map[string]string{"kubectl.kubernetes.io/last-applied-configuration": "hunter2"}},
			StringData: map[string]string{"password": "hunter2"},
		}, metav1.CreateOptions{})
	}
	if err == nil {
		_, err = c.Client.CoreV1().ConfigMaps("kubescape").Create(ctx, &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Name: "m"}, Data: map[string]string{"key": "tok-123"},
		}, metav1.CreateOptions{})
	}
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "support")
	began := time.Now()
	if err := c.Support(ctx, dir, func(s string) string { return strings.ReplaceAll(s, "tok-123", "REDACTED") }); err != nil {
		t.Fatal(err)
	}
	size, all := 0, map[string]string{}
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := os.ReadFile(path)
		name, _ := filepath.Rel(dir, path)
		all[name] = string(raw)
		size += len(raw)
		for _, secret := range []string{"hunter2", "aHVudGVyMg==", "tok-123"} {
			if strings.Contains(string(raw), secret) {
				t.Errorf("%s holds %s", name, secret)
			}
		}
		return err
	})
	t.Logf("%d files, %d bytes in %.1f s, %v; missed:\n%s", len(all), size, time.Since(began).Seconds(), err, all["errors.txt"])
	for name, holds := range map[string]string{
		"nodes.json":                                     c.Name + "-control-plane",
		"kubescape/secrets.json":                         `"password": "left out"`,
		"kubescape/configmaps.json":                      "REDACTED",
		"kube-system/pods.json":                          "kube-apiserver",
		"kube-system/events.json":                        "coredns",
		"nodes/" + c.Name + "-control-plane/kubelet.log": "kubelet",
	} {
		if !strings.Contains(all[name], holds) {
			t.Errorf("%s does not hold %s but %.300s", name, holds, all[name])
		}
	}
	if !slices.ContainsFunc(slices.Collect(maps.Keys(all)), func(s string) bool { return strings.HasPrefix(s, "kube-system/logs/kube-apiserver") }) {
		t.Error("there is no log of the API server")
	}
}

// mirrored is an image that is only in a mirror.
type mirrored struct {
	mirrors map[string]string
	refs    []string
	digest  string
}

// mirrorRegistry serves a real registry where nodes can reach this machine, by
// its root for one registry and by a path, as a proxy of several would have,
// for another.
func mirrorRegistry(t *testing.T) mirrored {
	t.Helper()
	nodeImage(t)
	at := clustertest.Registry(t, nil)
	img := fixture(t, "go-app")
	digest, err := img.Digest()
	if err != nil {
		t.Fatal(err)
	}
	push(t, img, at.Here+"/team/app:v1")
	push(t, img, at.Here+"/proxy/team/app:v1")
	return mirrored{
		mirrors: map[string]string{"root.example": "http://" + at.There, "path.example": "http://" + at.There + "/proxy"},
		refs:    []string{"root.example/team/app:v1", "path.example/team/app@" + digest.String()},
		digest:  digest.String(),
	}
}

func push(t *testing.T, img v1.Image, to string) {
	t.Helper()
	ref, err := name.ParseReference(to, name.Insecure)
	if err == nil {
		err = remote.Write(ref, img)
	}
	if err != nil {
		t.Fatal(err)
	}
}
