// Package config holds the inputs of a run. One table (Inputs) names them all;
// flags, environment variables, the keys of .vexxy.yml, the help text and the
// tables of the documentation are derived from it. A flag wins over the
// environment, that over the file, that over the default; an empty value
// counts as not given. What is unknown, invalid or contradictory is a usage
// fault that says where it came from.
package config

import "time"

// Config is the effective inputs of a run, validated.
type Config struct {
	// Images are the references to analyse, in the order given, without
	// duplicates; at least one.
	Images []string
	// Digest is the digest that the only image must have, or empty.
	Digest string
	// Platform is os/arch[/variant], or empty for the engine's own.
	Platform string
	// Engine is one of the Engine constants.
	Engine string
	// Cluster is for the engine kubescape.
	Cluster     Cluster
	Publication Publication
	// OutputDir is the folder for the results.
	OutputDir string

	// Duration is the longest observation, EarlyStop whether it may end before,
	// once the exercise is done and no new package was seen for Quiet.
	Duration  time.Duration
	EarlyStop bool
	Quiet     time.Duration

	// Command and Args replace the image's entry point and arguments; nil keeps
	// the image's own.
	Command, Args []string
	Env           []Variable
	// Ports are the TCP ports that the workload is expected to listen at; nil
	// stands for those the image exposes.
	Ports []int
	// User replaces the image's user; empty keeps it.
	User string
	// AllowPrivilegeEscalation lets programs of the workload gain privileges,
	// by set-user-ID files for instance.
	AllowPrivilegeEscalation bool
	// CPULimit is in CPUs, MemoryLimit in bytes, PidsLimit in processes.
	CPULimit    float64
	MemoryLimit int64
	PidsLimit   int64
	// Network is one of the Network constants.
	Network string

	// ReadyURL or ReadyCommand (run in the workload by its shell) tell that the
	// workload is ready; at most one is set.
	ReadyURL, ReadyCommand string
	ReadyTimeout           time.Duration
	// HTTPProbe are paths or URLs to request, ExecCommand a shell command in
	// the workload, TestCommand one on this host.
	HTTPProbe                []string
	ExecCommand, TestCommand string
	// TestTimeout bounds each command of the exercise.
	TestTimeout time.Duration

	// VulnerabilityDB is an archive or folder to use instead of Grype's cache.
	VulnerabilityDB string
	MaxDBAge        time.Duration

	// Baseline names an earlier run, or is empty; with the inputs after it, it is
	// read by Earlier. FailOn is "all", or "new" for a gate on what was not
	// affected there already.
	Baseline                                 string
	BaselineKey                              string
	BaselineIdentity, BaselineIdentityRegexp string
	BaselineIssuer                           string
	FailOn                                   string
	// FailOnSeverity is a severity or "none", MaxAffected the limit as given,
	// OnInconclusive "fail" or "warn". Policy makes the gate's policy of them.
	FailOnSeverity string
	MaxAffected    string
	OnlyFixed      bool
	OnInconclusive string
	WarnOnly       bool

	// VEX are files and folders of OpenVEX documents with people's statements;
	// VEXDiscovery takes those in .openvex beside them. What clears a finding
	// counts until it is VEXMaxAge old; 0 is for ever.
	VEX          []string
	VEXDiscovery bool
	VEXMaxAge    time.Duration

	// Dockerfile is the file of the repository to which SARIF results are
	// anchored; SARIFOpen takes in what is under investigation, as notes.
	Dockerfile string
	SARIFOpen  bool

	// Attest says what is signed and attached to the image.
	Attest Attest

	// Deadline bounds the whole run.
	Deadline time.Duration
	// File is the configuration file that was read, or empty.
	File string

	origin map[string]string
}

// The networks that a workload can have.
const (
	NetworkInternal = "internal"
	NetworkBridge   = "bridge"
	NetworkNone     = "none"
)

// Variable is an environment variable of the workload.
type Variable struct {
	Name  string
	Value Secret
}

// Given reports whether the input was given at all, rather than left to its
// default.
func (c Config) Given(name string) bool { return c.origin[name] != "" }

// Origin says where the input's value came from: "--duration",
// "VEXXY_DURATION", ".vexxy.yml:3", "default".
func (c Config) Origin(name string) string {
	if c.Given(name) {
		return c.origin[name]
	}
	return "default"
}

// Settings gives every input's effective value by name, for the record, with
// secrets redacted. Equal configurations give equal settings.
func (c Config) Settings() map[string]string {
	settings := map[string]string{}
	for _, in := range Inputs() {
		settings[in.Name] = in.show(&c)
	}
	return settings
}

// Secrets gives the values that must be masked wherever the run prints.
func (c Config) Secrets() []Secret {
	var secrets []Secret
	for _, v := range c.Env {
		if v.Value.Reveal() != "" {
			secrets = append(secrets, v.Value)
		}
	}
	for _, one := range []Secret{c.Publication.GitHubToken, c.Publication.GitLabToken, c.Attest.Password} {
		if one.Reveal() != "" {
			secrets = append(secrets, one)
		}
	}
	return secrets
}
