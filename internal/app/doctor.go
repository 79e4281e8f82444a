package app

import (
	"context"
	"fmt"
	"time"

	"github.com/vexxy/action/internal/doctor"
	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/host/gitlab"
)

const doctorTimeout = 60 * time.Second

// doctorCommand says in words what this machine can do. It ends with
// fault.Infra when something is missing that every run needs.
func doctorCommand(ctx context.Context, s Streams, args []string) (fault.Code, error) {
	if err := noArguments("doctor", args); err != nil {
		return fault.Usage, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, doctorTimeout, fmt.Errorf("not done after %s", doctorTimeout))
	defer cancel()
	missing := doctor.Print(s.Out, doctor.Machine(ctx))
	fmt.Fprintln(s.Out, "\nFor a cluster of a run's own (--engine kubescape):")
	doctor.Print(s.Out, doctor.Cluster(ctx))
	if getenv := lookup(s.Environ); gitlab.Here(getenv) {
		fmt.Fprintln(s.Out, "\nFor a job in a GitLab pipeline:")
		doctor.Print(s.Out, doctor.GitLab(getenv, "/"))
	}
	if missing > 0 {
		fmt.Fprintf(s.Out, "\n%d of these keep vexxy from running here.\n", missing)
		return fault.Infra, nil
	}
	fmt.Fprintln(s.Out, "\nThis machine can run vexxy.")
	return fault.Pass, nil
}
