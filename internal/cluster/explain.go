package cluster

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	kindexec "sigs.k8s.io/kind/pkg/exec"

	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/foreign"
)

// explain makes an error of kind's one that a user can act on: with the last
// lines of the command that failed, or of the node that did, and a hint.
func (c *Cluster) explain(ctx context.Context, err error) error {
	var said string
	if run := kindexec.RunErrorForError(err); run != nil && len(run.Output) > 0 {
		said = string(run.Output)
		err = errors.New(brief(err.Error()))
	}
	if len(sayings(said)) == 0 {
		said = c.complaints(ctx)
	}
	all := err.Error() + "\n" + said + "\n" + strings.Join(c.log.warnings(), "\n")
	if last := lastLines(said, 8); last != "" {
		err = fmt.Errorf("%w: %s", err, last)
	}
	return fault.New(fault.Infra, hintOf(all, c.engine.binary), "creating cluster %s, at %q: %w", c.Name, c.log.step(), err)
}

// brief cuts kind's command line, which for a node has some forty arguments.
func brief(text string) string {
	return foreign.Text(commandLine.ReplaceAllString(text, "$1 …\"")).Line(500)
}

var commandLine = regexp.MustCompile(`(command "\S+ \S+) .*"`)

// complaints are the ends of the nodes' own logs.
func (c *Cluster) complaints(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	names, err := c.engine.ask(ctx, "ps", "--all", "--filter", "label="+labelCluster+"="+c.Name, "--format", "{{.Names}}")
	if err != nil {
		return ""
	}
	var all strings.Builder
	for _, name := range names {
		lines, err := c.engine.ask(ctx, "logs", "--tail", "10", name)
		if err == nil {
			all.WriteString(strings.Join(lines, "\n") + "\n")
		}
	}
	return all.String()
}

// Lines that say nothing to a user: kubeadm's remarks and warnings on its own
// progress, the stack below its last word, and what containerd warns of.
var silent = regexp.MustCompile(`^([IW][0-9]{4} .*|time="[^"]*" level=(debug|info|warning) .*|no stack trace|\s+/.*\.(go|s):[0-9]+|[\w./*()-]+\.[\w.()*]+|\[[a-z-]+\] .*(Using|Creating|Generating|Writing).*)$`)

// sayings gives the lines of an output that say something.
func sayings(output string) []string {
	var lines []string
	for _, line := range strings.Split(output, "\n") {
		if silent.MatchString(strings.TrimRight(line, " \r")) {
			continue
		}
		if line = strings.TrimSpace(line); line != "" && (len(lines) == 0 || lines[len(lines)-1] != line) {
			lines = append(lines, line)
		}
	}
	return lines
}

// hints go by what the engine, the node or kubeadm says. The first that fits
// is given.
var hints = []struct{ says, hint string }{
	{`cannot connect to the docker daemon|is the docker daemon running|error during connect|connection refused.*docker\.sock`, "start the engine, or point DOCKER_HOST at a running one; `vexxy doctor` says what is missing"},
	{`permission denied.*(docker|podman|containerd)\S*\.sock`, "add the user to the engine's group, or run as one who may use it"},
	{`no space left on device`, "free disk space: `docker system df` shows what uses it"},
	{`too many open files|inotify`, "raise the kernel's limits: sysctl -w fs.inotify.max_user_instances=512 fs.inotify.max_user_watches=524288"},
	{`port is already allocated|address already in use|failed to bind`, "free the port, or name none in the kind configuration: a free one is found then"},
	{`non-overlapping ipv4|pool overlaps|overlapping`, "remove networks that nobody uses: `docker network prune`"},
	{`unauthorized|denied|manifest unknown|not found: manifest|manifest for .* not found|repository does not exist|no such image|name unknown`, "check the node image's name, and that the engine may pull it; --node-image names another"},
	{`no such host|i/o timeout|dial tcp|proxyconnect|tls handshake`, "check the engine's way to the registry, or load the node image before and name it with --node-image"},
	{`exec format error`, "the node image is made for another processor: name one for this with --node-image"},
	{`log line that matches`, "the node did not boot: check that the node image is made for kind, and for this processor"},
	{`requires cgroup v2|delegate=yes|cgroup`, "see https://kind.sigs.k8s.io/docs/user/rootless for what the engine's control groups must allow"},
	{`exit status 137|signal: killed|out of memory|oom`, "give the machine more memory: a node takes about 1 GiB before it runs anything"},
}

// hintOf gives the hint for an error's text, "" where there is none.
func hintOf(text, binary string) string {
	text = strings.ToLower(text)
	for _, h := range hints {
		if found, err := regexp.MatchString(h.says, text); err == nil && found {
			return strings.ReplaceAll(h.hint, "`docker ", "`"+cmp.Or(binary, "docker")+" ")
		}
	}
	return ""
}

// passing reports whether a failure to pull may be over in a moment.
func passing(text string) bool {
	found, err := regexp.MatchString(`(?i)timeout|reset by peer|unexpected EOF|50[0-9] |toomanyrequests|temporary`, text)
	return err == nil && found
}
