// Package cluster gives a run a Kubernetes cluster: one of its own, which kind
// makes on the local container engine, or one that is there. It is the only
// package that knows kind.
//
// A cluster of the run's own is called vexxy- and the run's ID, has a network
// of that name to itself, and is deleted whole. kind's library takes no
// context; see Delete for how its work is cut short.
package cluster

import (
	"context"
	"os"
	"regexp"
	"sync"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/kind/pkg/apis/config/v1alpha4"

	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/journal"
)

// labelRun is the label, with the run's ID as its value, of the network: the
// same that the embedded engine gives to what it makes. Nodes carry kind's own
// label with the cluster's name, and there is no way to give them another.
const labelRun = "dev.vexxy.run"

// prefix begins the name of every cluster of a run's own.
const prefix = "vexxy-"

var runForm = regexp.MustCompile(`^[0-9a-f]{24}$`)

// Cluster is a Kubernetes cluster that a run uses. Config and Client are nil
// until WaitAPI has returned; they are safe for concurrent use.
type Cluster struct {
	Name string
	// Own says that the run has made the cluster: it may be loaded with images
	// and is deleted whole.
	Own bool
	// Kubeconfig is the path of a private file (0600) that holds one context.
	Kubeconfig string
	Config     *rest.Config
	Client     kubernetes.Interface

	options Options
	engine  engine
	config  *v1alpha4.Cluster
	log     *diary
	remote  string   // the engine's host, if it is not this machine
	host    string   // remote, if the API server listens there for us
	nodes   []string // names of the node containers, once they run

	mu      sync.Mutex
	closing bool
	listed  []resource    // what the journal holds of us
	made    chan struct{} // closed when kind has returned; nil before it is called
	err     error         // kind's, once made is closed
}

type resource struct {
	kind journal.Kind
	id   string
}

// Options are those of a kind cluster.
type Options struct {
	// RunID is 24 hex digits.
	RunID string
	// Provider is docker (also when empty), podman or nerdctl.
	Provider string
	// NodeImage is the image of all nodes, kind's default when empty.
	NodeImage string
	// Config is the user's kind configuration in YAML, or nothing. The run's
	// own settings are added to it.
	Config []byte
	// Pids bounds the processes of each pod, 0 for the kubelet's default.
	Pids int64
	// Mounts are given to every node; see Deliver. Unseen says that the engine
	// cannot mount them: it sees other files than this process.
	Mounts []Mount
	Unseen bool
	// Mirrors say where nodes pull from instead: URLs by registry host.
	Mirrors map[string]string
	// Dir is a private folder for the kubeconfig.
	Dir     string
	Journal *journal.Journal
	// Note is given lines for the user; it may be nil.
	Note func(string)
}

// Mount is a path of this machine that is seen in the nodes.
type Mount struct {
	HostPath, NodePath string
	ReadOnly           bool
}

// New describes a cluster of the run's own. Nothing is made yet: register
// Delete, then call Start, WaitAPI and WaitReady.
func New(o Options) (*Cluster, error) {
	if !runForm.MatchString(o.RunID) {
		return nil, fault.New(fault.Internal, "", "describing cluster: %q is no run ID of 24 hex digits", o.RunID)
	}
	e, err := engineOf(o.Provider)
	if err != nil {
		return nil, err
	}
	remote := ""
	if e.binary == "docker" {
		remote = Elsewhere(os.Getenv("DOCKER_HOST"))
	}
	config, err := configuration(o, remote == "" && !o.Unseen)
	if err != nil {
		return nil, err
	}
	if o.Note == nil {
		o.Note = func(string) {}
	}
	c := &Cluster{
		Name: prefix + o.RunID, Own: true, Kubeconfig: kubeconfigIn(o.Dir),
		options: o, engine: e, config: config, log: newDiary(), remote: remote,
	}
	c.reachable()
	return c, nil
}

// Create makes a cluster and returns when its API server answers, which is
// before its nodes are ready. When it fails it has taken everything back.
func Create(ctx context.Context, o Options) (*Cluster, error) {
	c, err := New(o)
	if err != nil {
		return nil, err
	}
	if err = c.Start(ctx); err == nil {
		err = c.WaitAPI(ctx)
	}
	if err != nil {
		return nil, c.abandon(ctx, err)
	}
	return c, nil
}
