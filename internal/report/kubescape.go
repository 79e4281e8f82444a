package report

import (
	"slices"
	"time"

	"github.com/vexxy/action/internal/evidence"
	"github.com/vexxy/action/internal/judge"
	"github.com/vexxy/action/internal/vexdiff"
)

// The greatest lengths of the two lists in result.json; the totals beside them
// are always whole.
const (
	maxDisagreements = 1000
	maxDifferences   = 2000
)

// kubescapePart is what result.json says of Kubescape: how it fared, how its
// node-agent's evidence compares with our sensor's, and how its own OpenVEX
// document compares with ours.
type kubescapePart struct {
	Chart       string            `json:"chart,omitempty"`
	ChartDigest string            `json:"chart_digest,omitempty"`
	Images      map[string]string `json:"images"`
	Found       bool              `json:"found"`
	Requests    string            `json:"requests,omitempty"`
	Agent       agentPart         `json:"agent"`
	Profile     profilePart       `json:"profile"`
	SBOM        string            `json:"sbom,omitempty"`
	Scan        string            `json:"scan,omitempty"`
	Sensor      string            `json:"sensor,omitempty"`
	Witnesses   witnessesPart     `json:"witnesses"`
	VEX         *vexPart          `json:"vex,omitempty"`
}

type agentPart struct {
	Pod      string    `json:"pod,omitempty"`
	ReadyAt  time.Time `json:"ready_at,omitzero"`
	Restarts int       `json:"restarts"`
}

type profilePart struct {
	Name       string `json:"name,omitempty"`
	Status     string `json:"status,omitempty"`
	Completion string `json:"completion,omitempty"`
	Execs      int    `json:"execs"`
	Opens      int    `json:"opens"`
	Wildcards  int    `json:"wildcards"`
	Error      string `json:"error,omitempty"`
}

type witnessesPart struct {
	Compared      bool                 `json:"compared"`
	Agreed        int                  `json:"agreed"`
	SensorAlone   int                  `json:"sensor_alone"`
	AgentAlone    int                  `json:"node_agent_alone"`
	Disagreements []judge.Disagreement `json:"disagreements"`
}

type vexPart struct {
	Missing     string               `json:"missing,omitempty"`
	Statements  int                  `json:"statements"`
	Unread      int                  `json:"unread"`
	Swapped     int                  `json:"swapped"`
	Repeated    int                  `json:"repeated"`
	Truncated   bool                 `json:"truncated"`
	Compared    int                  `json:"compared"`
	Same        int                  `json:"same"`
	Different   int                  `json:"different"`
	Clears      int                  `json:"clears"`
	Reasons     []vexdiff.Tally      `json:"reasons"`
	Differences []vexdiff.Difference `json:"differences"`
}

// kubescapeOf gives Kubescape's part, nil for an engine without it.
func kubescapeOf(img Image) *kubescapePart {
	k := img.Record.Evidence.Kubescape
	if k == nil {
		return nil
	}
	p := k.Profile
	part := &kubescapePart{
		Chart: clip(k.Chart), ChartDigest: clip(k.ChartDigest), Images: k.Images, Found: k.Found, Requests: clip(k.Requests),
		Agent: agentPart{clip(k.Agent.Pod), k.Agent.ReadyAt, k.Agent.Restarts},
		Profile: profilePart{
			clip(p.Name), clip(p.Status), clip(p.Completion), p.Execs, p.Opens, len(p.Patterns), clip(p.Error),
		},
		SBOM: clip(k.SBOM), Scan: clip(k.Scan), Sensor: clip(k.Sensor),
		Witnesses: witnessesOf(img),
		VEX:       vexOf(img.Differences),
	}
	if part.Images == nil {
		part.Images = map[string]string{}
	}
	return part
}

func witnessesOf(img Image) witnessesPart {
	j := img.Judgement
	w := witnessesPart{Compared: img.Record.Evidence.Both(), Agreed: j.Agreed}
	w.SensorAlone, w.AgentAlone = alone(j)
	w.Disagreements = list(slices.Clone(j.Disagreements[:min(maxDisagreements, len(j.Disagreements))]))
	for i := range w.Disagreements {
		d := &w.Disagreements[i]
		d.PackageID, d.Name, d.Version, d.Example = clip(d.PackageID), clip(d.Name), clip(d.Version), clip(d.Example)
		d.Kinds = list(d.Kinds)
	}
	return w
}

// alone counts the packages that one of two witnesses alone saw in use.
func alone(j judge.Judgement) (sensor, agent int) {
	for i := range j.Disagreements {
		if j.Disagreements[i].SeenBy == evidence.WitnessSensor {
			sensor++
		} else {
			agent++
		}
	}
	return sensor, agent
}

func vexOf(c *vexdiff.Comparison) *vexPart {
	if c == nil {
		return nil
	}
	v := &vexPart{
		clip(c.Missing), c.Statements, c.Unread, c.Swapped, c.Repeated, c.Truncated,
		c.Compared, c.Same, len(c.Differences), c.Clears, list(c.Tallies),
		list(slices.Clone(c.Differences[:min(maxDifferences, len(c.Differences))])),
	}
	for i := range v.Differences {
		d := &v.Differences[i]
		for _, s := range []*string{&d.Vulnerability, &d.PURL, &d.Package, &d.Version, &d.Theirs, &d.Detail} {
			*s = clip(*s)
		}
	}
	return v
}
