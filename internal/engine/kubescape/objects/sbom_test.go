package objects

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/kubescape/storage/pkg/apis/softwarecomposition/v1beta1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	workloadDigest = "sha256:58c74a870a9726bde312175ecbeaee5721ee371107b41f7048da05515b3916aa"
	otherDigest    = "sha256:0000000000000000000000000000000000000000000000000000000000000000"
)

var workloadNames = []string{"testbed/workload:1.0", "docker.io/testbed/workload@" + workloadDigest}

func realSBOM(t testing.TB) *v1beta1.SBOMSyft { return real[v1beta1.SBOMSyft](t, "sbomsyft") }

func TestSBOMIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := realSBOM(t)
		spec := s.Spec
		s.Spec, s.Annotations[keyStatus] = v1beta1.SBOMSyftSpec{}, "initializing"
		set := storage(t)
		failing(set, "list", "sbomsyfts", 1, ill)
		api := set.SpdxV1beta1().SBOMSyfts("kubescape")
		go func() {
			if _, err := api.Create(t.Context(), s, metav1.CreateOptions{}); err != nil {
				t.Error(err)
			}
			time.Sleep(30 * time.Second)
			s.Annotations[keyStatus] = "ready"
			if _, err := api.Update(t.Context(), s, metav1.UpdateOptions{}); err != nil {
				t.Error(err)
			}
			time.Sleep(10 * time.Second)
			s.Spec = spec
			if _, err := api.Update(t.Context(), s, metav1.UpdateOptions{}); err != nil {
				t.Error(err)
			}
		}()
		begun := time.Now()
		got, err := New(set, nil, "kubescape", Limits{}).SBOM(t.Context(), workloadNames)
		if err != nil || got.Error != "" || got.Status != "ready" || len(got.Object.Spec.Syft.Artifacts) != 20 || time.Since(begun) < 40*time.Second {
			t.Errorf("got %+v, %v after %s", got, err, time.Since(begun))
		}
	})
}

func TestSBOMThatWillNotBeReady(t *testing.T) {
	for status, want := range map[string][]string{
		"too-large":          {"too large", "maxSBOMSize"},
		"incomplete":         {"incomplete", "limits of CPU and memory"},
		"failed":             {"could not make"},
		"unauthorize":        {"may not read", "pull secret"},
		"missing-runtime":    {"no container runtime"},
		"unsupported-schema": {"old schema"},
		"initializing":       {"waiting 3m0s", "its status is initializing", "still reading the image"},
		"\x1b":               {`its status is \x1b`},
		"":                   {"its status is "},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := realSBOM(t)
			s.Annotations[keyStatus] = status
			got, err := New(storage(t, s), nil, "kubescape", Limits{}).SBOM(t.Context(), workloadNames)
			if err != nil || got.Status != status {
				t.Errorf("%q: got %+v, %v", status, got, err)
			}
			says(t, got.Error, want...)
		})
	}
	synctest.Test(t, func(t *testing.T) {
		got, err := New(storage(t), nil, "kubescape", Limits{}).SBOM(t.Context(), workloadNames)
		if err != nil || got.Object != nil || got.Status != "" {
			t.Errorf("got %+v, %v", got, err)
		}
		says(t, got.Error, "node-agent has posted none", "nodeSbomGeneration")
	})
}

func TestImageOf(t *testing.T) {
	is := func(tag, id string) map[string]string { return map[string]string{keyImageTag: tag, keyImageID: id} }
	real := is("docker.io/testbed/workload:1.0", "index.docker.io/testbed/workload@"+workloadDigest)
	loaded := is("docker.io/library/nginx:1", "docker.io/library/import-2026-11-25@"+workloadDigest)
	for _, row := range []struct {
		annotations map[string]string
		names       []string
		want        bool
	}{
		{real, workloadNames, true},
		{real, []string{"testbed/workload:1.0"}, true},
		{real, []string{workloadDigest}, true},
		{real, []string{"docker-pullable://testbed/workload@" + workloadDigest}, true},
		// An older image of the same tag.
		{real, []string{"testbed/workload:1.0", "testbed/workload@" + otherDigest}, false},
		{real, []string{"testbed/workload"}, false},
		{real, []string{""}, false},
		{real, nil, false},
		{loaded, []string{"nginx:1"}, true},
		{loaded, []string{"nginx:1", "docker.io/library/import-2026-11-25@" + workloadDigest}, true},
		{is("localhost:5000/a@"+workloadDigest, ""), []string{"localhost:5000/a@" + workloadDigest}, true},
		{is("", ""), []string{""}, false},
		{nil, []string{"a"}, false},
	} {
		if got := imageOf(row.annotations, row.names); got != row.want {
			t.Errorf("%v of %q: %t", row.annotations, row.names, got)
		}
	}
}
