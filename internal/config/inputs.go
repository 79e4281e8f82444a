package config

import (
	"slices"
	"time"
)

const day = 24 * time.Hour

// row makes a row of the table.
func row(name, standard, doc string, v value, more ...func(*Input)) Input {
	in := Input{Name: name, Kind: v.kind, Default: standard, Doc: doc, Values: v.values, set: v.set, show: v.show}
	for _, f := range more {
		f(&in)
	}
	return in
}

// unset says what an empty default stands for.
func unset(s string) func(*Input) { return func(in *Input) { in.Unset = s } }

func group(name string, inputs ...Input) []Input {
	for i := range inputs {
		inputs[i].Group = name
	}
	return inputs
}

// Inputs is the table of all inputs, in the order of the documentation.
func Inputs() []Input {
	return slices.Concat(
		group("Image",
			row("image", "", "image to analyse: a registry reference, docker-daemon:NAME, docker-archive:FILE.tar or oci-dir:FOLDER; several make one run with one verdict",
				list(func(c *Config) *[]string { return &c.Images }, checkImage), unset("required"),
				func(in *Input) { in.Aliases = []string{"images"} }),
			row("digest", "", "digest that the image must have, of its index or its manifest; another ends the run with code 6",
				text(func(c *Config) *string { return &c.Digest }, checkDigest), unset("any")),
			row("platform", "", "platform to analyse, such as linux/arm64",
				text(func(c *Config) *string { return &c.Platform }, checkPlatform), unset("this machine's")),
			row("engine", "", "where the image runs: in a Kubernetes cluster with Kubescape (kubescape) or on the local Docker engine (embedded)",
				choice(func(c *Config) *string { return &c.Engine }, EngineEmbedded, EngineKubescape),
				unset("kubescape under GitHub and GitLab, else embedded")),
		),
		group("Observation",
			row("duration", "300s", "longest observation of the workload",
				duration(func(c *Config) *time.Duration { return &c.Duration }, time.Second, day)),
			row("early-stop", "", "end the observation once the exercise is done and nothing new is seen",
				onOff(func(c *Config) *bool { return &c.EarlyStop }), unset("on unless duration is given")),
			row("quiet", "10s", "how long no new package must be seen for an early stop",
				duration(func(c *Config) *time.Duration { return &c.Quiet }, time.Second, time.Hour)),
			row("deadline", "30m", "end of the whole run; a default that is too short for duration and time-outs is raised",
				duration(func(c *Config) *time.Duration { return &c.Deadline }, time.Second, 7*day)),
		),
		group("Workload",
			row("command", "", "program to run instead of the image's entry point",
				words(func(c *Config) *[]string { return &c.Command }), unset("the image's")),
			row("args", "", "arguments to pass instead of the image's command",
				words(func(c *Config) *[]string { return &c.Args }), unset("the image's")),
			row("env", "", "environment variables of the workload, NAME=value, one to a line",
				pairs(func(c *Config) *[]Variable { return &c.Env }), unset("none"),
				func(in *Input) { in.Secret = true }),
			row("ports", "", "TCP ports that the workload listens at",
				portList(func(c *Config) *[]int { return &c.Ports }), unset("those the image exposes")),
			row("user", "", "user to run as, NAME or UID, with :GROUP or :GID if need be",
				text(func(c *Config) *string { return &c.User }, checkUser), unset("the image's")),
			row("network", NetworkInternal, "network of the workload: reachable from here with no way out (internal), with a way out (bridge), or none",
				choice(func(c *Config) *string { return &c.Network }, NetworkInternal, NetworkBridge, NetworkNone)),
			row("cpu-limit", "2", "CPUs that the workload may use",
				cpus(func(c *Config) *float64 { return &c.CPULimit }, 0.01, 1024)),
			row("memory-limit", "4Gi", "memory that the workload may use",
				size(func(c *Config) *int64 { return &c.MemoryLimit }, 16<<20, 16<<40)),
			row("pids-limit", "1024", "processes and threads that the workload may have",
				count(func(c *Config) *int64 { return &c.PidsLimit }, 1, 4_194_304)),
			row("allow-privilege-escalation", "false", "let programs of the workload gain privileges, as set-user-ID programs do",
				onOff(func(c *Config) *bool { return &c.AllowPrivilegeEscalation })),
		),
		group("Exercise",
			row("ready-url", "", "path or URL (host name workload) that answers once the workload is ready",
				text(func(c *Config) *string { return &c.ReadyURL }, checkURL), unset("health check, else ports")),
			row("ready-command", "", "shell command in the workload that succeeds once it is ready",
				text(func(c *Config) *string { return &c.ReadyCommand }, nil), unset("health check, else ports")),
			row("ready-timeout", "60s", "how long the workload may take to be ready",
				duration(func(c *Config) *time.Duration { return &c.ReadyTimeout }, time.Second, day)),
			row("http-probe", "", "paths or URLs (host name workload) to request from the workload",
				list(func(c *Config) *[]string { return &c.HTTPProbe }, checkURL), unset("none")),
			row("exec-command", "", "shell command to run in the workload",
				text(func(c *Config) *string { return &c.ExecCommand }, nil), unset("none")),
			row("test-command", "", "shell command to run on this host; VEXXY_URL, VEXXY_HOST and VEXXY_PORT name the workload",
				text(func(c *Config) *string { return &c.TestCommand }, nil), unset("none")),
			row("test-timeout", "5m", "how long each command of the exercise may take",
				duration(func(c *Config) *time.Duration { return &c.TestTimeout }, time.Second, day)),
		),
		clusterInputs(),
		group("Vulnerabilities",
			row("vulnerability-db", "", "Grype database to use, an archive or a folder",
				text(func(c *Config) *string { return &c.VulnerabilityDB }, nil), unset("Grype's own, updated")),
			row("max-db-age", "5d", "oldest database on which anything may be called not affected; 0 lifts the limit, and every document says so",
				duration(func(c *Config) *time.Duration { return &c.MaxDBAge }, 0, 36_500*day)),
		),
		group("Statements of people",
			row("vex-documents", "", "OpenVEX documents with statements of people, files or folders: what they call worse is worse, and what the evidence does not tell they may clear; what was seen in use stays affected",
				list(func(c *Config) *[]string { return &c.VEX }, nil), unset("none")),
			row("vex-discovery", "true", "take the OpenVEX documents in .openvex and .openvex/templates too",
				onOff(func(c *Config) *bool { return &c.VEXDiscovery })),
			row("vex-max-age", "180d", "how old a statement may be that clears a finding, since it was made or last updated; 0 lifts the limit",
				duration(func(c *Config) *time.Duration { return &c.VEXMaxAge }, 0, 36_500*day)),
		),
		group("Gate", slices.Concat(baselineInputs(), []Input{
			row("fail-on-severity", "none", "lowest severity of an affected vulnerability that counts against max-affected",
				choice(func(c *Config) *string { return &c.FailOnSeverity }, severities()...)),
			row("max-affected", "", "affected vulnerabilities allowed, in all or by severity: 3, or critical=0,high=3",
				limit(func(c *Config) *string { return &c.MaxAffected }), unset("0 with fail-on-severity, else no limit")),
			row("fail-on", failOnAll, "count all affected vulnerabilities (all), or those that were not affected in the baseline (new); without a baseline that can be used all are new",
				choice(func(c *Config) *string { return &c.FailOn }, failOnAll, failOnNew)),
			row("only-fixed", "false", "count only vulnerabilities that have a fixed version",
				onOff(func(c *Config) *bool { return &c.OnlyFixed })),
			row("on-inconclusive", "fail", "end a run whose evidence is insufficient with code 4 (fail) or 0 (warn)",
				choice(func(c *Config) *string { return &c.OnInconclusive }, "fail", "warn")),
			row("warn-only", "false", "end a failed gate with code 0; the verdict stays fail",
				onOff(func(c *Config) *bool { return &c.WarnOnly })),
		})...),
		publicationInputs(),
		attestInputs(),
		group("Files",
			row("output-dir", "vexxy-results", "folder for the results",
				text(func(c *Config) *string { return &c.OutputDir }, nil)),
			row("dockerfile", "Dockerfile", "file of the repository to which code scanning's results are anchored",
				text(func(c *Config) *string { return &c.Dockerfile }, nil)),
			row("sarif-open", "false", "take what is under investigation into results.sarif, as notes",
				onOff(func(c *Config) *bool { return &c.SARIFOpen })),
			row("config", DefaultFile, "configuration file",
				text(func(c *Config) *string { return &c.File }, nil),
				func(in *Input) { in.NoFile = true }),
		),
	)
}
