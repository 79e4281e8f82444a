//go:build linux

package sensor

import (
	"context"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/vexxy/action/internal/evidence"
)

// seen is what one observed container left.
type seen struct {
	t      testing.TB
	obs    []evidence.Observation
	health evidence.Health
	output string
	code   string
}

func deadline(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// start attaches a sensor; extra are arguments of the test binary's helper.
func start(t testing.TB, ctx context.Context, extra ...string) *Session {
	t.Helper()
	s, err := Start(ctx, append([]string{os.Args[0], "sensor"}, extra...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		s.Stop(ctx)
	})
	return s
}

// create makes a container of the test image; args are options of docker and,
// after "--", the command.
func create(t testing.TB, args ...string) string {
	t.Helper()
	split := slices.Index(args, "--")
	line := append([]string{"create", "--network", "none"}, args[:split]...)
	line = append(append(line, image(t)), args[split+1:]...)
	id := docker(t, line...)
	t.Cleanup(func() { exec.Command("docker", "rm", "-f", "-v", id).Run() })
	return id
}

func docker(t testing.TB, args ...string) string {
	t.Helper()
	out, err := exec.Command("docker", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("docker %s: %v: %s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// observe runs a container from its first exec to its end under the sensor.
func observe(t testing.TB, args ...string) seen {
	t.Helper()
	ctx := deadline(t)
	id := create(t, args...)
	s := start(t, ctx)
	if _, err := s.Canary(ctx, "start"); err != nil {
		t.Fatal(err)
	}
	docker(t, "start", id)
	if _, err := s.Claim(ctx, id, ClaimOptions{}); err != nil {
		t.Fatal(err)
	}
	code := docker(t, "wait", id)
	for _, stage := range []string{"middle", "end"} {
		if c, err := s.Canary(ctx, stage); err != nil || c.Place != "helper" {
			t.Fatalf("a self-test after the container's end: %+v, %v", c, err)
		}
	}
	obs, health, err := s.Stop(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return seen{t, obs, health, docker(t, "logs", id), code}
}

// ended asserts that the workload did what it should, and that the sensor was well.
func (s seen) ended() seen {
	s.t.Helper()
	if s.code != "0" {
		s.t.Errorf("the container ended with %s: %s", s.code, s.output)
	}
	if s.health.Lost.Total() != 0 || len(s.health.Errors) > 0 {
		s.t.Errorf("lost %+v, errors %q", s.health.Lost, s.health.Errors)
	}
	for _, c := range s.health.Canaries {
		if c.Error != "" || c.Seen != c.Opened || c.Opened == 0 {
			s.t.Errorf("canary %+v", c)
		}
	}
	if !s.health.FirstExecAt.After(s.health.AttachedAt) || !s.health.DetachedAt.After(s.health.FirstExecAt) {
		s.t.Errorf("attached %s, first exec %s, detached %s", s.health.AttachedAt, s.health.FirstExecAt, s.health.DetachedAt)
	}
	return s
}

// find gives the observations of a path, as the kernel or the image has it.
func (s seen) find(path string) []evidence.Observation {
	var found []evidence.Observation
	for _, o := range s.obs {
		if string(o.Path) == path || string(o.ImagePath) == path {
			found = append(found, o)
		}
	}
	return found
}

// has asserts that the file was seen in all these ways.
func (s seen) has(path string, kinds ...evidence.Kind) evidence.Observation {
	s.t.Helper()
	found := s.find(path)
	for _, o := range found {
		missing := false
		for _, k := range kinds {
			missing = missing || !slices.Contains(o.Kinds, k)
		}
		if !missing {
			return o
		}
	}
	s.t.Errorf("%q with %v was not observed; of that path: %+v\nall: %s", path, kinds, found, s.paths())
	return evidence.Observation{}
}

// lacks asserts that nothing of that path was seen.
func (s seen) lacks(path string) {
	s.t.Helper()
	if found := s.find(path); len(found) > 0 {
		s.t.Errorf("%q was observed though nothing used it: %+v", path, found)
	}
}

// blind counts the uses of one way around the sensor.
func (s seen) blind(what string) uint64 {
	for _, b := range s.health.Blind {
		if b.What == what {
			return b.Count
		}
	}
	return 0
}

func (s seen) paths() string {
	var b strings.Builder
	for i, o := range s.obs {
		if i == 100 {
			break
		}
		b.WriteString("\n  ")
		b.WriteString(strings.ToValidUTF8(string(o.Path), "?"))
	}
	return b.String()
}

func pidOf(s *Session) string { return strconv.Itoa(s.helper.cmd.Process.Pid) }
