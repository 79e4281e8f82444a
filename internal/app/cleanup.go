package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/moby/moby/client"

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
	docker, err := embedded.Connect(ctx)
	if err != nil {
		return fault.Infra, err
	}
	defer docker.Close()
	dead, err := journal.Leftovers(journal.StateDir(lookup(s.Environ)))
	if err != nil {
		return fault.Infra, err
	}
	labelled, err := embedded.Leftovers(ctx, docker)
	if err != nil {
		return fault.Infra, err
	}
	var errs []error
	for _, r := range dead {
		if err := sweep(ctx, s.Out, docker, r, labelled); err != nil {
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

// sweep removes everything of one dead run, and then its journal.
func sweep(ctx context.Context, w io.Writer, docker *client.Client, r journal.Run, labelled []embedded.Leftover) error {
	var errs []error
	remove := func(kind, name string, f func() error) {
		if err := f(); err != nil {
			errs = append(errs, err)
			return
		}
		fmt.Fprintf(w, "removed %s %s of run %s\n", kind, foreign.Text(name).Terminal(200), foreign.Text(r.ID).Terminal(40))
	}
	for _, l := range labelled {
		if l.Run == r.ID {
			remove(l.Kind, l.Name, func() error { return embedded.Remove(ctx, docker, l) })
		}
	}
	for _, made := range r.Resources {
		switch made.Kind {
		case journal.Image:
			l := embedded.Leftover{Kind: "image", ID: made.ID, Name: made.ID}
			remove(l.Kind, l.Name, func() error { return embedded.Remove(ctx, docker, l) })
		case journal.Directory:
			if ownDirectory(made.ID, r.ID) {
				remove("directory", made.ID, func() error { return os.RemoveAll(made.ID) })
			}
		}
	}
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	return r.Forget()
}

// ownDirectory reports whether a path is one that a run makes for itself, so
// that no damaged journal can name anything else.
func ownDirectory(path, run string) bool {
	return filepath.IsAbs(path) && filepath.Clean(path) == path && strings.HasPrefix(filepath.Base(path), "vexxy-"+run+"-")
}
