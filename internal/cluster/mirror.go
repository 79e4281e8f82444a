package cluster

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/vexxy/action/internal/fault"
)

// certs is where containerd of a kind node looks for the hosts of registries,
// since Kubernetes 1.27:
// https://github.com/containerd/containerd/blob/main/docs/hosts.md
const certs = "/etc/containerd/certs.d"

// mirror tells the nodes' runtime where to pull from instead.
func (c *Cluster) mirror(ctx context.Context) error {
	if len(c.options.Mirrors) == 0 {
		return nil
	}
	return c.eachNode(ctx, func(ctx context.Context, node string) error {
		config, err := c.engine.run(ctx, nil, "exec", node, "containerd", "config", "dump")
		if err != nil {
			return fmt.Errorf("reading containerd's configuration: %w", err)
		}
		if !strings.Contains(string(config), certs) {
			return fault.New(fault.Infra, "use a node image of Kubernetes 1.27 or newer",
				"naming registry mirrors: containerd of %s does not look into %s", node, certs)
		}
		for _, host := range slices.Sorted(maps.Keys(c.options.Mirrors)) {
			path := certs + "/" + folder(host) + "/hosts.toml"
			text := strings.NewReader(hosts(host, c.options.Mirrors[host]))
			if _, err := c.engine.run(ctx, text, "exec", "-i", node, "sh", "-c", `mkdir -p "$(dirname "$0")" && cat > "$0"`, path); err != nil {
				return fmt.Errorf("naming the mirror of %s: %w", host, err)
			}
		}
		return nil
	})
}

// folder is the name by which containerd looks a registry up.
func folder(host string) string {
	if host == "index.docker.io" {
		return "docker.io"
	}
	return host
}

// hosts is a registry's hosts.toml. The registry itself stays the last resort
// but is asked only if the mirror does not have the image. A mirror with a
// path is taken to hold the registry's API below it.
func hosts(host, mirror string) string {
	upstream := "https://" + folder(host)
	if folder(host) == "docker.io" {
		upstream = "https://registry-1.docker.io"
	}
	mirror = strings.TrimRight(mirror, "/")
	var b strings.Builder
	fmt.Fprintf(&b, "server = %q\n\n[host.%q]\n", upstream, mirrorRoot(mirror))
	b.WriteString("  capabilities = [\"pull\", \"resolve\"]\n")
	if pathOf(mirror) != "" {
		b.WriteString("  override_path = true\n")
	}
	return b.String()
}

// mirrorRoot gives the root of the mirror's API. With override_path containerd
// appends nothing to it, so that the version of the API is part of it.
func mirrorRoot(mirror string) string {
	path := pathOf(mirror)
	if path == "" || path == "/v2" || strings.HasPrefix(path, "/v2/") {
		return mirror
	}
	return strings.TrimSuffix(mirror, path) + "/v2" + path
}

func pathOf(url string) string {
	_, rest, _ := strings.Cut(url, "://")
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		return rest[i:]
	}
	return ""
}

// eachNode does the same to all nodes, side by side.
func (c *Cluster) eachNode(ctx context.Context, f func(context.Context, string) error) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, node := range c.nodes {
		g.Go(func() error { return f(ctx, node) })
	}
	return g.Wait()
}
