package kubescape

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vexxy/action/internal/cluster"
	"github.com/vexxy/action/internal/evidence"
	"github.com/vexxy/action/internal/exercise"
	"github.com/vexxy/action/internal/source"
	"github.com/vexxy/action/internal/subject"
	"github.com/vexxy/action/internal/window"
)

// How a workload fares settles whether it was ready and why its window ended.
func TestFared(t *testing.T) {
	opened, closed := time.Unix(100, 0), time.Unix(160, 0)
	exercised := exercise.Plan{TestCommand: "true"}
	job := fate{ended: true}
	for _, c := range []struct {
		name     string
		plan     exercise.Plan
		ready    evidence.Ready
		fate     fate
		wantBy   evidence.Ready
		wantStop evidence.Stop
		restarts int
	}{
		{"a server runs on", exercised, evidence.ReadyPorts, fate{ready: true}, evidence.ReadyPorts, evidence.StopDuration, 0},
		{"its health check says no at the end", exercised, evidence.ReadyHealthcheck, fate{}, evidence.ReadyNever, evidence.StopDuration, 0},
		{"its health check holds", exercised, evidence.ReadyHealthcheck, fate{ready: true}, evidence.ReadyHealthcheck, evidence.StopDuration, 0},
		{"it fails", exercised, evidence.ReadyPorts, fate{ended: true, exitCode: 1, restarts: 1}, evidence.ReadyPorts, evidence.StopExited, 1},
		{"it fails before anybody asked", exercised, evidence.ReadyRunning, fate{ended: true, exitCode: 1}, evidence.ReadyNever, evidence.StopExited, 0},
		{"nobody knows how it ended", exercised, evidence.ReadyRunning, fate{ended: true, replaced: true, restarts: 2}, evidence.ReadyNever, evidence.StopExited, 2},
		{"a job is done", exercise.Plan{}, evidence.ReadyRunning, job, evidence.ReadyJob, evidence.StopJobDone, 0},
		{"a job is done and started again", exercise.Plan{}, evidence.ReadyRunning, fate{ended: true, restarts: 1}, evidence.ReadyJob, evidence.StopJobDone, 0},
		{"a server without an exercise ends well", exercise.Plan{}, evidence.ReadyPorts, fate{ended: true, restarts: 1}, evidence.ReadyPorts, evidence.StopExited, 1},
		{"an exercised server ends well", exercised, evidence.ReadyPorts, job, evidence.ReadyPorts, evidence.StopJobDone, 0},
		{"what was never ready is no job", exercised, evidence.ReadyNever, job, evidence.ReadyNever, evidence.StopExited, 0},
	} {
		e := New(Options{Window: window.Options{Exercise: c.plan}}, nil, nil, nil)
		e.cluster = &cluster.Cluster{Own: true}
		s := &sighting{engine: e, instance: instance{id: "id", imageID: "sha256:c"}}
		s.image = source.Image{Subject: subject.Subject{ConfigDigest: "sha256:c"}}
		s.Evidence.Window = evidence.Window{Start: opened, End: closed, Stopped: evidence.StopDuration}
		s.Evidence.Workload.ReadyBy, s.Evidence.Workload.ReadyAt = c.ready, opened
		s.fared(c.fate, egressOpen)
		w := s.Evidence.Workload
		if w.ReadyBy != c.wantBy || s.Evidence.Window.Stopped != c.wantStop || w.Restarts != c.restarts {
			t.Errorf("%s: ready by %s, stopped by %s, %d restarts", c.name, w.ReadyBy, s.Evidence.Window.Stopped, w.Restarts)
		}
		if (w.ReadyBy == evidence.ReadyNever && c.ready != evidence.ReadyNever) != w.ReadyAt.IsZero() {
			t.Errorf("%s: ready at %v", c.name, w.ReadyAt)
		}
		if w.ContainerID != "id" || w.ConfigDigest != "sha256:c" || !slices.Equal(w.Relaxed, []string{egressOpen}) || w.Exited != c.fate.ended || w.ExitCode != c.fate.exitCode {
			t.Errorf("%s: the workload is %+v", c.name, w)
		}
	}
}

func TestRelaxed(t *testing.T) {
	for _, c := range []struct {
		pod    PodOptions
		own    bool
		egress string
		want   string
	}{
		{PodOptions{Network: "internal"}, true, "", ""},
		{PodOptions{Network: "internal"}, true, egressOpen, egressOpen},
		{PodOptions{Network: "bridge"}, true, egressOpen, "network egress allowed"},
		{PodOptions{AllowPrivilegeEscalation: true}, true, egressUnseen, "privilege escalation allowed; " + egressUnseen},
		{PodOptions{}, false, egressUnseen, egressUnseen + "; number of processes not limited: that is the existing cluster's to say"},
	} {
		e := New(Options{Pod: c.pod}, nil, nil, nil)
		e.cluster = &cluster.Cluster{Own: c.own}
		if got := strings.Join(e.relaxed(c.egress), "; "); got != c.want {
			t.Errorf("%+v: %q, not %q", c.pod, got, c.want)
		}
	}
}

// The restart of a finished job is forgiven only where the run that was watched
// was the first, and the next can be no other.
func TestRestartOfAJob(t *testing.T) {
	for _, c := range []struct {
		name     string
		options  Options
		instance instance
		want     int
	}{
		{"a Deployment of vexxy's", Options{}, instance{}, 0},
		{"its first run was not seen", Options{}, instance{later: true}, 1},
		{"packaged", Options{Packaged: Packaged{Manifests: []string{"x"}}}, instance{}, 1},
	} {
		e := New(c.options, nil, nil, nil)
		e.cluster = &cluster.Cluster{Own: true}
		s := &sighting{engine: e, instance: c.instance}
		s.Evidence.Workload.ReadyBy = evidence.ReadyRunning
		s.fared(fate{ended: true, restarts: 1}, "")
		if got := s.Evidence.Workload.Restarts; got != c.want {
			t.Errorf("%s: %d restarts, not %d", c.name, got, c.want)
		}
	}
}
