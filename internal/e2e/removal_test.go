package e2e

import (
	"bufio"
	"os"
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

// A reader of the output that leaves, as head does, leaves nothing of the run
// behind: it goes on to its end.
func TestReaderLeaves(t *testing.T) {
	before := inventoryOfEngine(t)
	db, err := database()
	must(err)
	reader, writer, err := os.Pipe()
	must(err)
	state, dir := t.TempDir(), t.TempDir()
	cmd := command(t.Context(), []string{"VEXXY_STATE_DIR=" + state, "TMPDIR=" + state},
		"run", "--vulnerability-db", db, "--max-db-age", "0", "--output-dir", dir, "oci-dir:"+fixture(t, "exit0"))
	cmd.Stdout, cmd.Stderr = writer, writer
	must(cmd.Start())
	must(writer.Close())
	if _, err := bufio.NewReader(reader).ReadString('\n'); err != nil {
		t.Errorf("it said nothing: %v", err)
	}
	must(reader.Close())
	if err := cmd.Wait(); err != nil {
		t.Errorf("the run ended with %v", err)
	}
	out := outcome{code: cmd.ProcessState.ExitCode()}
	out.load(t, dir)
	if out.result.Verdict != "pass" {
		t.Errorf("the verdict is %s", out.result.Verdict)
	}
	if after := inventoryOfEngine(t); after != before {
		t.Errorf("left behind:\n%s", after)
	}
	(&started{state: state}).nothingLeft(t)
}
