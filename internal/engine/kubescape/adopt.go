package kubescape

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vexxy/action/internal/cluster"
	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/source"
)

// adopt opens a cluster that is there. Its Kubescape is used where it has one
// that is fit; else the chart is installed, and removed again. Nothing that
// does not bear the mark of a run is ever removed or changed.
func (e *Engine) adopt(ctx context.Context) error {
	o := e.options
	done := e.progress.Step("open cluster")
	c, err := cluster.Open(ctx, o.Existing.Kubeconfig, o.Existing.Context, filepath.Join(o.TempDir, "cluster"))
	if err == nil {
		e.cluster = c
		e.undoing("private kubeconfig", c.Delete)
	}
	done(err)
	if err != nil {
		return err
	}
	done = e.progress.Step("check rights")
	err = e.permitted(ctx)
	done(err)
	if err == nil { // which looks at the nodes, for long if it may not
		err = c.WaitReady(ctx, true)
	}
	if err != nil {
		return err
	}
	e.sweep(ctx)
	// From here on other runs see this one, and leave it what it uses.
	if err := e.enter(ctx); err != nil {
		return err
	}
	err = e.findOrInstall(ctx)
	if err != nil && e.kubescape.found && e.deserted(ctx) {
		e.kubescape = installation{}
		err = e.findOrInstall(ctx)
	}
	if err != nil {
		return err
	}
	return e.survey(ctx)
}

// enter makes the sandbox, and the run known in it. A run that looked just
// before may yet take away what this one has found there; not so twice.
func (e *Engine) enter(ctx context.Context) error {
	err := e.enterOnce(ctx)
	if err != nil && e.vanishing(ctx, Sandbox) {
		err = e.enterOnce(ctx)
	}
	return err
}

func (e *Engine) enterOnce(ctx context.Context) error {
	if err := e.makeNamespace(ctx, Sandbox); err != nil {
		return err
	}
	if err := e.settled(ctx, Sandbox); err != nil {
		return err
	}
	return e.signIn(ctx)
}

// vanishing reports whether a namespace is gone or being deleted.
func (e *Engine) vanishing(ctx context.Context, name string) bool {
	n, err := e.cluster.Client.CoreV1().Namespaces().Get(ctx, name, metav1.GetOptions{})
	return apierrors.IsNotFound(err) || err == nil && n.DeletionTimestamp != nil
}

// deserted reports whether there is no Kubescape any more.
func (e *Engine) deserted(ctx context.Context) bool {
	home, err := e.home(ctx)
	if err != nil || home != "" {
		return false
	}
	theirs, err := e.releasedByRun(ctx)
	return err == nil && !theirs
}

// findOrInstall sees to it that there is a Kubescape. One that another run is
// just installing is waited for, one that is being removed is waited out.
func (e *Engine) findOrInstall(ctx context.Context) error {
	home, err := e.home(ctx)
	if err != nil {
		return err
	}
	theirs, err := e.releasedByRun(ctx)
	if err != nil {
		return err
	}
	if home == "" && !theirs {
		chart, err := e.options.Chart.load(ctx, e.options.TempDir)
		if err != nil {
			return err
		}
		err = e.installKubescape(ctx, chart, false)
		if err == nil {
			return nil
		}
		// Of two runs at once one is first; the other fails in one of many ways.
		if run, _, lookErr := e.released(ctx, kubescapeRelease); lookErr != nil || run == "" || run == e.options.RunID {
			return err
		}
		theirs = true
	}
	if theirs {
		e.undoing("release "+kubescapeRelease.name, func(ctx context.Context) error { return e.uninstall(ctx, kubescapeRelease) })
		home = Namespace
	}
	done := e.progress.Step("check the Kubescape that is there")
	err = e.fit(ctx, home, theirs)
	done(err)
	if err != nil {
		return err
	}
	return e.meet(ctx)
}

// presence is the ConfigMap by which a run is known in the sandbox: whoever
// removes what runs share looks for it.
func presence(run string) string { return "vexxy-run-" + run }

// signIn makes the run known to others.
func (e *Engine) signIn(ctx context.Context) error {
	labels, annotations := e.marks()
	name := presence(e.options.RunID)
	maps := e.cluster.Client.CoreV1().ConfigMaps(Sandbox)
	e.undoing("config map "+name, func(ctx context.Context) error {
		return present(maps.Delete(ctx, name, metav1.DeleteOptions{}))
	})
	_, err := maps.Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels, Annotations: annotations}}, metav1.CreateOptions{})
	if err != nil {
		return fault.New(fault.Infra, "the kubeconfig's user must be allowed to create config maps in "+Sandbox, "signing in: %w", err)
	}
	return nil
}

// others lists the runs beside this one that are under way.
func (e *Engine) others(ctx context.Context) ([]string, error) {
	list, err := e.cluster.Client.CoreV1().ConfigMaps(Sandbox).List(ctx, metav1.ListOptions{LabelSelector: labelRun + "," + labelRun + "!=" + e.options.RunID})
	if err != nil {
		return nil, fmt.Errorf("looking for other runs: %w", err)
	}
	var runs []string
	for _, m := range list.Items {
		if run := m.Labels[labelRun]; m.Name == presence(run) && !expired(m.Annotations[annotateExpiry], time.Now()) {
			runs = append(runs, run)
		}
	}
	return runs, nil
}

// expired reads an expiry. What cannot be read is not over.
func expired(at string, now time.Time) bool {
	t, err := time.Parse(time.RFC3339, at)
	return err == nil && now.After(t)
}

// present lets pass that something to be removed is not there.
func present(err error) error {
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// runnable reports by an error that the engine's cluster cannot run an image.
// One that is not the run's own must pull it, and not from this machine.
func (e *Engine) runnable(ctx context.Context, img source.Image) error {
	if e.options.Existing == nil {
		return nil // then it is loaded already
	}
	if img.Pull == "" {
		return fault.New(fault.Usage, "push the image to a registry that the cluster reaches and name it there, or leave kubeconfig and context away",
			"running %s in an existing cluster: no registry has published it", img.Requested)
	}
	return e.native(ctx, img)
}
