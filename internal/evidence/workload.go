package evidence

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/vexxy/action/internal/foreign"
)

// short makes foreign text fit into a check's measured value.
func short(s string) string { return foreign.Text(s).Line(120) }

// digestForm is the form of all digests in a record.
var digestForm = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

// healthy is E4: the workload was ready or a job that ended well, was never
// started again, and is the image that the subject names.
func healthy(e Evidence, f Facts) result {
	w := e.Workload
	ready := slices.Contains([]Ready{ReadyInput, ReadyHealthcheck, ReadyPorts, ReadyRunning}, w.ReadyBy)
	job := e.Window.Stopped == StopJobDone && w.Exited && w.ExitCode == 0 && (ready || w.ReadyBy == ReadyJob)
	switch {
	case !digestForm.MatchString(w.ConfigDigest) || w.ConfigDigest != f.SubjectConfigDigest:
		return result{false, fmt.Sprintf("the image that ran is %s, the subject is %s", named(w.ConfigDigest), named(f.SubjectConfigDigest)),
			"run the image by the digest that was analysed"}
	case w.Restarts != 0:
		return result{false, fmt.Sprintf("%d restarts", w.Restarts), "find out why the workload restarts: its log is in the record"}
	case w.OOMKilled:
		return result{false, "killed for want of memory", "raise memory-limit"}
	case w.Exited && !job:
		return result{false, fmt.Sprintf("ended early with exit code %d", w.ExitCode), "give the command, arguments and environment with which the workload keeps running"}
	case job:
		return result{true, "the job ended with exit code 0, no restart", ""}
	}
	remedy := "give ready-url or ready-command, or a longer ready-timeout"
	switch {
	case !ready:
		return result{false, "not ready (" + short(string(w.ReadyBy)) + ")", remedy}
	case w.ReadyAt.IsZero() || w.ReadyAt.Before(e.Health.FirstExecAt):
		return result{false, "the time of readiness is not known", remedy}
	case w.ReadyAt.After(e.Window.End):
		return result{false, "ready only after the window's end", remedy}
	}
	return result{true, fmt.Sprintf("ready by %s after %.1f s, no restart", w.ReadyBy, w.ReadyAt.Sub(e.Window.Start).Seconds()), ""}
}

func named(digest string) string {
	if digest == "" {
		return "not known"
	}
	return short(digest)
}

// window is E5: the workload was watched as long as was asked for, or until it
// was done and quiet, and its exercise passed.
func window(e Evidence, f Facts) result {
	w := e.Window
	seconds := w.Seconds()
	remedy := "let the run reach its end: a longer deadline or a shorter duration"
	if w.Start.IsZero() || w.End.IsZero() || seconds <= 0 {
		return result{false, "the window's bounds are not known", remedy}
	}
	if bad := exercised(e, f); bad != "" {
		return result{false, bad, "mend the exercise, or see its output in the record"}
	}
	measured := fmt.Sprintf("%.1f s of %.1f s, ended by %s, %d exercises passed", seconds, w.Configured, short(string(w.Stopped)), len(e.Exercise))
	ok := false
	switch w.Stopped {
	case StopDuration:
		ok = w.Configured > 0 && seconds >= w.Configured
	case StopQuiet:
		ok = len(e.Exercise) > 0 && w.Quiet > 0 && w.Quiet <= seconds && w.Configured > 0
	case StopJobDone:
		ok = e.Workload.Exited
	}
	if !ok {
		return result{false, measured, remedy}
	}
	return result{true, measured, ""}
}

// exercised says what is wrong with the exercise; "" when all of it that was
// asked for took place within the window and passed.
func exercised(e Evidence, f Facts) string {
	done := map[string]bool{}
	for _, x := range e.Exercise {
		done[x.Kind] = true
		switch {
		case !x.Passed:
			return fmt.Sprintf("exercise failed: %s: %s", short(x.What), short(x.Outcome))
		case outside(e.Window, x.Start, x.End):
			return "exercise not within the window: " + short(x.What)
		}
	}
	for _, kind := range slices.Sorted(slices.Values(f.Declared)) {
		if !done[kind] {
			return "exercise not done: " + short(kind)
		}
	}
	return ""
}

// outside reports whether a stretch of time is none or leaves the window.
func outside(w Window, start, end time.Time) bool {
	return start.IsZero() || end.Before(start) || start.Before(w.Start) || end.After(w.End)
}

// catalogued is E6: the list of packages is whole, and so is Kubescape's where
// it has one: an image that one of the two could not read to its end is no
// image to be sure of.
func catalogued(e Evidence, f Facts) result {
	if e.Engine != Embedded && e.Kubescape != nil {
		if measured, bad := e.Kubescape.sbomFault(); bad {
			return result{false, measured, sbomRemedy}
		}
	}
	switch {
	case f.InventoryIncomplete != "":
		return result{false, "incomplete: " + short(f.InventoryIncomplete), "see the reason; an image that is too large can be split, a damaged package database must be mended"}
	case f.Packages <= 0:
		return result{false, "no packages found", "an image without package metadata cannot be judged"}
	}
	return result{true, fmt.Sprintf("%d packages, complete", f.Packages), ""}
}

// database is E7: one known database, not older at the window's end than the
// limit allows.
func database(e Evidence, f Facts) result {
	age := e.Window.End.Sub(f.DatabaseBuilt)
	days := fmt.Sprintf("built %s, %.1f days old", f.DatabaseBuilt.UTC().Format(time.DateOnly), age.Hours()/24)
	remedy := "update the vulnerability database, or raise max-db-age knowingly"
	switch {
	case f.DatabaseBuilt.IsZero() || strings.TrimSpace(f.DatabaseDigest) == "":
		return result{false, "the database is not known", remedy}
	case e.Window.End.IsZero() || age < 0:
		return result{false, "the database is younger than the run: a clock is wrong", "set the clock"}
	case f.MaxDatabaseAge < 0:
		return result{false, "the limit of its age cannot be read", "give max-db-age as a duration such as 5d or 120h"}
	case f.MaxDatabaseAge == 0:
		return result{true, days + ", limit lifted", ""}
	case age > f.MaxDatabaseAge:
		return result{false, fmt.Sprintf("%s, limit %.1f days", days, f.MaxDatabaseAge.Hours()/24), remedy}
	}
	return result{true, fmt.Sprintf("%s, limit %.1f days", days, f.MaxDatabaseAge.Hours()/24), ""}
}
