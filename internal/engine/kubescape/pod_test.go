package kubescape

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/vexxy/action/internal/source"
	"github.com/vexxy/action/internal/subject"
)

func runningAs(id string) corev1.ContainerStatus {
	return corev1.ContainerStatus{Name: containerName, ContainerID: id, ImageID: "i@sha256:1", Ready: true,
		State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.Unix(100, 0)}}}
}

func ended(id string, code int32, reason string) *corev1.ContainerStateTerminated {
	return &corev1.ContainerStateTerminated{ContainerID: id, ExitCode: code, Reason: reason, StartedAt: metav1.Unix(50, 0)}
}

// Whatever became of a container since, the earliest run that is known is the one that counts.
func TestFirstRun(t *testing.T) {
	again := runningAs("containerd://second")
	again.LastTerminationState.Terminated, again.RestartCount = ended("containerd://first", 0, "Completed"), 1
	third := again
	third.LastTerminationState.Terminated, third.RestartCount = ended("containerd://second", 0, "Completed"), 2
	alone := runningAs("containerd://second")
	alone.RestartCount = 1
	over := corev1.ContainerStatus{State: corev1.ContainerState{Terminated: ended("containerd://first", 1, "Error")}}
	waiting := corev1.ContainerStatus{State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}}}
	backoff := waiting
	backoff.LastTerminationState.Terminated, backoff.RestartCount = ended("containerd://first", 1, "Error"), 1
	for _, c := range []struct {
		name   string
		status corev1.ContainerStatus
		id     string
		at     int64
		later  bool
	}{
		{"running", runningAs("containerd://first"), "first", 100, false},
		{"running again", again, "first", 50, false},
		{"over", over, "first", 50, false},
		{"waiting for its second start", backoff, "first", 50, false},
		{"its first run is forgotten", third, "second", 50, true},
		{"nothing is known of its first run", alone, "second", 100, true},
		{"waiting", waiting, "", 0, false},
		{"running without an ID", runningAs(""), "", 0, false},
		{"unknown", corev1.ContainerStatus{}, "", 0, false},
	} {
		got, ok := firstRun(c.status)
		if ok != (c.id != "") || ok && (got.id != c.id || got.later != c.later || got.startedAt != time.Unix(c.at, 0)) {
			t.Errorf("%s: %+v, %v", c.name, got, ok)
		}
	}
}

func TestFateOf(t *testing.T) {
	in := instance{id: "first", container: containerName}
	change := func(s corev1.ContainerStatus, f func(*corev1.ContainerStatus)) corev1.ContainerStatus {
		f(&s)
		return s
	}
	for _, c := range []struct {
		name   string
		status corev1.ContainerStatus
		want   fate
	}{
		{"runs", runningAs("containerd://first"), fate{ready: true, imageID: "i@sha256:1"}},
		{"is done", change(runningAs("containerd://first"), func(s *corev1.ContainerStatus) {
			s.Ready, s.State = false, corev1.ContainerState{Terminated: ended("containerd://first", 0, "Completed")}
		}), fate{ended: true, reason: "Completed", imageID: "i@sha256:1"}},
		{"was killed for its memory, and runs again", change(runningAs("containerd://second"), func(s *corev1.ContainerStatus) {
			s.RestartCount, s.LastTerminationState.Terminated = 1, ended("containerd://first", 137, "OOMKilled")
		}), fate{ended: true, exitCode: 137, oomKilled: true, reason: "OOMKilled", restarts: 1, ready: true, imageID: "i@sha256:1"}},
		{"ended twice: by what end, nobody knows", change(runningAs("containerd://third"), func(s *corev1.ContainerStatus) {
			s.RestartCount, s.LastTerminationState.Terminated = 2, ended("containerd://second", 0, "Completed")
		}), fate{ended: true, replaced: true, restarts: 2, ready: true, imageID: "i@sha256:1"}},
		{"second run just ended", change(runningAs("containerd://second"), func(s *corev1.ContainerStatus) {
			s.RestartCount, s.State = 1, corev1.ContainerState{Terminated: ended("containerd://second", 0, "Completed")}
			s.LastTerminationState.Terminated = ended("containerd://first", 3, "Error")
		}), fate{ended: true, exitCode: 3, reason: "Error", restarts: 1, ready: true, imageID: "i@sha256:1"}},
		{"is another container", change(runningAs("containerd://x"), func(s *corev1.ContainerStatus) { s.Name = "other" }), fate{replaced: true}},
	} {
		p := &corev1.Pod{Status: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{c.status}}}
		if got := fateOf(p, in); got != c.want {
			t.Errorf("%s: %+v, not %+v", c.name, got, c.want)
		}
	}
}

func TestRunningConfig(t *testing.T) {
	d := func(digit string) string { return "sha256:" + strings.Repeat(digit, 64) }
	img := subject.Subject{IndexDigest: d("1"), ManifestDigest: d("2"), ConfigDigest: d("3")}
	for imageID, want := range map[string]string{
		d("3"):                         d("3"),
		"localhost:5000/a@" + d("1"):   d("3"), // of the index, and asked for by its manifest
		"localhost:5000/a@" + d("2"):   d("3"),
		d("2"):                         d("3"),
		"localhost:5000/a@" + d("4"):   d("4"),
		d("4"):                         d("4"),
		"":                             "",
		"docker.io/library/import-x:1": "docker.io/library/import-x:1",
	} {
		if got := runningConfig(imageID, img); got != want {
			t.Errorf("%q gives %q, not %q", imageID, got, want)
		}
	}
	if got := runningConfig("", subject.Subject{ConfigDigest: d("3")}); got != "" {
		t.Errorf("an unknown image is called %q", got)
	}
}

func TestReference(t *testing.T) {
	digest := "sha256:" + strings.Repeat("a", 64)
	for pull, want := range map[string]string{
		"index.docker.io/library/nginx@" + digest: "docker.io/library/nginx@" + digest,
		"nginx@" + digest:                         "docker.io/library/nginx@" + digest,
		"ghcr.io/a/b@" + digest:                   "ghcr.io/a/b@" + digest,
		"localhost:5000/a@" + digest:              "localhost:5000/a@" + digest,
		"":                                        "vexxy.local/run:aaaaaaaaaaaa",
	} {
		if got := reference(source.Image{Subject: subject.Subject{ConfigDigest: digest}, Pull: pull}, "run"); got != want {
			t.Errorf("%q gives %q, not %q", pull, got, want)
		}
	}
}
