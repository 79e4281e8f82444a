package cluster

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	_ "k8s.io/client-go/plugin/pkg/client/auth" // the ways to log in that kubectl knows
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"

	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/foreign"
)

// Open uses a cluster that is there: the one of a context of a kubeconfig
// file. With neither of the two it is what kubectl would use. The context goes
// into a private file in dir, with the files that it names inside, so that
// nothing that a run does can change the user's.
func Open(ctx context.Context, kubeconfig, context, dir string) (*Cluster, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.WarnIfAllMissing = false
	rules.ExplicitPath = kubeconfig
	all, err := rules.Load()
	if err != nil {
		return nil, fault.New(fault.Usage, "check the path and the file: `kubectl config view` reads it too", "reading kubeconfig: %w", err)
	}
	if context == "" {
		context = all.CurrentContext
	}
	one, err := only(*all, context)
	if err != nil {
		return nil, err
	}
	c := &Cluster{Name: context, Kubeconfig: kubeconfigIn(dir)}
	raw, err := clientcmd.Write(one)
	if err != nil {
		return nil, fault.New(fault.Usage, "", "reading context %s: %w", context, err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fault.New(fault.Infra, "make room for temporary files, or set TMPDIR", "keeping a private kubeconfig: %w", err)
	}
	if err := os.WriteFile(c.Kubeconfig, raw, 0o600); err != nil {
		return nil, fault.New(fault.Infra, "make room for temporary files, or set TMPDIR", "keeping a private kubeconfig: %w", err)
	}
	if err := c.connect(ctx); err != nil {
		return nil, c.abandon(ctx, unreachable(ctx, context, err))
	}
	return c, nil
}

// only is a kubeconfig with one context, which is its current one, and with
// the contents of the files that it names.
func only(all api.Config, context string) (api.Config, error) {
	if _, found := all.Contexts[context]; !found {
		hint := "name a kubeconfig file with --kubeconfig"
		if names := slices.Sorted(maps.Keys(all.Contexts)); len(names) > 0 {
			hint = "choose one of " + foreign.Text(strings.Join(names, ", ")).Line(500)
		}
		if context == "" {
			return all, fault.New(fault.Usage, hint, "opening cluster: the kubeconfig has no current context")
		}
		return all, fault.New(fault.Usage, hint, "opening cluster: the kubeconfig has no context %q", context)
	}
	all.CurrentContext = context
	if err := api.MinifyConfig(&all); err != nil {
		return all, fault.New(fault.Usage, "", "reading context %s: %w", context, err)
	}
	if err := api.FlattenConfig(&all); err != nil {
		return all, fault.New(fault.Usage, "the context names a file that cannot be read", "reading context %s: %w", context, err)
	}
	return all, nil
}

// unreachable explains why a cluster does not answer as it should.
func unreachable(ctx context.Context, name string, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return fmt.Errorf("reaching cluster %s: %w", name, cause)
	}
	hint := "check that the cluster runs: `kubectl --context " + name + " version` asks it the same"
	switch text := err.Error(); {
	case apierrors.IsUnauthorized(err):
		hint = "log in to the cluster again: it does not accept the kubeconfig's credentials"
	case apierrors.IsForbidden(err):
		hint = "let the kubeconfig's user read /version"
	case strings.Contains(text, "x509:"):
		hint = "the cluster's certificate is not the one that the kubeconfig trusts: fetch the kubeconfig anew"
	case strings.Contains(text, "executable") && strings.Contains(text, "not found"):
		hint = "install the program by which the kubeconfig logs in"
	}
	return fault.New(fault.Infra, hint, "reaching cluster %s: %s", name, foreign.Text(err.Error()).Line(500))
}
