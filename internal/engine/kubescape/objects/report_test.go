package objects

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kubescape/storage/pkg/apis/softwarecomposition/v1beta1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clienttest "k8s.io/client-go/testing"
)

// soleReport is the only report of the real profile's series.
func soleReport(t testing.TB) *v1beta1.ContainerProfile {
	p := realProfile(t)
	p.Name += "-5d0e7f0c9a8b4d6e8f1a2b3c4d5e6f70"
	p.Annotations[keySeries] = "0b1e5a52-6d2b-4a49-8f0c-1f6b4a7c2d90"
	p.Annotations[keyPrevious] = time.Time{}.String()
	return p
}

func TestSoleReportIsTheProfile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		got, err := New(storage(t, soleReport(t)), nil, "kubescape", Limits{}).Profile(t.Context(), web)
		if err != nil || !got.Whole() || got.Evidence.Opens != 5 || got.Object.Name != soleReport(t).Name || got.Evidence.Name != realProfile(t).Name || time.Since(begun) != 0 {
			t.Errorf("got %+v, %v after %s", got.Evidence, err, time.Since(begun))
		}
	})
}

// A report that may not be all there is to say waits for storage's merger.
func TestReportThatIsNotAll(t *testing.T) {
	since := web
	since.Since = soleReport(t).CreationTimestamp.Add(time.Minute)
	for name, row := range map[string]struct {
		spoil func(*v1beta1.ContainerProfile)
		among []runtime.Object
		want  Workload
	}{
		"there was one before":     {spoil: func(p *v1beta1.ContainerProfile) { p.Annotations[keyPrevious] = "2026-11-26 10:00:00 +0000 UTC" }},
		"nobody knows":             {spoil: func(p *v1beta1.ContainerProfile) { delete(p.Annotations, keyPrevious) }},
		"there is one to come":     {spoil: func(p *v1beta1.ContainerProfile) { p.Annotations[keyStatus] = statusReady }},
		"failed":                   {spoil: func(p *v1beta1.ContainerProfile) { p.Annotations[keyStatus] = statusFailed }},
		"partial":                  {spoil: func(p *v1beta1.ContainerProfile) { p.Annotations[keyCompletion] = completionPartial }},
		"empty":                    {spoil: func(p *v1beta1.ContainerProfile) { p.Spec.Execs, p.Spec.Opens = nil, nil }},
		"no workload":              {spoil: func(p *v1beta1.ContainerProfile) { delete(p.Annotations, keyWLID) }},
		"of an earlier workload":   {want: since},
		"beside another":           {among: []runtime.Object{func() runtime.Object { p := soleReport(t); p.Name = "web-7de1-4b2a-11"; return p }()}},
		"beside a begun profile":   {among: []runtime.Object{profiled(t, statusReady, completionWhole)}},
		"of a kind with many pods": {spoil: func(p *v1beta1.ContainerProfile) { p.Labels[keyKind] = "DaemonSet" }, want: Workload{Namespace: "demo", Kind: "DaemonSet", Name: "web", Container: "web"}},
		"beside an older profile":  {want: since, among: []runtime.Object{realProfile(t)}, spoil: func(p *v1beta1.ContainerProfile) { p.CreationTimestamp = metav1.NewTime(since.Since) }},
	} {
		synctest.Test(t, func(t *testing.T) {
			report := soleReport(t)
			if row.spoil != nil {
				row.spoil(report)
			}
			if row.want == (Workload{}) {
				row.want = web
			}
			begun := time.Now()
			got, err := New(storage(t, append(row.among, report)...), nil, "kubescape", Limits{}).Profile(t.Context(), row.want)
			if err != nil || got.Object != nil || got.Evidence.Error == "" || time.Since(begun) != 150*time.Second {
				t.Errorf("%s: got %+v, %v after %s", name, got, err, time.Since(begun))
			}
		})
	}
}

// Between the list and its fetching a report may be merged.
func TestReportThatIsMergedMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		report := soleReport(t)
		set := storage(t, report)
		profiles := schema.GroupVersionResource{Group: "spdx.softwarecomposition.kubescape.io", Version: "v1beta1", Resource: "containerprofiles"}
		set.PrependReactor("get", "containerprofiles", func(a clienttest.Action) (bool, runtime.Object, error) {
			if a.(clienttest.GetAction).GetName() != report.Name {
				return false, nil, nil
			}
			if err := set.Tracker().Delete(profiles, report.Namespace, report.Name); err == nil {
				err = set.Tracker().Add(realProfile(t))
				if err != nil {
					t.Error(err)
				}
			}
			return true, nil, apierrors.NewNotFound(profiles.GroupResource(), report.Name)
		})
		got, err := New(set, nil, "kubescape", Limits{}).Profile(t.Context(), web)
		if err != nil || !got.Whole() || got.Object.Name != realProfile(t).Name {
			t.Errorf("got %+v, %v", got.Evidence, err)
		}
	})
}

func TestScanOfAReport(t *testing.T) {
	report := soleReport(t)
	const ofReport = `{"args":{"name":"replicaset-web-5f8b68b8cc-web-7de1-4b2a-5d0e7f0c9a8b4d6e8f1a2b3c4d5e6f70","namespace":"demo"},"wlid":"wlid://cluster-bed/namespace-demo/deployment-web"}`
	const ofProfile = `{"args":{"name":"replicaset-web-5f8b68b8cc-web-7de1-4b2a","namespace":"demo"},"wlid":"wlid://cluster-bed/namespace-demo/deployment-web"}`
	for name, row := range map[string]struct {
		looks int // how often it is still there
		asked int32
		body  string
	}{
		"read in time":                    {1 << 30, 1, ofReport},
		"merged before kubevuln is asked": {0, 1, ofProfile},
		"merged before kubevuln reads it": {1, 2, ofProfile},
	} {
		set := storage(t, report, realProfile(t))
		looks := 0
		set.PrependReactor("get", "containerprofiles", func(a clienttest.Action) (bool, runtime.Object, error) {
			if looks++; a.(clienttest.GetAction).GetName() != report.Name || looks <= row.looks {
				return false, nil, nil
			}
			return true, nil, apierrors.NewNotFound(schema.GroupResource{Resource: "containerprofiles"}, report.Name)
		})
		k, kube := serve(t, func(n int) int {
			if int32(n) == row.asked {
				full, filtered, sbom, vex := made(t)
				store(t, set, full, sbom, filtered, vex)
			}
			return http.StatusOK
		})
		got, err := New(set, kube, "kubescape", quick).Scan(t.Context(), profileOf(report), SBOM{Object: realSBOM(t), Status: "ready"})
		if err != nil || !whole(got) || got.Error != "" || k.asked.Load() != row.asked || k.body.Load() != row.body {
			t.Errorf("%s: got %+v, %v, asked %d times, last for %s", name, got, err, k.asked.Load(), k.body.Load())
		}
	}
}

// A report that is still there is asked for once, however long kubevuln takes.
func TestScanOfAReportIsAskedForOnce(t *testing.T) {
	short := quick
	short.Scan = 500 * time.Millisecond
	k, kube := serve(t, func(int) int { return http.StatusOK })
	got, err := New(storage(t, soleReport(t)), kube, "kubescape", short).Scan(t.Context(), profileOf(soleReport(t)), SBOM{Object: realSBOM(t), Status: "ready"})
	if err != nil || k.asked.Load() != 1 {
		t.Errorf("got %+v, %v, asked %d times", got, err, k.asked.Load())
	}
	says(t, got.Error, "stored nothing")
}
