package evidence

import "time"

// Kubescape is what Kubescape said of one workload, and how well it worked.
type Kubescape struct {
	// Chart is the chart's version, ChartDigest the SHA-256 of its archive as
	// "sha256:…", empty for a folder or an installation that was found.
	Chart       string `json:"chart,omitempty"`
	ChartDigest string `json:"chart_digest,omitempty"`
	// Images are the images of its components (storage, kubevuln, node-agent,
	// operator) as their pods name them.
	Images map[string]string `json:"images,omitempty"`
	// Found says that it was there before the run and stays.
	Found bool `json:"found,omitempty"`

	// Requests is what the workload asked the cluster for, in words, after it
	// was lowered to what the nodes have left; empty where its own manifests say.
	Requests string `json:"requests,omitempty"`

	Agent   Agent   `json:"agent"`
	Profile Profile `json:"profile"`
	// SBOM is the status of its own SBOM of the image: ready, incomplete,
	// too-large, initializing; empty when there was none.
	SBOM string `json:"sbom,omitempty"`
	// Scan says in words why there is no list of vulnerabilities or no VEX
	// document of its own; empty when there are both.
	Scan string `json:"scan,omitempty"`
	// Sensor says in words why vexxy's own sensor did not watch; empty when it
	// did.
	Sensor string `json:"sensor,omitempty"`
}

// Agent is the node-agent on the workload's node.
type Agent struct {
	Pod string `json:"pod,omitempty"`
	// ReadyAt is when its tracers ran, before the workload was made.
	ReadyAt time.Time `json:"ready_at,omitzero"`
	// Restarts counts its restarts between then and the profile's end.
	Restarts int `json:"restarts"`
}

// Profile is Kubescape's ContainerProfile of the workload.
type Profile struct {
	Name string `json:"name,omitempty"`
	// Status is completed, ready, initializing, failed, too-large; Completion
	// is complete or partial. Both are Kubescape's words, empty for none.
	Status     string `json:"status,omitempty"`
	Completion string `json:"completion,omitempty"`
	// Execs and Opens count its paths.
	Execs int `json:"execs"`
	Opens int `json:"opens"`
	// Patterns are paths in which it put a wildcard for names that it does not
	// list any more: at most 1000 of them.
	Patterns []string `json:"patterns,omitempty"`
	// Error says in words why there is none.
	Error string `json:"error,omitempty"`
}
