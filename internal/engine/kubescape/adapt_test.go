package kubescape

import (
	"errors"
	"maps"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/vexxy/action/internal/fault"
)

const shop = `
apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: ConfigMap, metadata: {name: shop, namespace: elsewhere}}
- {apiVersion: v1, kind: ServiceAccount, metadata: {name: clerk}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: clerk}
subjects:
- {kind: ServiceAccount, name: clerk, namespace: elsewhere}
- {kind: ServiceAccount, name: stranger, namespace: elsewhere}
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: nightly}
spec: {jobTemplate: {spec: {template: {spec: {containers: [{name: sum, image: example.com/sum:1}]}}}}}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: shop, labels: {app: shop}}
spec:
  replicas: 3
  template:
    metadata: {labels: {app: shop}}
    spec:
      imagePullSecrets: [{name: theirs}]
      containers:
      - {name: beside, image: example.com/beside:1}
      - name: web
        image: example.com/shop:1
        imagePullPolicy: Always
        ports: [{containerPort: 9000}, {containerPort: 53, protocol: UDP}, {containerPort: 80}]
        readinessProbe: {httpGet: {path: /, port: 80}}
`

func objectsOf(t *testing.T, manifest string) []*unstructured.Unstructured {
	t.Helper()
	all, err := decode(strings.NewReader(manifest), "manifest")
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// shopAdapter knows which kinds belong to no namespace as an API server would.
func shopAdapter() adapter {
	return adapter{
		labels: map[string]string{labelRun: "r1"}, annotations: map[string]string{annotateExpiry: "later"},
		workload: "vexxy-w", window: "45s", reference: "example.com/shop@sha256:1", repository: "example.com/shop",
		pull: corev1.PullIfNotPresent, secret: "ours",
		scope:   func(k schema.GroupVersionKind) (bool, error) { return !strings.HasPrefix(k.Kind, "Cluster"), nil },
		subject: func(image, _ string) bool { return sameRepository(image, "example.com/shop") },
	}
}

func find(t *testing.T, all []*unstructured.Unstructured, kind string) *unstructured.Unstructured {
	t.Helper()
	for _, o := range all {
		if o.GetKind() == kind {
			return o
		}
	}
	t.Fatalf("there is no %s", kind)
	return nil
}

// Everything comes into the sandbox with the run's marks; one container is the
// observed one, and what is beside it keeps its image.
func TestAdapt(t *testing.T) {
	all := objectsOf(t, shop)
	got, err := shopAdapter().adapt(all)
	if err != nil {
		t.Fatal(err)
	}
	if s := got.String(); s != "StatefulSet/shop/web" {
		t.Errorf("the observed container is %s", s)
	}
	if got.container.ReadinessProbe == nil {
		t.Error("its readiness probe is forgotten")
	}
	if p := got.ports([]int{7000, 80}); len(p) != 3 || p[0] != 7000 || p[1] != 80 || p[2] != 9000 {
		t.Errorf("its ports are %v", p)
	}
	for _, o := range all {
		if o.GetNamespace() != Sandbox || o.GetLabels()[labelRun] != "r1" || o.GetAnnotations()[annotateExpiry] != "later" {
			t.Errorf("%s is in namespace %q with labels %v, annotations %v", titleOf(o), o.GetNamespace(), o.GetLabels(), o.GetAnnotations())
		}
	}
	set := find(t, all, "StatefulSet")
	labels, _, _ := unstructured.NestedStringMap(set.Object, "spec", "template", "metadata", "labels")
	want := map[string]string{"app": "shop", labelRun: "r1", labelWindow: "45s", labelWorkload: "vexxy-w"}
	if !maps.Equal(labels, want) {
		t.Errorf("its pods have labels %v, not %v", labels, want)
	}
	if n, _, _ := unstructured.NestedInt64(set.Object, "spec", "replicas"); n != 1 {
		t.Errorf("it has %d pods", n)
	}
	containers, _, _ := unstructured.NestedSlice(set.Object, "spec", "template", "spec", "containers")
	web, beside := containers[1].(map[string]any), containers[0].(map[string]any)
	if web["image"] != "example.com/shop@sha256:1" || web["imagePullPolicy"] != "IfNotPresent" {
		t.Errorf("the observed container is %v", web)
	}
	if beside["image"] != "example.com/beside:1" || beside["imagePullPolicy"] != nil {
		t.Errorf("the other container is %v", beside)
	}
	secrets, _, _ := unstructured.NestedSlice(set.Object, "spec", "template", "spec", "imagePullSecrets")
	if len(secrets) != 2 || secrets[1].(map[string]any)["name"] != "ours" {
		t.Errorf("it pulls with %v", secrets)
	}
	nightly, _, _ := unstructured.NestedStringMap(find(t, all, "CronJob").Object, "spec", "jobTemplate", "spec", "template", "metadata", "labels")
	if nightly[labelRun] != "r1" || nightly[labelWorkload] != "" || nightly[labelWindow] != "" {
		t.Errorf("the pods of another workload have labels %v", nightly)
	}
	subjects, _, _ := unstructured.NestedSlice(find(t, all, "RoleBinding").Object, "subjects")
	for i, want := range []string{Sandbox, "elsewhere"} {
		if got := subjects[i].(map[string]any)["namespace"]; got != want {
			t.Errorf("subject %d of the binding is in %v, not in %s", i, got, want)
		}
	}
}

func TestAdaptPod(t *testing.T) {
	all := objectsOf(t, `{"apiVersion": "v1", "kind": "Pod", "metadata": {"generateName": "one-"}, "spec": {"containers": [{"name": "c", "image": "docker.io/library/shop:1"}]}}`)
	a := shopAdapter()
	a.repository, a.secret = "index.docker.io/library/shop", ""
	got, err := a.adapt(all)
	if err != nil {
		t.Fatal(err)
	}
	if got.String() != "Pod/one-vexxy-w/c" || all[0].GetLabels()[labelWindow] != "45s" || all[0].GetLabels()[labelRun] != "r1" {
		t.Errorf("it is %s with labels %v", got, all[0].GetLabels())
	}
}

func TestAdaptRefuses(t *testing.T) {
	pod := `{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {containers: [{name: c, image: example.com/shop}]}}`
	for _, c := range []struct{ name, manifest, want string }{
		{"a namespace", pod + "\n---\n{apiVersion: v1, kind: Namespace, metadata: {name: shop}}", "Namespace shop"},
		{"an object of no namespace", pod + "\n---\n{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: all}}", "ClusterRole all"},
		{"two of a name", pod + "\n---\n" + strings.Replace(pod, "name: p", "name: p, namespace: other", 1), "Pod p is there twice"},
		{"labels that are none", `{apiVersion: v1, kind: Pod, metadata: {name: p, labels: {a: {b: c}}}, spec: {containers: [{name: c, image: example.com/shop}]}}`, "Pod p"},
		{"a container that is none", `{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {containers: [web]}}`, "Pod p"},
		{"a pod that is none", `{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {containers: [{name: c, image: example.com/shop, ports: nine}]}}`, "Pod p"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := shopAdapter().adapt(objectsOf(t, c.manifest))
			var f *fault.Error
			if !errors.As(err, &f) || f.Code != fault.Usage || f.Hint == "" || !strings.Contains(err.Error(), c.want) {
				t.Errorf("the error is %v (%+v)", err, f)
			}
		})
	}
	a := shopAdapter()
	a.own = true
	if _, err := a.adapt(objectsOf(t, pod+"\n---\n{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: all}}")); err != nil {
		t.Errorf("a cluster of the run's own does not take it: %v", err)
	}
}
