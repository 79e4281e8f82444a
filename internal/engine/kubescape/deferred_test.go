package kubescape

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/vexxy/action/internal/cluster"
)

// rendered is the test chart as a run renders it.
func rendered(t *testing.T) []*unstructured.Unstructured {
	t.Helper()
	objects, err := (&Engine{}).ownChart(t.Context(), loaded{path: testChart})
	if err != nil {
		t.Fatal(err)
	}
	return objects
}

// In a cluster of the run's own the matchers get their pods later, and nothing
// else does.
func TestMatchersAreParked(t *testing.T) {
	objects := rendered(t)
	pods := func(o *unstructured.Unstructured) int64 {
		return whole(o.Object["spec"].(map[string]any), "replicas", -1)
	}
	for _, o := range objects {
		if o.GetKind() == "Deployment" && o.GetName() == "kubevuln" {
			o.Object["spec"].(map[string]any)["replicas"] = int64(2)
		}
	}
	in, err := encode(objects)
	if err != nil {
		t.Fatal(err)
	}
	d := newDeferred()
	out, err := eager{d}.Run(in)
	if err != nil {
		t.Fatal(err)
	}
	parked, err := decode(out, "the output")
	if err != nil || len(parked) != len(objects) {
		t.Fatalf("%d objects, want %d: %v", len(parked), len(objects), err)
	}
	for i, o := range parked {
		if o.GetKind() != "Deployment" {
			continue
		}
		want := pods(objects[i])
		if o.GetName() == "kubevuln" || o.GetName() == "operator" {
			want = 0
		}
		if got := pods(o); got != want {
			t.Errorf("%s has %d pods, want %d", o.GetName(), got, want)
		}
	}
	if want := map[string]int64{"kubevuln": 2, "operator": 1}; !maps.Equal(d.parked, want) {
		t.Errorf("parked are %v, want %v", d.parked, want)
	}
}

// archiveOf writes a docker archive that has nothing but names.
func archiveOf(t *testing.T, names ...string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "images.tar")
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	list := fmt.Sprintf(`[{"RepoTags":["%s"]}]`, names[0])
	for _, n := range names[1:] {
		list = list[:len(list)-1] + fmt.Sprintf(`,{"RepoTags":["%s"]}]`, n)
	}
	w := tar.NewWriter(f)
	if err := w.WriteHeader(&tar.Header{Name: "manifest.json", Mode: 0o644, Size: int64(len(list))}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte(list)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return file
}

// An archive waits only if the matchers alone have use for it.
func TestArchivesAreSetAside(t *testing.T) {
	soon, later := apart(rendered(t))
	if len(soon) == 0 || len(later) == 0 {
		t.Fatalf("%d and %d objects", len(soon), len(later))
	}
	kubevuln, storage := archiveOf(t, "vexxy.test/kubevuln:v0.3.154"), archiveOf(t, "vexxy.test/storage:v0.0.290")
	both, other := archiveOf(t, "vexxy.test/operator-stand-in:1", "vexxy.test/storage:v0.0.290"), archiveOf(t, "postgres:17")
	pair := archiveOf(t, "vexxy.test/operator-stand-in:2", "vexxy.test/kubevuln:v0.3.154")
	d := newDeferred()
	now, err := d.put([]string{kubevuln, storage, both, other, pair}, later, nil)
	if err != nil || !slices.Equal(now, []string{storage, both, other}) || !slices.Equal(d.archives, []string{kubevuln, pair}) {
		t.Errorf("at once %q, later %q, %v", now, d.archives, err)
	}
	// What something else wants earlier does not wait.
	d = newDeferred()
	now, err = d.put([]string{kubevuln, pair}, later, []string{"vexxy.test/kubevuln:v0.3.153"})
	if err != nil || !slices.Equal(now, []string{kubevuln, pair}) || len(d.archives) != 0 {
		t.Errorf("with another use at once %q, later %q, %v", now, d.archives, err)
	}
	// Where the chart cannot be read nothing waits.
	d = newDeferred()
	if now, err := d.put([]string{kubevuln}, nil, nil); err != nil || len(now) != 1 || len(d.archives) != 0 {
		t.Errorf("without a chart at once %q, later %q, %v", now, d.archives, err)
	}
	broken := filepath.Join(t.TempDir(), "broken.tar")
	write(t, broken, "no archive")
	if _, err := d.put([]string{broken}, later, nil); err == nil {
		t.Error("a broken archive is no error")
	}
}

// One of several images starts what was deferred, and what came of it is known
// to all. Who is cancelled does not wait for it, and leaves it to the next.
func TestCompleteTakesTurns(t *testing.T) {
	e := &Engine{deferred: newDeferred(), progress: silence{}, options: Options{InstallTimeout: time.Second}}
	e.kubescape.namespace = Namespace
	client := fake.NewClientset(deploymentOf("kubevuln", 0), deploymentOf("operator", 0))
	e.cluster = &cluster.Cluster{Client: client}
	e.deferred.parked = map[string]int64{"kubevuln": 2, "operator": 1}

	e.deferred.turn <- struct{}{} // another image is at it
	cause := errors.New("the run's end")
	cancelled, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	if err := e.complete(cancelled); !errors.Is(err, cause) {
		t.Errorf("got %v", err)
	}
	<-e.deferred.turn
	if err := e.complete(cancelled); err == nil || e.deferred.over {
		t.Errorf("who is cancelled gets %v and decides for the others: %v", err, e.deferred.over)
	}
	// Nobody makes pods here: they never get ready.
	first := e.complete(t.Context())
	if first == nil || !strings.Contains(first.Error(), "0 of") {
		t.Errorf("got %v", first)
	}
	for name, want := range e.deferred.parked {
		d, err := client.AppsV1().Deployments(Namespace).Get(t.Context(), name, metav1.GetOptions{})
		if err != nil || int64(*d.Spec.Replicas) != want {
			t.Errorf("%s: %+v, %v", name, d.Spec.Replicas, err)
		}
	}
	asked := len(client.Actions())
	if second := e.complete(t.Context()); second != first || len(client.Actions()) != asked {
		t.Errorf("the second image gets %v after %d requests", second, len(client.Actions())-asked)
	}
	// A cluster that is kept although it never came up has nobody to ask.
	if err := (&Engine{deferred: newDeferred(), cluster: &cluster.Cluster{}}).unpark(t.Context()); err != nil {
		t.Errorf("where nothing was installed: %v", err)
	}
	if err := (&Engine{}).complete(t.Context()); err != nil {
		t.Errorf("where nothing was deferred: %v", err)
	}
}

// The pods that are still to come are counted with those that are there.
func TestReserved(t *testing.T) {
	e := &Engine{deferred: newDeferred()}
	e.kubescape.namespace = Namespace
	e.cluster = &cluster.Cluster{Client: fake.NewClientset(deploymentOf("kubevuln", 0), deploymentOf("operator", 0))}
	e.deferred.parked = map[string]int64{"kubevuln": 2, "operator": 1}
	got, err := e.reserved(t.Context())
	if err != nil || math.Abs(got.cpu-0.15) > 1e-9 || got.memory != 3*(100<<20) {
		t.Errorf("got %+v, %v", got, err)
	}
	e.deferred.parked["none"] = 1
	if _, err := e.reserved(t.Context()); err == nil {
		t.Error("a Deployment that is gone is no error")
	}
	if got, err := (&Engine{}).reserved(t.Context()); err != nil || got != (share{}) {
		t.Errorf("where nothing was deferred: %+v, %v", got, err)
	}
}

// deploymentOf is one of the matchers' Deployments, which asks for 50m and 100 MiB.
func deploymentOf(name string, pods int32) *appsv1.Deployment {
	requests := corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("50m"), corev1.ResourceMemory: resource.MustParse("100Mi")}
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: Namespace, Labels: map[string]string{component: name}},
		Spec: appsv1.DeploymentSpec{Replicas: &pods, Template: corev1.PodTemplateSpec{
			Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: name, Resources: corev1.ResourceRequirements{Requests: requests}}}},
		}},
	}
}

// silence is a progress that nobody is shown.
type silence struct{}

func (silence) Step(string) func(error) { return func(error) {} }
func (silence) Window(time.Duration)    {}
func (silence) Seen(int, int)           {}
func (silence) Note(string)             {}
