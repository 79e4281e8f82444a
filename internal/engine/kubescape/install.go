package kubescape

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/kubescape/storage/pkg/generated/clientset/versioned"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vexxy/action/internal/engine/kubescape/objects"
	"github.com/vexxy/action/internal/evidence"
	"github.com/vexxy/action/internal/fault"
)

// installation is the Kubescape that a run uses.
type installation struct {
	namespace string
	objects   *objects.Client
	chart     string
	digest    string
	images    map[string]string
	found     bool
}

// installKubescape installs the chart and waits until what is not deferred of
// it works.
func (e *Engine) installKubescape(ctx context.Context, chart loaded, mounted bool) error {
	values, err := chartValues(e.options.Window.Duration, mounted, e.options.Chart.Values)
	if err != nil {
		return err
	}
	e.kubescape.namespace, e.kubescape.digest = Namespace, chart.digest
	e.kubescape.chart = chart.Metadata.Version
	done := e.progress.Step("install Kubescape")
	if err := e.makeNamespace(ctx, Namespace); err != nil {
		done(err)
		return err
	}
	r := kubescapeRelease
	r.chart, r.values, r.timeout = chart, values, e.options.InstallTimeout
	parts := slices.Concat(watchers, matchers)
	if e.deferred != nil {
		parts = watchers
	}
	r.render = eager{e.deferred}
	_, err = e.install(ctx, r)
	done(err)
	if err != nil {
		return err
	}
	done = e.progress.Step("wait for Kubescape")
	err = e.ready(ctx, parts...)
	done(err)
	if err != nil {
		return err
	}
	return e.meet(ctx)
}

// meet opens Kubescape's API.
func (e *Engine) meet(ctx context.Context) error {
	client, err := versioned.NewForConfig(e.cluster.Config)
	if err != nil {
		return fmt.Errorf("opening Kubescape's API: %w", err)
	}
	e.kubescape.objects = objects.New(client, e.cluster.Client, e.kubescape.namespace, objects.Limits{})
	return e.noteImages(ctx)
}

// noteImages notes which images work for Kubescape.
func (e *Engine) noteImages(ctx context.Context) error {
	pods, err := e.cluster.Client.CoreV1().Pods(e.kubescape.namespace).List(ctx, metav1.ListOptions{LabelSelector: component})
	if err != nil {
		return fault.New(fault.Infra, "", "looking at Kubescape's pods: %w", err)
	}
	e.kubescape.images = map[string]string{}
	for _, p := range pods.Items {
		if len(p.Status.ContainerStatuses) > 0 {
			e.kubescape.images[text(p.Labels[component])] = text(p.Status.ContainerStatuses[0].Image)
		}
	}
	return nil
}

// agent tells of the node-agent on a node: since when it is ready, and how
// often it was restarted.
func (e *Engine) agent(ctx context.Context, node string) (evidence.Agent, error) {
	pods, err := e.cluster.Client.CoreV1().Pods(e.kubescape.namespace).List(ctx, metav1.ListOptions{
		LabelSelector: component + "=node-agent", FieldSelector: "spec.nodeName=" + node,
	})
	if err != nil {
		return evidence.Agent{}, fault.New(fault.Infra, "", "looking at node-agent: %w", err)
	}
	for _, p := range pods.Items {
		if p.DeletionTimestamp != nil {
			continue
		}
		a := evidence.Agent{Pod: p.Name + " " + string(p.UID)}
		for _, s := range p.Status.ContainerStatuses {
			a.Restarts += int(s.RestartCount)
		}
		for _, c := range p.Status.Conditions {
			if c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue {
				a.ReadyAt = c.LastTransitionTime.UTC()
			}
		}
		return a, nil
	}
	return evidence.Agent{}, nil
}

// makeNamespace makes a namespace unless it is there; what a run makes in a
// cluster that is not its own is removed again, by the last run that uses it.
func (e *Engine) makeNamespace(ctx context.Context, name string) error {
	namespaces := e.cluster.Client.CoreV1().Namespaces()
	if !e.cluster.Own {
		e.undoing("namespace "+name, func(ctx context.Context) error { return e.removeNamespace(ctx, name) })
		if n, err := namespaces.Get(ctx, name, metav1.GetOptions{}); err == nil && n.DeletionTimestamp == nil {
			return nil
		}
		if err := e.vanished(ctx, name); err != nil {
			return err
		}
	}
	labels, annotations := e.marks()
	if name == Sandbox {
		labels["pod-security.kubernetes.io/enforce"] = "privileged" // manifests of the user's may want more than ours
	}
	_, err := namespaces.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels, Annotations: annotations}}, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return fault.New(fault.Infra, "the kubeconfig's user must be allowed to create namespaces", "making namespace %s: %w", name, err)
	}
	return nil
}

// vanished waits until a namespace that another run has deleted is gone.
func (e *Engine) vanished(ctx context.Context, name string) error {
	err := await(ctx, vanishTimeout, "namespace "+name+" is still being deleted", func(ctx context.Context) (bool, string, error) {
		n, err := e.cluster.Client.CoreV1().Namespaces().Get(ctx, name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) || apierrors.IsForbidden(err) {
			return true, "", nil
		}
		if err != nil {
			return false, "", err
		}
		return false, "its phase is " + string(n.Status.Phase), nil
	})
	if err != nil {
		return fault.New(fault.Infra, "see what keeps it with `kubectl describe namespace "+name+"`", "making namespace %s: %w", name, err)
	}
	return nil
}

// vanishTimeout is how long a namespace may take to go.
const vanishTimeout = 120 * time.Second

// removeNamespace removes a namespace that a run has made, unless another run
// or something else lives in it.
func (e *Engine) removeNamespace(ctx context.Context, name string) error {
	namespaces := e.cluster.Client.CoreV1().Namespaces()
	n, err := namespaces.Get(ctx, name, metav1.GetOptions{})
	if err != nil || n.Labels[labelRun] == "" {
		return present(err)
	}
	if there, err := e.inhabited(ctx, name); err != nil || there != "" {
		return err
	}
	return present(namespaces.Delete(ctx, name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &n.UID}}))
}

// makeSandbox makes the workloads' namespace and its network policy.
func (e *Engine) makeSandbox(ctx context.Context) error {
	if err := e.makeNamespace(ctx, Sandbox); err != nil {
		return err
	}
	types := []networkingv1.PolicyType{networkingv1.PolicyTypeEgress}
	switch e.options.Pod.Network {
	case "bridge":
		return nil
	case "none":
		types = append(types, networkingv1.PolicyTypeIngress)
	}
	labels, annotations := e.marks()
	name := "vexxy-" + e.options.RunID
	policy := &networkingv1.NetworkPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: Sandbox, Labels: labels, Annotations: annotations},
		Spec:       networkingv1.NetworkPolicySpec{PodSelector: metav1.LabelSelector{MatchLabels: map[string]string{labelRun: e.options.RunID}}, PolicyTypes: types},
	}
	if e.options.Packaged.given() { // its parts must find and reach each other
		policy.Spec.Egress = []networkingv1.NetworkPolicyEgressRule{{To: []networkingv1.NetworkPolicyPeer{
			{PodSelector: &metav1.LabelSelector{}},
			{NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"kubernetes.io/metadata.name": "kube-system"}}},
		}}}
	}
	policies := e.cluster.Client.NetworkingV1().NetworkPolicies(Sandbox)
	if _, err := policies.Create(ctx, policy, metav1.CreateOptions{}); err != nil {
		return fault.New(fault.Infra, "the kubeconfig's user must be allowed to create network policies, or give --network bridge", "making network policy: %w", err)
	}
	if !e.cluster.Own {
		e.undoing("network policy "+name, func(ctx context.Context) error {
			return present(policies.Delete(ctx, name, metav1.DeleteOptions{}))
		})
	}
	return nil
}

// settled waits until the default service account is there, without which no
// pod can be made in a new namespace.
func (e *Engine) settled(ctx context.Context, namespace string) error {
	return await(ctx, 30*time.Second, "namespace "+namespace+" has no service account", func(ctx context.Context) (bool, string, error) {
		_, err := e.cluster.Client.CoreV1().ServiceAccounts(namespace).Get(ctx, "default", metav1.GetOptions{})
		return err == nil, "", err
	})
}
