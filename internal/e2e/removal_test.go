package e2e

import (
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/vexxy/action/internal/engine/embedded"
)

// A container that the engine removes for somebody else at this moment, as for
// a run that was killed meanwhile, is waited for. Before it was an error of the
// cleanup.
func TestRemovalUnderWay(t *testing.T) {
	docker, err := embedded.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer docker.Close()
	image := push(t, "go-app")
	id := strings.TrimSpace(string(must1(exec.Command("docker", "run", "--detach", "--label", "dev.vexxy.run=removed-at-once", image).Output())))
	defer exec.Command("docker", "image", "rm", image).Run()
	var removals errgroup.Group
	for range 8 {
		removals.Go(func() error {
			return embedded.Remove(t.Context(), docker, embedded.Leftover{Kind: "container", ID: id, Name: id})
		})
	}
	if err := removals.Wait(); err != nil {
		t.Error(err)
	}
	if out, err := exec.Command("docker", "inspect", id).CombinedOutput(); err == nil {
		t.Errorf("it is still there: %.300s", out)
	}
}
