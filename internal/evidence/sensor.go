package evidence

import (
	"fmt"
	"strings"
	"time"
)

// attached is E1: the sensor was there before the first process of the
// workload and until the window's end.
func attached(e Evidence) result {
	h := e.Health
	remedy := "run vexxy doctor: the sensor must be attached before the container starts and must not end before the window does"
	if why := e.unwatched(); why != "" {
		return result{false, why, e.unwatchedRemedy(remedy)}
	}
	switch {
	case h.AttachedAt.IsZero():
		return result{false, "the time of attachment is not known", remedy}
	case h.FirstExecAt.IsZero():
		return result{false, "the workload's first process was not seen", remedy}
	case h.DetachedAt.IsZero():
		return result{false, "the time of detachment is not known", remedy}
	case !h.AttachedAt.Before(h.FirstExecAt):
		return result{false, fmt.Sprintf("attached %s after the first process", brief(h.AttachedAt.Sub(h.FirstExecAt))), remedy}
	case e.Window.End.IsZero() || h.DetachedAt.Before(e.Window.End):
		return result{false, fmt.Sprintf("detached %s before the window's end", brief(e.Window.End.Sub(h.DetachedAt))), remedy}
	case h.FirstExecAt.After(e.Window.End):
		return result{false, "the first process came after the window's end", remedy}
	}
	return result{true, fmt.Sprintf("attached %s before the first process, detached %s after the window's end",
		brief(h.FirstExecAt.Sub(h.AttachedAt)), brief(h.DetachedAt.Sub(e.Window.End))), ""}
}

// brief rounds a time for the reader to milliseconds, but never to nothing.
func brief(d time.Duration) time.Duration {
	if d.Abs() < time.Millisecond {
		return d
	}
	return d.Round(time.Millisecond)
}

// lossless is E2: nothing was lost that the sensor knows of.
func lossless(e Evidence) result {
	h, l := e.Health, e.Health.Lost
	remedy := "run again; where a burst of files is the cause, give the machine more memory or let the workload start alone"
	counters := []struct {
		name  string
		count uint64
	}{
		{"ring", l.Ring}, {"map", l.Map}, {"vanished", l.Vanish},
		{"path", l.Path}, {"decode", l.Decode}, {"unknown", l.Unknown},
	}
	var lost []string
	for _, c := range counters {
		if c.count != 0 { // each by itself: a sum could wrap around
			lost = append(lost, fmt.Sprintf("%s %d", c.name, c.count))
		}
	}
	if why := e.unwatched(); why != "" {
		return result{false, why, e.unwatchedRemedy(remedy)}
	}
	switch {
	case len(lost) > 0:
		return result{false, "lost events: " + strings.Join(lost, ", "), remedy}
	case len(h.Errors) > 0:
		return result{false, fmt.Sprintf("%d sensor errors, the first: %s", len(h.Errors), short(h.Errors[0])), remedy}
	}
	return result{true, "0 lost events, 0 sensor errors", ""}
}

// stages are the canary's, in their order.
var stages = [...]string{"start", "middle", "end"}

// canary is E3: the numbered files that the helper opened inside the workload's
// control group all arrived: before the first exec, after it, and at the end of
// the window. A stage may have been run more than once; all must be whole.
func canary(e Evidence) result {
	remedy := "run vexxy doctor: the sensor did not deliver its own test events"
	if why := e.unwatched(); why != "" {
		return result{false, "not measured: " + why, e.unwatchedRemedy(remedy)}
	}
	if len(e.Health.Canaries) == 0 {
		return result{false, "not measured", remedy}
	}
	var parts, wrong []string
	stage, last := -1, e.Health.AttachedAt
	for _, c := range e.Health.Canaries {
		parts = append(parts, fmt.Sprintf("%s %d/%d", short(c.Stage), c.Seen, c.Opened))
		if c.Error != "" {
			wrong = append(wrong, short(c.Stage)+": "+short(c.Error))
		} else if c.Opened <= 0 || c.Seen != c.Opened {
			wrong = append(wrong, short(c.Stage)+" not whole")
		}
		if stage+1 < len(stages) && c.Stage == stages[stage+1] {
			stage++
		} else if stage < 0 || c.Stage != stages[stage] {
			wrong = append(wrong, short(c.Stage)+" out of turn")
		}
		if c.At.IsZero() || c.At.Before(last) || !e.timely(c) {
			wrong = append(wrong, short(c.Stage)+" not at its time")
		}
		// Before the container exists and after its end there is no control
		// group of its own to enter.
		if c.Stage != "start" && !e.Workload.Exited && c.Place != "container" {
			wrong = append(wrong, short(c.Stage)+" not beside the workload")
		}
		last = c.At
	}
	if stage != len(stages)-1 {
		wrong = append(wrong, "not all stages")
	}
	measured := "seen/opened: " + strings.Join(parts, ", ")
	if len(wrong) > 0 {
		return result{false, measured + " (" + strings.Join(wrong, ", ") + ")", remedy}
	}
	return result{true, measured, ""}
}

// timely reports whether a canary ran when its stage asks for. Where the sensor
// itself came late or left early no canary can have been in time: that is E1's
// to say.
func (e Evidence) timely(c Canary) bool {
	h := e.Health
	switch c.Stage {
	case "start":
		return c.At.Before(h.FirstExecAt) || !h.AttachedAt.Before(h.FirstExecAt)
	case "middle":
		return !c.At.Before(h.FirstExecAt)
	default:
		in := !c.At.Before(e.Window.End) && !c.At.After(h.DetachedAt)
		return in || h.DetachedAt.Before(e.Window.End)
	}
}

// covered is E8: no way around the sensor was used, and nothing was executed
// that is no file of the image. The inventory holds no digests of the image's
// files, so that the content of such a file cannot be attributed to a package.
// No way counts as covered: the sensor reports those only that it could not
// attribute.
func covered(e Evidence) result {
	remedy := "the workload reached files by a way that cannot be attributed to packages; see the record's observations, and run it without that feature if it has a switch for it"
	var ways []string
	for _, b := range e.Health.Blind {
		if b.Count == 0 {
			continue
		}
		way := fmt.Sprintf("%s %d", short(b.What), b.Count)
		if b.Detail != "" {
			way += " (" + short(b.Detail) + ")"
		}
		ways = append(ways, way)
	}
	foreign, example := 0, ""
	for _, o := range e.Observations {
		if o.alien() {
			if foreign == 0 || string(o.Path) < example {
				example = string(o.Path)
			}
			foreign++
		}
	}
	if foreign > 0 {
		ways = append(ways, fmt.Sprintf("%d executed files that the image does not have (%s)", foreign, short(example)))
	}
	if why := e.unwatched(); why != "" && len(ways) == 0 {
		return result{false, why, e.unwatchedRemedy(remedy)}
	}
	if len(ways) > 0 {
		return result{false, strings.Join(ways, ", "), remedy}
	}
	return result{true, "none used", ""}
}

// alien reports whether the observation is of code that did not come with the
// image: executed, an interpreter, or mapped executable, which the sensor tells
// by a digest.
func (o Observation) alien() bool {
	return o.Foreign && (o.SHA256 != "" || o.has(Exec, Interp))
}

// has reports whether the file was used in one of the given ways.
func (o Observation) has(kinds ...Kind) bool {
	for _, k := range o.Kinds {
		for _, want := range kinds {
			if k == want {
				return true
			}
		}
	}
	return false
}
