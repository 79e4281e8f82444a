package cluster

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// nodeImage gives the image of the clusters that these tests make. The test
// bed's is made by `make testbed`, kind's own is pulled from Docker Hub.
func nodeImage(t *testing.T) string {
	t.Helper()
	image := os.Getenv("VEXXY_TEST_NODE_IMAGE")
	if image == "" {
		t.Fatal("VEXXY_TEST_NODE_IMAGE names no kind node image; leave these tests out by -skip '^TestCluster'")
	}
	return image
}

// newRun gives a run ID, and checks at the end of the test that nothing of the
// run is left on the engine.
func newRun(t *testing.T) string {
	t.Helper()
	id := make([]byte, 12)
	rand.Read(id)
	run := hex.EncodeToString(id)
	t.Cleanup(func() {
		if left := remains(t, run); len(left) > 0 {
			t.Errorf("left behind: %q", left)
		}
	})
	return run
}

// remains lists all that Docker has of a run: its containers, network, and the
// volumes of no container.
func remains(t *testing.T, run string) []string {
	t.Helper()
	var left []string
	for _, args := range [][]string{
		{"ps", "-a", "--filter", "name=" + run, "--format", "container {{.Names}} {{.Status}}"},
		{"network", "ls", "--filter", "name=" + run, "--format", "network {{.Name}}"},
	} {
		left = append(left, docker(t, args...)...)
	}
	return left
}

// volumes lists Docker's volumes: those of nodes have no name that tells.
func volumes(t *testing.T) []string { return docker(t, "volume", "ls", "-q") }

func docker(t *testing.T, args ...string) []string {
	t.Helper()
	out, err := exec.Command("docker", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("docker %s: %v: %s", args[0], err, out)
	}
	return strings.Fields(strings.ReplaceAll(strings.TrimSpace(string(out)), " ", "_"))
}

// newCluster describes a cluster that is deleted when the test ends.
func newCluster(t *testing.T, o Options) *Cluster {
	t.Helper()
	if o.RunID == "" {
		o.RunID = newRun(t)
	}
	o.Dir = t.TempDir()
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := c.Delete(ctx); err != nil {
			t.Error(err)
		}
	})
	return c
}

// fixtureDir gives the OCI layout of an image of scripts/images.
func fixtureDir(t *testing.T, name string) string {
	t.Helper()
	out, err := exec.Command("../../scripts/images/build.sh", name).Output()
	if err != nil {
		t.Fatalf("building fixture %s: %v", name, err)
	}
	return strings.TrimSpace(string(out))
}
