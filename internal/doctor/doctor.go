// Package doctor says what a machine has of what a run needs, and what to do
// about the rest.
package doctor

import (
	"context"
	"fmt"
	"io"
	"os"
	"runtime"

	"github.com/moby/moby/client"

	"github.com/vexxy/action/internal/engine/embedded"
	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/foreign"
	"github.com/vexxy/action/internal/sensor"
)

// Finding is one line of the report.
type Finding struct {
	Name   string
	OK     bool
	Needed bool   // without it no run works
	Detail string // what was found; it may hold what others have said
	Remedy string // what to do where it is not OK
}

// Machine looks for what every run needs.
func Machine(ctx context.Context) []Finding {
	findings := []Finding{platform()}
	findings = append(findings, engine(ctx)...)
	findings = append(findings, sensors(ctx)...)
	return append(findings, disk("disk space", os.TempDir(), wantDisk, "images are unpacked there for reading"),
		memory("memory", wantMemory, "close what uses memory, or lower --memory-limit"))
}

// Print writes findings, and counts those that keep every run from working.
func Print(w io.Writer, findings []Finding) (missing int) {
	for _, f := range findings {
		mark := "ok  "
		switch {
		case !f.OK && f.Needed:
			mark = "FAIL"
			missing++
		case !f.OK:
			mark = "warn"
		}
		fmt.Fprintf(w, "%s  %-22s %s\n", mark, f.Name, foreign.Text(f.Detail).Terminal(300))
		if !f.OK && f.Remedy != "" {
			fmt.Fprintf(w, "      %-22s → %s\n", "", f.Remedy)
		}
	}
	return missing
}

func platform() Finding {
	return Finding{
		Name: "platform", Needed: true, OK: runtime.GOOS == "linux", Detail: runtime.GOOS + "/" + runtime.GOARCH,
		Remedy: "the sensor is a Linux kernel program: run vexxy on Linux, such as a CI runner or a virtual machine",
	}
}

func engine(ctx context.Context) []Finding {
	f := Finding{Name: "Docker engine", Needed: true}
	docker, err := embedded.Connect(ctx)
	if err != nil {
		f.Detail, f.Remedy = err.Error(), fault.HintOf(err)
		return []Finding{f}
	}
	defer docker.Close()
	info, err := docker.Info(ctx, client.InfoOptions{})
	if err != nil {
		f.Detail = err.Error()
		return []Finding{f}
	}
	f.OK = true
	f.Detail = fmt.Sprintf("%s, API %s, %s on %s", info.Info.ServerVersion, docker.ClientVersion(), info.Info.Driver, info.Info.OperatingSystem)
	same := Finding{
		Name: "Docker's kernel", Needed: true, OK: info.Info.KernelVersion == kernelRelease(), Detail: info.Info.KernelVersion,
		Remedy: "containers of this engine run on another kernel (Docker Desktop, a remote engine): the sensor cannot see them; use an engine on this machine's own kernel",
	}
	return append([]Finding{f, same}, view(ctx, docker)...)
}

func sensors(ctx context.Context) []Finding {
	var findings []Finding
	for _, c := range sensor.Probe(ctx).Checks {
		findings = append(findings, Finding{Name: c.Name, OK: c.OK, Needed: true, Detail: c.Detail, Remedy: c.Remedy})
	}
	return findings
}
