package objects

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kubescape/storage/pkg/apis/softwarecomposition/v1beta1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// profiled is the real profile with another state.
func profiled(t testing.TB, status, completion string) *v1beta1.ContainerProfile {
	p := realProfile(t)
	p.Annotations[keyStatus], p.Annotations[keyCompletion] = status, completion
	return p
}

func TestRealProfile(t *testing.T) {
	got, err := New(storage(t, realProfile(t)), nil, "kubescape", Limits{}).Profile(t.Context(), web)
	if err != nil {
		t.Fatal(err)
	}
	e := got.Evidence
	if !got.Whole() || e.Error != "" || e.Status != "completed" || e.Completion != "complete" || e.Execs != 2 || e.Opens != 5 || len(e.Patterns) != 0 ||
		e.Name != "replicaset-web-5f8b68b8cc-web-7de1-4b2a" {
		t.Errorf("got %+v", got)
	}
}

// A profile goes through its states; the API fails in between.
func TestProfileIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		report := profiled(t, "completed", "complete")
		report.Name += "-report"
		report.Annotations[keySeries] = "5d0e"
		other := realProfile(t)
		other.Name, other.Labels[keyContainer] = "other", "sidecar"
		set := storage(t, report, other)
		failing(set, "list", "containerprofiles", 2, busy)
		failing(set, "get", "containerprofiles", 1, ill)
		api := set.SpdxV1beta1().ContainerProfiles("demo")
		go func() {
			time.Sleep(20 * time.Second)
			p := profiled(t, "ready", "complete")
			if _, err := api.Create(t.Context(), p, metav1.CreateOptions{}); err != nil {
				t.Error(err)
			}
			time.Sleep(20 * time.Second)
			p.Annotations[keyStatus] = "completed"
			if _, err := api.Update(t.Context(), p, metav1.UpdateOptions{}); err != nil {
				t.Error(err)
			}
		}()
		begun := time.Now()
		got, err := New(set, nil, "kubescape", Limits{}).Profile(t.Context(), web)
		if took := time.Since(begun); err != nil || !got.Whole() || took < 40*time.Second || took > 46*time.Second {
			t.Errorf("got %+v, %v after %s", got.Evidence, err, took)
		}
	})
}

func TestProfileThatIsFinishedAndNotWhole(t *testing.T) {
	for name, row := range map[string]struct {
		spoil func(*v1beta1.ContainerProfile)
		words []string
	}{
		"failed":      {func(p *v1beta1.ContainerProfile) { p.Annotations[keyStatus] = "failed" }, []string{"exit code other than 0", "keeps running"}},
		"too large":   {func(p *v1beta1.ContainerProfile) { p.Annotations[keyStatus] = "too-large" }, []string{"too large", "maxObjectSize"}},
		"no runtime":  {func(p *v1beta1.ContainerProfile) { p.Annotations[keyStatus] = "missing-runtime" }, []string{"no container runtime"}},
		"incomplete":  {func(p *v1beta1.ContainerProfile) { p.Annotations[keyStatus] = "incomplete" }, []string{"ended as incomplete", "node-agent's log"}},
		"partial":     {func(p *v1beta1.ContainerProfile) { p.Annotations[keyCompletion] = "partial" }, []string{"came late or lost events", "start the workload after"}},
		"unknown":     {func(p *v1beta1.ContainerProfile) { p.Annotations[keyCompletion] = "\x1b[2J" }, []string{"not known whether", `\x1b[2J`}},
		"empty":       {func(p *v1beta1.ContainerProfile) { p.Spec.Execs, p.Spec.Opens = nil, nil }, []string{"is empty", "tracers"}},
		"no workload": {func(p *v1beta1.ContainerProfile) { delete(p.Annotations, keyWLID) }, []string{"does not name its workload"}},
	} {
		p := realProfile(t)
		row.spoil(p)
		got, err := New(storage(t, p), nil, "kubescape", Limits{}).Profile(t.Context(), web)
		if err != nil || got.Object == nil || got.Whole() {
			t.Errorf("%s: got %+v, %v", name, got, err)
		}
		says(t, got.Evidence.Error, row.words...)
	}
}

func TestProfileThatIsNeverFinished(t *testing.T) {
	old := realProfile(t)
	for name, row := range map[string]struct {
		objects []*v1beta1.ContainerProfile
		want    Workload
		words   []string
	}{
		"nothing":    {nil, web, []string{"container web of Deployment demo/web", "has posted nothing", "includeNamespaces"}},
		"only begun": {[]*v1beta1.ContainerProfile{profiled(t, "initializing", "")}, web, []string{"only begun", "longer duration"}},
		"no status":  {[]*v1beta1.ContainerProfile{profiled(t, "", "")}, web, []string{"only begun"}},
		"learning":   {[]*v1beta1.ContainerProfile{profiled(t, "ready", "complete")}, web, []string{"still being learned", "max-sniffing-time"}},
		"odd":        {[]*v1beta1.ContainerProfile{profiled(t, "\x1b", "x")}, web, []string{`its status is \x1b`}},
		"an earlier one": {[]*v1beta1.ContainerProfile{old},
			Workload{Namespace: "demo", Kind: "Deployment", Name: "web", Container: "web", Since: old.CreationTimestamp.Add(time.Minute)}, []string{"of an earlier workload"}},
		"another generation": {[]*v1beta1.ContainerProfile{old},
			Workload{Namespace: "demo", Kind: "Deployment", Name: "web", Container: "web", Template: "6c"}, []string{"has posted nothing"}},
		"reports alone": {[]*v1beta1.ContainerProfile{func() *v1beta1.ContainerProfile {
			p := realProfile(t)
			p.Annotations[keySeries] = "x"
			return p
		}()}, web, []string{"1 reports", "not merged yet"}},
	} {
		synctest.Test(t, func(t *testing.T) {
			set := storage(t)
			for _, p := range row.objects {
				if err := set.Tracker().Add(p); err != nil {
					t.Fatal(err)
				}
			}
			begun := time.Now()
			got, err := New(set, nil, "kubescape", Limits{}).Profile(t.Context(), row.want)
			if err != nil || got.Object != nil || time.Since(begun) != 150*time.Second {
				t.Errorf("%s: got %+v, %v after %s", name, got, err, time.Since(begun))
			}
			says(t, got.Evidence.Error, append(row.words, "waiting 2m30s: there is no finished profile")...)
			if n := len(set.Actions()); n < 400 || n > 510 {
				t.Errorf("%s: %d requests", name, n)
			}
		})
	}
}

func TestTheNewestProfileCounts(t *testing.T) {
	older, newer := profiled(t, "completed", "partial"), realProfile(t)
	older.Name = "a-older"
	older.CreationTimestamp = metav1.NewTime(newer.CreationTimestamp.Add(-time.Hour))
	got, err := New(storage(t, older, newer), nil, "kubescape", Limits{}).Profile(t.Context(), web)
	if err != nil || !got.Whole() || got.Object.Name != newer.Name {
		t.Errorf("got %+v, %v", got.Evidence, err)
	}
}

// An ailing server is asked less and less often; its own wish counts.
func TestAilingServer(t *testing.T) {
	for name, row := range map[string]struct {
		err   error
		words string
		most  int
	}{
		"internal error": {ill, "unexpected EOF", 40}, "busy": {busy, "queue is full", 40},
	} {
		synctest.Test(t, func(t *testing.T) {
			set := storage(t)
			asked := failing(set, "list", "containerprofiles", 1<<30, row.err)
			begun, c := time.Now(), New(set, nil, "kubescape", Limits{})
			got, err := c.Profile(t.Context(), web)
			if err != nil || *asked > row.most || *asked < 10 {
				t.Errorf("%s: asked %d times, %v", name, *asked, err)
			}
			says(t, got.Evidence.Error, row.words, "log of Kubescape's storage")
			if took := time.Since(begun); took < 45*time.Second || took > time.Minute {
				t.Errorf("%s: it gave up after %s", name, took)
			}
			// What is ill is not waited for again.
			begun = time.Now()
			failing(set, "list", "sbomsyfts", 1<<30, row.err)
			failing(set, "get", "sbomsyfts", 1<<30, row.err)
			if _, err := c.SBOM(t.Context(), []string{"x"}); time.Since(begun) > 5*time.Second {
				t.Errorf("%s: after it gave up it waited for %s, %v", name, time.Since(begun), err)
			}
		})
	}
}

func TestForbidden(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		set := storage(t)
		asked := failing(set, "list", "containerprofiles", 1<<30, forbidden)
		got, err := New(set, nil, "kubescape", Limits{}).Profile(t.Context(), web)
		if err != nil || *asked != 1 {
			t.Errorf("asked %d times, %v", *asked, err)
		}
		says(t, got.Evidence.Error, "forbidden", "let the kubeconfig's user get and list containerprofiles")
	})
}

func TestEndOfTheRunEndsWaits(t *testing.T) {
	cause := errors.New("the run's end")
	for name, wait := range map[string]func(context.Context, *Client) error{
		"profile": func(ctx context.Context, c *Client) error { _, err := c.Profile(ctx, web); return err },
		"SBOM":    func(ctx context.Context, c *Client) error { _, err := c.SBOM(ctx, []string{"x"}); return err },
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			go func() { time.Sleep(10 * time.Second); cancel(cause) }()
			begun := time.Now()
			err := wait(ctx, New(storage(t), nil, "kubescape", Limits{}))
			if !errors.Is(err, cause) || time.Since(begun) > 10*time.Second {
				t.Errorf("%s: %v after %s", name, err, time.Since(begun))
			}
		})
	}
}

func TestRawIsBounded(t *testing.T) {
	p := realProfile(t)
	if data, err := Raw(p); err != nil || len(data) < 1000 {
		t.Errorf("%d bytes, %v", len(data), err)
	}
	p.Spec.ImageTag = strings.Repeat("x", 64<<20)
	_, err := Raw(p)
	if err == nil {
		t.Fatal("an object of 64 MiB is kept")
	}
	says(t, words(err), "a record takes 67108864", "lower storage's maxObjectSize")
}
