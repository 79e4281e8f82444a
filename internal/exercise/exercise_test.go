package exercise

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/vexxy/action/internal/evidence"
)

// place is a workload that is a server of the test and a table of commands.
type place struct {
	address string
	ports   []int
	health  Health
	exec    func(argv []string) (int, string, error)
}

func (p place) Networked() bool                        { return p.address != "" }
func (p place) Ports() []int                           { return p.ports }
func (p place) Health(context.Context) (Health, error) { return p.health, nil }
func (p place) Env() []string                          { return []string{"PLACE=here"} }
func (p place) Endpoint(_ context.Context, port int) (string, error) {
	return net.JoinHostPort(p.address, strconv.Itoa(port)), nil
}
func (p place) Accepts(ctx context.Context, port int) error {
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", net.JoinHostPort(p.address, strconv.Itoa(port)))
	if err == nil {
		c.Close()
	}
	return err
}
func (p place) Exec(_ context.Context, argv []string) (int, string, error) {
	return p.exec(argv)
}

// serve starts a server and gives it as a workload.
func serve(t *testing.T, h http.HandlerFunc) place {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	host, port, err := net.SplitHostPort(s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	n, _ := strconv.Atoi(port)
	return place{address: host, ports: []int{n}}
}

func TestURL(t *testing.T) {
	six := place{address: "fd00::2", ports: []int{8080, 9090}}
	for in, want := range map[string]string{
		"/healthz":                     "http://[fd00::2]:8080/healthz",
		":9090/metrics":                "http://[fd00::2]:9090/metrics",
		"http://workload:9090/a?b=c":   "http://[fd00::2]:9090/a?b=c",
		"https://workload:8443/":       "https://[fd00::2]:8443/",
		"http://other.example:80/page": "http://other.example:80/page",
	} {
		if got, err := URL(t.Context(), six, in); err != nil || got != want {
			t.Errorf("URL(%q) = %q, %v, want %q", in, got, err, want)
		}
	}
	for _, bad := range []place{{}, {address: "10.0.0.2"}} {
		if got, err := URL(t.Context(), bad, "/x"); err == nil {
			t.Errorf("URL without network or port = %q", got)
		}
	}
}

// Probes pass below 400 only, do not follow redirects, and one that fails does
// not keep the next from running.
func TestProbes(t *testing.T) {
	var elsewhere atomic.Int32
	target := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/missing":
			http.NotFound(w, r)
		case "/away":
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
		case "/elsewhere":
			elsewhere.Add(1)
		}
	})
	done, err := Plan{HTTPProbe: []string{"/missing", "/away", "/"}}.Run(t.Context(), target)
	if err != nil || len(done) != 3 {
		t.Fatalf("%d exercises, %v", len(done), err)
	}
	for i, want := range []struct {
		passed  bool
		outcome string
	}{{false, "HTTP 404"}, {true, "HTTP 302"}, {true, "HTTP 200"}} {
		if done[i].Passed != want.passed || done[i].Outcome != want.outcome || done[i].End.Before(done[i].Start) {
			t.Errorf("exercise %d is %+v, want %+v", i, done[i], want)
		}
	}
	if elsewhere.Load() != 0 {
		t.Error("a redirect was followed")
	}
}

// The test command finds the workload, its failure is told with the end of its
// output, and secrets are taken out.
func TestTestCommand(t *testing.T) {
	target := serve(t, func(http.ResponseWriter, *http.Request) {})
	file := filepath.Join(t.TempDir(), "env")
	plan := Plan{
		TestCommand: `echo "$PLACE $VEXXY_URL $VEXXY_HOST:$VEXXY_PORT $MINE" > ` + file + `; echo the s3cret failed; exit 9`,
		Environ:     []string{"MINE=own", "PATH=/usr/bin:/bin"},
		Redact:      func(s string) string { return strings.ReplaceAll(s, "s3cret", "REDACTED") },
	}
	done, err := plan.Run(t.Context(), target)
	if err != nil || len(done) != 1 || done[0].Passed {
		t.Fatalf("exercises %+v, %v", done, err)
	}
	if got := done[0]; got.Outcome != "exit code 9: the REDACTED failed" || strings.Contains(got.What, "s3cret") {
		t.Errorf("recorded as %+v", got)
	}
	host := target.address + ":" + strconv.Itoa(target.ports[0])
	raw, err := os.ReadFile(file)
	if want := "here http://" + host + " " + host + " own\n"; err != nil || string(raw) != want {
		t.Errorf("environment %q, %v, want %q", raw, err, want)
	}
}

// A test command that takes too long is killed with all that it started.
func TestTestCommandIsKilled(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pid")
	plan := Plan{TestCommand: "sleep 600 & echo $! > " + file + "; wait", TestTimeout: 500 * time.Millisecond, Environ: os.Environ()}
	done, err := plan.Run(t.Context(), place{})
	if err != nil || len(done) != 1 || done[0].Passed || !strings.Contains(done[0].Outcome, "not done after 500ms") {
		t.Fatalf("exercises %+v, %v", done, err)
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(raw)))
	if err != nil {
		t.Fatal(err)
	}
	for range 100 {
		if state := stateOf(pid); state == "" || state == "Z" {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Errorf("process %d lives on", pid)
	syscall.Kill(pid, syscall.SIGKILL)
}

// stateOf gives a process's state letter, "" when there is none.
func stateOf(pid int) string {
	raw, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return ""
	}
	fields := strings.Fields(string(raw[strings.LastIndexByte(string(raw), ')')+1:]))
	return fields[0]
}

// What a cancelled run did not begin is in the result as failed, and the cause
// comes back: one probe of two that was answered is not the exercise.
func TestCancelled(t *testing.T) {
	cause := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	target := serve(t, func(http.ResponseWriter, *http.Request) {})
	target.exec = func([]string) (int, string, error) {
		cancel(cause)
		return 0, "", nil
	}
	plan := Plan{HTTPProbe: []string{"/"}, ExecCommand: []string{"true"}, TestCommand: "true"}
	done, err := plan.Run(ctx, target)
	if !errors.Is(err, cause) || len(done) != 3 {
		t.Fatalf("%d exercises, %v", len(done), err)
	}
	if !done[0].Passed || !done[1].Passed || done[2].Passed || done[2].Outcome != "not begun: enough" {
		t.Errorf("exercises %+v", done)
	}
	if done, err := plan.Run(ctx, target); !errors.Is(err, cause) || len(done) != 3 || done[0].Passed {
		t.Errorf("exercises %+v, %v", done, err)
	}
}

// Readiness takes the strongest sign there is.
func TestReady(t *testing.T) {
	var calls atomic.Int32
	target := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if calls.Add(1) < 3 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	ran := 0
	target.exec = func(argv []string) (int, string, error) {
		ran++
		return 2 - min(ran, 2), "not yet", nil
	}
	healthy := target
	healthy.health = HealthHealthy
	closed := place{address: "127.0.0.1", ports: []int{1}}
	sick := place{health: HealthUnhealthy}

	for name, c := range map[string]struct {
		plan   Plan
		target place
		want   evidence.Ready
		failed string
	}{
		"url":          {Plan{ReadyURL: "/"}, target, evidence.ReadyInput, ""},
		"command":      {Plan{ReadyCommand: []string{"true"}}, target, evidence.ReadyInput, ""},
		"health check": {Plan{}, healthy, evidence.ReadyHealthcheck, ""},
		"ports":        {Plan{}, target, evidence.ReadyPorts, ""},
		"nothing":      {Plan{}, place{}, evidence.ReadyRunning, ""},
		"closed port":  {Plan{}, closed, evidence.ReadyNever, "connection refused"},
		"unhealthy":    {Plan{}, sick, evidence.ReadyNever, "unhealthy"},
		"missing page": {Plan{ReadyURL: ":1/x"}, closed, evidence.ReadyNever, "connection refused"},
	} {
		c.plan.ReadyTimeout = time.Second
		if c.failed == "" {
			c.plan.ReadyTimeout = 20 * time.Second
		}
		got, err := c.plan.Ready(t.Context(), c.target)
		if got != c.want || (err != nil) != (c.failed != "") {
			t.Errorf("%s: ready by %s, %v", name, got, err)
		}
		if c.failed != "" && (!errors.Is(err, ErrNotReady) || !strings.Contains(err.Error(), c.failed)) {
			t.Errorf("%s: error is %v, want it to say %q", name, err, c.failed)
		}
	}
}
