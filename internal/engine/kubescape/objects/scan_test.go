package objects

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/kubescape/storage/pkg/apis/softwarecomposition/v1beta1"
	"github.com/kubescape/storage/pkg/generated/clientset/versioned/fake"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// made are the objects that kubevuln makes, in its order.
func made(t testing.TB) (full, filtered *v1beta1.VulnerabilityManifest, sbom *v1beta1.SBOMSyftFiltered, vex *v1beta1.OpenVulnerabilityExchangeContainer) {
	return real[v1beta1.VulnerabilityManifest](t, "vulnerabilitymanifest-full"), real[v1beta1.VulnerabilityManifest](t, "vulnerabilitymanifest-filtered"),
		real[v1beta1.SBOMSyftFiltered](t, "sbomsyftfiltered"), real[v1beta1.OpenVulnerabilityExchangeContainer](t, "vex")
}

// store puts objects into the API as kubevuln would.
func store(t testing.TB, set *fake.Clientset, objects ...any) {
	api := set.SpdxV1beta1()
	for _, o := range objects {
		var err error
		switch o := o.(type) {
		case *v1beta1.VulnerabilityManifest:
			_, err = api.VulnerabilityManifests("kubescape").Create(context.Background(), o, metav1.CreateOptions{})
		case *v1beta1.SBOMSyftFiltered:
			_, err = api.SBOMSyftFiltereds("kubescape").Create(context.Background(), o, metav1.CreateOptions{})
		case *v1beta1.OpenVulnerabilityExchangeContainer:
			_, err = api.OpenVulnerabilityExchangeContainers("kubescape").Create(context.Background(), o, metav1.CreateOptions{})
		}
		if err != nil {
			t.Error(err)
		}
	}
}

// scan runs one scan of the real workload.
func scan(t testing.TB, set *fake.Clientset, answer func(n int) int, limits Limits) (Scan, *kubevuln) {
	t.Helper()
	k, kube := serve(t, answer)
	got, err := New(set, kube, "kubescape", limits).Scan(t.Context(), profileOf(realProfile(t)), SBOM{Object: realSBOM(t), Status: "ready"})
	if err != nil {
		t.Fatal(err)
	}
	return got, k
}

func whole(s Scan) bool { return s.Full != nil && s.Filtered != nil && s.SBOM != nil && s.VEX != nil }

func TestScan(t *testing.T) {
	set := storage(t)
	failing(set, "get", "vulnerabilitymanifests", 1, ill)
	got, k := scan(t, set, func(int) int {
		go func() {
			full, filtered, sbom, vex := made(t)
			store(t, set, full, sbom)
			time.Sleep(20 * time.Millisecond)
			store(t, set, filtered)
			time.Sleep(20 * time.Millisecond)
			store(t, set, vex)
		}()
		return http.StatusOK
	}, quick)
	if !whole(got) || got.Error != "" || got.Asked != "" || k.asked.Load() != 1 {
		t.Errorf("got %+v, asked %d times", got, k.asked.Load())
	}
	if len(got.Full.Spec.Payload.Matches) != 9 || len(got.Filtered.Spec.Payload.Matches) != 4 || len(got.VEX.Spec.Statements) != 9 || len(got.SBOM.Spec.Syft.Artifacts) != 5 {
		t.Errorf("%d matches, %d filtered, %d statements, %d packages", len(got.Full.Spec.Payload.Matches), len(got.Filtered.Spec.Payload.Matches),
			len(got.VEX.Spec.Statements), len(got.SBOM.Spec.Syft.Artifacts))
	}
	const body = `{"args":{"name":"replicaset-web-5f8b68b8cc-web-7de1-4b2a","namespace":"demo"},"wlid":"wlid://cluster-bed/namespace-demo/deployment-web"}`
	if k.body.Load() != body || k.path.Load() != "POST /api/v1/namespaces/kubescape/services/http:kubevuln:8080/proxy/v1/scanApplicationProfile" {
		t.Errorf("asked %s with %s", k.path.Load(), k.body.Load())
	}
}

// When the request fails, the operator's scan is waited for.
func TestOperatorScans(t *testing.T) {
	for name, row := range map[string]struct {
		code  int
		words string
	}{
		"not ready": {http.StatusServiceUnavailable, "vulnerability database"}, "not allowed": {http.StatusForbidden, "services/proxy"},
		"not there": {http.StatusNotFound, "capabilities.vulnerabilityScan"}, "broken": {http.StatusInternalServerError, "see kubevuln's log"},
	} {
		set := storage(t)
		got, k := scan(t, set, func(int) int {
			go func() {
				full, filtered, sbom, vex := made(t)
				store(t, set, full, sbom, filtered, vex)
			}()
			return row.code
		}, quick)
		if !whole(got) || got.Error != "" || k.asked.Load() != 1 {
			t.Errorf("%s: got %+v, asked %d times", name, got, k.asked.Load())
		}
		says(t, got.Asked, "asking kubevuln", row.words)
	}
}

func TestScanThatGivesLess(t *testing.T) {
	full, filtered, sbom, vex := made(t)
	alien, image := vex.DeepCopy(), vex.DeepCopy()
	alien.Labels[keyContainer] = "sidecar"
	// The image's own document calls everything affected.
	image.Labels = map[string]string{keyContext: "non-filtered"}
	short := quick
	short.Scan = 400 * time.Millisecond
	for name, row := range map[string]struct {
		stored []any
		code   int
		words  []string
	}{
		"no VEX":           {[]any{full, filtered, sbom}, 200, []string{"no VEX document", "openvulnerabilityexchangecontainers.maxObjectSize", "vexGeneration"}},
		"another's VEX":    {[]any{full, filtered, sbom, alien}, 200, []string{"no VEX document"}},
		"the image's VEX":  {[]any{full, filtered, sbom, image}, 200, []string{"no VEX document"}},
		"no full list":     {[]any{filtered, sbom, vex}, 200, []string{"no list of the image's vulnerabilities", "vulnerabilitymanifests.maxObjectSize"}},
		"no filtered list": {[]any{full, sbom, vex}, 200, []string{"no list of the container's vulnerabilities", "vulnerabilitymanifests.maxObjectSize"}},
		"nothing":          {nil, 200, []string{"waiting 400ms", "stored nothing", "see its log"}},
		"full list alone":  {[]any{full}, 200, []string{"stored nothing"}},
		"no database":      {nil, 503, []string{"it is not ready", `no endpoints \x1b[31m`, "vulnerability database"}},
		"no right":         {nil, 403, []string{"services/proxy", "its operator must ask"}},
	} {
		t.Run(name, func(t *testing.T) {
			set := storage(t)
			store(t, set, row.stored...)
			got, _ := scan(t, set, func(int) int { return row.code }, short)
			says(t, got.Error, row.words...)
			if whole(got) {
				t.Errorf("got %+v", got)
			}
			if (got.SBOM != nil) != (got.Filtered != nil) {
				t.Errorf("filtered SBOM %v", got.SBOM)
			}
		})
	}
}

// Documents under another name are found by their labels.
func TestScanFindsByLabels(t *testing.T) {
	full, filtered, sbom, vex := made(t)
	filtered.Name, vex.Name = "another-slug", "another-slug"
	decoy := vex.DeepCopy()
	decoy.Name, decoy.Labels[keyTemplate] = "a-decoy", "6c"
	set := storage(t)
	store(t, set, full, filtered, sbom, decoy, vex)
	got, _ := scan(t, set, func(int) int { return http.StatusOK }, quick)
	if !whole(got) || got.VEX.Name != "another-slug" || len(got.VEX.Spec.Statements) != 9 {
		t.Errorf("got %+v", got)
	}
}

// What an earlier workload of the same name left is not this one's until
// kubevuln has renewed it.
func TestScanOfAnEarlierWorkload(t *testing.T) {
	full, filtered, sbom, vex := made(t)
	old := metav1.NewTime(vex.CreationTimestamp.Add(-time.Hour))
	filtered.CreationTimestamp, vex.CreationTimestamp = old, old
	set := storage(t)
	store(t, set, full, filtered, sbom, vex)
	short := quick
	short.Scan = 300 * time.Millisecond
	got, _ := scan(t, set, func(int) int { return http.StatusOK }, short)
	if got.Filtered != nil || got.VEX != nil {
		t.Errorf("got %+v", got)
	}
	says(t, got.Error, "of an earlier workload")

	got, _ = scan(t, set, func(int) int {
		go func() {
			filtered.ResourceVersion, vex.ResourceVersion = "2", "2"
			for _, o := range []metav1.Object{filtered, vex} {
				var err error
				switch o := o.(type) {
				case *v1beta1.VulnerabilityManifest:
					_, err = set.SpdxV1beta1().VulnerabilityManifests("kubescape").Update(context.Background(), o, metav1.UpdateOptions{})
				case *v1beta1.OpenVulnerabilityExchangeContainer:
					_, err = set.SpdxV1beta1().OpenVulnerabilityExchangeContainers("kubescape").Update(context.Background(), o, metav1.UpdateOptions{})
				}
				if err != nil {
					t.Error(err)
				}
			}
		}()
		return http.StatusOK
	}, quick)
	if !whole(got) || got.Error != "" {
		t.Errorf("renewed: got %+v", got)
	}
}

func TestScanNeedsProfileAndSBOM(t *testing.T) {
	c := New(storage(t), nil, "kubescape", quick)
	for _, row := range []struct {
		profile Profile
		sbom    SBOM
		words   string
	}{
		{Profile{}, SBOM{Object: realSBOM(t)}, "without a whole profile"},
		{profileOf(profiled(t, "completed", "partial")), SBOM{Object: realSBOM(t)}, "without a whole profile"},
		{profileOf(realProfile(t)), SBOM{}, "without Kubescape's SBOM"},
		{profileOf(realProfile(t)), SBOM{Object: realSBOM(t), Error: "x"}, "without Kubescape's SBOM"},
	} {
		got, err := c.Scan(t.Context(), row.profile, row.sbom)
		if err != nil {
			t.Error(err)
		}
		says(t, got.Error, row.words)
	}
}

// The end of the run ends a scan, even one that kubevuln does not answer.
func TestEndOfTheRunEndsScan(t *testing.T) {
	cause := errors.New("the run's end")
	ctx, cancel := context.WithCancelCause(t.Context())
	release := make(chan struct{})
	_, kube := serve(t, func(int) int { cancel(cause); <-release; return http.StatusOK })
	t.Cleanup(func() { close(release) })
	_, err := New(storage(t), kube, "kubescape", quick).Scan(ctx, profileOf(realProfile(t)), SBOM{Object: realSBOM(t)})
	if !errors.Is(err, cause) {
		t.Errorf("got %v", err)
	}
}
