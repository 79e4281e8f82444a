package judgetest

import (
	"math/rand/v2"
	"time"

	"github.com/vexxy/action/internal/evidence"
	"github.com/vexxy/action/internal/record"
)

// Kubescape gives what Kubescape says of a workload when all went well.
func Kubescape() *evidence.Kubescape {
	return &evidence.Kubescape{
		Chart: "1.40.3", ChartDigest: Digest("f"),
		Images:  map[string]string{"node-agent": "quay.io/kubescape/node-agent:v0.3.158", "storage": "quay.io/kubescape/storage:v0.0.290"},
		Agent:   evidence.Agent{Pod: "node-agent-x7k2p", ReadyAt: At(-5)},
		Profile: evidence.Profile{Name: "replicaset-app-5f8b68b8cc-app-7de1-4b2a", Status: "completed", Completion: "complete", Execs: 1, Opens: 4},
		SBOM:    "ready",
	}
}

// Witness turns a record into one of the kubescape engine: node-agent saw
// everything that the sensor saw, but no interpreter and no mapping.
func Witness(r *record.Record) {
	r.Evidence.Engine, r.Evidence.Kubescape = evidence.KubescapeEngine, Kubescape()
	for i := range r.Evidence.Observations {
		o := &r.Evidence.Observations[i]
		o.Witnesses = []evidence.Witness{evidence.WitnessSensor}
		for _, kind := range o.Kinds {
			if kind == evidence.Open || kind == evidence.Exec {
				o.Witnesses = []evidence.Witness{evidence.WitnessNodeAgent, evidence.WitnessSensor}
			}
		}
	}
}

// AgentSaw adds the use of a file that node-agent alone saw.
func AgentSaw(r *record.Record, path string, kinds ...evidence.Kind) {
	r.Evidence.Observations = append(r.Evidence.Observations, evidence.Observation{
		Path: []byte(path), Kinds: kinds, Phase: evidence.PhaseIdle, At: r.Evidence.Window.End,
		Witnesses: []evidence.Witness{evidence.WitnessNodeAgent},
	})
}

// Unwatch takes vexxy's own sensor out of a record: what it alone saw goes, and
// node-agent is left as the only witness.
func Unwatch(r *record.Record, why string) {
	e := &r.Evidence
	e.Health, e.Kubescape.Sensor = evidence.Health{}, why
	var left []evidence.Observation
	for _, o := range e.Observations {
		if len(o.Witnesses) > 0 && o.Witnesses[0] == evidence.WitnessNodeAgent {
			o.Process, o.PID, o.Device, o.Inode, o.At = "", 0, 0, 0, e.Window.End
			o.Witnesses = []evidence.Witness{evidence.WitnessNodeAgent}
			left = append(left, o)
		}
	}
	e.Observations = left
}

// WorsenKubescape makes Kubescape's part of the evidence worse in one way, and
// says which.
func WorsenKubescape(rng *rand.Rand, r *record.Record) string {
	k := r.Evidence.Kubescape
	worse := *k
	r.Evidence.Kubescape = &worse // records share what they point to
	ways := []struct {
		name string
		do   func()
	}{
		{"no word", func() { r.Evidence.Kubescape = nil }},
		{"profile lost", func() { worse.Profile = evidence.Profile{Error: "gone"} }},
		{"no profile", func() { worse.Profile = evidence.Profile{} }},
		{"learning", func() { worse.Profile.Status = "ready" }},
		{"failed", func() { worse.Profile.Status = "failed" }},
		{"partial", func() { worse.Profile.Completion = "partial" }},
		{"empty profile", func() { worse.Profile.Execs, worse.Profile.Opens = 0, 0 }},
		{"late agent", func() { worse.Agent.ReadyAt = At(1) }},
		{"agent's time unknown", func() { worse.Agent.ReadyAt = time.Time{} }},
		{"agent restarted", func() { worse.Agent.Restarts++ }},
		{"SBOM too large", func() { worse.SBOM = "too-large" }},
		{"no SBOM", func() { worse.SBOM = "" }},
		{"no sensor", func() { worse.Sensor = "no BTF" }},
	}
	way := ways[rng.IntN(len(ways))]
	way.do()
	return way.name
}
