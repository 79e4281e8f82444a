// Package cluster holds what the stand-ins share: the clients of the API
// server and the files that the chart mounts.
package cluster

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/kubescape/storage/pkg/generated/clientset/versioned"
	spdx "github.com/kubescape/storage/pkg/generated/clientset/versioned/typed/softwarecomposition/v1beta1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// Clients are those of Kubernetes itself and of Kubescape's storage, which is
// spoken to in protocol buffers as the real programs do.
type Clients struct {
	Core    kubernetes.Interface
	Storage spdx.SpdxV1beta1Interface
}

// Connect makes the clients of a pod.
func Connect() (Clients, error) {
	config, err := rest.InClusterConfig()
	if err != nil {
		return Clients{}, fmt.Errorf("reading the pod's credentials: %w", err)
	}
	core, err := kubernetes.NewForConfig(config)
	if err != nil {
		return Clients{}, fmt.Errorf("making a client: %w", err)
	}
	config = rest.CopyConfig(config)
	config.ContentType = "application/vnd.kubernetes.protobuf"
	config.AcceptContentTypes = config.ContentType
	set, err := versioned.NewForConfig(config)
	if err != nil {
		return Clients{}, fmt.Errorf("making a client of the storage: %w", err)
	}
	return Clients{Core: core, Storage: set.SpdxV1beta1()}, nil
}

// Data is what the stand-ins read of the chart's clusterData.json.
type Data struct {
	ClusterName string `json:"clusterName"`
	Namespace   string `json:"namespace"`
	KubevulnURL string `json:"kubevulnURL"` // host and port
}

// Read reads one of the JSON files below /etc/config.
func Read(name string, into any) error {
	text, err := os.ReadFile("/etc/config/" + name)
	if err != nil {
		return fmt.Errorf("reading configuration: %w", err)
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("reading %s: %w", name, err)
	}
	return nil
}
