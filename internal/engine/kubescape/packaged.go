package kubescape

import (
	"bytes"
	"context"
	"path/filepath"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/vexxy/action/internal/engine/kubescape/objects"
	"github.com/vexxy/action/internal/fault"
)

// Packaged is a workload that the user describes: manifests or a Helm chart.
// Both are made to fit the run before the cluster sees them: adapter tells how.
// Of the images of its other containers none is taken from the local Docker
// engine: an own cluster pulls them, or finds them by Options.Archives. Helm's
// hooks are installed as they are, as Helm shows them to nobody.
type Packaged struct {
	// Manifests are files, or folders of files, of YAML or JSON.
	Manifests []string
	Chart     ChartSource
	// Container is [KIND/NAME/]CONTAINER, empty for the only one that has the
	// image.
	Container string
}

func (p Packaged) given() bool { return len(p.Manifests) > 0 || p.Chart.Chart != "" }

// deployPackaged makes what the user describes. Only the observed container
// must start: when all of it is ready is for the readiness inputs to say.
func (s *sighting) deployPackaged(ctx context.Context) (locator, error) {
	e := s.engine
	limit := e.options.InstallTimeout
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fault.New(fault.Infra, "give a longer --install-timeout", "installing the workload: not done after %s", limit))
	defer cancel()
	a, err := s.adapter(ctx)
	if err != nil {
		return locator{}, err
	}
	var got observed
	if len(e.options.Packaged.Manifests) > 0 {
		got, err = e.applyManifests(ctx, a)
	} else {
		got, err = e.installPackaged(ctx, a)
	}
	if err != nil {
		return locator{}, err
	}
	s.aside = got.aside
	s.command = slices.Concat(got.container.Command, got.container.Args)
	s.workload = objects.Workload{Namespace: Sandbox, Kind: got.kind, Name: got.name, Container: got.container.Name}
	s.target = &target{
		engine: e, ports: got.ports(ports(e.options.Pod.Ports, s.image)), networked: e.options.Pod.Network != "none",
		probed: got.container.ReadinessProbe != nil,
	}
	return locator{namespace: Sandbox, selector: labelWorkload + "=" + a.workload, container: got.container.Name}, nil
}

// adapter is how the user's objects are made to fit this run and image.
func (s *sighting) adapter(ctx context.Context) (adapter, error) {
	e := s.engine
	labels, annotations := e.marks()
	a := adapter{
		labels: labels, annotations: annotations, workload: e.workloadName(s.image), window: e.options.Window.Duration.String(),
		reference: reference(s.image, e.options.RunID), repository: s.image.Repository, pull: corev1.PullNever,
		wanted: e.options.Packaged.Container, own: e.cluster.Own, subject: isSubject(s.image, e.options.RunID),
	}
	var err error
	if !e.cluster.Own {
		a.pull = corev1.PullIfNotPresent
		a.secret, err = e.pullSecret(ctx, s.image)
	}
	return a, err
}

func (e *Engine) applyManifests(ctx context.Context, a adapter) (observed, error) {
	objects, err := readManifests(e.options.Packaged.Manifests)
	if err != nil {
		return observed{}, err
	}
	to, err := e.applier()
	if err != nil {
		return observed{}, err
	}
	a.scope = to.scope(objects)
	got, err := a.adapt(objects)
	if err != nil {
		return observed{}, err
	}
	return got, to.apply(ctx, objects)
}

// installPackaged installs the user's chart; Helm has the adapter go over what
// it rendered.
func (e *Engine) installPackaged(ctx context.Context, a adapter) (observed, error) {
	p := e.options.Packaged
	chart, err := p.Chart.load(ctx, filepath.Join(e.options.TempDir, "workload"))
	if err != nil {
		return observed{}, err
	}
	if crds := chart.CRDObjects(); len(crds) > 0 && !e.cluster.Own {
		return observed{}, clusterWide("CustomResourceDefinition", crds[0].Name)
	}
	values, err := valuesOf(p.Chart.Values)
	if err != nil {
		return observed{}, err
	}
	to, err := e.applier()
	if err != nil {
		return observed{}, err
	}
	r := &renderer{adapter: a, applier: to}
	installed, err := e.install(ctx, release{
		name: "workload-" + e.options.RunID[:8], namespace: Sandbox, chart: chart, values: values, render: r, timeout: e.options.InstallTimeout,
	})
	if r.err != nil {
		err = r.err
	}
	if err != nil {
		return r.got, err
	}
	hooks, err := hooked(installed.Hooks, a.subject)
	r.got.aside = append(r.got.aside, hooks...)
	return r.got, err
}

// renderer is Helm's post-renderer. Helm buries its error; it is kept here.
type renderer struct {
	adapter adapter
	applier *applier
	got     observed
	err     error
}

func (r *renderer) Run(rendered *bytes.Buffer) (*bytes.Buffer, error) {
	out, err := r.render(rendered)
	r.err = err
	return out, err
}

func (r *renderer) render(rendered *bytes.Buffer) (*bytes.Buffer, error) {
	objects, err := decode(rendered, "the chart's output")
	if err != nil {
		return nil, err
	}
	r.adapter.scope = r.applier.scope(objects)
	if r.got, err = r.adapter.adapt(objects); err != nil {
		return nil, err
	}
	return encode(objects)
}
