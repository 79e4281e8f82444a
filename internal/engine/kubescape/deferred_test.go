package kubescape

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
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
	pods := func(o *unstructured.Unstructured) int64 { return whole(o.Object["spec"].(map[string]any), "replicas", -1) }
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
	now, err := d.put([]string{kubevuln, storage, both, other, pair}, later)
	if err != nil || !slices.Equal(now, []string{storage, both, other}) || !slices.Equal(d.archives, []string{kubevuln, pair}) {
		t.Errorf("at once %q, later %q, %v", now, d.archives, err)
	}
	// Where the chart cannot be read nothing waits.
	d = newDeferred()
	if now, err := d.put([]string{kubevuln}, nil); err != nil || len(now) != 1 || len(d.archives) != 0 {
		t.Errorf("without a chart at once %q, later %q, %v", now, d.archives, err)
	}
	broken := filepath.Join(t.TempDir(), "broken.tar")
	write(t, broken, "no archive")
	if _, err := d.put([]string{broken}, later); err == nil {
		t.Error("a broken archive is no error")
	}
}

// One of several images starts what was deferred; who is cancelled does not
// wait for it.
func TestCompleteTakesTurns(t *testing.T) {
	e := &Engine{deferred: newDeferred()}
	e.deferred.turn <- struct{}{} // another image is at it
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("the run's end")
	cancel(cause)
	if err := e.complete(ctx); !errors.Is(err, cause) {
		t.Errorf("got %v", err)
	}
	e.deferred.started = true
	<-e.deferred.turn
	if err := e.complete(t.Context()); err != nil {
		t.Error(err)
	}
	if err := (&Engine{}).complete(t.Context()); err != nil {
		t.Errorf("where nothing was deferred: %v", err)
	}
}
