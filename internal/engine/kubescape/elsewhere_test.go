package kubescape

import (
	"slices"
	"strings"
	"testing"

	helmrelease "helm.sh/helm/v3/pkg/release"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vexxy/action/internal/source"
	"github.com/vexxy/action/internal/subject"
)

// local is an image that nobody published, known by a name of its own.
var local = source.Image{Subject: subject.Subject{Requested: "docker-daemon:shop:1", ConfigDigest: "sha256:" + strings.Repeat("c", 64)}}

// Every run of the image beside the watched one is told, in whatever place.
func TestRunsElsewhere(t *testing.T) {
	pod := func(name string, init, beside []string) corev1.Pod {
		p := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name}}
		for _, image := range init {
			p.Spec.InitContainers = append(p.Spec.InitContainers, corev1.Container{Name: "init", Image: image})
		}
		p.Spec.Containers = []corev1.Container{{Name: "web", Image: "shop:1"}}
		for _, image := range beside {
			p.Spec.Containers = append(p.Spec.Containers, corev1.Container{Name: "beside", Image: image})
		}
		return p
	}
	runs := func(p corev1.Pod, container, imageID string) corev1.Pod {
		p.Status.ContainerStatuses = append(p.Status.ContainerStatuses, corev1.ContainerStatus{Name: container, ImageID: imageID})
		return p
	}
	watched := instance{pod: "a", container: "web"}
	for _, c := range []struct {
		name string
		pods []corev1.Pod
		want []string
	}{
		{"alone", []corev1.Pod{pod("a", nil, nil)}, nil},
		{"with a database", []corev1.Pod{pod("a", []string{"busybox"}, []string{"postgres:16"})}, nil},
		{"prepared by itself", []corev1.Pod{pod("a", []string{"shop:1"}, nil)}, []string{"container init of pod a"}},
		{"with a worker", []corev1.Pod{pod("a", nil, []string{"shop:2"})}, []string{"container beside of pod a"}},
		{"under another name", []corev1.Pod{runs(pod("a", nil, []string{"mirror/store"}), "beside", "mirror/store@"+local.ConfigDigest)}, []string{"container beside of pod a"}},
		{"by its digest", []corev1.Pod{pod("a", nil, []string{"mirror/store@" + local.ConfigDigest})}, []string{"container beside of pod a"}},
		{"in two pods", []corev1.Pod{pod("a", nil, nil), pod("b", nil, nil)}, []string{"container web of pod b"}},
	} {
		got := runsElsewhere(c.pods, watched, isSubject(local, "run"))
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, not %q", c.name, got, c.want)
		}
	}
}

// What runs the image once, and may be gone at the window's end, is known from
// its description: jobs beside the chosen one, and a chart's hooks, whatever
// kind an operator makes pods of.
func TestRunsOnce(t *testing.T) {
	const job = `{"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "NAME"}, "spec": {"template": {"spec": {"containers": [{"name": "c", "image": "IMAGE"}]}}}}`
	of := func(name, image string) string { return strings.NewReplacer("NAME", name, "IMAGE", image).Replace(job) }
	const custom = `{"apiVersion": "shop.example/v1", "kind": "Migration", "metadata": {"name": "own"}, "spec": {"worker": {"initContainers": [{"image": "shop:2"}]}}}`
	objects, err := decode(strings.NewReader(of("chosen", "shop:1")+"\n---\n"+of("migrate", "shop:2")+"\n---\n"+of("seed", "postgres:16")), "a test")
	if err != nil {
		t.Fatal(err)
	}
	if got := passing(objects, objects[0], isSubject(local, "run")); !slices.Equal(got, []string{titleOf(objects[1])}) {
		t.Errorf("passing: %q", got)
	}
	hook := func(manifest string, events ...helmrelease.HookEvent) *helmrelease.Hook {
		return &helmrelease.Hook{Name: "h", Manifest: manifest, Events: events}
	}
	got, err := hooked([]*helmrelease.Hook{
		hook(of("migrate", "shop:2"), helmrelease.HookPreInstall), hook(custom, helmrelease.HookPostInstall),
		hook(of("seed", "postgres:16"), helmrelease.HookPreInstall), hook(of("smoke", "shop:1"), helmrelease.HookTest),
	}, isSubject(local, "run"))
	if err != nil || len(got) != 2 || !strings.Contains(got[0], "migrate") || !strings.Contains(got[1], "own") {
		t.Errorf("hooked: %q, %v", got, err)
	}
}
