package cluster

import (
	"context"
	"fmt"
	"os"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// bootFile holds the number that a kernel gives to each of its boots. The
// kubelet reads the same file for its node's status.
const bootFile = "/proc/sys/kernel/random/boot_id"

// SameKernel reports whether a node runs on this machine's kernel, so that the
// sensor of this machine sees the node's pods.
func (c *Cluster) SameKernel(ctx context.Context, node string) (bool, error) {
	n, err := c.Client.CoreV1().Nodes().Get(ctx, node, metav1.GetOptions{})
	if err != nil {
		return false, fmt.Errorf("looking at node %s: %w", node, err)
	}
	boot, err := os.ReadFile(bootFile)
	if err != nil {
		return false, fmt.Errorf("reading this machine's boot: %w", err)
	}
	mine := strings.TrimSpace(string(boot))
	return mine != "" && n.Status.NodeInfo.BootID == mine, nil
}
