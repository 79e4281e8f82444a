package kubescape

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/kubescape/storage/pkg/apis/softwarecomposition/v1beta1"
	"github.com/kubescape/storage/pkg/generated/clientset/versioned"
	typed "github.com/kubescape/storage/pkg/generated/clientset/versioned/typed/softwarecomposition/v1beta1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/record"
)

// Kubescape's annotations and labels, and the words in them
// (github.com/kubescape/k8s-interface, instanceidhandler).
const (
	markStatus     = "kubescape.io/status"
	markCompletion = "kubescape.io/completion"
	markWLID       = "kubescape.io/wlid"
	markSeries     = "kubescape.io/report-series-id"
	markImageID    = "kubescape.io/image-id"
	markImageTag   = "kubescape.io/image-tag"
	markContext    = "kubescape.io/context"
	labelKind      = "kubescape.io/workload-kind"
	labelName      = "kubescape.io/workload-name"
	labelContainer = "kubescape.io/workload-container-name"
	labelNamespace = "kubescape.io/workload-namespace"
)

// Kubescape's LIST gives metadata alone; label selectors change nothing about
// it, and its WATCH of one namespace never says anything. So lists are read
// whole, filtered here, and asked for again.
type objects struct {
	api  typed.SpdxV1beta1Interface
	kube kubernetes.Interface
	home string // Kubescape's namespace
}

func newObjects(c versioned.Interface, kube kubernetes.Interface, home string) objects {
	return objects{c.SpdxV1beta1(), kube, home}
}

// scanned are the objects that kubevuln makes for one container, as far as
// they are there. Each has the container's slug for a name, but the full list
// of vulnerabilities, which has the image's.
type scanned struct {
	full, filtered *v1beta1.VulnerabilityManifest
	sbomFiltered   *v1beta1.SBOMSyftFiltered
	vex            *v1beta1.OpenVulnerabilityExchangeContainer
}

// The longest times for Kubescape's steps beyond the window: its queue has a
// beat of 5 s and its storage one of 30 s.
const (
	profileTimeout = 150 * time.Second
	failedTimeout  = 45 * time.Second
	sbomTimeout    = 180 * time.Second
	scanTimeout    = 120 * time.Second
	// vexAfterMatch is how long the document may come after the list that it
	// is made from: they are stored one after the other.
	vexAfterMatch = 20 * time.Second
)

// workloadRef names a container as Kubescape's labels do.
type workloadRef struct{ namespace, kind, name, container string }

// of reports whether an object's labels name the container.
func (w workloadRef) of(labels map[string]string) bool {
	return labels[labelNamespace] == w.namespace && labels[labelKind] == w.kind && labels[labelName] == w.name && labels[labelContainer] == w.container
}

// profile waits for the container's finished profile. One that is finished in
// any way is no error: its status says what it is worth. Nil is none.
func (o objects) profile(ctx context.Context, w workloadRef, limit time.Duration) (*v1beta1.ContainerProfile, error) {
	var got *v1beta1.ContainerProfile
	err := await(ctx, limit, "no finished profile of the container", func(ctx context.Context) (bool, string, error) {
		list, err := o.api.ContainerProfiles(w.namespace).List(ctx, metav1.ListOptions{})
		if err != nil {
			return false, "", err
		}
		for _, p := range list.Items {
			if !w.of(p.Labels) || p.Annotations[markSeries] != "" {
				continue
			}
			status, completion := p.Annotations[markStatus], p.Annotations[markCompletion]
			state := fmt.Sprintf("its status is %q, its completion %q", status, completion)
			switch status {
			case "completed", "failed", "too-large":
			default:
				return false, state, nil
			}
			whole, err := o.api.ContainerProfiles(w.namespace).Get(ctx, p.Name, metav1.GetOptions{})
			if err != nil {
				return false, state, err
			}
			got = whole
			return true, "", nil
		}
		return false, "node-agent has posted none", nil
	})
	return got, err
}

// sbom waits for Kubescape's own SBOM of the image. The status of one that
// will not get better is given as it is.
func (o objects) sbom(ctx context.Context, names []string, limit time.Duration) (*v1beta1.SBOMSyft, error) {
	var got *v1beta1.SBOMSyft
	err := await(ctx, limit, "no SBOM of the image", func(ctx context.Context) (bool, string, error) {
		list, err := o.api.SBOMSyfts(o.home).List(ctx, metav1.ListOptions{})
		if err != nil {
			return false, "", err
		}
		for _, s := range list.Items {
			if !imageOf(s.Annotations, names) {
				continue
			}
			status := s.Annotations[markStatus]
			switch status {
			case "ready", "too-large", "incomplete", "failed":
			default:
				return false, fmt.Sprintf("its status is %q", status), nil
			}
			whole, err := o.api.SBOMSyfts(o.home).Get(ctx, s.Name, metav1.GetOptions{})
			if err != nil {
				return false, "", err
			}
			got = whole
			return true, "", nil
		}
		return false, "node-agent has posted none", nil
	})
	return got, err
}

// scan asks kubevuln for the container's documents and waits for them. When
// kubevuln cannot be asked, its operator does so later by itself. The error
// says which document did not come; those that did are given all the same.
func (o objects) scan(ctx context.Context, profile *v1beta1.ContainerProfile, image string) (scanned, error) {
	asked := o.ask(ctx, profile)
	var got scanned
	var matched time.Time
	err := await(ctx, scanTimeout, "kubevuln has not made its documents", func(ctx context.Context) (bool, string, error) {
		var err error
		if got.full == nil {
			got.full, err = there(o.api.VulnerabilityManifests(o.home).Get(ctx, image, metav1.GetOptions{}))
		}
		if err == nil && got.filtered == nil {
			got.filtered, err = there(o.api.VulnerabilityManifests(o.home).Get(ctx, profile.Name, metav1.GetOptions{}))
		}
		if err == nil && got.vex == nil {
			got.vex, err = there(o.api.OpenVulnerabilityExchangeContainers(o.home).Get(ctx, profile.Name, metav1.GetOptions{}))
		}
		if err != nil {
			return false, "", err
		}
		if got.filtered != nil && matched.IsZero() {
			matched = time.Now()
		}
		switch {
		case got.full != nil && got.filtered != nil && got.vex != nil:
			return true, "", nil
		case got.vex == nil && !matched.IsZero() && time.Since(matched) > vexAfterMatch:
			return false, "", fmt.Errorf("%w: kubevuln made its list of vulnerabilities and no VEX document: most likely it is larger than the storage takes (storage.kindQueues.openvulnerabilityexchangecontainers.maxObjectSize), or vexGeneration is off", errFinal)
		}
		state := "there is no list of vulnerabilities: kubevuln may have no database, see its log"
		if asked != nil {
			state += "; asking it failed: " + asked.Error()
		}
		return false, state, nil
	})
	if got.filtered != nil {
		// Stored last, and only where the values ask for it.
		got.sbomFiltered, _ = there(o.api.SBOMSyftFiltereds(o.home).Get(ctx, profile.Name, metav1.GetOptions{}))
	}
	return got, err
}

// ask has kubevuln scan a container, through the API server's proxy, as the
// operator does after a while.
func (o objects) ask(ctx context.Context, profile *v1beta1.ContainerProfile) error {
	body, err := json.Marshal(map[string]any{
		"wlid": profile.Annotations[markWLID],
		"args": map[string]string{"name": profile.Name, "namespace": profile.Namespace},
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	return o.kube.CoreV1().RESTClient().Post().Namespace(o.home).Resource("services").Name("http:kubevuln:8080").
		SubResource("proxy").Suffix("v1", "scanApplicationProfile").SetHeader("Content-Type", "application/json").Body(body).Do(ctx).Error()
}

// there takes a missing object for none.
func there[T any](object *T, err error) (*T, error) {
	if err == nil {
		return object, nil
	}
	if isMissing(err) {
		return nil, nil
	}
	return nil, err
}

// raw gives an object as JSON for the record, an error when it is too large
// for one.
func raw(object any) ([]byte, error) {
	data, err := json.Marshal(object)
	if err != nil {
		return nil, err
	}
	if len(data) > record.RawLimit {
		return nil, fault.New(fault.Infra, "", "it has %s bytes, a record takes %s", strconv.Itoa(len(data)), strconv.Itoa(record.RawLimit))
	}
	return data, nil
}
