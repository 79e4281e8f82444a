package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/moby/moby/client"

	"github.com/vexxy/action/internal/cluster"
	"github.com/vexxy/action/internal/engine/embedded"
	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/foreign"
	"github.com/vexxy/action/internal/journal"
)

// cleanupCommand removes what killed runs left behind: what carries the label
// of a run whose process is dead, and what such a run's journal lists. It
// touches nothing of runs that live, of other users' runs, or of anyone else.
func cleanupCommand(ctx context.Context, s Streams, args []string) (fault.Code, error) {
	if err := noArguments("cleanup", args); err != nil {
		return fault.Usage, err
	}
	dead, err := journal.Leftovers(journal.StateDir(lookup(s.Environ)))
	if err != nil {
		return fault.Infra, err
	}
	c := cleaner{out: s.Out}
	if slices.ContainsFunc(dead, usedDocker) {
		if c.docker, err = embedded.Connect(ctx); err != nil {
			return fault.Infra, err
		}
		defer c.docker.Close()
		if c.labelled, err = embedded.Leftovers(ctx, c.docker); err != nil {
			return fault.Infra, err
		}
	}
	var errs []error
	if slices.ContainsFunc(dead, hadCluster) {
		// A cluster is listed before it is made: where no list has one, none of
		// the machine's other engines need answer.
		c.clusters, c.unseen = cluster.Leftovers(ctx)
		errs = append(errs, c.unseen)
	}
	for _, r := range dead {
		if err := c.sweep(ctx, r); err != nil {
			errs = append(errs, err)
		}
	}
	if len(dead) == 0 {
		fmt.Fprintln(s.Out, "nothing to clean up")
	}
	if err := errors.Join(errs...); err != nil {
		return fault.Infra, fault.New(fault.Infra, "run `vexxy cleanup` again", "cleaning up: %w", err)
	}
	return fault.Pass, nil
}

// cleaner removes what dead runs left.
type cleaner struct {
	out io.Writer
	// docker is nil where no dead run has used the Docker engine itself.
	docker   *client.Client
	labelled []embedded.Leftover
	clusters []cluster.Leftover
	// unseen says why the clusters of some engine are not known.
	unseen error
}

// sweep removes everything of one dead run, and then its journal. Clusters go
// first, with their networks: a network cannot go while nodes hang on it, and a
// database cannot while a node has it mounted.
func (c cleaner) sweep(ctx context.Context, r journal.Run) error {
	var errs []error
	remove := func(kind, name string, f func() error) {
		if err := f(); err != nil {
			errs = append(errs, err)
			return
		}
		fmt.Fprintf(c.out, "removed %s %s of run %s\n", kind, foreign.Text(name).Terminal(200), foreign.Text(r.ID).Terminal(40))
	}
	gone := map[string]bool{}
	for _, l := range c.clusters {
		if l.Run == r.ID {
			remove(string(l.Kind), l.Name, func() error { return cluster.Remove(ctx, l) })
			gone[string(l.Kind)+" "+l.Name] = true
		}
	}
	for _, l := range c.labelled {
		if l.Run == r.ID && !gone[l.Kind+" "+l.Name] {
			remove(l.Kind, l.Name, func() error { return embedded.Remove(ctx, c.docker, l) })
		}
	}
	for _, made := range r.Resources {
		switch made.Kind {
		case journal.Image:
			l := embedded.Leftover{Kind: "image", ID: made.ID, Name: made.ID}
			remove(l.Kind, l.Name, func() error { return embedded.Remove(ctx, c.docker, l) })
		case journal.Directory:
			if ownDirectory(made.ID, r.ID) {
				remove("directory", made.ID, func() error { return os.RemoveAll(made.ID) })
			}
		}
	}
	switch {
	case len(errs) > 0:
		return errors.Join(errs...)
	case c.unseen != nil && hadCluster(r):
		return nil // it may be where nobody answers: the list stays for the next time
	}
	return r.Forget()
}

// hadCluster reports whether a run lists a cluster of its own, or the network
// of one, which may be on any engine. The network has the cluster's name.
func hadCluster(r journal.Run) bool {
	return slices.ContainsFunc(r.Resources, func(made journal.Resource) bool {
		return made.Kind == journal.Cluster || made.Kind == journal.Network && made.ID == "vexxy-"+r.ID
	})
}

// usedDocker reports whether a run lists what it made on the Docker engine
// itself. All but its folders and its cluster, which may be on any engine.
func usedDocker(r journal.Run) bool {
	return slices.ContainsFunc(r.Resources, func(made journal.Resource) bool {
		switch made.Kind {
		case journal.Directory, journal.Cluster, journal.Process, journal.Cgroup:
			return false
		case journal.Network:
			return made.ID != "vexxy-"+r.ID
		}
		return true
	})
}

// ownDirectory reports whether a path is one that a run makes for itself, so
// that no damaged journal can name anything else.
func ownDirectory(path, run string) bool {
	return filepath.IsAbs(path) && filepath.Clean(path) == path && strings.HasPrefix(filepath.Base(path), "vexxy-"+run+"-")
}
