package kubescape

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/vexxy/action/internal/source"
	"github.com/vexxy/action/internal/subject"
	"github.com/vexxy/action/internal/window"
)

func TestShareOf(t *testing.T) {
	asked := PodOptions{CPU: 2, CPURequest: 1, Memory: 4 << 30, MemoryRequest: 2 << 30}
	small := PodOptions{CPU: 0.02, CPURequest: 1, Memory: 16 << 20, MemoryRequest: 2 << 30}
	of := func(nodes ...share) []share { return nodes }
	for _, c := range []struct {
		name   string
		pod    PodOptions
		images int
		nodes  []share
		want   share
	}{
		{"room for all", asked, 2, of(share{8, 64 << 30}), share{1, 2 << 30}},
		{"an equal part", asked, 4, of(share{2, 4 << 30}), share{0.5, 1 << 30}},
		{"no image counts as one", asked, 0, of(share{0.5, 1 << 30}), share{0.5, 1 << 30}},
		{"nothing left", asked, 2, of(share{}), share{leastCPU, leastMemory}},
		{"no node", asked, 2, nil, share{leastCPU, leastMemory}},
		{"less than nothing left", asked, 1, of(share{-3, -1 << 30}), share{leastCPU, leastMemory}},
		{"never above the limit", small, 1, of(share{8, 64 << 30}), share{0.02, 16 << 20}},
		{"no node has it whole", asked, 1, of(share{0.5, 1 << 30}, share{0.5, 1 << 30}, share{0.5, 1 << 30}), share{0.5, 1 << 30}},
		{"three on two nodes", asked, 3, of(share{1, 4 << 30}, share{0.5, 4 << 30}), share{0.5, 2 << 30}},
		{"one full node", asked, 2, of(share{-1, 8 << 30}, share{1, 8 << 30}), share{0.5, 2 << 30}},
	} {
		if got := shareOf(c.pod, c.images, c.nodes); got != c.want {
			t.Errorf("%s: %v, not %v", c.name, got, c.want)
		}
	}
}

func TestHealthProbe(t *testing.T) {
	for _, none := range []*v1.HealthConfig{nil, {}, {Test: []string{"NONE"}}, {Test: []string{"CMD"}}} {
		if got := healthProbe(none); got != nil {
			t.Errorf("%v gives %v", none, got)
		}
	}
	for _, c := range []struct {
		check                     v1.HealthConfig
		argv                      []string
		period, timeout, failures int32
	}{
		{v1.HealthConfig{Test: []string{"CMD", "curl", "-f", "localhost"}}, []string{"curl", "-f", "localhost"}, 30, 30, 3},
		{v1.HealthConfig{Test: []string{"CMD-SHELL", "true || false"}, Interval: 5 * time.Second, Timeout: time.Millisecond, Retries: 4},
			[]string{"/bin/sh", "-c", "true || false"}, 5, 1, 4},
		{v1.HealthConfig{Test: []string{"CMD", "a"}, Interval: 1 << 62, Timeout: -1, Retries: 1 << 40}, []string{"a"}, 3600, 30, 100},
	} {
		p := healthProbe(&c.check)
		if p == nil || !slices.Equal(p.Exec.Command, c.argv) || p.PeriodSeconds != c.period || p.TimeoutSeconds != c.timeout || p.FailureThreshold != c.failures {
			t.Errorf("%v gives %v", c.check, p)
		}
	}
}

func TestNumbers(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "root": "", "1000": "1000", "0:0": "0:0", "1000:users": "", "a:1": "", "1:": "", "1:2:3": "", "99999999999999999999": "",
	} {
		user, group, ok := numbers(in)
		got := ""
		if ok {
			got = sprint(user)
			if group != nil {
				got += ":" + sprint(*group)
			}
		}
		if got != want {
			t.Errorf("%q gives %q, not %q", in, got, want)
		}
	}
}

// Kubernetes replaces $(NAME) in a variable's text; a run's variables are to
// arrive as they are.
func TestVariables(t *testing.T) {
	got := variables([]string{"A=plain", "B=", "C=x=y", "D=$(A) $$(B) $A ${A}"})
	want := []corev1.EnvVar{{Name: "A", Value: "plain"}, {Name: "B"}, {Name: "C", Value: "x=y"}, {Name: "D", Value: "$$(A) $$$(B) $A ${A}"}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v", got)
	}
}

func imageOfDigest(digit string) source.Image {
	img := source.Image{Subject: subject.Subject{ConfigDigest: "sha256:" + strings.Repeat(digit, 64)}}
	img.Platform.Architecture = "arm64"
	img.Config.Config.ExposedPorts = map[string]struct{}{"8080/tcp": {}, "53/udp": {}, "80": {}}
	return img
}

// Two names of one image make two workloads.
func TestWorkloadName(t *testing.T) {
	e := New(Options{RunID: "0123456789abcdef01234567"}, nil, nil, nil)
	a, b := imageOfDigest("a"), imageOfDigest("a")
	a.Requested, b.Requested = "nginx:1.27", "nginx:latest"
	if e.workloadName(a) == e.workloadName(b) {
		t.Errorf("%s, %s", e.workloadName(a), e.workloadName(b))
	}
}

// A workload has no right in the cluster, its own window, its limits, and the
// marks by which it is found.
func TestDeployment(t *testing.T) {
	e := New(Options{RunID: "0123456789abcdef01234567", Images: 2, Deadline: time.Unix(1e9, 0), Window: window.Options{Duration: 75 * time.Second},
		Pod: PodOptions{CPU: 2, Memory: 1 << 30, User: "7:8", Ports: []int{80, 9}, Args: []string{"$(X)"}}}, nil, nil, nil)
	e.share = share{0.25, 64 << 20}
	d := e.deployment(imageOfDigest("a"), "localhost/x@sha256:1", corev1.PullNever, "")
	pod, c := d.Spec.Template.Spec, d.Spec.Template.Spec.Containers[0]
	for what, ok := range map[string]bool{
		"name":             strings.HasPrefix(d.Name, "vexxy-0123456789ab-") && d.Namespace == Sandbox,
		"run's label":      d.Labels[labelRun] == e.options.RunID && d.Spec.Template.Labels[labelRun] == e.options.RunID,
		"expiry":           d.Annotations[annotateExpiry] == "2001-09-09T01:56:40Z",
		"selector":         d.Spec.Selector.MatchLabels[labelWorkload] == d.Name && d.Spec.Template.Labels[labelWorkload] == d.Name,
		"window":           d.Spec.Template.Labels[labelWindow] == "1m15s" && d.Spec.Selector.MatchLabels[labelWindow] == "",
		"no token":         !*pod.AutomountServiceAccountToken && !*pod.EnableServiceLinks && !pod.HostNetwork && !pod.HostPID && len(pod.Volumes) == 0,
		"native node":      pod.NodeSelector["kubernetes.io/arch"] == "arm64",
		"no new rights":    !*c.SecurityContext.AllowPrivilegeEscalation && pod.SecurityContext.SeccompProfile.Type == corev1.SeccompProfileTypeRuntimeDefault,
		"user":             *pod.SecurityContext.RunAsUser == 7 && *pod.SecurityContext.RunAsGroup == 8,
		"limits":           c.Resources.Limits.Cpu().String() == "2" && c.Resources.Limits.Memory().String() == "1Gi",
		"requests":         c.Resources.Requests.Cpu().String() == "250m" && c.Resources.Requests.Memory().String() == "64Mi",
		"image":            c.Image == "localhost/x@sha256:1" && c.ImagePullPolicy == corev1.PullNever && len(pod.ImagePullSecrets) == 0,
		"ports, once each": sprint(ports([]int{80, 9}, imageOfDigest("a"))) == "[80 9 8080]" && len(c.Ports) == 3,
	} {
		if !ok {
			t.Errorf("wrong %s in %+v", what, d)
		}
	}
	if other := e.deployment(imageOfDigest("b"), "y", corev1.PullIfNotPresent, "login"); other.Name == d.Name || other.Spec.Template.Spec.ImagePullSecrets[0].Name != "login" {
		t.Errorf("another image's deployment is %+v", other)
	}
}
