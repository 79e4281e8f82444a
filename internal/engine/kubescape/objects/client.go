// Package objects reads what Kubescape made of one container out of its
// aggregated API and puts it into our words: its profile becomes observations,
// its list of vulnerabilities findings. What Kubescape does not give is said in
// words with what to do about it, and is no error: without it nothing is
// cleared. All that is read is hostile: an image has chosen the names in it.
package objects

import (
	"cmp"
	"slices"
	"time"

	"github.com/kubescape/storage/pkg/generated/clientset/versioned"
	typed "github.com/kubescape/storage/pkg/generated/clientset/versioned/typed/softwarecomposition/v1beta1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// Kubescape's annotations and labels
// (https://github.com/kubescape/k8s-interface, instanceidhandler/v1/helpers).
const (
	keyCompletion = "kubescape.io/completion"
	keyContainer  = "kubescape.io/workload-container-name"
	keyContext    = "kubescape.io/context"
	keyImageID    = "kubescape.io/image-id"
	keyImageTag   = "kubescape.io/image-tag"
	keyKind       = "kubescape.io/workload-kind"
	keyName       = "kubescape.io/workload-name"
	keyNamespace  = "kubescape.io/workload-namespace"
	keyPrevious   = "kubescape.io/previous-report-timestamp"
	keySeries     = "kubescape.io/report-series-id"
	keyStatus     = "kubescape.io/status"
	keyTemplate   = "kubescape.io/instance-template-hash"
	keyWLID       = "kubescape.io/wlid"
)

// The words in them.
const (
	statusInitializing = "initializing"
	statusReady        = "ready" // of a profile: still being learned
	statusCompleted    = "completed"
	statusFailed       = "failed"
	statusTooLarge     = "too-large"
	statusIncomplete   = "incomplete"
	statusNoAccess     = "unauthorize"
	statusNoRuntime    = "missing-runtime"
	statusNoSchema     = "unsupported-schema"

	completionWhole   = "complete"
	completionPartial = "partial"

	contextFiltered = "filtered"
)

// Limits are the longest times that Kubescape's steps are waited for.
type Limits struct {
	// Profile begins with the end of the window: node-agent's queue has a beat
	// of 5 s and storage's consolidation one of 30 s.
	Profile time.Duration
	SBOM    time.Duration
	Scan    time.Duration
	// Straggler is how long one of kubevuln's objects may be missing beside
	// one that it stores later, before it counts as refused.
	Straggler time.Duration
	// Merge is the time between two looks at whether storage has merged the
	// report that kubevuln is asked for.
	Merge time.Duration
	// Ailing is how long the API may give nothing but errors before no more is
	// expected of it.
	Ailing time.Duration
	// Poll is the pause between two looks.
	Poll time.Duration
}

// Client reads Kubescape's objects. Its LIST gives metadata alone, label
// selectors change nothing about it, and its WATCH of one namespace never says
// anything (one with watch=1 even holds up every writer). So lists are filtered
// here and asked for again, and the object is fetched by its name. It may be
// used by several goroutines.
type Client struct {
	api    typed.SpdxV1beta1Interface
	kube   kubernetes.Interface
	home   string
	limits Limits
	health health
}

// New makes a client. The namespace is Kubescape's own. Limits of zero get
// their defaults.
func New(storage versioned.Interface, kube kubernetes.Interface, namespace string, limits Limits) *Client {
	limits.Profile = cmp.Or(limits.Profile, 150*time.Second)
	limits.SBOM = cmp.Or(limits.SBOM, 180*time.Second)
	limits.Scan = cmp.Or(limits.Scan, 120*time.Second)
	limits.Straggler = cmp.Or(limits.Straggler, 20*time.Second)
	limits.Merge = cmp.Or(limits.Merge, 10*time.Second)
	limits.Ailing = cmp.Or(limits.Ailing, 45*time.Second)
	limits.Poll = cmp.Or(limits.Poll, 300*time.Millisecond)
	return &Client{api: storage.SpdxV1beta1(), kube: kube, home: namespace, limits: limits}
}

// Workload names one container as Kubescape's labels do.
type Workload struct {
	Namespace, Kind, Name, Container string
	// Template is the pod's pod-template-hash, where it is known: another one
	// is another generation of the workload.
	Template string
	// Since is when the workload was made, by the cluster's clock: what was
	// stored before then is of an earlier one of that name. Zero is any time.
	Since time.Time
}

// of reports whether an object's labels name the container.
func (w Workload) of(labels map[string]string) bool {
	return labels[keyNamespace] == w.Namespace && labels[keyKind] == w.Kind && labels[keyName] == w.Name &&
		labels[keyContainer] == w.Container && (w.Template == "" || labels[keyTemplate] == w.Template)
}

// single reports whether the workload has one pod and no more: runs scale these
// kinds to one. The pods of others share one profile.
func (w Workload) single() bool {
	return slices.Contains([]string{"Deployment", "StatefulSet", "ReplicaSet", "Pod"}, w.Kind)
}

func (w Workload) String() string {
	return "container " + w.Container + " of " + w.Kind + " " + w.Namespace + "/" + w.Name
}

// before reports whether an object is older than a time. Kubernetes cuts
// creation times to the second.
func before(m metav1.ObjectMeta, t time.Time) bool {
	return !t.IsZero() && m.CreationTimestamp.Time.Before(t.Truncate(time.Second))
}
