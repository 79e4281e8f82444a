package cluster

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	kind "sigs.k8s.io/kind/pkg/cluster"

	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/journal"
)

// The longest times of the parts of a start.
const (
	pullTimeout = 10 * time.Minute
	bootTimeout = 2 * time.Minute
	apiTimeout  = 6 * time.Minute
)

// environment holds a token while kind reads the name of its network from the
// process's environment, the only place where it looks.
var environment = make(chan struct{}, 1)

// Start makes the nodes and returns when their container runtime answers, so
// that images can be loaded; kubeadm boots the control plane meanwhile. What
// it made, failed or not, is for Delete to remove.
func (c *Cluster) Start(ctx context.Context) error {
	if err := c.engine.reach(ctx); err != nil {
		return err
	}
	if err := os.MkdirAll(c.options.Dir, 0o700); err != nil {
		return fault.New(fault.Infra, "make room for temporary files, or set TMPDIR", "preparing cluster: %w", err)
	}
	for _, image := range images(c.config) {
		if err := c.pull(ctx, image); err != nil {
			return err
		}
	}
	if err := c.list(journal.Cluster, c.Name); err != nil {
		return err
	}
	if err := c.makeNetwork(ctx); err != nil {
		return err
	}
	if err := c.launch(ctx); err != nil {
		return err
	}
	bounded, cancel := context.WithTimeout(ctx, bootTimeout)
	defer cancel()
	select {
	case <-c.log.reached(stepControlPlane):
	case <-c.made:
		if c.err != nil {
			return c.failed(ctx)
		}
	case <-bounded.Done():
		if cause := context.Cause(ctx); cause != nil {
			return fmt.Errorf("starting cluster: %w", cause)
		}
		return c.explain(ctx, fmt.Errorf("the nodes did not boot within %s", bootTimeout))
	}
	return c.settle(bounded)
}

var errDeleted = errors.New("the cluster is deleted already")

// list writes down what is about to be made.
func (c *Cluster) list(kind journal.Kind, id string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing {
		return errDeleted
	}
	if err := c.options.Journal.Created(kind, id); err != nil {
		return err
	}
	c.listed = append(c.listed, resource{kind, id})
	return nil
}

// launch lets kind work. The environment names the network until kind has read
// it, also when nobody waits for the cluster any more: kind would take the
// network that it shares among all clusters.
func (c *Cluster) launch(ctx context.Context) error {
	select {
	case environment <- struct{}{}:
	case <-ctx.Done():
		return fmt.Errorf("starting cluster: %w", context.Cause(ctx))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if cause := context.Cause(ctx); c.closing || cause != nil {
		<-environment
		return fmt.Errorf("starting cluster: %w", cmp.Or(cause, errDeleted))
	}
	made := make(chan struct{})
	c.made = made
	restore := setenv(c.engine.network, c.Name)
	provider := kind.NewProvider(kind.ProviderWithLogger(c.log), c.engine.option)
	go func() {
		defer close(made)
		c.err = provider.Create(c.Name,
			kind.CreateWithV1Alpha4Config(c.config),
			kind.CreateWithKubeconfigPath(c.Kubeconfig),
			kind.CreateWithRetain(true), // its own cleanup forgets the network, and the logs are wanted
			kind.CreateWithWaitForReady(0),
		)
	}()
	go func() {
		select {
		case <-c.log.reached(stepNodes):
		case <-made:
		}
		restore()
		<-environment
	}()
	return nil
}

// setenv sets a variable and gives the function that puts it back.
func setenv(name, value string) func() {
	if name == "" {
		return func() {}
	}
	before, was := os.LookupEnv(name)
	os.Setenv(name, value)
	return func() {
		if was {
			os.Setenv(name, before)
		} else {
			os.Unsetenv(name)
		}
	}
}

// settle finds the nodes and configures their runtime.
func (c *Cluster) settle(ctx context.Context) error {
	names, err := c.engine.ask(ctx, "ps", "--filter", "label="+labelCluster+"="+c.Name, "--format", "{{.Names}}")
	if err != nil {
		return fmt.Errorf("listing nodes: %w", err)
	}
	c.nodes = nil
	for _, name := range names {
		if !strings.HasSuffix(name, balancer) {
			c.nodes = append(c.nodes, name)
		}
	}
	if len(c.nodes) != len(c.config.Nodes) {
		return c.explain(ctx, fmt.Errorf("%d of %d nodes run", len(c.nodes), len(c.config.Nodes)))
	}
	if _, err := c.engine.ask(ctx, "exec", c.nodes[0], "ctr", "version"); err != nil {
		return c.explain(ctx, fmt.Errorf("asking the container runtime of %s: %w", c.nodes[0], err))
	}
	return c.mirror(ctx)
}

// WaitAPI waits until the API server answers.
func (c *Cluster) WaitAPI(ctx context.Context) error {
	bounded, cancel := context.WithTimeout(ctx, apiTimeout)
	defer cancel()
	select {
	case <-c.made:
	case <-bounded.Done():
		if cause := context.Cause(ctx); cause != nil {
			return fmt.Errorf("waiting for the control plane: %w", cause)
		}
		return c.explain(ctx, fmt.Errorf("the control plane did not boot within %s", apiTimeout))
	}
	if c.err != nil {
		return c.failed(ctx)
	}
	err := c.redirect()
	if err == nil {
		err = c.connect(bounded)
	}
	if err != nil {
		return c.explain(ctx, fmt.Errorf("reaching the API server: %w", err))
	}
	return nil
}

// failed is kind's error. A terminal's interrupt ends kind's commands as well
// as the run, and is then what there is to tell.
func (c *Cluster) failed(ctx context.Context) error {
	if cause := context.Cause(ctx); cause != nil {
		return fmt.Errorf("creating cluster: %w", cause)
	}
	return c.explain(ctx, c.err)
}

// pull fetches a node image unless it is there. kind would do so as well, with
// no way to stop it.
func (c *Cluster) pull(ctx context.Context, image string) error {
	if _, err := c.engine.ask(ctx, "inspect", "--type=image", "--format", "{{.Id}}", image); err == nil || context.Cause(ctx) != nil {
		return err
	}
	c.options.Note("pulling node image " + image)
	bounded, cancel := context.WithTimeoutCause(ctx, pullTimeout, fmt.Errorf("pulling took longer than %s", pullTimeout))
	defer cancel()
	for wait := time.Second; ; wait *= 2 {
		_, err := c.engine.run(bounded, nil, "pull", "--quiet", image)
		if err == nil {
			return nil
		}
		if cause := context.Cause(ctx); cause != nil {
			return fmt.Errorf("pulling node image: %w", cause)
		}
		if !passing(err.Error()) || wait > 4*time.Second {
			return fault.New(fault.Infra, hintOf(err.Error(), c.engine.binary), "pulling node image %s: %w", image, err)
		}
		select {
		case <-time.After(wait):
		case <-bounded.Done():
		}
	}
}
