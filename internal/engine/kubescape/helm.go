package kubescape

import (
	"context"
	"errors"
	"fmt"
	"time"

	"helm.sh/helm/v3/pkg/action"
	"helm.sh/helm/v3/pkg/postrender"
	"helm.sh/helm/v3/pkg/storage/driver"
	"k8s.io/cli-runtime/pkg/genericclioptions"

	"github.com/vexxy/action/internal/fault"
)

// helm gives Helm's actions in a namespace of the engine's cluster.
func (e *Engine) helm(namespace string) (*action.Configuration, error) {
	flags := genericclioptions.NewConfigFlags(false)
	flags.KubeConfig, flags.Namespace = &e.cluster.Kubeconfig, &namespace
	flags.WrapConfigFn = nil
	var c action.Configuration
	if err := c.Init(flags, namespace, "secret", func(string, ...any) {}); err != nil {
		return nil, fmt.Errorf("preparing Helm: %w", err)
	}
	return &c, nil
}

// release is one installation by Helm.
type release struct {
	name, namespace string
	chart           loaded
	values          map[string]any
	render          postrender.PostRenderer
	timeout         time.Duration
}

// install installs a release and registers its removal. Helm does not wait:
// what is waited for, and with which words, is the engine's to say.
func (e *Engine) install(ctx context.Context, r release) error {
	c, err := e.helm(r.namespace)
	if err != nil {
		return err
	}
	if !e.cluster.Own {
		e.undoing("release "+r.name, func(ctx context.Context) error { return e.uninstall(r) })
	}
	i := action.NewInstall(c)
	i.ReleaseName, i.Namespace, i.PostRenderer = r.name, r.namespace, r.render
	i.Timeout, i.Labels = r.timeout, map[string]string{labelRun: e.options.RunID}
	i.HideNotes = true
	ctx, cancel := context.WithTimeoutCause(ctx, r.timeout, fmt.Errorf("not done after %s", r.timeout))
	defer cancel()
	if _, err := i.RunWithContext(ctx, r.chart.Chart, r.values); err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		return fault.New(fault.Infra, "look at the chart and its values; an air-gapped cluster needs image-archives or registry-mirror",
			"installing chart %s: %w", r.chart.Name(), err)
	}
	return nil
}

// uninstall removes a release that this run installed.
func (e *Engine) uninstall(r release) error {
	c, err := e.helm(r.namespace)
	if err != nil {
		return err
	}
	u := action.NewUninstall(c)
	u.Timeout, u.IgnoreNotFound = uninstallTimeout, true
	if _, err := u.Run(r.name); err != nil && !errors.Is(err, driver.ErrReleaseNotFound) {
		return fmt.Errorf("uninstalling %s: %w", r.name, err)
	}
	return nil
}

// uninstallTimeout bounds the hooks of a chart that is removed.
const uninstallTimeout = 30 * time.Second
