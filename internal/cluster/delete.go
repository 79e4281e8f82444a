package cluster

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/vexxy/action/internal/journal"
)

// labelCluster is kind's label of its containers, with the cluster's name as
// its value; balancer ends the name of the one that is no node.
const (
	labelCluster = "io.x-k8s.kind.cluster"
	balancer     = "-external-load-balancer"
)

// deleteTimeout bounds a deletion, and sweepEvery is the time between its
// looks at the engine.
const (
	deleteTimeout = 60 * time.Second
	sweepEvery    = 200 * time.Millisecond
)

// Delete takes back all that the run has made of the cluster; of one that was
// there, only the private kubeconfig. It may be called at any point, more than
// once, with a context that outlives the run's; call it when Start and WaitAPI
// have returned.
//
// A kind that is still at work cannot be told to stop. Its containers are
// taken from it, at which whatever it does fails, and looked for again until
// it has returned.
func (c *Cluster) Delete(ctx context.Context) error {
	if !c.Own {
		return c.forgetKubeconfig()
	}
	c.mu.Lock()
	c.closing = true
	listed, made := c.listed, c.made
	c.mu.Unlock()
	if len(listed) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, deleteTimeout, fmt.Errorf("the cluster was not gone within %s", deleteTimeout))
	defer cancel()
	if err := c.engine.sweep(ctx, c.Name, made); err != nil {
		if made != nil {
			// Should this process live on, so does kind's work in it.
			go func() {
				<-made
				late, cancel := context.WithTimeout(context.WithoutCancel(ctx), deleteTimeout)
				defer cancel()
				c.engine.sweep(late, c.Name, made)
				c.engine.removeNetwork(late, c.Name)
			}()
		}
		return fmt.Errorf("deleting cluster %s: %w", c.Name, err)
	}
	errs := []error{c.removed(journal.Cluster), c.forgetKubeconfig()}
	if c.engine.network != "" {
		err := c.engine.removeNetwork(ctx, c.Name)
		if err == nil {
			err = c.removed(journal.Network)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// removed strikes off what is gone.
func (c *Cluster) removed(kind journal.Kind) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, r := range c.listed {
		if r.kind == kind {
			c.listed = append(c.listed[:i:i], c.listed[i+1:]...)
			return c.options.Journal.Removed(r.kind, r.id)
		}
	}
	return nil
}

func (c *Cluster) forgetKubeconfig() error {
	for _, path := range []string{c.Kubeconfig, c.Kubeconfig + ".lock"} {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("removing kubeconfig: %w", err)
		}
	}
	return nil
}

// abandon deletes the cluster after an error, which it gives back.
func (c *Cluster) abandon(ctx context.Context, err error) error {
	if also := c.Delete(context.WithoutCancel(ctx)); also != nil {
		return errors.Join(err, also)
	}
	return err
}

// sweep removes the containers of a cluster, with their volumes, until there
// are none and made, when it is not nil, is closed.
func (e engine) sweep(ctx context.Context, name string, made <-chan struct{}) error {
	var refused error
	for failures := 0; failures < 5; {
		ended := true // asked before looking: what is made later is seen the next time
		if made != nil {
			select {
			case <-made:
			default:
				ended = false
			}
		}
		nodes, err := e.ask(ctx, "ps", "--all", "--filter", "label="+labelCluster+"="+name, "--format", "{{.Names}}")
		if err != nil {
			return err
		}
		if len(nodes) == 0 && ended {
			return nil
		}
		if len(nodes) > 0 {
			pause := !ended
			switch err := e.removeNodes(ctx, nodes); {
			case err == nil || gone(err.Error()):
			case going(err.Error()):
				refused, pause = err, true
			default:
				refused = err
				failures++
			}
			if !pause {
				continue
			}
		}
		select {
		case <-made:
			made = nil
		case <-time.After(sweepEvery):
		case <-ctx.Done():
			return errors.Join(context.Cause(ctx), refused)
		}
	}
	return refused
}

// removeNodes removes containers and their volumes. With Podman kind makes
// volumes that have the node's name for a label and do not go with it.
func (e engine) removeNodes(ctx context.Context, nodes []string) error {
	var volumes []string
	if e.binary == "podman" {
		for _, node := range nodes {
			of, err := e.ask(ctx, "volume", "ls", "--quiet", "--filter", "label="+node)
			if err != nil {
				return err
			}
			volumes = append(volumes, of...)
		}
	}
	_, err := e.ask(ctx, append([]string{"rm", "--force", "--volumes"}, nodes...)...)
	if err == nil && len(volumes) > 0 {
		_, err = e.ask(ctx, append([]string{"volume", "rm", "--force"}, volumes...)...)
	}
	return err
}
