package config

import (
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// The engines.
const (
	EngineEmbedded  = "embedded"
	EngineKubescape = "kubescape"
)

// The chart that is installed unless another is named. Its components are
// what the values for CI and the waits were written for.
const (
	DefaultChart        = "https://kubescape.github.io/helm-charts/kubescape-operator"
	DefaultChartVersion = "1.40.3"
)

// Cluster is what the engine kubescape takes beside the common inputs.
type Cluster struct {
	// Provider is docker, podman or nerdctl; NodeImage is kind's own default
	// when empty; KindConfig is a file.
	Provider, NodeImage, KindConfig string
	// Mirrors are REGISTRY=URL, Archives files or folders of images that the
	// nodes are given.
	Mirrors, Archives []string
	Retain            bool
	// Kubeconfig and Context name an existing cluster; both are empty for one
	// of the run's own.
	Kubeconfig, Context string

	// Chart is a URL of repository and name, an OCI reference, an archive or a
	// folder. Values are files that are laid over the values for CI.
	Chart, ChartVersion, ChartDigest string
	Values                           []string

	// CPURequest is in CPUs, MemoryRequest in bytes; both are lowered to what
	// the nodes have left.
	CPURequest    float64
	MemoryRequest int64
	// Manifests are files, HelmChart a chart that brings the image along with
	// what it needs; HelmValues are files for it.
	Manifests         []string
	HelmChart         string
	HelmValues        []string
	InstallTimeout    time.Duration
	WorkloadContainer string
	// Parallel is how many images run side by side.
	Parallel int64
}

// Existing reports whether the cluster is not of the run's own making.
func (c Cluster) Existing() bool { return c.Kubeconfig != "" || c.Context != "" }

func clusterInputs() []Input {
	return group("Cluster (engine kubescape)",
		row("kubeconfig", "", "kubeconfig file of an existing cluster to run in",
			text(func(c *Config) *string { return &c.Cluster.Kubeconfig }, nil), unset("a kind cluster of the run's own")),
		row("context", "", "context of the kubeconfig; alone it names a context of the user's own kubeconfig",
			text(func(c *Config) *string { return &c.Cluster.Context }, nil), unset("the current one")),
		row("cluster-provider", "docker", "what kind makes its nodes with",
			choice(func(c *Config) *string { return &c.Cluster.Provider }, "docker", "podman", "nerdctl")),
		row("node-image", "", "image of the cluster's nodes, best by digest",
			text(func(c *Config) *string { return &c.Cluster.NodeImage }, nil), unset("kind's own")),
		row("kind-config", "", "kind configuration file, to which the run's own settings are added",
			text(func(c *Config) *string { return &c.Cluster.KindConfig }, nil), unset("one node")),
		row("registry-mirror", "", "where the nodes pull from instead of a registry, HOST=URL, such as quay.io=https://mirror.example/quay",
			list(func(c *Config) *[]string { return &c.Cluster.Mirrors }, checkMirror), unset("none")),
		row("image-archives", "", "archives of images (docker save, OCI), or folders of them, that the nodes are given instead of pulling: for air-gapped use",
			list(func(c *Config) *[]string { return &c.Cluster.Archives }, nil), unset("none")),
		row("retain-cluster", "false", "keep the cluster for a look at it, with a support bundle in the output directory",
			onOff(func(c *Config) *bool { return &c.Cluster.Retain })),
		row("chart", DefaultChart, "Kubescape's Helm chart: a repository's URL and the chart's name, oci://…, an archive or a folder",
			text(func(c *Config) *string { return &c.Cluster.Chart }, nil)),
		row("chart-version", DefaultChartVersion, "version of the chart in its repository; given for an archive or a folder, it must be of it",
			text(func(c *Config) *string { return &c.Cluster.ChartVersion }, nil)),
		row("chart-digest", "", "SHA-256 that the chart's archive must have; another ends the run with code 6",
			text(func(c *Config) *string { return &c.Cluster.ChartDigest }, checkDigest), unset("any, recorded")),
		row("values", "", "files of Helm values, laid over the values for CI",
			list(func(c *Config) *[]string { return &c.Cluster.Values }, nil), unset("none")),
		row("cpu-request", "1", "CPUs that the workload asks for, lowered to what the nodes have left",
			cpus(func(c *Config) *float64 { return &c.Cluster.CPURequest }, 0.01, 1024)),
		row("memory-request", "2Gi", "memory that the workload asks for, lowered to what the nodes have left",
			size(func(c *Config) *int64 { return &c.Cluster.MemoryRequest }, 16<<20, 16<<40)),
		row("manifests", "", "files of Kubernetes manifests that bring the image along with what it needs, instead of a Deployment of vexxy's",
			list(func(c *Config) *[]string { return &c.Cluster.Manifests }, nil), unset("none")),
		row("helm-chart", "", "Helm chart that brings the image along with what it needs: as chart",
			text(func(c *Config) *string { return &c.Cluster.HelmChart }, nil), unset("none")),
		row("helm-values", "", "files of values for helm-chart",
			list(func(c *Config) *[]string { return &c.Cluster.HelmValues }, nil), unset("none")),
		row("install-timeout", "5m", "how long installing Kubescape, and helm-chart or manifests, may take each",
			duration(func(c *Config) *time.Duration { return &c.Cluster.InstallTimeout }, time.Second, day)),
		row("workload-container", "", "which container to observe, [KIND/NAME/]CONTAINER, where manifests or helm-chart have several that could be meant",
			text(func(c *Config) *string { return &c.Cluster.WorkloadContainer }, checkContainer), unset("the one with the image")),
		row("parallel", "8", "how many images run side by side",
			count(func(c *Config) *int64 { return &c.Cluster.Parallel }, 1, 100)),
	)
}

func checkMirror(s string) error {
	host, at, found := strings.Cut(s, "=")
	u, err := url.Parse(at)
	if !found || host == "" || strings.ContainsAny(host, "/ ") || err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return invalid{strconv.Quote(cut(s)) + " is not HOST=URL", "write it like quay.io=https://mirror.example/quay"}
	}
	return nil
}

var containerForm = regexp.MustCompile(`^([A-Za-z]+/[a-z0-9.-]+/)?[a-z0-9-]+$`)

func checkContainer(s string) error {
	if !containerForm.MatchString(s) {
		return invalid{strconv.Quote(cut(s)) + " is not a container", "write its name, such as web, or deployment/shop/web"}
	}
	return nil
}

// clusterOnly are inputs that mean nothing to the embedded engine, ownCluster
// those that mean nothing to an existing cluster.
var (
	ownCluster = []string{"cluster-provider", "node-image", "kind-config", "registry-mirror", "image-archives", "retain-cluster"}
	ownPod     = []string{"command", "args", "env", "user", "cpu-limit", "memory-limit", "cpu-request", "memory-request", "allow-privilege-escalation"}
)

var numericUser = regexp.MustCompile(`^[0-9]+(:[0-9]+)?$`)

// asks reports whether the input was given as something else than its default.
func (c *Config) asks(name string) bool {
	if !c.Given(name) {
		return false
	}
	in := newTable(Inputs())[name]
	standard := Config{}
	if in.Default != "" {
		if err := in.set(&standard, []given{{items: []string{in.Default}}}); err != nil {
			return true
		}
	}
	return in.show(c) != in.show(&standard)
}

// fromFile reports whether the input came from the configuration file.
func (c *Config) fromFile(name string) bool {
	return c.File != "" && strings.HasPrefix(c.Origin(name), c.File+":")
}

// conflicting makes the fault of two inputs that contradict each other.
type conflicting func(hint, format string, args ...any) error

// checkCluster finds contradictions among the inputs of the cluster engine.
func (c *Config) checkCluster(conflict conflicting) error {
	if c.Engine == EngineEmbedded {
		for _, in := range clusterInputs() {
			if c.asks(in.Name) && !c.fromFile(in.Name) { // a file may serve both engines
				return conflict("leave it away, or give engine kubescape", "%s (%s) has no meaning for engine embedded (%s)", in.Name, c.Origin(in.Name), c.Origin("engine"))
			}
		}
		return nil
	}
	if c.Given("early-stop") && c.EarlyStop {
		return conflict("leave early-stop away and give a shorter duration", "early-stop (%s): Kubescape's profile ends with the window and not before", c.Origin("early-stop"))
	}
	c.EarlyStop = false
	if c.User != "" && !numericUser.MatchString(c.User) {
		return conflict("give the user's number, such as 1000 or 1000:1000", "user %q (%s): Kubernetes knows users by number alone", cut(c.User), c.Origin("user"))
	}
	k := &c.Cluster
	if k.Existing() {
		for _, name := range ownCluster {
			if c.asks(name) {
				return conflict("leave one of the two away", "%s (%s) has no meaning for an existing cluster (%s)", name, c.Origin(name), c.existingOrigin())
			}
		}
	}
	return c.checkPackaged(conflict)
}

func (c *Config) existingOrigin() string {
	if c.Given("kubeconfig") {
		return c.Origin("kubeconfig")
	}
	return c.Origin("context")
}

// checkPackaged finds contradictions of workloads that the user describes.
func (c *Config) checkPackaged(conflict conflicting) error {
	k := &c.Cluster
	if len(k.Manifests) > 0 && k.HelmChart != "" {
		return conflict("give one of the two", "manifests (%s) and helm-chart (%s) are both given", c.Origin("manifests"), c.Origin("helm-chart"))
	}
	if len(k.HelmValues) > 0 && k.HelmChart == "" {
		return conflict("give helm-chart, or values for Kubescape's own chart", "helm-values (%s) is given without helm-chart", c.Origin("helm-values"))
	}
	packaged := ""
	switch {
	case len(k.Manifests) > 0:
		packaged = "manifests"
	case k.HelmChart != "":
		packaged = "helm-chart"
	case k.WorkloadContainer != "":
		return conflict("give manifests or helm-chart", "workload-container (%s) is given without them", c.Origin("workload-container"))
	default:
		return nil
	}
	if len(c.Images) > 1 {
		return conflict("run one image at a time with them", "%s (%s) is given for %d images", packaged, c.Origin(packaged), len(c.Images))
	}
	for _, name := range ownPod {
		if c.asks(name) {
			return conflict("write it into the "+packaged, "%s (%s): what runs is described by %s (%s)", name, c.Origin(name), packaged, c.Origin(packaged))
		}
	}
	return nil
}
