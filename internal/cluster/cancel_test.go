package cluster

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vexxy/action/internal/fault"
)

// goneWithin is how long after its cancellation anything of a cluster may be
// there.
const goneWithin = 10 * time.Second

// TestClusterCancel ends a creation in the midst of its stages: while the node's
// container is made, while it boots, while kubeadm works.
func TestClusterCancel(t *testing.T) {
	image := nodeImage(t)
	before, shared := volumes(t), sharedNetwork(t)
	stop := errors.New("enough")
	for _, c := range []struct {
		name string
		// when is looked at every few milliseconds; true ends the creation
		when func(t *testing.T, c *Cluster) bool
	}{
		{"before the network", func(*testing.T, *Cluster) bool { return true }},
		{"network made", func(t *testing.T, c *Cluster) bool {
			return len(docker(t, "network", "ls", "-q", "--filter", "name="+c.Name)) > 0
		}},
		{"kind launched", func(_ *testing.T, c *Cluster) bool {
			c.mu.Lock()
			defer c.mu.Unlock()
			return c.made != nil
		}},
		{"network read", func(_ *testing.T, c *Cluster) bool { return c.log.step() != "" }},
		{"docker run", func(_ *testing.T, c *Cluster) bool { return running("docker run --name " + c.Name) }},
		{"node made", func(t *testing.T, c *Cluster) bool {
			return len(docker(t, "ps", "-aq", "--filter", "name="+c.Name)) > 0
		}},
		{"kubeadm", func(_ *testing.T, c *Cluster) bool { return running(c.Name + "-control-plane kubeadm init") }},
		{"addons", func(_ *testing.T, c *Cluster) bool {
			return strings.HasPrefix(c.log.step(), "Installing")
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			run := newRun(t)
			made := newCluster(t, Options{RunID: run, NodeImage: image})
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			var at time.Time
			go func() {
				for ctx.Err() == nil {
					if c.when(t, made) {
						at = time.Now()
						cancel(stop)
						return
					}
					time.Sleep(5 * time.Millisecond)
				}
			}()
			err := made.Start(ctx)
			if err == nil {
				err = made.WaitAPI(ctx)
			}
			if !errors.Is(err, stop) {
				t.Fatalf("cancelled, and the error is %v", err)
			}
			if err := made.Delete(context.WithoutCancel(ctx)); err != nil {
				t.Error(err)
			}
			took := time.Since(at)
			t.Logf("gone %.1f s after the cancellation", took.Seconds())
			if took > goneWithin {
				t.Errorf("gone after %s, want at most %s", took, goneWithin)
			}
			if left := remains(t, run); len(left) > 0 {
				t.Errorf("left behind: %q", left)
			}
			// kind makes its own network when it is told of no other in time.
			if !slices.Equal(sharedNetwork(t), shared) {
				t.Errorf("networks %q, before there were %q", sharedNetwork(t), shared)
			}
			if n := len(volumes(t)); n > len(before) {
				t.Errorf("%d volumes, before there were %d", n, len(before))
			}
		})
	}
}

// sharedNetwork lists the network that kind gives to clusters which have none
// of their own.
func sharedNetwork(t *testing.T) []string {
	return docker(t, "network", "ls", "--filter", "name=^kind$", "--format", "{{.ID}}")
}

// running reports whether a process has the text in its command line.
func running(text string) bool {
	return exec.Command("pgrep", "-f", "--", text).Run() == nil
}

// A registry that never answers holds nobody.
func TestClusterCancelPull(t *testing.T) {
	nodeImage(t)
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	stop := errors.New("enough")
	ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, stop)
	defer cancel()
	began := time.Now()
	_, err = Create(ctx, Options{RunID: newRun(t), NodeImage: silent.Addr().String() + "/team/node:v1", Dir: t.TempDir()})
	if !errors.Is(err, stop) || time.Since(began) > 5*time.Second {
		t.Errorf("after %s: %v", time.Since(began), err)
	}
}

// A failed creation says why, with a hint, and leaves nothing.
func TestClusterMissingNodeImage(t *testing.T) {
	nodeImage(t)
	_, err := Create(t.Context(), Options{RunID: newRun(t), NodeImage: "localhost:1/vexxy/no-such-node:v0", Dir: t.TempDir()})
	if fault.CodeOf(t.Context(), err) != fault.Infra || !strings.Contains(fault.HintOf(err), "node image") || !strings.Contains(err.Error(), "no-such-node") {
		t.Errorf("%v; hint: %s", err, fault.HintOf(err))
	}
	t.Log(err)
}

// An image that is no node's is told by what its container says.
func TestClusterUnfitNodeImage(t *testing.T) {
	nodeImage(t)
	name := "vexxy-test/no-node:" + newRun(t)
	bin := t.TempDir()
	if err := os.WriteFile(bin+"/static", []byte("no program"), 0o755); err != nil {
		t.Fatal(err)
	}
	load := exec.Command("sh", "-c", `tar -C "$0" -c . | docker import -c 'ENTRYPOINT ["/static"]' - "$1"`, bin, name)
	if out, err := load.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	defer docker(t, "rmi", name)
	_, err := Create(t.Context(), Options{RunID: newRun(t), NodeImage: name, Dir: t.TempDir()})
	if fault.CodeOf(t.Context(), err) != fault.Infra || !strings.Contains(fault.HintOf(err), "another processor") {
		t.Errorf("%v; hint: %s", err, fault.HintOf(err))
	}
	t.Log(err)
}

func TestNoEngine(t *testing.T) {
	t.Setenv("DOCKER_HOST", "unix://"+t.TempDir()+"/no.sock")
	_, err := Create(t.Context(), Options{RunID: someRun, NodeImage: "x", Dir: t.TempDir()})
	if fault.CodeOf(t.Context(), err) != fault.Infra || !strings.Contains(fault.HintOf(err), "DOCKER_HOST") {
		t.Errorf("%v; hint: %s", err, fault.HintOf(err))
	}
	t.Setenv("PATH", t.TempDir())
	_, err = Create(t.Context(), Options{RunID: someRun, NodeImage: "x", Dir: t.TempDir()})
	if fault.CodeOf(t.Context(), err) != fault.Infra || !strings.Contains(fault.HintOf(err), "install docker") {
		t.Errorf("%v; hint: %s", err, fault.HintOf(err))
	}
}
