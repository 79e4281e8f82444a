// Command nodeagent stands in for Kubescape's node-agent, which needs kprobes.
// For each container of its node it posts the objects that the real one posts,
// made by the same libraries: the image's SBOMSyft, and the container's
// ContainerProfile as a time series. What a container uses comes from another
// program (observe, by vexxy's sensor), cut down to what the real one sees.
package main

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"testbed.local/agents/cluster"
)

func main() {
	log.SetFlags(log.Ltime | log.Lmicroseconds)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		log.Fatal("node-agent: ", err)
	}
}

func run(ctx context.Context) error {
	config, err := readConfig(os.Getenv)
	if err != nil {
		return err
	}
	clients, err := cluster.Connect()
	if err != nil {
		return err
	}
	a := &agent{config: config, clients: clients, lives: map[string]*life{}, eyes: newEyes(config.eye, config.eyes)}
	defer a.eyes.close()
	var ready atomic.Bool
	go serveHealth(&ready)
	if err := a.eyes.fill(ctx); err != nil {
		return err
	}
	a.started = time.Now()
	select {
	case <-time.After(config.readyAfter):
	case <-ctx.Done():
		return nil
	}
	ready.Store(true)
	log.Printf("ready: %d eyes are open on %s", config.eyes, config.node)
	return a.watch(ctx)
}

// serveHealth answers the probes of the chart, at the real one's port.
func serveHealth(ready *atomic.Bool) {
	http.HandleFunc("/livez", func(http.ResponseWriter, *http.Request) {})
	http.HandleFunc("/readyz", func(w http.ResponseWriter, _ *http.Request) {
		if !ready.Load() {
			http.Error(w, "not ready", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ok")
	})
	log.Fatal(http.ListenAndServe(":7888", nil))
}
