package doctor

import (
	"context"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/moby/moby/client"
)

// containerMarks are files that Docker and Podman put into every container.
var containerMarks = []string{"/.dockerenv", "/run/.containerenv"}

// SeesOtherFiles reports whether the engine that Docker's command line finds
// sees other files than this process, which may be in a container: what is
// mounted by a path of here would be something else there, and be made there
// where it is not. Where it cannot be known it is so. An engine without a socket
// is somebody else's to look at.
func SeesOtherFiles(ctx context.Context, getenv func(string) string) bool {
	return seesOtherFiles(ctx, dockerSocket(getenv), containerMarks)
}

// seesOtherFiles is SeesOtherFiles of the engine at a socket; one of the marks is
// there where this process is in a container.
func seesOtherFiles(ctx context.Context, socket string, marks []string) bool {
	if socket == "" || !slices.ContainsFunc(marks, func(mark string) bool { _, err := os.Stat(mark); return err == nil }) {
		return false
	}
	pid, err := peer(ctx, socket)
	if err != nil || pid == 0 {
		return true
	}
	ours, err := os.Stat("/")
	theirs, errTheirs := os.Stat(fmt.Sprintf("/proc/%d/root/", pid))
	return err != nil || errTheirs != nil || !os.SameFile(ours, theirs)
}

// dockerSocket is where Docker's command line finds the engine, empty for one
// that is reached otherwise.
func dockerSocket(getenv func(string) string) string {
	at := getenv("DOCKER_HOST")
	if at == "" {
		at = client.DefaultDockerHost
	}
	socket, _ := strings.CutPrefix(at, "unix://")
	if !strings.HasPrefix(socket, "/") {
		return ""
	}
	return socket
}

// view says whether this process sees what the engine starts: its
// processes, its networks, its control groups. On the machine itself it does;
// within a container it does so only if that one was given the machine's. The
// engine is found by its socket; of one that is reached otherwise nothing is
// said.
func view(ctx context.Context, docker *client.Client) []Finding {
	socket, local := strings.CutPrefix(docker.DaemonHost(), "unix://")
	if !local {
		return nil
	}
	processes := Finding{
		Name: "Docker's processes", Needed: true,
		Remedy: "start the container that vexxy runs in with --pid host: the sensor reads the workload's processes",
	}
	pid, err := peer(ctx, socket)
	switch {
	case err != nil:
		processes.Detail = err.Error()
		return []Finding{processes}
	case pid == 0: // unix(7): it has no number in this process's name space
		processes.Detail = "those of the engine cannot be seen from here"
		return []Finding{processes}
	}
	processes.OK, processes.Detail = true, fmt.Sprintf("the engine is process %d", pid)
	return append([]Finding{processes}, neighbour(pid)...)
}

// neighbour compares networks and control groups with the engine's. The
// former may be kept from who is not root: then nothing is said of them.
func neighbour(pid int32) []Finding {
	var findings []Finding
	engines, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/net", pid))
	own, errOwn := os.Readlink("/proc/self/ns/net")
	if err == nil && errOwn == nil {
		f := Finding{
			Name: "Docker's networks", Needed: true, OK: engines == own, Detail: "reached from here",
			Remedy: "start the container that vexxy runs in with --network host: probes go to the workload's address",
		}
		if !f.OK {
			f.Detail = "the engine's are others than this process's"
		}
		findings = append(findings, f)
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	groups, errGroups := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	if err != nil || errGroups != nil {
		return findings
	}
	f := Finding{
		Name: "Docker's groups", Needed: true, OK: true, Detail: "control groups of the engine and its containers",
		Remedy: "start the container that vexxy runs in with --cgroupns host --volume /sys/fs/cgroup:/sys/fs/cgroup: the sensor tells the workload by its group",
	}
	if err := groupsWithin(string(mounts), string(groups), func(dir string) error { _, err := os.Stat(dir); return err }); err != nil {
		f.OK, f.Detail = false, err.Error()
	}
	return append(findings, f)
}

// groupsWithin looks whether the control groups are mounted from their root on,
// and whether those of a process are among them (proc_pid_mountinfo(5),
// cgroups(7)).
func groupsWithin(mounts, groups string, stat func(dir string) error) error {
	for line := range strings.Lines(mounts) {
		left, right, _ := strings.Cut(line, " - ")
		fields, kind := strings.Fields(left), strings.Fields(right)
		if len(fields) < 5 || len(kind) < 3 {
			continue
		}
		// Version 1 is told by the controller that the sensor walks.
		first := kind[0] == "cgroup" && strings.Contains(","+kind[2]+",", ",pids,")
		if !first && kind[0] != "cgroup2" {
			continue
		}
		if root := fields[3]; root != "/" {
			return fmt.Errorf("%s holds no more of them than %s", fields[4], root)
		}
		for group := range strings.Lines(groups) {
			parts := strings.SplitN(strings.TrimSpace(group), ":", 3)
			if len(parts) < 3 || first != strings.Contains(","+parts[1]+",", ",pids,") || !first && parts[0] != "0" {
				continue
			}
			if dir := path.Join(fields[4], parts[2]); stat(dir) != nil {
				return fmt.Errorf("%s, the engine's own, is not there", dir)
			}
		}
	}
	return nil
}
