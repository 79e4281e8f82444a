package kubescape

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/fake"
	ktesting "k8s.io/client-go/testing"

	"github.com/vexxy/action/internal/cluster"
)

// The last of the runs before removes the sandbox between a run's look at it
// and its signing in. The run makes it anew, once.
func TestEnterVanishingSandbox(t *testing.T) {
	for _, c := range []struct {
		name     string
		vanishes int
		gone     bool // or else it stands, and something else is wrong
		fails    bool
		tries    int
	}{
		{"it stays", 0, true, false, 1},
		{"it goes once", 1, true, false, 2},
		{"it goes twice", 2, true, true, 2},
		{"it stands", 1, false, true, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			client := fake.NewClientset(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: Sandbox, Labels: map[string]string{labelRun: "another"}}})
			client.PrependReactor("get", "serviceaccounts", func(ktesting.Action) (bool, runtime.Object, error) {
				return true, &corev1.ServiceAccount{}, nil
			})
			tries := 0
			client.PrependReactor("create", "configmaps", func(a ktesting.Action) (bool, runtime.Object, error) {
				if tries++; tries > c.vanishes {
					return false, nil, nil
				}
				if c.gone {
					if err := client.Tracker().Delete(schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}, "", Sandbox); err != nil {
						t.Error(err)
					}
				}
				return true, nil, apierrors.NewForbidden(schema.GroupResource{Resource: "configmaps"}, "", nil)
			})
			e := &Engine{cluster: &cluster.Cluster{Client: client}, options: Options{RunID: "0123456789abcdef01234567", Deadline: time.Now().Add(time.Hour)}}
			err := e.enter(t.Context())
			if (err != nil) != c.fails || tries != c.tries {
				t.Errorf("after %d tries: %v", tries, err)
			}
			if n, err := client.CoreV1().Namespaces().Get(t.Context(), Sandbox, metav1.GetOptions{}); !c.fails && (err != nil || n.Labels[labelRun] == "") {
				t.Errorf("the sandbox is %+v, %v", n, err)
			}
		})
	}
}
