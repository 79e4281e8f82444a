package cluster

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"strings"

	kind "sigs.k8s.io/kind/pkg/cluster"

	"github.com/vexxy/action/internal/journal"
)

// Leftover is a cluster, or the network of one, that some run made. Whether
// that run lives is not known here.
type Leftover struct {
	Kind journal.Kind // Cluster or Network
	Name string
	Run  string

	binary string // of the engine that has it
}

// ours is the form of the names of a run's own clusters and their networks: no
// other cluster of kind's is ever touched.
var ours = regexp.MustCompile(`^` + prefix + `([0-9a-f]{24})$`)

// runOf gives the run that made the cluster of a name, "" for a foreign one.
func runOf(name string) string {
	if m := ours.FindStringSubmatch(name); m != nil {
		return m[1]
	}
	return ""
}

// Leftovers lists the clusters and networks of runs on all container engines
// of this machine, clusters first. An engine that does not answer is an error,
// given together with what the others have.
func Leftovers(ctx context.Context) ([]Leftover, error) {
	var clusters, networks []Leftover
	var errs []error
	for _, provider := range []string{"docker", "podman", "nerdctl"} {
		if _, err := exec.LookPath(provider); err != nil {
			continue
		}
		e, err := engineOf(provider)
		if err != nil {
			return nil, err
		}
		names, err := e.clusters(ctx)
		if err != nil {
			errs = append(errs, fmt.Errorf("listing clusters: %w", err))
			continue
		}
		clusters = append(clusters, e.leftovers(journal.Cluster, names)...)
		if e.network == "" {
			continue
		}
		names, err = e.ask(ctx, "network", "ls", "--filter", "label="+labelRun, "--format", "{{.Name}}")
		if err != nil {
			errs = append(errs, fmt.Errorf("listing networks: %w", err))
		}
		networks = append(networks, e.leftovers(journal.Network, names)...)
	}
	return append(clusters, networks...), errors.Join(errs...)
}

// clusters are the names of all of kind's clusters. How to ask for a label
// differs from engine to engine, which kind knows.
func (e engine) clusters(ctx context.Context) ([]string, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, answerTimeout, fmt.Errorf("%s did not answer within %s", e.binary, answerTimeout))
	defer cancel()
	type answer struct {
		names []string
		err   error
	}
	got := make(chan answer, 1)
	go func() {
		names, err := kind.NewProvider(e.option).List()
		got <- answer{names, err}
	}()
	select {
	case a := <-got:
		return a.names, a.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// leftovers are the names that are ours, each once.
func (e engine) leftovers(kind journal.Kind, names []string) []Leftover {
	var all []Leftover
	seen := map[string]bool{}
	for _, name := range names {
		name = strings.TrimSpace(name)
		if run := runOf(name); run != "" && !seen[name] {
			seen[name] = true
			all = append(all, Leftover{Kind: kind, Name: name, Run: run, binary: e.binary})
		}
	}
	return all
}

// Remove takes a leftover away. One that is gone already is no error.
func Remove(ctx context.Context, l Leftover) error {
	if runOf(l.Name) == "" {
		return fmt.Errorf("removing cluster: %q is none of a run's own", l.Name)
	}
	e, err := engineOf(l.binary)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, deleteTimeout, fmt.Errorf("it was not gone within %s", deleteTimeout))
	defer cancel()
	if l.Kind == journal.Network {
		return e.removeNetwork(ctx, l.Name)
	}
	if err := e.sweep(ctx, l.Name, nil); err != nil {
		return fmt.Errorf("removing cluster %s: %w", l.Name, err)
	}
	return nil
}
