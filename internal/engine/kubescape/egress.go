package kubescape

import (
	"context"
	"net"
	"strconv"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// What is said of a network policy that was not seen to hold.
const (
	egressOpen   = "network egress not held back: the cluster's network plugin does not enforce network policies"
	egressUnseen = "network egress not probed"
)

// probeEgress tries from the workload's network to reach the API server, which
// the policy forbids, and gives what is to be said of it: nothing where the
// policy holds, or where there is none. In a cluster that is not the run's own
// nothing can be tried without running something in a pod.
func (e *Engine) probeEgress(ctx context.Context, in instance) string {
	switch {
	case e.options.Pod.Network == "bridge":
		return ""
	case !e.cluster.Own:
		return egressUnseen
	}
	s, err := e.cluster.Client.CoreV1().Services("default").Get(ctx, "kubernetes", metav1.GetOptions{})
	if err != nil || len(s.Spec.Ports) == 0 {
		return egressUnseen
	}
	reached, err := e.cluster.Reaches(ctx, in.node, in.id, net.JoinHostPort(s.Spec.ClusterIP, strconv.Itoa(int(s.Spec.Ports[0].Port))))
	switch {
	case err != nil:
		return egressUnseen
	case reached:
		return egressOpen
	}
	return ""
}
