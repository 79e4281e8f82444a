package kubescape

import (
	"context"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vexxy/action/internal/fault"
)

// right is what a user may do: a verb on a resource, RESOURCE/SUBRESOURCE. An
// empty namespace is the whole cluster.
type right struct{ verb, group, resource, namespace string }

func (r right) String() string {
	s := r.verb + " " + r.resource
	if r.group != "" {
		s += " of " + r.group
	}
	if r.namespace != "" {
		s += " in namespace " + r.namespace
	}
	return s
}

const (
	groupApps     = "apps"
	groupRBAC     = "rbac.authorization.k8s.io"
	groupRegister = "apiregistration.k8s.io"
	groupSPDX     = "spdx.softwarecomposition.kubescape.io"
	groupNetwork  = "networking.k8s.io"
)

// rightsToRun are needed wherever the workload runs.
func (e *Engine) rightsToRun(sandboxed bool) []right {
	all := []right{
		{"list", "", "nodes", ""}, {"list", "", "pods", ""},
		{"get", groupRegister, "apiservices", ""},
		{"get", "", "serviceaccounts", Sandbox},
		{"create", "", "configmaps", Sandbox}, {"list", "", "configmaps", Sandbox}, {"delete", "", "configmaps", Sandbox},
		{"create", groupApps, "deployments", Sandbox}, {"delete", groupApps, "deployments", Sandbox},
		{"get", "", "pods", Sandbox}, {"create", "", "pods/exec", Sandbox}, {"create", "", "pods/portforward", Sandbox},
	}
	if !sandboxed {
		all = append(all, right{"create", "", "namespaces", ""}, right{"delete", "", "namespaces", ""})
	}
	if e.options.Pod.Network != "bridge" {
		all = append(all, right{"create", groupNetwork, "networkpolicies", Sandbox}, right{"delete", groupNetwork, "networkpolicies", Sandbox})
	}
	return all
}

// rightsToUse are needed of a Kubescape that is there.
func rightsToUse(home string) []right {
	return []right{
		{"list", groupApps, "deployments", home}, {"list", groupApps, "daemonsets", home},
		{"get", "", "configmaps", home}, {"create", "", "services/proxy", home},
		{"list", groupSPDX, "containerprofiles", Sandbox}, {"list", groupSPDX, "sbomsyfts", home},
		{"list", groupSPDX, "vulnerabilitymanifests", home}, {"list", groupSPDX, "openvulnerabilityexchangecontainers", home},
	}
}

// rightsToInstall are needed to install one.
func rightsToInstall() []right {
	return []right{
		{"create", "", "namespaces", ""}, {"delete", "", "namespaces", ""},
		{"create", groupRBAC, "clusterroles", ""}, {"create", groupRBAC, "clusterrolebindings", ""},
		{"create", groupRegister, "apiservices", ""}, {"create", "scheduling.k8s.io", "priorityclasses", ""},
		{"create", "apiextensions.k8s.io", "customresourcedefinitions", ""},
		{"create", "", "secrets", Namespace}, {"create", "", "configmaps", Namespace}, {"create", "", "services", Namespace},
		{"create", "", "serviceaccounts", Namespace}, {"create", "", "services/proxy", Namespace},
		{"create", groupApps, "deployments", Namespace}, {"create", groupApps, "daemonsets", Namespace},
	}
}

// permitted asks for every right that the run will need, before it makes
// anything, and names all that are missing at once.
func (e *Engine) permitted(ctx context.Context) error {
	_, err := e.cluster.Client.CoreV1().Namespaces().Get(ctx, Sandbox, metav1.GetOptions{})
	needed := e.rightsToRun(err == nil)
	switch home, err := e.home(ctx); {
	case err != nil: // it is among the rights
		needed = append(needed, rightsToUse(Namespace)...)
	case home != "":
		needed = append(needed, rightsToUse(home)...)
	default:
		needed = append(needed, rightsToInstall()...)
	}
	missing, err := e.missing(ctx, needed)
	if err != nil {
		return fault.New(fault.Infra, "", "asking for rights: %w", err)
	}
	return forbidden(e.cluster.Name, missing)
}

// missing gives those of the rights that the user does not have, in order.
func (e *Engine) missing(ctx context.Context, needed []right) ([]right, error) {
	reviews := e.cluster.Client.AuthorizationV1().SelfSubjectAccessReviews()
	var mu sync.Mutex
	lacks := map[right]bool{}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(8)
	for _, r := range needed {
		g.Go(func() error {
			resource, sub, _ := strings.Cut(r.resource, "/")
			answer, err := reviews.Create(gctx, &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
				ResourceAttributes: &authorizationv1.ResourceAttributes{
					Verb: r.verb, Group: r.group, Resource: resource, Subresource: sub, Namespace: r.namespace,
				},
			}}, metav1.CreateOptions{})
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			lacks[r] = !answer.Status.Allowed
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	var all []right
	for _, r := range needed {
		if lacks[r] {
			all = append(all, r)
			lacks[r] = false
		}
	}
	return all, nil
}

// forbidden is the error of missing rights, nil for none.
func forbidden(cluster string, missing []right) error {
	if len(missing) == 0 {
		return nil
	}
	words := make([]string, len(missing))
	for i, r := range missing {
		words[i] = r.String()
	}
	return fault.New(fault.Infra, "bind a role with these rights to the kubeconfig's user, or name another kubeconfig",
		"checking rights in cluster %s: its user may not %s", cluster, strings.Join(words, "; "))
}
