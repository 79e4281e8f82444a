package config

import (
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/vexxy/action/internal/fault"
)

func checkImage(s string) error {
	const longest = 4096 // of a path, which a reference may hold
	if len(s) > longest {
		return invalid{"a reference of " + strconv.Itoa(len(s)) + " bytes is too long", "name an image or a file"}
	}
	if strings.HasPrefix(s, "-") {
		return invalid{strconv.Quote(cut(s)) + " is not an image", "name an image, such as nginx:1.27"}
	}
	return nil
}

func checkDigest(s string) error {
	if !regexp.MustCompile(`^sha256:[0-9a-f]{64}$`).MatchString(s) {
		return invalid{strconv.Quote(cut(s)) + " is not a digest", "write sha256: and 64 hexadecimal digits in lower case"}
	}
	return nil
}

func checkPlatform(s string) error {
	if !regexp.MustCompile(`^[a-z0-9]+/[a-z0-9]+(/[a-z0-9.]+)?$`).MatchString(s) {
		return invalid{strconv.Quote(cut(s)) + " is not a platform", "write os/architecture, such as linux/amd64"}
	}
	if !strings.HasPrefix(s, "linux/") {
		return invalid{"only Linux images can be observed, not " + strconv.Quote(cut(s)), "write linux/amd64 or linux/arm64"}
	}
	return nil
}

func checkUser(s string) error {
	if !regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]*(:[A-Za-z0-9_][A-Za-z0-9_.-]*)?$`).MatchString(s) {
		return invalid{strconv.Quote(cut(s)) + " is not a user", "write a name or number, such as 1000 or 1000:1000"}
	}
	return nil
}

// workloadHost is the host name that stands for the workload in URLs, as
// package exercise reads them.
const workloadHost = "workload"

// checkURL accepts a path ("/x"), a port and path (":8080/x") and URLs of the
// workload. Another host's answer would say nothing about the workload.
func checkURL(s string) error {
	full := s
	switch {
	case strings.HasPrefix(s, "/"):
		full = "http://" + workloadHost + s
	case strings.HasPrefix(s, ":"):
		full = "http://" + workloadHost + s
	}
	u, err := url.Parse(full)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" {
		return invalid{strconv.Quote(cut(s)) + " is neither a path nor a URL", "write a path such as /healthz, or http://workload:8080/healthz"}
	}
	if u.Hostname() != workloadHost || u.User != nil {
		return invalid{strconv.Quote(cut(s)) + " does not name the workload", "write the host name as workload: http://workload:8080/healthz"}
	}
	if port := u.Port(); port != "" {
		if _, err := parsePort(port); err != nil {
			return err
		}
	}
	return nil
}

// check finds inputs that contradict each other, and settles the defaults that
// depend on others. runs says that an image is needed.
func (c *Config) check(runs bool) error {
	conflict := func(hint, format string, args ...any) error { return fault.New(fault.Usage, hint, format, args...) }
	if len(c.Images) == 0 && runs {
		return conflict("name an image: vexxy run nginx:1.27", "no image is given")
	}
	if c.Digest != "" && len(c.Images) > 1 {
		return conflict("write each image as NAME@sha256:… instead", "digest (%s) is given for %d images", c.Origin("digest"), len(c.Images))
	}
	if c.ReadyURL != "" && c.ReadyCommand != "" {
		return conflict("give one of the two", "ready-url (%s) and ready-command (%s) are both given", c.Origin("ready-url"), c.Origin("ready-command"))
	}
	if c.Network == NetworkNone {
		for _, name := range []string{"ready-url", "http-probe"} {
			if c.Given(name) {
				return conflict("leave network at internal, or exercise the workload by exec-command",
					"%s (%s) needs a network, and network (%s) is none", name, c.Origin(name), c.Origin("network"))
			}
		}
	}
	if !c.Given("early-stop") {
		c.EarlyStop = !c.Given("duration")
	}
	if c.EarlyStop && c.Given("quiet") && c.Quiet >= c.Duration {
		return conflict("make quiet shorter, or turn early-stop off",
			"quiet %s (%s) is not shorter than duration %s (%s)", formatDuration(c.Quiet), c.Origin("quiet"), formatDuration(c.Duration), c.Origin("duration"))
	}
	if err := c.checkCluster(conflict); err != nil {
		return err
	}
	if err := c.checkAttest(conflict); err != nil {
		return err
	}
	if err := c.checkBaseline(conflict); err != nil {
		return err
	}
	return c.checkDeadline(conflict)
}

// overhead is what the default deadline leaves beside observation and
// time-outs: pulling, scanning, matching.
const overhead = 15 * time.Minute

func (c *Config) checkDeadline(conflict conflicting) error {
	if !c.Given("deadline") {
		c.Deadline = max(c.Deadline, c.Duration+c.ReadyTimeout+c.TestTimeout+overhead)
		return nil
	}
	if c.Deadline <= c.Duration {
		return conflict("give a longer deadline, or a shorter duration", "deadline %s (%s) is not longer than duration %s (%s)",
			formatDuration(c.Deadline), c.Origin("deadline"), formatDuration(c.Duration), c.Origin("duration"))
	}
	return nil
}

// CheckPorts finds requests that cannot be made because neither the inputs nor
// the image name a TCP port. exposed are the ports of the image.
func (c Config) CheckPorts(exposed []int) error {
	if len(c.Ports)+len(exposed) > 0 {
		return nil
	}
	requests := map[string][]string{"http-probe": c.HTTPProbe, "ready-url": {c.ReadyURL}}
	for _, name := range []string{"ready-url", "http-probe"} {
		for _, s := range requests[name] {
			if strings.HasPrefix(s, "/") {
				return fault.New(fault.Usage, "give the port by ports, or write it in front: :8080"+cut(s),
					"%s (%s) asks for %q, and the image exposes no TCP port", name, c.Origin(name), cut(s))
			}
		}
	}
	return nil
}
