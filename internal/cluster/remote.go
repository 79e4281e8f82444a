package cluster

import (
	"archive/tar"
	"context"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"

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

// Deliver sees to it that the nodes have what is at a path of this machine that
// they have mounted. An engine elsewhere cannot mount it: its nodes get a copy.
// It may be called as soon as Start has returned.
func (c *Cluster) Deliver(ctx context.Context, hostPath string) error {
	if c.remote == "" {
		return nil
	}
	for _, m := range c.options.Mounts {
		if m.HostPath != hostPath {
			continue
		}
		err := c.eachNode(ctx, func(ctx context.Context, node string) error { return c.send(ctx, node, m) })
		if err != nil {
			return fault.New(fault.Infra, hintOf(err.Error(), c.engine.binary), "copying %s to the nodes: %w", hostPath, err)
		}
	}
	return nil
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

// inNode gives the path by which the nodes see a file of this machine's that is
// mounted itself, and empty for one that is not.
func (c *Cluster) inNode(file string) string {
	if c.remote != "" {
		return ""
	}
	for _, m := range c.options.Mounts {
		if m.HostPath == file {
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
