package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"regexp"
	"strings"
	"time"
)

// egressTimeout bounds one attempt to reach something from within a pod.
const egressTimeout = 15 * time.Second

// egressScript looks for a process of the container on its node and opens a
// connection from the network that it is in. It prints one word. An address that
// the node itself does not reach either says nothing of the container's network,
// but for the container's own loopback.
const egressScript = `for p in /proc/[0-9]*; do
  if grep -q "$1" "$p/cgroup" 2> /dev/null; then pid=${p#/proc/}; break; fi
done
[ -n "$pid" ] || { echo gone; exit; }
if timeout 3 nsenter --net="/proc/$pid/ns/net" bash -c 'exec 3<> "/dev/tcp/$0/$1"' "$2" "$3" 2> /dev/null; then echo reached; exit; fi
case $2 in
  127.* | ::1) echo held ;;
  *) if timeout 3 bash -c 'exec 3<> "/dev/tcp/$0/$1"' "$2" "$3" 2> /dev/null; then echo held; else echo lost; fi ;;
esac`

var containerForm = regexp.MustCompile(`^[0-9a-f]{64}$`)

// Reaches reports whether a container's network leads to an address, as
// host:port with a numeric host: a network policy that forbids it is worth
// what the cluster's network plugin makes of it. Nothing runs in the container
// itself. It needs a cluster of the run's own.
func (c *Cluster) Reaches(ctx context.Context, node, container, address string) (bool, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil || net.ParseIP(host) == nil || !containerForm.MatchString(container) {
		return false, fmt.Errorf("probing the network: %q from container %q cannot be asked for", address, container)
	}
	if err := c.loadable(); err != nil {
		return false, fmt.Errorf("probing the network: %w", err)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, egressTimeout, fmt.Errorf("no answer within %s", egressTimeout))
	defer cancel()
	out, err := c.engine.run(ctx, nil, "exec", node, "bash", "-c", egressScript, "probe", container, host, port)
	if err != nil {
		return false, fmt.Errorf("probing the network: %w", err)
	}
	switch word := strings.TrimSpace(string(out)); word {
	case "reached":
		return true, nil
	case "held":
		return false, nil
	case "lost":
		return false, fmt.Errorf("probing the network: %s does not answer the node either", address)
	default:
		return false, errors.New("probing the network: the container is gone")
	}
}
