// Package e2e runs the whole program on real input: images assembled from real
// packages, a real registry, the real Docker engine, the real sensor. The test
// binary doubles as the vexxy command, so what runs is what was just compiled.
package e2e

import (
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"

	"github.com/vexxy/action/internal/app"
)

// asCommand in the environment makes the test binary the vexxy command, which
// starts itself again as the sensor's helper, without that environment.
const asCommand = "VEXXY_E2E_COMMAND"

// bed is what all tests share: a registry, the fixtures' cache, a database.
var bed struct {
	registry string // host:port
	database string
}

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" || len(os.Args) == 2 && os.Args[1] == "sensor" {
		os.Exit(app.Main(os.Args[1:], app.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Environ: environ()}))
	}
	if config := os.Getenv(asWitness); config != "" {
		testify(config)
		return
	}
	server := httptest.NewServer(registry.New(registry.WithReferrersSupport(true), registry.Logger(log.New(io.Discard, "", 0))))
	bed.registry = server.Listener.Addr().String()
	code := m.Run()
	server.Close()
	if out, err := exec.Command("docker", "image", "ls", "-q", "--filter", "reference="+bed.registry+"/fixtures/*").Output(); err == nil && len(out) > 0 {
		args := append([]string{"image", "rm", "-f"}, strings.Fields(string(out))...)
		if out, err := exec.Command("docker", args...).CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "removing the fixtures' images: %v: %s\n", err, out)
		}
	}
	os.Exit(code)
}

// environ is the command's environment without what only the tests use.
func environ() []string {
	var kept []string
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, asCommand) && !strings.HasPrefix(kv, "VEXXY_TEST_") {
			kept = append(kept, kv)
		}
	}
	return kept
}

// must stops the test binary on an error of its own set-up.
func must(err error) {
	if err != nil {
		panic(fmt.Sprintf("setting up: %v", err))
	}
}
