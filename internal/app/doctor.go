package app

import (
	"context"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/moby/moby/client"
	"golang.org/x/sys/unix"

	"github.com/vexxy/action/internal/engine/embedded"
	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/foreign"
	"github.com/vexxy/action/internal/host/gitlab"
	"github.com/vexxy/action/internal/sensor"
)

// finding is one line of the doctor's report.
type finding struct {
	name   string
	ok     bool
	needed bool // without it no run works
	detail string
	remedy string
}

// What a run needs at the least.
const (
	wantDisk   = 5 << 30
	wantMemory = 2 << 30
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
	findings := []finding{inspectPlatform()}
	findings = append(findings, inspectDocker(ctx)...)
	findings = append(findings, inspectSensor(ctx)...)
	findings = append(findings, inspectDisk("disk space", os.TempDir(), wantDisk, "images are unpacked there for reading"),
		inspectMemory("memory", wantMemory, "close what uses memory, or lower --memory-limit"))
	missing := printFindings(s.Out, findings)
	fmt.Fprintln(s.Out, "\nFor a cluster of a run's own (--engine kubescape):")
	printFindings(s.Out, inspectCluster(ctx))
	if getenv := lookup(s.Environ); gitlab.Here(getenv) {
		fmt.Fprintln(s.Out, "\nFor a job in a GitLab pipeline:")
		printFindings(s.Out, inspectGitLab(getenv, "/"))
	}
	if missing > 0 {
		fmt.Fprintf(s.Out, "\n%d of these keep vexxy from running here.\n", missing)
		return fault.Infra, nil
	}
	fmt.Fprintln(s.Out, "\nThis machine can run vexxy.")
	return fault.Pass, nil
}

func printFindings(w io.Writer, findings []finding) (missing int) {
	for _, f := range findings {
		mark := "ok  "
		switch {
		case !f.ok && f.needed:
			mark = "FAIL"
			missing++
		case !f.ok:
			mark = "warn"
		}
		fmt.Fprintf(w, "%s  %-22s %s\n", mark, f.name, foreign.Text(f.detail).Terminal(300))
		if !f.ok && f.remedy != "" {
			fmt.Fprintf(w, "      %-22s → %s\n", "", f.remedy)
		}
	}
	return missing
}

func inspectPlatform() finding {
	return finding{
		name: "platform", needed: true, ok: runtime.GOOS == "linux", detail: runtime.GOOS + "/" + runtime.GOARCH,
		remedy: "the sensor is a Linux kernel program: run vexxy on Linux, such as a CI runner or a virtual machine",
	}
}

func inspectDocker(ctx context.Context) []finding {
	f := finding{name: "Docker engine", needed: true}
	docker, err := embedded.Connect(ctx)
	if err != nil {
		f.detail, f.remedy = err.Error(), fault.HintOf(err)
		return []finding{f}
	}
	defer docker.Close()
	info, err := docker.Info(ctx, client.InfoOptions{})
	if err != nil {
		f.detail = err.Error()
		return []finding{f}
	}
	f.ok = true
	f.detail = fmt.Sprintf("%s, API %s, %s on %s", info.Info.ServerVersion, docker.ClientVersion(), info.Info.Driver, info.Info.OperatingSystem)
	same := finding{
		name: "Docker's kernel", needed: true, ok: info.Info.KernelVersion == kernelRelease(), detail: info.Info.KernelVersion,
		remedy: "containers of this engine run on another kernel (Docker Desktop, a remote engine): the sensor cannot see them; use an engine on this machine's own kernel",
	}
	return append([]finding{f, same}, inspectView(ctx, docker)...)
}

func inspectSensor(ctx context.Context) []finding {
	var findings []finding
	for _, c := range sensor.Probe(ctx).Checks {
		findings = append(findings, finding{name: c.Name, ok: c.OK, needed: true, detail: c.Detail, remedy: c.Remedy})
	}
	return findings
}

// inspectDisk looks at the space below a folder.
func inspectDisk(name, dir string, want uint64, why string) finding {
	f := finding{name: name, remedy: "free space in " + dir + ": " + why}
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		f.detail = err.Error()
		return f
	}
	free := st.Bavail * uint64(st.Bsize)
	f.ok = free >= want
	f.detail = fmt.Sprintf("%.1f GiB free in %s (%d wanted)", float64(free)/(1<<30), dir, want>>30)
	return f
}

func inspectMemory(name string, want uint64, remedy string) finding {
	f := finding{name: name, remedy: remedy}
	raw, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		f.detail = err.Error()
		return f
	}
	for line := range strings.Lines(string(raw)) {
		fields := strings.Fields(line)
		if len(fields) >= 2 && fields[0] == "MemAvailable:" {
			kib, _ := strconv.ParseUint(fields[1], 10, 64)
			f.ok = kib<<10 >= want
			f.detail = fmt.Sprintf("%.1f GiB available (%d wanted)", float64(kib)/(1<<20), want>>30)
		}
	}
	return f
}

func kernelRelease() string {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return ""
	}
	return unix.ByteSliceToString(u.Release[:])
}
