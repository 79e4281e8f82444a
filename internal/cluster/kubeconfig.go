package cluster

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/vexxy/action/internal/fault"
)

// What a run may ask of an API server: client-go's own bounds, 5 and 10, make
// waits of requests.
const (
	maxQPS   = 100
	maxBurst = 200
)

func kubeconfigIn(dir string) string { return filepath.Join(dir, "kubeconfig") }

// connect makes the client from the private kubeconfig.
func (c *Cluster) connect(ctx context.Context) error {
	if err := os.Chmod(c.Kubeconfig, 0o600); err != nil {
		return fault.New(fault.Infra, "", "reading kubeconfig: %w", err)
	}
	config, err := clientcmd.BuildConfigFromFlags("", c.Kubeconfig)
	if err != nil {
		return fault.New(fault.Infra, "", "reading kubeconfig: %w", err)
	}
	config.QPS, config.Burst = maxQPS, maxBurst
	config.WarningHandler = rest.NoWarnings{}
	config.UserAgent = "vexxy"
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return fault.New(fault.Infra, "", "making a client of cluster %s: %w", c.Name, err)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, answerTimeout, fmt.Errorf("the API server did not answer within %s", answerTimeout))
	defer cancel()
	if _, err := client.Discovery().RESTClient().Get().AbsPath("/version").DoRaw(ctx); err != nil {
		return err
	}
	c.Config, c.Client = config, client
	return nil
}
