package cluster

import (
	"context"
	"fmt"

	"github.com/vexxy/action/internal/fault"
)

// PullImage has every node that does not know an image by this name pull it,
// from the registry or its mirror, before any pod asks for it. It needs a
// cluster of the run's own and may be called as soon as Start has returned. It
// knows no credentials: what it cannot pull is left to the kubelet.
func (c *Cluster) PullImage(ctx context.Context, name string) error {
	full, err := canonical(name)
	if err != nil {
		return fmt.Errorf("pulling image: %w", err)
	}
	if err := c.loadable(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, loadTimeout, fmt.Errorf("it took longer than %s", loadTimeout))
	defer cancel()
	return c.eachNode(ctx, func(ctx context.Context, node string) error {
		there, err := c.imagesOf(ctx, node)
		if err != nil || there[full] != "" {
			return err
		}
		if _, err := c.engine.run(ctx, nil, ctr(node, "pull", "--hosts-dir", certs, full)...); err != nil {
			return fault.New(fault.Infra, hintOf(err.Error(), c.engine.binary), "pulling %s into %s: %w", full, node, err)
		}
		if there, err = c.imagesOf(ctx, node); err != nil {
			return err
		}
		return c.nameByDigest(ctx, node, full, there[full])
	})
}
