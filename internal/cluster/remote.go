package cluster

import (
	"archive/tar"
	"context"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"

	"k8s.io/client-go/tools/clientcmd"

	"github.com/vexxy/action/internal/fault"
)

// everywhere is the address that listens on all interfaces, and certified a
// name that the API server's certificate has wherever it listens: kind's
// template for kubeadm gives it.
const (
	everywhere = "0.0.0.0"
	certified  = "localhost"
)

// Elsewhere gives the host of a Docker engine that is not this machine's, as
// the docker:dind service of a GitLab job is, and "" for one that is.
func Elsewhere(dockerHost string) string {
	u, err := url.Parse(dockerHost)
	if err != nil || u.Scheme != "tcp" {
		return ""
	}
	host := u.Hostname()
	if ip := net.ParseIP(host); host == "localhost" || ip != nil && ip.IsLoopback() {
		return ""
	}
	return host
}

// reachable makes the API server listen where this machine can reach it,
// unless the user has said where it shall: its port is published where the
// engine is.
func (c *Cluster) reachable() {
	if c.remote != "" && c.config.Networking.APIServerAddress == "" {
		c.config.Networking.APIServerAddress = everywhere
		c.host = c.remote
	}
}

// Deliver sees to it that the nodes have the files of a folder that they have
// mounted. An engine elsewhere cannot mount it, and one that sees other files
// than this process, as when that runs in a container, mounts something else:
// then the nodes get a copy. It may be called as soon as Start has returned.
func (c *Cluster) Deliver(ctx context.Context, folder string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, loadTimeout, fmt.Errorf("it took longer than %s", loadTimeout))
	defer cancel()
	for _, m := range c.options.Mounts {
		if m.HostPath != folder {
			continue
		}
		err := c.eachNode(ctx, func(ctx context.Context, node string) error {
			if there, err := c.mounted(ctx, node, m); there || err != nil {
				return err
			}
			return c.send(ctx, node, m)
		})
		if err != nil {
			return fault.New(fault.Infra, hintOf(err.Error(), c.engine.binary), "copying %s to the nodes: %w", folder, err)
		}
	}
	return nil
}

// mounted reports whether a node has as many files of a mount as this machine,
// and as many bytes in them.
func (c *Cluster) mounted(ctx context.Context, node string, m Mount) (bool, error) {
	if c.remote != "" || c.options.Unseen {
		return false, nil
	}
	var files, bytes int64
	err := filepath.WalkDir(m.HostPath, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			files, bytes = files+1, bytes+info.Size()
		}
		return err
	})
	if err != nil {
		return false, err
	}
	const count = `find "$0" -type f -printf '%s\n' 2> /dev/null | { n=0 b=0; while read -r s; do n=$((n + 1)) b=$((b + s)); done; echo "$n $b"; }`
	lines, err := c.engine.ask(ctx, "exec", node, "sh", "-c", count, m.NodePath)
	return err == nil && len(lines) == 1 && lines[0] == fmt.Sprintf("%d %d", files, bytes), err
}

// send copies the folder of a mount into a node.
func (c *Cluster) send(ctx context.Context, node string, m Mount) error {
	r, w := io.Pipe()
	go func() {
		t := tar.NewWriter(w)
		err := t.AddFS(os.DirFS(m.HostPath))
		if err == nil {
			err = t.Close()
		}
		w.CloseWithError(err)
	}()
	_, err := c.engine.run(ctx, r, "exec", "-i", node, "sh", "-c", `mkdir -p "$0" && tar -x -f - -C "$0"`, m.NodePath)
	r.CloseWithError(errImported)
	return err
}

// inNode gives the path by which a node sees a file of this machine's that is
// mounted itself, and empty for one that it does not see.
func (c *Cluster) inNode(ctx context.Context, node, file string) string {
	for _, m := range c.options.Mounts {
		if m.HostPath != file {
			continue
		}
		if there, err := c.mounted(ctx, node, m); there && err == nil {
			return m.NodePath
		}
	}
	return ""
}

// redirect lets the kubeconfig name the engine's host in place of the address
// that the API server listens at there.
func (c *Cluster) redirect() error {
	if c.host == "" {
		return nil
	}
	config, err := clientcmd.LoadFromFile(c.Kubeconfig)
	if err != nil {
		return err
	}
	for _, to := range config.Clusters {
		u, err := url.Parse(to.Server)
		if err != nil {
			return fmt.Errorf("reading the API server's address: %w", err)
		}
		u.Host = net.JoinHostPort(c.host, u.Port())
		to.Server, to.TLSServerName = u.String(), certified
	}
	return clientcmd.WriteToFile(*config, c.Kubeconfig)
}
