package report

import (
	"fmt"

	"github.com/vexxy/action/internal/evidence"
	"github.com/vexxy/action/internal/foreign"
	"github.com/vexxy/action/internal/judge"
	"github.com/vexxy/action/internal/vexdiff"
)

// engine says in one line who ran the image and who watched it.
func (p *page) engine(img Image) {
	e := img.Record.Evidence
	p.f("**Engine** %s, watched for %s by ", foreign.Text(e.Engine).Code(40), e.Window.Length())
	k := e.Kubescape
	switch {
	case k == nil:
		p.f("vexxy's own sensor")
	case k.Sensor != "" || len(e.Health.Programs) == 0:
		p.f("Kubescape's node-agent alone: vexxy's own sensor did not watch")
		if k.Sensor != "" {
			p.f(" (%s)", foreign.Text(k.Sensor).Markdown(300))
		}
	default:
		p.f("vexxy's own sensor and Kubescape's node-agent")
	}
	if k != nil && k.Chart != "" {
		p.f(", chart %s", foreign.Text(k.Chart).Markdown(60))
	}
	if k != nil && k.Found {
		p.f(" (found in the cluster)")
	}
	p.f("\n\n")
}

// blindness says in words why one of two witnesses did not see a package.
var blindness = map[judge.Blindness]string{
	judge.BlindInterpreter: "the kernel loaded it as an interpreter, which node-agent cannot see",
	judge.BlindMapping:     "it was only mapped, which node-agent cannot see",
	judge.BlindWildcard:    "node-agent's profile has a wildcard in its place",
	judge.BlindOpen:        "node-agent missed an open or an exec",
	judge.BlindSensor:      "vexxy's own sensor did not see it",
}

// witnesses compares what the two witnesses saw.
func (p *page) witnesses(img Image, rows int) {
	k, j := img.Record.Evidence.Kubescape, img.Judgement
	if k == nil {
		return
	}
	p.f("### Second witness\n\n")
	if !img.Record.Evidence.Both() {
		p.f("Only one witness watched, so that nothing can be compared: see the conditions below.\n\n")
		return
	}
	sensor, agent := alone(j)
	p.f("vexxy's own sensor and Kubescape's node-agent agree on %s in use; the sensor alone saw %d, node-agent alone saw %d. A package counts as used whoever saw it.\n\n",
		count(j.Agreed, "package", "packages"), sensor, agent)
	if len(j.Disagreements) == 0 {
		return
	}
	p.rows(len(j.Disagreements), rows, noun{"disagreement", "disagreements"}, "| package | seen by | files | for example | why the other did not |\n|---|---|---:|---|---|\n", func(i int) {
		d := &j.Disagreements[i]
		why, known := blindness[d.Reason]
		if !known {
			why = foreign.Text(d.Reason).Markdown(40)
		}
		p.f("| %s %s | %s | %d | %s (%s) | %s |\n", foreign.Text(d.Name).Code(120), foreign.Text(d.Version).Markdown(200), witness(d.SeenBy), d.Files,
			foreign.Text(d.Example).Code(200), foreign.Text(kinds(d.Kinds)).Markdown(60), why)
	})
}

func witness(w evidence.Witness) string {
	if w == evidence.WitnessSensor {
		return "the sensor"
	}
	return foreign.Text(w).Markdown(40)
}

// against compares our statements with Kubescape's own document: the counts
// first, then what it clears though it was seen in use.
func (p *page) against(c *vexdiff.Comparison, rows int) {
	if c == nil {
		return
	}
	p.f("### Against Kubescape's own VEX\n\n")
	if c.Missing != "" {
		p.f("There is nothing to compare with. %s.\n\n", foreign.Text(c.Missing).Markdown(700))
		return
	}
	p.f("Of %s (vulnerability × package) both say the same of %d. Kubescape calls **%d** not affected that were seen in use. Where both say not affected, Kubescape's reason is that the code is not present: it is, and was not used.\n\n",
		count(c.Compared, "pair", "pairs"), c.Same, c.Clears)
	if c.Truncated {
		p.f("Its document is larger than what was read of it.\n\n")
	}
	if len(c.Tallies) > 0 {
		p.f("| differences | cleared by Kubescape though used | reason | |\n|---:|---:|---|---|\n")
		for _, t := range c.Tallies {
			p.f("| %d | %d | %s | %s |\n", t.Count, t.Clears, foreign.Text(t.Reason).Markdown(60), foreign.Text(t.Meaning).Markdown(400))
		}
		p.f("\n")
	}
	if c.Clears > 0 {
		// They come first, so that the head of the list holds them all.
		worst := c.Differences[:min(c.Clears, len(c.Differences))]
		p.rows(len(worst), rows, noun{"finding cleared by Kubescape though used", "findings cleared by Kubescape though used"}, "| severity | vulnerability | package | Kubescape | vexxy | why |\n|---|---|---|---|---|---|\n", func(i int) {
			d := &worst[i]
			why := string(d.Reason)
			if d.Detail != "" {
				why = fmt.Sprintf("%s: %s", d.Reason, d.Detail)
			}
			p.f("| %s | %s | %s %s | %s | %s | %s |\n", foreign.Text(d.Severity).Markdown(20), foreign.Text(d.Vulnerability).Markdown(100),
				foreign.Text(d.Package).Code(120), foreign.Text(d.Version).Markdown(200), foreign.Text(d.Theirs).Markdown(60), foreign.Text(d.Ours).Markdown(40),
				foreign.Text(why).Markdown(400))
		})
	}
}
