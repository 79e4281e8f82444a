package kubescape

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/metadata"
)

// Resources by what a sweep and the removal of a namespace look at: what runs,
// and what merely lies there.
var (
	running = []schema.GroupVersionResource{
		{Group: "apps", Version: "v1", Resource: "deployments"}, {Group: "apps", Version: "v1", Resource: "statefulsets"},
		{Group: "apps", Version: "v1", Resource: "daemonsets"}, {Group: "apps", Version: "v1", Resource: "replicasets"},
		{Group: "batch", Version: "v1", Resource: "jobs"}, {Group: "batch", Version: "v1", Resource: "cronjobs"},
		{Version: "v1", Resource: "pods"},
	}
	lying = []schema.GroupVersionResource{
		{Version: "v1", Resource: "services"}, {Version: "v1", Resource: "secrets"}, {Version: "v1", Resource: "configmaps"},
		{Version: "v1", Resource: "persistentvolumeclaims"}, {Group: "networking.k8s.io", Version: "v1", Resource: "networkpolicies"},
	}
)

// sweep removes what runs that were killed left behind: what bears a run's
// label and an expiry that is past. It is a kindness to the next run and no
// duty of this one, so what goes wrong is but a note.
func (e *Engine) sweep(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, sweepTimeout)
	defer cancel()
	done := e.progress.Step("sweep what dead runs left")
	err := errors.Join(e.sweepReleases(ctx), e.sweepSandbox(ctx), e.sweepNamespaces(ctx))
	done(nil)
	if err != nil {
		e.progress.Note("sweeping the cluster: " + err.Error())
	}
}

// sweepTimeout bounds a sweep.
const sweepTimeout = 60 * time.Second

// sweepSandbox removes expired objects, each as it was seen and no other of
// its name.
func (e *Engine) sweepSandbox(ctx context.Context) error {
	client, err := metadata.NewForConfig(e.cluster.Config)
	if err != nil {
		return err
	}
	kinds, err := e.kinds()
	errs := []error{err} // what is known is swept nonetheless
	for _, r := range kinds {
		list, err := client.Resource(r).Namespace(Sandbox).List(ctx, metav1.ListOptions{LabelSelector: labelRun})
		if err != nil {
			errs = append(errs, fmt.Errorf("listing %s: %w", r.Resource, err))
			continue
		}
		for _, o := range list.Items {
			if o.Labels[labelRun] == "" || !expired(o.Annotations[annotateExpiry], time.Now()) || len(o.OwnerReferences) > 0 {
				continue
			}
			foreground := metav1.DeletePropagationForeground
			err := client.Resource(r).Namespace(Sandbox).Delete(ctx, o.Name, metav1.DeleteOptions{
				PropagationPolicy: &foreground, Preconditions: &metav1.Preconditions{UID: &o.UID},
			})
			if present(err) != nil {
				errs = append(errs, fmt.Errorf("removing %s %s: %w", r.Resource, o.Name, err))
			}
		}
	}
	return errors.Join(errs...)
}

// kinds are all that objects in a namespace can be, and be listed and deleted as.
func (e *Engine) kinds() ([]schema.GroupVersionResource, error) {
	lists, err := discovery.ServerPreferredNamespacedResources(e.cluster.Client.Discovery())
	var all []schema.GroupVersionResource
	for _, list := range lists {
		gv, perr := schema.ParseGroupVersion(list.GroupVersion)
		if perr != nil || gv.Group == groupSPDX { // Kubescape's own, which storage forgets by itself
			continue
		}
		for _, r := range list.APIResources {
			if !strings.Contains(r.Name, "/") && slices.Contains(r.Verbs, "list") && slices.Contains(r.Verbs, "delete") {
				all = append(all, gv.WithResource(r.Name))
			}
		}
	}
	return all, err
}

// sweepReleases uninstalls what runs installed by Helm. Helm keeps a release
// in a Secret that bears the release's labels.
func (e *Engine) sweepReleases(ctx context.Context) error {
	var errs []error
	for _, namespace := range []string{Sandbox, Namespace} {
		list, err := e.cluster.Client.CoreV1().Secrets(namespace).List(ctx, metav1.ListOptions{LabelSelector: "owner=helm," + labelRun})
		if err != nil {
			errs = append(errs, fmt.Errorf("listing releases: %w", err))
			continue
		}
		for _, s := range list.Items {
			if !lapsed(s.Labels[annotateExpiry], time.Now()) {
				continue
			}
			r := release{name: s.Labels["name"], namespace: namespace, shared: namespace == Namespace}
			errs = append(errs, e.uninstall(ctx, r))
		}
	}
	return errors.Join(errs...)
}

// lapse writes an expiry as a label can have it, in seconds; lapsed reads it.
func lapse(at time.Time) string { return strconv.FormatInt(at.Unix(), 10) }

func lapsed(label string, now time.Time) bool {
	seconds, err := strconv.ParseInt(label, 10, 64)
	return err == nil && now.Unix() > seconds
}

// sweepNamespaces removes namespaces that a dead run made.
func (e *Engine) sweepNamespaces(ctx context.Context) error {
	var errs []error
	for _, name := range []string{Sandbox, Namespace} {
		n, err := e.cluster.Client.CoreV1().Namespaces().Get(ctx, name, metav1.GetOptions{})
		if isMissing(err) {
			continue
		}
		if err == nil && expired(n.Annotations[annotateExpiry], time.Now()) {
			err = e.removeNamespace(ctx, name)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("removing namespace %s: %w", name, err))
		}
	}
	return errors.Join(errs...)
}

// living are the resources that keep a namespace from being removed. In
// Kubescape's, where Kubescape itself writes, only what runs counts.
func living(namespace string) []schema.GroupVersionResource {
	if namespace == Sandbox {
		return slices.Concat(running, lying)
	}
	return running
}

// inhabited names something in a namespace that is not this run's nor a dead
// one's, empty for nothing. What has an owner counts with its owner.
func (e *Engine) inhabited(ctx context.Context, namespace string) (string, error) {
	client, err := metadata.NewForConfig(e.cluster.Config)
	if err != nil {
		return "", err
	}
	for _, r := range living(namespace) {
		list, err := client.Resource(r).Namespace(namespace).List(ctx, metav1.ListOptions{})
		if err != nil {
			return "", fmt.Errorf("listing %s: %w", r.Resource, err)
		}
		for _, o := range list.Items {
			if len(o.OwnerReferences) > 0 || o.DeletionTimestamp != nil || o.Name == "kube-root-ca.crt" {
				continue
			}
			if run := o.Labels[labelRun]; run == "" || run != e.options.RunID && !expired(o.Annotations[annotateExpiry], time.Now()) {
				return r.Resource + " " + o.Name, nil
			}
		}
	}
	return "", nil
}
