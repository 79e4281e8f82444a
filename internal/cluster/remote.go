package cluster

import (
	"fmt"
	"net"
	"net/url"
	"os"

	"k8s.io/client-go/tools/clientcmd"
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
	if host := Elsewhere(os.Getenv("DOCKER_HOST")); host != "" && c.engine.binary == "docker" && c.config.Networking.APIServerAddress == "" {
		c.config.Networking.APIServerAddress = everywhere
		c.host = host
	}
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
