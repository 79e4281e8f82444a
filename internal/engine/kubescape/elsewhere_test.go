package kubescape

import (
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

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
		{"in two pods", []corev1.Pod{pod("a", nil, nil), pod("b", nil, nil)}, []string{"container web of pod b"}},
	} {
		got := runsElsewhere(c.pods, watched, func(image string) bool { return sameRepository(image, "shop") })
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, not %q", c.name, got, c.want)
		}
	}
}
