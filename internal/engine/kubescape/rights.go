package kubescape

import (
	"context"
	"slices"
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

// rights are those of several verbs on one resource.
func rights(group, resource, namespace string, verbs ...string) []right {
	all := make([]right, len(verbs))
	for i, verb := range verbs {
		all[i] = right{verb, group, resource, namespace}
	}
	return all
}

// rightsToRun are needed wherever the workload runs.
func (e *Engine) rightsToRun(sandboxed bool) []right {
	all := slices.Concat(
		[]right{{"list", "", "nodes", ""}, {"list", "", "pods", ""}, {"get", groupRegister, "apiservices", ""}, {"get", "", "serviceaccounts", Sandbox}},
		rights("", "configmaps", Sandbox, "create", "list", "delete"),
		rights(groupApps, "deployments", Sandbox, "create", "delete"),
		[]right{{"get", "", "pods", Sandbox}, {"create", "", "pods/exec", Sandbox}, {"create", "", "pods/portforward", Sandbox}},
	)
	if !sandboxed {
		all = append(all, rightsToClear(Sandbox)...)
	}
	if e.options.Pod.Network != "bridge" {
		all = append(all, rights(groupNetwork, "networkpolicies", Sandbox, "create", "delete")...)
	}
	if e.options.Packaged.Chart.Chart != "" {
		all = append(all, rightsOfHelm(Sandbox)...)
	}
	return all
}

// rightsToClear are needed to make a namespace and, at the end, to remove it
// unless something else has moved in.
func rightsToClear(namespace string) []right {
	all := rights("", "namespaces", "", "create", "delete")
	for _, r := range living(namespace) {
		all = append(all, right{"list", r.Group, r.Resource, namespace})
	}
	return all
}

// rightsOfHelm are those with which Helm keeps what it knows of a release.
func rightsOfHelm(namespace string) []right {
	return rights("", "secrets", namespace, "create", "get", "list", "update", "delete")
}

// rightsToUse are needed of a Kubescape that is there.
func rightsToUse(home string) []right {
	all := []right{
		{"list", groupApps, "deployments", home}, {"list", groupApps, "daemonsets", home},
		{"get", "", "configmaps", home}, {"create", "", "services/proxy", home},
		{"list", "", "pods", home}, {"list", groupSPDX, "containerprofiles", Sandbox}, {"get", groupSPDX, "containerprofiles", Sandbox},
	}
	for _, r := range []string{"sbomsyfts", "sbomsyftfiltereds", "vulnerabilitymanifests", "openvulnerabilityexchangecontainers"} {
		all = append(all, rights(groupSPDX, r, home, "get", "list")...)
	}
	return all
}

// rightsToInstall are needed to install one, and to remove it again.
func rightsToInstall() []right {
	all := slices.Concat(rightsToClear(Namespace), rightsOfHelm(Namespace), []right{{"create", "", "services/proxy", Namespace}},
		rights(definitions.Group, definitions.Resource, "", "create", "get", "list", "patch", "delete"))
	for _, r := range []right{
		{"", groupRBAC, "clusterroles", ""}, {"", groupRBAC, "clusterrolebindings", ""},
		{"", groupRegister, "apiservices", ""}, {"", "scheduling.k8s.io", "priorityclasses", ""},
		{"", "", "configmaps", Namespace}, {"", "", "services", Namespace}, {"", "", "serviceaccounts", Namespace},
		{"", groupApps, "deployments", Namespace}, {"", groupApps, "daemonsets", Namespace},
	} {
		all = append(all, rights(r.group, r.resource, r.namespace, "create", "delete")...)
	}
	return all
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
