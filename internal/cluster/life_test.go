package cluster

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vexxy/action/internal/journal"
)

// TestClusterLife is the life of a cluster as a run uses it: nodes, images while the
// control plane boots, a pod by the published digest, and nothing left.
func TestClusterLife(t *testing.T) {
	image := nodeImage(t)
	before := volumes(t)
	run := newRun(t)
	state := t.TempDir()
	j, err := journal.Open(filepath.Join(t.TempDir(), "out"), run, state)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close("error") })
	mount := t.TempDir()
	if err := os.WriteFile(filepath.Join(mount, "here"), []byte("mounted"), 0o644); err != nil {
		t.Fatal(err)
	}
	c := newCluster(t, Options{RunID: run, NodeImage: image, Pids: 77, Journal: j, Mounts: []Mount{{mount, "/vexxy", true}}})
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()

	began := time.Now()
	if err := c.Start(ctx); err != nil {
		t.Fatal(err)
	}
	t.Logf("nodes after %.1f s", time.Since(began).Seconds())
	img := fixture(t, "go-app")
	digest, err := img.Digest()
	if err != nil {
		t.Fatal(err)
	}
	named := "registry.example/team/app@" + digest.String()
	if err := c.LoadImage(ctx, img, []string{named, "registry.example/team/app:v1"}); err != nil {
		t.Fatal(err)
	}
	t.Logf("image after %.1f s", time.Since(began).Seconds())
	if err := c.WaitAPI(ctx); err != nil {
		t.Fatal(err)
	}
	t.Logf("API after %.1f s", time.Since(began).Seconds())
	if err := c.WaitReady(ctx, true); err != nil {
		t.Fatal(err)
	}
	t.Logf("ready after %.1f s", time.Since(began).Seconds())

	info, err := os.Stat(c.Kubeconfig)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the kubeconfig has mode %v, %v", info.Mode(), err)
	}
	if same, err := c.SameKernel(ctx, c.Name+"-control-plane"); err != nil || !same {
		t.Errorf("the node runs on this kernel, SameKernel says %v, %v", same, err)
	}
	if out := docker(t, "exec", c.Name+"-control-plane", "sh", "-c", "cat /vexxy/here; grep -i podPidsLimit /var/lib/kubelet/config.yaml; touch /vexxy/x 2>/dev/null || echo kept"); !strings.Contains(strings.Join(out, " "), "mounted") || !strings.Contains(strings.Join(out, " "), "podPidsLimit:_77") || !strings.Contains(strings.Join(out, " "), "kept") {
		t.Errorf("the node says %q", out)
	}
	manager := strings.Join(docker(t, "exec", c.Name+"-control-plane", "cat", "/etc/kubernetes/manifests/kube-controller-manager.yaml"), " ")
	for _, want := range []string{"--kube-api-qps=500", "--kube-api-burst=500", "--leader-elect=false", "--enable-hostpath-provisioner=true"} {
		if !strings.Contains(manager, want) {
			t.Errorf("the controller manager runs without %s", want)
		}
	}
	pod := startPod(t, ctx, c, "app", named, corev1.PullNever)
	if got := pod.Status.ContainerStatuses[0].ImageID; !strings.HasSuffix(got, digest.String()) {
		t.Errorf("the pod's image ID is %s, published is %s", got, digest)
	}

	began = time.Now()
	if err := c.Delete(ctx); err != nil {
		t.Fatal(err)
	}
	t.Logf("deleted in %.1f s", time.Since(began).Seconds())
	if err := c.Delete(ctx); err != nil {
		t.Errorf("deleting twice: %v", err)
	}
	if left := remains(t, run); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
	if _, err := os.Stat(c.Kubeconfig); err == nil {
		t.Error("the kubeconfig is left behind")
	}
	for _, v := range volumes(t) {
		if !slices.Contains(before, v) {
			t.Errorf("volume %s is left behind", v)
		}
	}
	if err := j.Close("pass"); err != nil {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(filepath.Join(state, "runs", "*")); len(left) > 0 {
		t.Errorf("the journal still lists something: %q", left)
	}
}

// fixture opens an image of scripts/images.
func fixture(t *testing.T, name string) v1.Image {
	t.Helper()
	index, err := layout.ImageIndexFromPath(fixtureDir(t, name))
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	img, err := index.Image(manifest.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// startPod runs a pod and waits until its container runs.
func startPod(t *testing.T, ctx context.Context, c *Cluster, name, image string, pull corev1.PullPolicy) *corev1.Pod {
	t.Helper()
	no := false
	pods := c.Client.CoreV1().Pods("default")
	_, err := pods.Create(ctx, &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: corev1.PodSpec{
			AutomountServiceAccountToken: &no,
			Containers:                   []corev1.Container{{Name: "app", Image: image, ImagePullPolicy: pull}},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for {
		pod, err := pods.Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if s := pod.Status.ContainerStatuses; len(s) == 1 && s[0].State.Running != nil {
			return pod
		}
		select {
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
			t.Fatalf("the pod does not run: %+v", pod.Status)
		}
	}
}
