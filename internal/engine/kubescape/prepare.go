package kubescape

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vexxy/action/internal/cluster"
	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/source"
)

// Prepare makes a cluster with Kubescape, or opens one. Side by side go what
// does not depend on each other: the chart, the database, the control plane,
// and the images' way into the nodes.
func (e *Engine) Prepare(ctx context.Context) error {
	if e.options.Existing != nil {
		return e.adopt(ctx)
	}
	return e.make(ctx)
}

// make makes a cluster of the run's own.
func (e *Engine) make(ctx context.Context) error {
	o := e.options
	// What is wrong with the inputs is told before anything is made of them.
	archives, err := archivesIn(o.Archives)
	if err != nil {
		return err
	}
	if _, err := chartValues(o.Window.Duration, true, o.Chart.Values); err != nil {
		return err
	}
	database := filepath.Join(o.TempDir, "grype-db")
	if err := os.MkdirAll(database, 0o755); err != nil {
		return fault.New(fault.Infra, "", "making a folder for the database: %w", err)
	}
	clusterOptions := o.Cluster
	clusterOptions.Mounts = append(clusterOptions.Mounts, cluster.Mount{HostPath: database, NodePath: databaseInNode})
	for i, file := range archives {
		clusterOptions.Mounts = append(clusterOptions.Mounts, cluster.Mount{HostPath: file, NodePath: fmt.Sprintf("%s/%d.tar", archivesInNode, i), ReadOnly: true})
	}
	c, err := cluster.New(clusterOptions)
	if err != nil {
		return err
	}
	e.cluster, e.deferred = c, newDeferred()
	e.undoing("cluster "+c.Name, e.endCluster)

	var chart loaded
	g, gctx := errgroup.WithContext(ctx)
	fetched, copied := make(chan struct{}), make(chan struct{})
	g.Go(func() (err error) {
		defer close(fetched)
		done := e.progress.Step("fetch Kubescape's chart")
		chart, err = o.Chart.load(gctx, o.TempDir)
		done(err)
		return err
	})
	g.Go(func() error {
		defer close(copied)
		return e.copyDatabase(gctx, database)
	})
	g.Go(func() error {
		done := e.progress.Step("create cluster")
		err := c.Start(gctx)
		done(err)
		if err != nil {
			return err
		}
		pulling, enough := context.WithCancel(gctx)
		defer enough() // with Kubescape ready, the kubelet has pulled what it needs
		g.Go(func() error {
			if come(gctx, fetched) != nil || chart.Chart == nil {
				return nil // which is told by whoever knows why
			}
			return e.supply(gctx, pulling, chart, archives)
		})
		g.Go(func() error { return e.loadImages(gctx) })
		done = e.progress.Step("boot control plane")
		err = c.WaitAPI(gctx)
		done(err)
		if err != nil {
			return err
		}
		g.Go(func() error {
			done := e.progress.Step("wait for nodes")
			// A workload that may send nothing out cannot resolve a name either.
			err := c.WaitReady(gctx, o.Packaged.given() || o.Pod.Network == "bridge")
			done(err)
			return err
		})
		if err := come(gctx, fetched, copied); err != nil {
			return err
		}
		if err := e.makeDefinitions(gctx, chart.Chart); err != nil {
			return err
		}
		if err := e.routed(gctx); err != nil {
			return err
		}
		if err := c.Deliver(gctx, database); err != nil {
			return err
		}
		return e.installKubescape(gctx, chart, true)
	})
	if err := g.Wait(); err != nil {
		if cause := context.Cause(ctx); cause != nil {
			return cause
		}
		return err
	}
	return e.survey(ctx)
}

// come waits for events, and no longer than ctx lives.
func come(ctx context.Context, events ...<-chan struct{}) error {
	for _, e := range events {
		select {
		case <-e:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// routed waits until the nodes route addresses of services. Before that such an
// address leads out of the node, to whoever answers there: Kubescape's storage
// then fails, and the API server may go on talking to a stranger in its place.
// A cluster without kube-proxy has something else for it, which is not known.
func (e *Engine) routed(ctx context.Context) error {
	return await(ctx, routeTimeout, "kube-proxy not ready", func(ctx context.Context) (bool, string, error) {
		d, err := e.cluster.Client.AppsV1().DaemonSets("kube-system").Get(ctx, "kube-proxy", metav1.GetOptions{})
		if isMissing(err) {
			return true, "", nil
		}
		if err != nil {
			return false, "", err
		}
		ready := d.Status.DesiredNumberScheduled > 0 && d.Status.NumberReady == d.Status.DesiredNumberScheduled
		return ready, fmt.Sprintf("%d of %d ready", d.Status.NumberReady, d.Status.DesiredNumberScheduled), nil
	})
}

// routeTimeout is how long kube-proxy may take.
const routeTimeout = 120 * time.Second

// endCluster deletes the run's own cluster, or keeps it with a support bundle.
func (e *Engine) endCluster(ctx context.Context) error {
	if !e.options.Retain {
		return e.cluster.Delete(ctx)
	}
	// Whoever looks at it wants all of Kubescape, also of a run that ended early.
	if err := e.unpark(ctx); err != nil {
		e.progress.Note(err.Error())
	}
	if err := e.cluster.Support(ctx, e.options.SupportDir, e.options.Redact); err != nil {
		e.progress.Note("collecting the support bundle: " + err.Error())
	}
	e.progress.Note(fmt.Sprintf("cluster %[1]s is kept: `kind export kubeconfig --name %[1]s` gives access to it, `kind delete cluster --name %[1]s` removes it",
		e.cluster.Name))
	return nil
}

// copyDatabase gives kubevuln a copy of the database that this run uses, as
// Grype writes into the folder of its database.
func (e *Engine) copyDatabase(ctx context.Context, dir string) error {
	matcher, err := e.matcher(ctx)
	if err != nil {
		return err
	}
	done := e.progress.Step("copy vulnerability database")
	err = func() error {
		if err := os.CopyFS(dir, os.DirFS(matcher.Dir())); err != nil {
			return err
		}
		// The one who reads it in the pod is another user than the one here.
		return filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
			if err != nil {
				return err
			}
			if info.IsDir() {
				return os.Chmod(path, 0o777)
			}
			return os.Chmod(path, 0o666)
		})
	}()
	if err != nil {
		err = fault.New(fault.Infra, "check the space in the temporary directory, or point TMPDIR to a larger disk", "copying the vulnerability database: %w", err)
	}
	done(err)
	return err
}

// atOnce is how many images are loaded side by side: the control plane boots
// meanwhile, and wants processors as well.
func atOnce() int { return max(1, runtime.NumCPU()/2) }

// loadArchives gives the nodes the images that they need not pull.
func (e *Engine) loadArchives(ctx context.Context, files []string) error {
	if len(files) == 0 {
		return nil
	}
	done := e.progress.Step("load image archives")
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(atOnce())
	for _, file := range files {
		g.Go(func() error {
			_, err := e.cluster.LoadArchive(gctx, file)
			return err
		})
	}
	err := g.Wait()
	done(err)
	return err
}

// archivesIn lists files, and the archives in folders, by their full paths.
func archivesIn(paths []string) ([]string, error) {
	var files []string
	for _, p := range paths {
		p, err := filepath.Abs(p)
		if err != nil {
			return nil, fault.New(fault.Usage, "", "reading image archives: %w", err)
		}
		info, err := os.Stat(p)
		if err != nil {
			return nil, fault.New(fault.Usage, "image-archives takes archives of images, or folders of them", "reading image archives: %w", err)
		}
		if !info.IsDir() {
			files = append(files, p)
			continue
		}
		found, err := filepath.Glob(filepath.Join(p, "*.tar"))
		if err != nil || len(found) == 0 {
			return nil, fault.New(fault.Usage, "image-archives takes archives of images, or folders of them", "reading image archives: no *.tar in %s", p)
		}
		files = append(files, found...)
	}
	return files, nil
}

// loadImages takes the run's images into the nodes as they become known.
func (e *Engine) loadImages(ctx context.Context) error {
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(atOnce())
	for range e.options.Images {
		select {
		case img := <-e.expected:
			g.Go(func() error {
				done := e.progressOf(img).Step("load image into cluster")
				err := e.native(gctx, img)
				if err == nil {
					err = e.cluster.LoadImage(gctx, img.Image, []string{reference(img, e.options.RunID)})
				}
				done(err)
				return err
			})
		case <-gctx.Done():
			return g.Wait()
		}
	}
	return g.Wait()
}

// reference is the name by which a pod asks for an image: the published
// digest, or for an image that nobody published a name of the run's own.
func reference(img source.Image, run string) string {
	if img.Pull != "" {
		// The node knows no other spelling of Docker Hub.
		if d, err := name.NewDigest(img.Pull); err == nil {
			registry := d.RegistryStr()
			if registry == name.DefaultRegistry {
				registry = "docker.io"
			}
			return registry + "/" + d.RepositoryStr() + "@" + d.DigestStr()
		}
		return img.Pull
	}
	return "vexxy.local/" + run + ":" + img.ConfigDigest[len("sha256:"):][:12]
}

// survey finds out what the nodes have left, and makes the sandbox.
func (e *Engine) survey(ctx context.Context) error {
	rooms, err := e.left(ctx)
	if err != nil {
		return fault.New(fault.Infra, "", "looking at the nodes: %w", err)
	}
	coming, err := e.reserved(ctx)
	if err != nil {
		return fault.New(fault.Infra, "", "looking at what Kubescape is still to get: %w", err)
	}
	for i := range rooms {
		rooms[i].cpu -= coming.cpu
		rooms[i].memory -= coming.memory
	}
	e.share = shareOf(e.options.Pod, min(e.options.Images, e.options.Parallel), rooms)
	return e.makeSandbox(ctx)
}

// left is what each node that takes workloads can allocate and no pod has asked
// for.
func (e *Engine) left(ctx context.Context) ([]share, error) {
	nodes, err := e.cluster.Client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	pods, err := e.cluster.Client.CoreV1().Pods("").List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	rooms := map[string]share{}
	for _, n := range nodes.Items {
		if n.Spec.Unschedulable || slices.ContainsFunc(n.Spec.Taints, func(t corev1.Taint) bool { return t.Effect != corev1.TaintEffectPreferNoSchedule }) {
			continue
		}
		rooms[n.Name] = share{n.Status.Allocatable.Cpu().AsApproximateFloat64(), n.Status.Allocatable.Memory().Value()}
	}
	for _, p := range pods.Items {
		r, found := rooms[p.Spec.NodeName]
		if !found || p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed {
			continue
		}
		for _, c := range p.Spec.Containers {
			r.cpu -= c.Resources.Requests.Cpu().AsApproximateFloat64()
			r.memory -= c.Resources.Requests.Memory().Value()
		}
		rooms[p.Spec.NodeName] = r
	}
	return slices.Collect(maps.Values(rooms)), nil
}
