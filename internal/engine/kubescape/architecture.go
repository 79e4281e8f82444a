package kubescape

import (
	"context"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/source"
)

// native reports by an error that no node is of the image's architecture. An
// emulator in between would be what runs, and what is watched. Where nodes are
// of several, the pod asks for one of its own; what the user describes is for
// the user to place.
func (e *Engine) native(ctx context.Context, img source.Image) error {
	of, err := e.architectures(ctx)
	if err != nil {
		return fault.New(fault.Infra, "", "looking at the nodes: %w", err)
	}
	if slices.Contains(of, img.Platform.Architecture) {
		return nil
	}
	return fault.New(fault.Usage, "give --platform linux/"+of[0]+" if the image is there for it, or use nodes of the image's architecture",
		"running %s in the cluster: it is for %s, and the nodes are of %s", img.Requested, text(img.Platform.String()), text(strings.Join(of, ", ")))
}

// architectures are those of the nodes, as Go names them.
func (e *Engine) architectures(ctx context.Context) ([]string, error) {
	if e.cluster.Own {
		a, err := e.cluster.Architecture(ctx)
		return []string{a}, err
	}
	nodes, err := e.cluster.Client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	of := []string{}
	for _, n := range nodes.Items {
		of = append(of, n.Status.NodeInfo.Architecture)
	}
	slices.Sort(of)
	return slices.Compact(of), nil
}
