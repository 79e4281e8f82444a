package cluster

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"

	"go.yaml.in/yaml/v3"
	"sigs.k8s.io/kind/pkg/apis/config/defaults"
	"sigs.k8s.io/kind/pkg/apis/config/v1alpha4"

	"github.com/vexxy/action/internal/fault"
)

// apiVersion is the one version of kind's configuration.
const apiVersion = "kind.x-k8s.io/v1alpha4"

// configuration is the user's kind configuration with the run's settings: they
// are added, and replace nothing of it but the name. mounted says whether the
// engine can mount what is on this machine.
func configuration(o Options, mounted bool) (*v1alpha4.Cluster, error) {
	c := &v1alpha4.Cluster{TypeMeta: v1alpha4.TypeMeta{Kind: "Cluster", APIVersion: apiVersion}}
	if len(bytes.TrimSpace(o.Config)) > 0 {
		if err := parse(o.Config, c); err != nil {
			return nil, fault.New(fault.Usage, "see https://kind.sigs.k8s.io/docs/user/configuration for what it may hold",
				"reading kind configuration: %w", err)
		}
	}
	c.Name = prefix + o.RunID
	if len(c.Nodes) == 0 {
		c.Nodes = []v1alpha4.Node{{Role: v1alpha4.ControlPlaneRole}}
	}
	mounts := o.Mounts
	if !mounted {
		mounts = nil
	}
	for i := range c.Nodes {
		n := &c.Nodes[i]
		switch {
		case o.NodeImage != "":
			n.Image = o.NodeImage
		case n.Image == "":
			n.Image = defaults.Image
		}
		for _, m := range mounts {
			n.ExtraMounts = append(n.ExtraMounts, v1alpha4.Mount{HostPath: m.HostPath, ContainerPath: m.NodePath, Readonly: m.ReadOnly})
		}
	}
	if o.Pids > 0 {
		// Kubernetes has no such field in a pod: it is the kubelet's.
		// https://kubernetes.io/docs/concepts/policy/pid-limiting
		c.KubeadmConfigPatches = append(c.KubeadmConfigPatches,
			fmt.Sprintf("kind: KubeletConfiguration\napiVersion: kubelet.config.k8s.io/v1beta1\npodPidsLimit: %d\n", o.Pids))
	}
	// The user's own come later and have the last word.
	c.KubeadmConfigPatches = slices.Insert(c.KubeadmConfigPatches, 0, quick(c.Nodes))
	return c, nil
}

// quick lets the controller manager go to work at once. By its defaults it asks
// the API server 20 times a second, too seldom for all of its controllers to
// start in less than 5 s, and tries every 2 s for a lease that nobody else
// wants. No pod is made before, kube-proxy's included. kind fits a patch that
// names no version to any form of kubeadm's configuration.
// https://kubernetes.io/docs/reference/command-line-tools-reference/kube-controller-manager
func quick(nodes []v1alpha4.Node) string {
	managers := 0
	for _, n := range nodes {
		if n.Role == v1alpha4.ControlPlaneRole || n.Role == "" {
			managers++
		}
	}
	arguments := `"kube-api-qps": "500", "kube-api-burst": "500"`
	if managers == 1 {
		arguments += `, "leader-elect": "false"`
	}
	return "kind: ClusterConfiguration\ncontrollerManager: {extraArgs: {" + arguments + "}}\n"
}

// parse reads a configuration as strictly as kind does.
func parse(raw []byte, c *v1alpha4.Cluster) error {
	*c = v1alpha4.Cluster{}
	d := yaml.NewDecoder(bytes.NewReader(raw))
	d.KnownFields(true)
	if err := d.Decode(c); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if c.Kind != "Cluster" || c.APIVersion != apiVersion {
		return fmt.Errorf("it is not of kind: Cluster, apiVersion: %s", apiVersion)
	}
	return nil
}

// images are those that the nodes are made of, each once.
func images(c *v1alpha4.Cluster) []string {
	var all []string
	seen := map[string]bool{}
	for _, n := range c.Nodes {
		if !seen[n.Image] {
			seen[n.Image] = true
			all = append(all, n.Image)
		}
	}
	return all
}
