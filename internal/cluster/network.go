package cluster

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"time"

	"sigs.k8s.io/kind/pkg/apis/config/v1alpha4"

	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/journal"
)

// makingGrace is how long the making of a network may outlive the run's
// cancellation: the engine carries out a request that nobody waits for any
// more, and what is made after the cleanup stays.
const makingGrace = 4 * time.Second

// makeNetwork makes the cluster's own network. kind's is shared by all
// clusters of a machine and is never removed.
func (c *Cluster) makeNetwork(ctx context.Context) error {
	if c.engine.network == "" {
		return nil
	}
	if err := c.list(journal.Network, c.Name); err != nil {
		return err
	}
	args := []string{"network", "create", "--driver", "bridge", "--label", labelRun + "=" + c.options.RunID}
	if c.engine.binary == "docker" {
		// The cluster's traffic leaves by the way of the default network, whose
		// MTU an administrator may have lowered.
		mtu, err := c.engine.ask(ctx, "network", "inspect", "bridge", "--format", `{{index .Options "com.docker.network.driver.mtu"}}`)
		if err == nil && len(mtu) == 1 && number.MatchString(mtu[0]) {
			args = append(args, "--opt", "com.docker.network.driver.mtu="+mtu[0])
		}
	}
	if family := c.config.Networking.IPFamily; family == v1alpha4.IPv6Family || family == v1alpha4.DualStackFamily {
		args = append(args, "--ipv6", "--subnet", localSubnet(c.options.RunID))
	}
	lingers, cancel := lingering(ctx)
	defer cancel()
	if _, err := c.engine.ask(lingers, append(args, c.Name)...); err != nil {
		return fault.New(fault.Infra, hintOf(err.Error(), c.engine.binary), "creating network %s: %w", c.Name, err)
	}
	return nil
}

var number = regexp.MustCompile(`^[0-9]+$`)

// localSubnet is a unique local subnet (RFC 4193) whose 40 random bits are the
// run's.
func localSubnet(run string) string {
	return fmt.Sprintf("fd%s:%s:%s::/64", run[:2], run[2:6], run[6:10])
}

// lingering gives a context that ends a short grace after ctx.
func lingering(ctx context.Context) (context.Context, context.CancelFunc) {
	lingers, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		time.AfterFunc(makingGrace, func() { cancel(context.Cause(ctx)) })
	})
	return lingers, func() { stop(); cancel(nil) }
}

// removeNetwork removes a network. One that is gone already is no error. A
// node that was just removed may still be on its way out of it.
func (e engine) removeNetwork(ctx context.Context, name string) error {
	for {
		_, err := e.ask(ctx, "network", "rm", name)
		switch {
		case err == nil:
			return nil
		case gone(err.Error()):
			return nil
		case !strings.Contains(err.Error(), "active endpoints"):
			return fmt.Errorf("removing network %s: %w", name, err)
		}
		select {
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("removing network %s: %w", name, err)
		}
	}
}

// gone reports whether a refusal says that the thing is not there.
func gone(text string) bool {
	text = strings.ToLower(text)
	return strings.Contains(text, "no such") || strings.Contains(text, "not found")
}

// going reports whether a refusal says that the thing is being removed for
// somebody else, such as a run that was killed while it did so.
func going(text string) bool { return strings.Contains(strings.ToLower(text), "already in progress") }
