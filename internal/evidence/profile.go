package evidence

import (
	"fmt"
	"strings"
	"time"
)

// What Kubescape calls a whole profile and a whole SBOM
// (https://github.com/kubescape/k8s-interface, instanceidhandler/v1/helpers).
const (
	profileCompleted = "completed"
	profileComplete  = "complete"
	sbomReady        = "ready"
)

// profile is E9: Kubescape's own witness was there before the workload and
// stayed, and what it wrote down is whole. It earns nothing by itself: E1 to
// E3 ask for vexxy's own sensor as well.
func profile(e Evidence) result {
	switch {
	case e.Engine == Embedded:
		return result{true, "no profile: the embedded engine has none", ""}
	case e.Engine != KubescapeEngine:
		return result{false, "no completed profile in the evidence of an engine that is not known", "use the embedded or the kubescape engine"}
	case e.Kubescape == nil:
		return result{false, "Kubescape said nothing of the workload", "run vexxy doctor, and see the record's events for what became of Kubescape"}
	}
	k, p := e.Kubescape, e.Kubescape.Profile
	if r, bad := p.fault(); bad {
		return r
	}
	if r, bad := k.Agent.fault(e.began()); bad {
		return r
	}
	if measured, bad := k.sbomFault(); bad {
		return result{false, measured, sbomRemedy}
	}
	return result{true, fmt.Sprintf("completed and complete: %d executed and %d opened paths; node-agent ready %s before the workload, 0 restarts; SBOM ready",
		p.Execs, p.Opens, brief(e.began().Sub(k.Agent.ReadyAt))), ""}
}

// fault says what is wrong with a profile.
func (p Profile) fault() (result, bool) {
	const again = "run again with a longer duration; what node-agent and storage said of it is in the record"
	named := strings.TrimSpace(p.Name) != ""
	switch {
	case p.Error != "" && !named:
		return result{false, "no profile: " + short(p.Error), again}, true
	case !named:
		return result{false, "no profile was found", again}, true
	case p.Status != profileCompleted:
		measured, remedy := unfinished(p.Status)
		return result{false, measured, remedy}, true
	case p.Completion == "partial":
		return result{false, "the profile is partial: node-agent came late or lost events, or the container ended with an exit code other than 0",
			"the workload must start after node-agent, which leaving the namespace to vexxy sees to, and keep running; node-agent's log tells of lost events"}, true
	case p.Completion != profileComplete:
		return result{false, "it is not known whether the profile is complete (" + short(p.Completion) + ")", again}, true
	case p.Error != "":
		return result{false, "no whole profile: " + short(p.Error), again}, true
	case p.Execs <= 0 && p.Opens <= 0:
		return result{false, "the profile is empty: node-agent saw no file in use", "see node-agent's log in the record for what stopped its tracers"}, true
	}
	return result{}, false
}

// unfinished puts a profile's status in words and says what to do about it.
func unfinished(status string) (measured, remedy string) {
	switch status {
	case "":
		return "the profile's status is not known", "run again; what storage said of it is in the record"
	case "initializing":
		return "the profile was only begun (initializing)", "run again with a longer duration"
	case "ready":
		return "the profile was still being learned (ready)", "run again with a longer duration, so that node-agent ends it within the run"
	case "failed":
		return "the profile failed: the container ended with an exit code other than 0",
			"give the command, arguments and environment with which the workload keeps running"
	case "too-large":
		return "the profile is too large for Kubescape's storage", "raise storage's maxObjectSize by the values input, or exercise less of the workload"
	}
	return "the profile is not completed (" + short(status) + ")", "run again with a longer duration; what storage said of it is in the record"
}

// fault says what is wrong with a node-agent whose workload began at a time.
func (a Agent) fault(began time.Time) (result, bool) {
	const remedy = "see node-agent's log in the record; a limit of memory that is too low ends it: raise it by the values input"
	switch {
	case a.ReadyAt.IsZero():
		return result{false, "it is not known when node-agent was ready", remedy}, true
	case began.IsZero():
		return result{false, "it is not known when the workload began, so that node-agent may have come late", remedy}, true
	case !a.ReadyAt.Before(began):
		return result{false, fmt.Sprintf("node-agent was ready %s after the workload began", brief(a.ReadyAt.Sub(began))), remedy}, true
	case a.Restarts != 0:
		return result{false, fmt.Sprintf("node-agent was restarted %d times", a.Restarts), remedy}, true
	}
	return result{}, false
}

const sbomRemedy = "raise kubevuln.config.maxSBOMSize and the limits of memory by the values input, or split the image"

// sbomFault says what is wrong with Kubescape's SBOM.
func (k *Kubescape) sbomFault() (measured string, bad bool) {
	switch k.SBOM {
	case sbomReady:
		return "", false
	case "":
		return "Kubescape has no SBOM of the image", true
	case "too-large":
		return "Kubescape's SBOM is too large for it", true
	case "incomplete":
		return "Kubescape's SBOM is incomplete", true
	case "initializing":
		return "Kubescape's SBOM was never finished (initializing)", true
	}
	return "Kubescape's SBOM is not ready (" + short(k.SBOM) + ")", true
}

// began is the earliest time at which the workload is known to have run: its
// first exec, or the window's start where no sensor was there to see one.
func (e Evidence) began() time.Time {
	first, start := e.Health.FirstExecAt, e.Window.Start
	if first.IsZero() || !start.IsZero() && start.Before(first) {
		return start
	}
	return first
}

// unwatched says in words that vexxy's own sensor did not watch; "" when it did.
func (e Evidence) unwatched() string {
	why := ""
	if e.Kubescape != nil {
		why = e.Kubescape.Sensor
	}
	switch {
	case why != "":
		return "vexxy's own sensor did not watch: " + short(why)
	case len(e.Health.Programs) > 0:
		return ""
	case e.Engine == KubescapeEngine:
		return "vexxy's own sensor did not watch"
	}
	return "no sensor program was attached"
}

// unwatchedRemedy is what to do when the sensor did not watch, where the engine
// has more to say of it than a check.
func (e Evidence) unwatchedRemedy(usual string) string {
	if e.Engine != KubescapeEngine {
		return usual
	}
	return "run vexxy where its own sensor can watch, with root or sudo and eBPF (vexxy doctor says what is missing): Kubescape's node-agent alone earns no not_affected"
}

// Both reports whether two witnesses watched the workload and each of them
// said what it saw: only then does it mean something that one of them did not
// see a file.
func (e Evidence) Both() bool {
	if e.Kubescape == nil || e.unwatched() != "" {
		return false
	}
	p := e.Kubescape.Profile
	return p.Error == "" && p.Name != ""
}

// The wildcards in a profile's paths
// (https://github.com/kubescape/storage, dynamicpathdetector).
const (
	oneSegment  = "⋯"
	anySegments = "*"
)

// Covers reports whether one of the profile's wildcards may stand for a path.
func (p Profile) Covers(path string) bool {
	for _, pattern := range p.Patterns {
		plain := pattern
		if i := strings.IndexAny(pattern, oneSegment+anySegments); i >= 0 {
			plain = strings.TrimSuffix(pattern[:i], "/")
		}
		if strings.HasPrefix(path, plain) && covers(strings.Split(pattern, "/"), strings.Split(path, "/")) {
			return true
		}
	}
	return false
}

// covers matches segment by segment; time is bounded by the product of both
// lengths.
func covers(pattern, path []string) bool {
	next := make([]bool, len(path)+1) // next[j]: the pattern's rest matches path[j:]
	next[len(path)] = true
	for i := len(pattern) - 1; i >= 0; i-- {
		now := make([]bool, len(path)+1)
		for j := len(path); j >= 0; j-- {
			switch {
			case pattern[i] == anySegments:
				now[j] = next[j] || j < len(path) && now[j+1]
			case j == len(path):
			default:
				now[j] = next[j+1] && (pattern[i] == path[j] || strings.Contains(pattern[i], oneSegment) && like(pattern[i], path[j]))
			}
		}
		next = now
	}
	return next[0]
}

// like reports whether a segment with a wildcard in it may stand for a name:
// what is before and after it must be there.
func like(pattern, name string) bool {
	before, after, _ := strings.Cut(pattern, oneSegment)
	if i := strings.LastIndex(after, oneSegment); i >= 0 {
		after = after[i+len(oneSegment):]
	}
	return len(name) >= len(before)+len(after) && strings.HasPrefix(name, before) && strings.HasSuffix(name, after)
}
