package doctor

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/vexxy/action/internal/cluster"
)

// The capabilities that attaching the sensor takes
// (linux/include/uapi/linux/capability.h), and what jobs are given by
// privileged = true.
const (
	capSysAdmin = 21
	capBPF      = 39
)

// machineGroups is the namespace of control groups that a machine starts with
// (linux/include/uapi/linux/nsfs.h, CGROUP_NS_INIT_INO).
const machineGroups = "cgroup:[4026531835]"

// GitLab says what a GitLab job has of what a run needs, by what the
// job's own surroundings show below root. All of it is advice: the run itself
// finds out.
func GitLab(getenv func(string) string, root string) []Finding {
	engine := Finding{
		Name: "Docker in this job", OK: true, Detail: getenv("DOCKER_HOST"),
		Remedy: "use a runner whose jobs have Docker: the shell executor on a machine with it, the docker executor with /var/run/docker.sock among its volumes, or a privileged runner and the component's input dind",
	}
	if engine.Detail == "" {
		socket := "/var/run/docker.sock"
		_, err := os.Stat(filepath.Join(root, socket))
		engine.OK, engine.Detail = err == nil, "at "+socket
		if err != nil {
			engine.Detail = "neither DOCKER_HOST nor " + socket
		}
	}
	findings := []Finding{engine}
	if caps, uid, ok := rights(root); ok && uid == 0 {
		f := Finding{
			Name: "privileged job", OK: caps>>capSysAdmin&1 == 1 && caps>>capBPF&1 == 1, Detail: "capabilities " + strconv.FormatUint(caps, 16),
			Remedy: "set privileged = true in [runners.docker] of the runner's config.toml: without it no sensor can be attached, and Docker-in-Docker does not start",
		}
		findings = append(findings, f)
	}
	if group, err := os.Readlink(filepath.Join(root, "proc/self/ns/cgroup")); err == nil {
		findings = append(findings, Finding{
			Name: "control groups", OK: group == machineGroups, Detail: group,
			Remedy: "the sensor looks for the workload among the machine's control groups, and this job sees its own alone: the run will be inconclusive. Use the shell executor, or give the job's container the machine's (dockerd's --default-cgroupns-mode host, and /sys/fs/cgroup among the runner's volumes)",
		})
	}
	if host := cluster.Elsewhere(getenv("DOCKER_HOST")); host != "" {
		findings = append(findings, Finding{
			Name: "Docker-in-Docker", Detail: "the engine is at " + host + ", not on this job's own system",
			Remedy: "what is affected is found there, but the sensor cannot look into that engine's containers: nothing is called not affected, and the run is inconclusive. For a verdict use a runner that shares Docker with its jobs",
		})
	}
	return findings
}

// rights reads the effective capabilities and the user of this process.
func rights(root string) (caps uint64, uid int, ok bool) {
	text, err := os.ReadFile(filepath.Join(root, "proc/self/status"))
	if err != nil {
		return 0, 0, false
	}
	uid, seen := -1, 0
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		switch {
		case len(fields) == 2 && fields[0] == "CapEff:":
			if caps, err = strconv.ParseUint(fields[1], 16, 64); err == nil {
				seen++
			}
		case len(fields) == 5 && fields[0] == "Uid:":
			if uid, err = strconv.Atoi(fields[2]); err == nil {
				seen++
			}
		}
	}
	return caps, uid, seen == 2
}
