package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/uuid"
	"github.com/kubescape/k8s-interface/instanceidhandler"
	iid "github.com/kubescape/k8s-interface/instanceidhandler/v1"
	keys "github.com/kubescape/k8s-interface/instanceidhandler/v1/helpers"
	"github.com/kubescape/storage/pkg/apis/softwarecomposition/v1beta1"
	"github.com/kubescape/storage/pkg/registry/file/dynamicpathdetector"
	core "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
)

// postTries bounds how often an object is posted: the storage answers 429 and
// 500 under load.
const postTries = 5

// identity is how Kubescape names a container and what it belongs to.
type identity struct {
	instance  instanceidhandler.IInstanceID
	wlid      string
	parent    parent
	imageTag  string
	imageID   string
	container string // containers or initContainers
	window    time.Duration
}

// parent is the workload at the top.
type parent struct {
	kind, name, version string
	selector            metav1.LabelSelector
}

func newSeries() string { return uuid.NewString() }

// identify finds a container's names.
func identify(ctx context.Context, a *agent, pod *core.Pod, container, imageID string) (identity, error) {
	who := identity{imageID: imageID}
	for kind, list := range map[string][]core.Container{"containers": pod.Spec.Containers, "initContainers": pod.Spec.InitContainers} {
		for _, c := range list {
			if c.Name == container {
				who.imageTag, who.container = normalImage(c.Image), kind
			}
		}
	}
	pod = pod.DeepCopy()
	pod.APIVersion, pod.Kind = "v1", "Pod"
	ids, err := iid.GenerateInstanceIDFromPod(pod)
	if err != nil {
		return who, fmt.Errorf("naming the instance: %w", err)
	}
	for _, id := range ids {
		if id.GetContainerName() == container {
			who.instance = id
		}
	}
	if who.instance == nil {
		return who, errors.New("naming the instance: the pod has no such container")
	}
	if who.parent, err = findParent(ctx, a, pod); err != nil {
		return who, err
	}
	who.wlid = fmt.Sprintf("wlid://cluster-%s/namespace-%s/%s-%s", a.config.cluster.ClusterName, pod.Namespace, strings.ToLower(who.parent.kind), who.parent.name)
	return who, nil
}

// normalImage is a reference with its registry, as node-agent writes it.
func normalImage(image string) string {
	ref, err := name.ParseReference(image)
	if err != nil {
		return image
	}
	return strings.Replace(ref.Name(), "index.docker.io", "docker.io", 1)
}

// findParent follows the pod's owners to the top. Workloads that are no
// Deployment, DaemonSet or StatefulSet stand for themselves.
func findParent(ctx context.Context, a *agent, pod *core.Pod) (parent, error) {
	apps := a.clients.Core.AppsV1()
	owner := metav1.GetControllerOf(pod)
	if owner == nil {
		return parent{kind: "Pod", name: pod.Name, version: pod.ResourceVersion, selector: metav1.LabelSelector{MatchLabels: pod.Labels}}, nil
	}
	kind, called := owner.Kind, owner.Name
	if kind == "ReplicaSet" {
		set, err := apps.ReplicaSets(pod.Namespace).Get(ctx, called, metav1.GetOptions{})
		if err != nil {
			return parent{}, fmt.Errorf("finding the workload: %w", err)
		}
		if owner = metav1.GetControllerOf(set); owner == nil {
			return parent{kind, called, set.ResourceVersion, *set.Spec.Selector}, nil
		}
		kind, called = owner.Kind, owner.Name
	}
	var meta metav1.ObjectMeta
	var selector *metav1.LabelSelector
	switch kind {
	case "Deployment":
		d, err := apps.Deployments(pod.Namespace).Get(ctx, called, metav1.GetOptions{})
		if err != nil {
			return parent{}, fmt.Errorf("finding the workload: %w", err)
		}
		meta, selector = d.ObjectMeta, d.Spec.Selector
	case "DaemonSet":
		d, err := apps.DaemonSets(pod.Namespace).Get(ctx, called, metav1.GetOptions{})
		if err != nil {
			return parent{}, fmt.Errorf("finding the workload: %w", err)
		}
		meta, selector = d.ObjectMeta, d.Spec.Selector
	case "StatefulSet":
		d, err := apps.StatefulSets(pod.Namespace).Get(ctx, called, metav1.GetOptions{})
		if err != nil {
			return parent{}, fmt.Errorf("finding the workload: %w", err)
		}
		meta, selector = d.ObjectMeta, d.Spec.Selector
	default:
		selector = &metav1.LabelSelector{MatchLabels: pod.Labels}
	}
	return parent{kind, called, meta.ResourceVersion, *selector}, nil
}

// labels are those of the container's objects.
func (who *identity) labels() map[string]string {
	labels := who.instance.GetLabels()
	labels[keys.LearningPeriodMetadataKey] = shortDuration(who.window)
	labels[keys.RelatedKindMetadataKey], labels[keys.RelatedNameMetadataKey] = who.parent.kind, who.parent.name
	labels[keys.ResourceVersionMetadataKey] = who.parent.version
	maps.DeleteFunc(labels, func(_, v string) bool { return v == "" || len(validation.IsValidLabelValue(v)) > 0 })
	return labels
}

// shortDuration is 2m for two minutes, not 2m0s.
func shortDuration(d time.Duration) string {
	return strings.Replace(strings.Replace(d.String(), "m0s", "m", 1), "h0m", "h", 1)
}

var process = regexp.MustCompile(`^/proc/\d+`)

// profile is one report of the series.
func (who *identity) profile(l *life, status, completion string, now time.Time) *v1beta1.ContainerProfile {
	slug, err := who.instance.GetOneTimeSlug(false)
	if err != nil {
		slug = l.series // cannot be: the instance has a name
	}
	p := &v1beta1.ContainerProfile{
		ObjectMeta: metav1.ObjectMeta{
			Name: slug, Namespace: l.pod.Namespace, Labels: who.labels(),
			Annotations: map[string]string{
				keys.InstanceIDMetadataKey:              who.instance.GetStringFormatted(),
				keys.WlidMetadataKey:                    who.wlid,
				keys.CompletionMetadataKey:              completion,
				keys.StatusMetadataKey:                  status,
				keys.ContainerTypeMetadataKey:           who.container,
				keys.ReportSeriesIdMetadataKey:          l.series,
				keys.PreviousReportTimestampMetadataKey: l.told.String(),
				keys.ReportTimestampMetadataKey:         now.String(),
			},
		},
		Spec: v1beta1.ContainerProfileSpec{
			Architectures: []string{runtime.GOARCH}, ImageID: who.imageID, ImageTag: who.imageTag, LabelSelector: who.parent.selector,
		},
	}
	for _, path := range slices.Sorted(maps.Keys(l.execs)) {
		p.Spec.Execs = append(p.Spec.Execs, v1beta1.ExecCalls{Path: path, Args: []string{path}})
	}
	for _, path := range slices.Sorted(maps.Keys(l.opens)) {
		path = process.ReplaceAllString(path, "/proc/"+dynamicpathdetector.DynamicIdentifier)
		p.Spec.Opens = append(p.Spec.Opens, v1beta1.OpenCalls{Path: path, Flags: []string{"O_CLOEXEC", "O_RDONLY"}})
	}
	return p
}

// postProfile creates the object; the storage merges a series on its own.
func (a *agent) postProfile(ctx context.Context, p *v1beta1.ContainerProfile) error {
	err := retry(ctx, func() error {
		_, err := a.clients.Storage.ContainerProfiles(p.Namespace).Create(ctx, p, metav1.CreateOptions{})
		return err
	})
	if err != nil {
		return fmt.Errorf("posting profile %s: %w", p.Name, err)
	}
	return nil
}

// retry does it again while the storage is busy.
func retry(ctx context.Context, do func() error) error {
	var err error
	for try := range postTries {
		if err = do(); err == nil || !apierrors.IsTooManyRequests(err) && !apierrors.IsInternalError(err) && !apierrors.IsServiceUnavailable(err) {
			return err
		}
		select {
		case <-time.After(time.Second << try):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return err
}
