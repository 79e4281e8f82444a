package kubescape

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"helm.sh/helm/v3/pkg/action"
	"helm.sh/helm/v3/pkg/postrender"
	helmrelease "helm.sh/helm/v3/pkg/release"
	"helm.sh/helm/v3/pkg/storage/driver"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/resource"
	"k8s.io/client-go/rest"

	"github.com/vexxy/action/internal/fault"
)

// helm gives Helm's actions in a namespace of the engine's cluster. They end
// with ctx: Helm itself goes on in the background when it is cancelled, and
// would make what the run's cleanup has just removed.
func (e *Engine) helm(ctx context.Context, namespace string) (*action.Configuration, error) {
	flags := genericclioptions.NewConfigFlags(false)
	flags.KubeConfig, flags.Namespace = &e.cluster.Kubeconfig, &namespace
	flags.WrapConfigFn = func(c *rest.Config) *rest.Config {
		c.QPS, c.Burst = e.cluster.Config.QPS, e.cluster.Config.Burst // by default it is 5 requests a second
		c.Wrap(func(next http.RoundTripper) http.RoundTripper { return bound{ctx, next} })
		return c
	}
	var c action.Configuration
	if err := c.Init(flags, namespace, "secret", func(string, ...any) {}); err != nil {
		return nil, fmt.Errorf("preparing Helm: %w", err)
	}
	return &c, nil
}

// bound sends no request after the end of a context, and breaks off those that
// are under way then.
type bound struct {
	until context.Context
	next  http.RoundTripper
}

func (b bound) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := context.Cause(b.until); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancelCause(r.Context())
	stop := context.AfterFunc(b.until, func() { cancel(context.Cause(b.until)) })
	resp, err := b.next.RoundTrip(r.WithContext(ctx))
	if err != nil {
		stop()
		cancel(nil)
		return nil, err
	}
	resp.Body = closing{resp.Body, func() { stop(); cancel(nil) }}
	return resp, nil
}

// closing is a body that tells when it is done with.
type closing struct {
	io.ReadCloser
	closed func()
}

func (c closing) Close() error {
	defer c.closed()
	return c.ReadCloser.Close()
}

// release is one installation by Helm.
type release struct {
	name, namespace string
	chart           loaded
	values          map[string]any
	render          postrender.PostRenderer
	timeout         time.Duration
	// shared says that other runs may use what the release brought.
	shared bool
}

// kubescapeRelease is Kubescape's, as runs install it.
var kubescapeRelease = release{name: "kubescape", namespace: Namespace, shared: true}

// install installs a release and registers its removal. Helm does not wait:
// what is waited for, and with which words, is the engine's to say.
func (e *Engine) install(ctx context.Context, r release) (*helmrelease.Release, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, r.timeout, fmt.Errorf("not done after %s", r.timeout))
	defer cancel()
	c, err := e.helm(ctx, r.namespace)
	if err != nil {
		return nil, err
	}
	if !e.cluster.Own {
		e.undoing("release "+r.name, func(ctx context.Context) error { return e.uninstall(ctx, r) })
	}
	i := action.NewInstall(c)
	i.ReleaseName, i.Namespace, i.PostRenderer = r.name, r.namespace, r.render
	i.Timeout, i.Labels = r.timeout, map[string]string{labelRun: e.options.RunID, annotateExpiry: lapse(e.options.Deadline.Add(expiryGrace))}
	i.HideNotes = true
	var fresh []string
	if r.shared && !e.cluster.Own {
		if fresh, err = e.newDefinitions(ctx, r.chart.Chart); err != nil {
			return nil, fault.New(fault.Infra, "", "installing chart %s: %w", r.chart.Name(), err)
		}
	}
	installed, err := i.RunWithContext(ctx, r.chart.Chart, r.values)
	if merr := e.markDefinitions(ctx, fresh); merr != nil {
		e.progress.Note("marking custom resource definitions, which may stay: " + merr.Error())
	}
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		return nil, fault.New(fault.Infra, "look at the chart and its values; an air-gapped cluster needs image-archives or registry-mirror",
			"installing chart %s: %w", r.chart.Name(), err)
	}
	return installed, nil
}

// uninstall removes a release that a run installed, and no other. What other
// runs use is left to the last of them, or to a sweep.
func (e *Engine) uninstall(ctx context.Context, r release) error {
	run, status, err := e.released(ctx, r)
	if err != nil {
		return err
	}
	if r.shared {
		if others, err := e.others(ctx); err != nil || len(others) > 0 {
			return err
		}
	}
	if run != "" {
		err = e.helmUninstall(ctx, r, status)
	}
	if r.shared && err == nil {
		err = e.removeDefinitions(ctx)
	}
	return err
}

func (e *Engine) helmUninstall(ctx context.Context, r release, status string) error {
	c, err := e.helm(ctx, r.namespace)
	if err != nil {
		return err
	}
	u := action.NewUninstall(c)
	u.Timeout, u.IgnoreNotFound = uninstallTimeout, true
	gone, err := u.Run(r.name)
	if errors.Is(err, driver.ErrReleaseNotFound) || err == nil && gone == nil {
		return nil
	}
	if err != nil {
		return fmt.Errorf("uninstalling %s: %w", r.name, err)
	}
	return removeHooks(c, gone.Release, strings.HasPrefix(status, "pending-"))
}

// removeHooks removes what a release's hooks have made in its namespace: Helm
// leaves it, unless the chart asks otherwise. Of an installation that did not
// come to its end Helm has not noted which hooks ran.
func removeHooks(c *action.Configuration, r *helmrelease.Release, unfinished bool) error {
	var errs []error
	for _, h := range r.Hooks {
		if h.LastRun.StartedAt.IsZero() && !unfinished {
			continue
		}
		made, err := c.KubeClient.Build(strings.NewReader(h.Manifest), false)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		made = made.Filter(func(i *resource.Info) bool { return i.Namespaced() && i.Namespace == r.Namespace })
		if len(made) == 0 {
			continue
		}
		_, failed := c.KubeClient.Delete(made)
		errs = append(errs, failed...)
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("removing what the hooks of %s have made: %w", r.Name, err)
	}
	return nil
}

// uninstallTimeout bounds the hooks of a chart that is removed.
const uninstallTimeout = 30 * time.Second

// released gives the run that has installed a release, empty for none, and the
// state in which Helm has it. Helm keeps both in the labels of a Secret.
func (e *Engine) released(ctx context.Context, r release) (run, status string, err error) {
	list, err := e.cluster.Client.CoreV1().Secrets(r.namespace).List(ctx, metav1.ListOptions{LabelSelector: "owner=helm,name=" + r.name + "," + labelRun})
	if apierrors.IsForbidden(err) { // who may not look has installed nothing
		return "", "", nil
	}
	if err != nil {
		return "", "", fmt.Errorf("looking for release %s: %w", r.name, err)
	}
	for _, s := range list.Items {
		run, status = s.Labels[labelRun], s.Labels["status"]
	}
	return run, status, nil
}

// releasedByRun reports whether there is a Kubescape of a run's; one that is
// being removed is waited out.
func (e *Engine) releasedByRun(ctx context.Context) (bool, error) {
	var marked bool
	err := await(ctx, 2*uninstallTimeout, "another run's Kubescape is still being removed", func(ctx context.Context) (bool, string, error) {
		run, status, err := e.released(ctx, kubescapeRelease)
		marked = run != ""
		return err == nil && status != "uninstalling", "its release is " + status, err
	})
	if err != nil {
		return false, fault.New(fault.Infra, "", "looking for Kubescape: %w", err)
	}
	return marked, nil
}
