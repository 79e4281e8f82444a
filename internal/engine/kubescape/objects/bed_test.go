package objects

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kubescape/storage/pkg/apis/softwarecomposition/v1beta1"
	"github.com/kubescape/storage/pkg/generated/clientset/versioned/fake"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	clienttest "k8s.io/client-go/testing"
)

// web is the container of the objects in testdata.
var web = Workload{Namespace: "demo", Kind: "Deployment", Name: "web", Container: "web"}

// real reads an object that a cluster made.
func real[T any](t testing.TB, name string) *T {
	t.Helper()
	data, err := os.ReadFile("testdata/" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	object := new(T)
	if err := json.Unmarshal(data, object); err != nil {
		t.Fatal(err)
	}
	return object
}

func realProfile(t testing.TB) *v1beta1.ContainerProfile {
	return real[v1beta1.ContainerProfile](t, "containerprofile")
}

// storage is the module's fake API with the real one's ways: LIST gives
// metadata alone and heeds no selector, and a WATCH is the end of the test.
func storage(t testing.TB, objects ...runtime.Object) *fake.Clientset {
	t.Helper()
	//lint:ignore SA1019 the new one wants managed fields, which these objects lack
	set := fake.NewSimpleClientset(objects...)
	set.PrependReactor("list", "*", func(a clienttest.Action) (bool, runtime.Object, error) {
		list := a.(clienttest.ListActionImpl)
		got, err := set.Tracker().List(a.GetResource(), list.GetKind(), a.GetNamespace())
		if err != nil || list.GetListOptions().ResourceVersion == "fullSpec" {
			return true, got, err
		}
		switch l := got.(type) {
		case *v1beta1.ContainerProfileList:
			for i := range l.Items {
				l.Items[i].Spec = v1beta1.ContainerProfileSpec{}
			}
		case *v1beta1.SBOMSyftList:
			for i := range l.Items {
				l.Items[i].Spec = v1beta1.SBOMSyftSpec{}
			}
		case *v1beta1.VulnerabilityManifestList:
			for i := range l.Items {
				l.Items[i].Spec = v1beta1.VulnerabilityManifestSpec{}
			}
		case *v1beta1.OpenVulnerabilityExchangeContainerList:
			for i := range l.Items {
				l.Items[i].Spec = v1beta1.VEX{}
			}
		}
		return true, got, nil
	})
	set.PrependWatchReactor("*", func(a clienttest.Action) (bool, watch.Interface, error) {
		t.Errorf("%s is watched", a.GetResource().Resource)
		return false, nil, nil
	})
	return set
}

// failing answers the first n requests of a kind with an error.
func failing(set *fake.Clientset, verb, resource string, n int, err error) *int {
	asked := new(int)
	set.PrependReactor(verb, resource, func(clienttest.Action) (bool, runtime.Object, error) {
		*asked++
		return *asked <= n, nil, err
	})
	return asked
}

var (
	busy      = apierrors.NewTooManyRequests("the queue is full", 2)
	ill       = apierrors.NewInternalError(io.ErrUnexpectedEOF)
	forbidden = apierrors.NewForbidden(schema.GroupResource{Group: "spdx", Resource: "x"}, "", io.EOF)
)

// kubevuln is an API server that hands requests to kubevuln on.
type kubevuln struct {
	asked atomic.Int32
	body  atomic.Value
	path  atomic.Value
}

// serve answers with what scan makes of the number of the request.
func serve(t testing.TB, scan func(n int) (code int)) (*kubevuln, kubernetes.Interface) {
	t.Helper()
	k := &kubevuln{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		k.body.Store(string(body))
		k.path.Store(r.Method + " " + r.URL.Path)
		if code := scan(int(k.asked.Add(1))); code != http.StatusOK {
			status := metav1.Status{TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: metav1.StatusFailure, Code: int32(code),
				Message: "no endpoints \x1b[31m", Reason: reasons[code]}
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(code)
			_ = json.NewEncoder(w).Encode(status)
		}
	}))
	t.Cleanup(server.Close)
	kube, err := kubernetes.NewForConfig(&rest.Config{Host: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	return k, kube
}

var reasons = map[int]metav1.StatusReason{
	http.StatusServiceUnavailable: metav1.StatusReasonServiceUnavailable, http.StatusForbidden: metav1.StatusReasonForbidden,
	http.StatusNotFound: metav1.StatusReasonNotFound, http.StatusInternalServerError: metav1.StatusReasonInternalError,
}

// quick are limits for tests on a real clock.
var quick = Limits{Profile: time.Second, SBOM: time.Second, Scan: 3 * time.Second, Straggler: 150 * time.Millisecond, Merge: 100 * time.Millisecond, Poll: 5 * time.Millisecond}

func says(t testing.TB, got string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(got, p) {
			t.Errorf("%q does not say %q", got, p)
		}
	}
	if strings.ContainsAny(got, "\x1b\n") {
		t.Errorf("%q is not fit for a terminal", got)
	}
}
