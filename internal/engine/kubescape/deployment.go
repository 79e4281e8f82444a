package kubescape

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vexxy/action/internal/source"
)

// PodOptions say how an image runs in a Deployment of vexxy's making.
type PodOptions struct {
	// Command and Args replace the image's entry point and arguments where set.
	Command, Args []string
	Env           []string
	// User is a number, with another for its group if need be.
	User string
	// Ports are TCP ports beside those that the image exposes.
	Ports []int
	// Network is internal (no way out), bridge or none.
	Network string
	// CPU is in cores, Memory in bytes; the requests are lowered to the share
	// that the nodes have left.
	CPU, CPURequest       float64
	Memory, MemoryRequest int64
	// AllowPrivilegeEscalation lifts the bar against new privileges.
	AllowPrivilegeEscalation bool
}

// Kubescape's label for a window of a pod's own.
const labelWindow = "kubescape.io/max-sniffing-time"

// labelWorkload finds the pods of one workload of one run.
const labelWorkload = "dev.vexxy.workload"

// workloadName names what a run makes for an image: unique among runs, and
// among the images of one run, of which two may be the same by other names.
func (e *Engine) workloadName(img source.Image) string {
	sum := sha256.Sum256([]byte(img.Requested + " " + img.ConfigDigest))
	return "vexxy-" + e.options.RunID[:12] + "-" + hex.EncodeToString(sum[:6])
}

// containerName is that of the one container of vexxy's Deployments.
const containerName = "workload"

// marks are the labels and annotations of everything that the run makes.
func (e *Engine) marks() (labels, annotations map[string]string) {
	return map[string]string{labelRun: e.options.RunID},
		map[string]string{annotateExpiry: e.options.Deadline.UTC().Add(expiryGrace).Format(time.RFC3339)}
}

// expiryGrace is how long after a run's deadline its objects are let alone.
const expiryGrace = 10 * time.Minute

// deployment is the workload of an image that nobody else describes.
func (e *Engine) deployment(img source.Image, ref string, pull corev1.PullPolicy, secret string) *appsv1.Deployment {
	o := e.options.Pod
	name := e.workloadName(img)
	labels, annotations := e.marks()
	labels[labelWorkload] = name
	podLabels := maps.Clone(labels)
	podLabels[labelWindow] = e.options.Window.Duration.String()
	no, once, grace := false, int32(1), int64(0)
	escalation := o.AllowPrivilegeEscalation
	pod := corev1.PodSpec{
		AutomountServiceAccountToken:  &no,
		EnableServiceLinks:            &no,
		TerminationGracePeriodSeconds: &grace,
		NodeSelector:                  map[string]string{corev1.LabelArchStable: img.Platform.Architecture}, // see native
		SecurityContext:               &corev1.PodSecurityContext{SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}},
		Containers: []corev1.Container{{
			Name: containerName, Image: ref, ImagePullPolicy: pull,
			Command: o.Command, Args: o.Args, Env: variables(o.Env), Ports: containerPorts(o.Ports, img),
			Resources:       e.resources(),
			ReadinessProbe:  healthProbe(img.Healthcheck()),
			SecurityContext: &corev1.SecurityContext{AllowPrivilegeEscalation: &escalation},
		}},
	}
	if secret != "" {
		pod.ImagePullSecrets = []corev1.LocalObjectReference{{Name: secret}}
	}
	if user, group, ok := numbers(o.User); ok {
		pod.SecurityContext.RunAsUser, pod.SecurityContext.RunAsGroup = &user, group
	}
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: Sandbox, Labels: labels, Annotations: annotations},
		Spec: appsv1.DeploymentSpec{
			Replicas: &once,
			Strategy: appsv1.DeploymentStrategy{Type: appsv1.RecreateDeploymentStrategyType},
			Selector: &metav1.LabelSelector{MatchLabels: map[string]string{labelWorkload: name}},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: podLabels, Annotations: annotations}, Spec: pod},
		},
	}
}

// resources are limits as asked for and requests as there is room.
func (e *Engine) resources() corev1.ResourceRequirements {
	o := e.options.Pod
	cpu := func(cores float64) resource.Quantity {
		return *resource.NewMilliQuantity(int64(cores*1000), resource.DecimalSI)
	}
	bytes := func(n int64) resource.Quantity { return *resource.NewQuantity(n, resource.BinarySI) }
	return corev1.ResourceRequirements{
		Limits:   corev1.ResourceList{corev1.ResourceCPU: cpu(o.CPU), corev1.ResourceMemory: bytes(o.Memory)},
		Requests: corev1.ResourceList{corev1.ResourceCPU: cpu(e.share.cpu), corev1.ResourceMemory: bytes(e.share.memory)},
	}
}

func variables(env []string) []corev1.EnvVar {
	var all []corev1.EnvVar
	for _, kv := range env {
		name, text, _ := strings.Cut(kv, "=")
		// Kubernetes expands $(NAME); a doubled dollar sign stands for itself.
		all = append(all, corev1.EnvVar{Name: name, Value: strings.ReplaceAll(text, "$(", "$$(")})
	}
	return all
}

// ports joins the declared ports with the TCP ports that the image exposes,
// declared ones first.
func ports(declared []int, img source.Image) []int {
	all := slices.Clone(declared)
	for _, p := range img.TCPPorts() {
		if !slices.Contains(all, p) {
			all = append(all, p)
		}
	}
	return all
}

func containerPorts(declared []int, img source.Image) []corev1.ContainerPort {
	var all []corev1.ContainerPort
	for _, p := range ports(declared, img) {
		all = append(all, corev1.ContainerPort{ContainerPort: int32(p), Protocol: corev1.ProtocolTCP})
	}
	return all
}

// numbers reads USER or USER:GROUP.
func numbers(s string) (user int64, group *int64, ok bool) {
	u, g, grouped := strings.Cut(s, ":")
	user, err := strconv.ParseInt(u, 10, 64)
	if err != nil {
		return 0, nil, false
	}
	if grouped {
		n, err := strconv.ParseInt(g, 10, 64)
		if err != nil {
			return 0, nil, false
		}
		group = &n
	}
	return user, group, true
}

// healthProbe makes of an image's HEALTHCHECK, which Kubernetes does not read,
// a readiness probe. Docker's defaults are 30 s between two and for each, and
// three failures.
func healthProbe(h *v1.HealthConfig) *corev1.Probe {
	if h == nil || len(h.Test) < 2 {
		return nil
	}
	argv := h.Test[1:]
	if h.Test[0] == "CMD-SHELL" {
		argv = append([]string{"/bin/sh", "-c"}, h.Test[1:]...)
	}
	seconds := func(d, standard time.Duration) int32 {
		if d <= 0 {
			d = standard
		}
		return int32(max(1, min(d, time.Hour)/time.Second))
	}
	return &corev1.Probe{
		ProbeHandler:     corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: argv}},
		PeriodSeconds:    seconds(h.Interval, 30*time.Second),
		TimeoutSeconds:   seconds(h.Timeout, 30*time.Second),
		FailureThreshold: retries(h.Retries),
	}
}

func retries(n int) int32 {
	if n <= 0 {
		return 3
	}
	return int32(min(n, 100))
}

// share is what each image may ask for.
type share struct {
	cpu    float64
	memory int64
}

// The least that a workload asks for.
const (
	leastCPU    = 0.05
	leastMemory = 64 << 20
)

// shareOf lowers the requests until as many pods as there are images fit into
// what each node has left.
func shareOf(o PodOptions, images int, nodes []share) share {
	n := max(1, images)
	best := share{leastCPU, leastMemory}
	for _, node := range nodes {
		for k := 1; k <= n; k++ { // the greatest share leaves no room on some node
			got := share{min(o.CPURequest, node.cpu/float64(k)), min(o.MemoryRequest, node.memory/int64(k))}
			if got.cpu >= leastCPU && got.memory >= leastMemory && places(nodes, got) >= n && got.weight(o) > best.weight(o) {
				best = got
			}
		}
	}
	return share{min(o.CPU, best.cpu), min(o.Memory, best.memory)}
}

// places is how many pods of a share fit.
func places(nodes []share, s share) (n int) {
	for _, node := range nodes {
		if node.cpu > 0 && node.memory > 0 {
			n += min(int(node.cpu/s.cpu+1e-9), int(node.memory/s.memory))
		}
	}
	return n
}

// weight is how much of the requests a share is.
func (s share) weight(o PodOptions) float64 {
	return s.cpu/o.CPURequest + float64(s.memory)/float64(o.MemoryRequest)
}

func (s share) String() string { return fmt.Sprintf("%.2f CPU, %d MiB", s.cpu, s.memory>>20) }
