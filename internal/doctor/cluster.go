package doctor

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/moby/moby/client"

	"github.com/vexxy/action/internal/engine/embedded"
	"github.com/vexxy/action/internal/foreign"
)

// What a cluster with Kubescape takes beside the workload: room for the node's
// image, Kubescape's and the workload's, memory for a control plane. The limits
// of inotify are those that kind names (kind.sigs.k8s.io/docs/user/known-issues).
const (
	wantClusterDisk   = 10 << 30
	wantClusterMemory = 4 << 30
	wantWatches       = 524288
	wantInotify       = 512
)

// Cluster says what the Kubescape engine needs to make a cluster. None
// of it is needed by a run in a container, nor by one in a cluster that is
// there: so all of it is advice.
func Cluster(ctx context.Context) []Finding {
	findings := []Finding{command(ctx)}
	if root := dockerRoot(ctx); root != "" {
		findings = append(findings, disk("Docker's disk space", root, wantClusterDisk, "the node's image, Kubescape's and the workload's are unpacked there"))
	}
	findings = append(findings,
		memory("memory for a cluster", wantClusterMemory, "close what uses memory, or name a cluster elsewhere with --kubeconfig"),
		btf(),
		inotify("max_user_watches", wantWatches), inotify("max_user_instances", wantInotify))
	return findings
}

// command looks for the command by which kind makes its nodes. It does
// not speak to the engine by itself.
func command(ctx context.Context) Finding {
	f := Finding{Name: "docker command", Remedy: "install Docker's command line: kind makes its nodes with it; --cluster-provider names another"}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, "docker", "--version").CombinedOutput()
	f.OK, f.Detail = err == nil, foreign.Text(strings.TrimSpace(string(out))).Line(200)
	if err != nil && f.Detail == "" {
		f.Detail = err.Error()
	}
	return f
}

// dockerRoot is where the engine keeps images, "" when it does not say or its
// folder is not on this machine.
func dockerRoot(ctx context.Context) string {
	docker, err := embedded.Connect(ctx)
	if err != nil {
		return ""
	}
	defer docker.Close()
	info, err := docker.Info(ctx, client.InfoOptions{})
	if err != nil || info.Info.KernelVersion != kernelRelease() {
		return ""
	}
	if _, err := os.Stat(info.Info.DockerRootDir); err != nil {
		return ""
	}
	return info.Info.DockerRootDir
}

// btf looks for the kernel's description of its types, which node-agent
// reads from every node.
func btf() Finding {
	const path = "/sys/kernel/btf/vmlinux"
	f := Finding{Name: "node-agent's kernel", OK: true, Detail: "types in " + path, Remedy: "use a kernel built with CONFIG_DEBUG_INFO_BTF: without it node-agent does not start"}
	if _, err := os.Stat(path); err != nil {
		f.OK, f.Detail = false, err.Error()
	}
	return f
}

// inotify looks at a limit that many nodes or many pods exceed.
func inotify(name string, want int) Finding {
	f := Finding{Name: "inotify " + strings.TrimPrefix(name, "max_user_"), Remedy: fmt.Sprintf("sysctl -w fs.inotify.%s=%d, should pods fail with \"too many open files\"", name, want)}
	raw, err := os.ReadFile("/proc/sys/fs/inotify/" + name)
	if err != nil {
		f.Detail = err.Error()
		return f
	}
	got, _ := strconv.Atoi(strings.TrimSpace(string(raw)))
	f.OK, f.Detail = got >= want, fmt.Sprintf("%d (%d wanted by kind)", got, want)
	return f
}
