package doctor

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestPeer(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	if pid, err := peer(t.Context(), socket); err != nil || int(pid) != os.Getpid() {
		t.Errorf("the socket is served by %d (%v), this is %d", pid, err, os.Getpid())
	}
	l.Close()
	if _, err := peer(t.Context(), socket); err == nil {
		t.Error("nobody serves the socket, and there is no error")
	}
}

// In a container only what is known to be seen alike is mounted by its path.
func TestSeesOtherFiles(t *testing.T) {
	dir := t.TempDir()
	mark, socket := filepath.Join(dir, "mark"), filepath.Join(dir, "s")
	write(t, mark, "")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	marked := []string{filepath.Join(dir, "none"), mark}
	for _, c := range []struct {
		name, socket string
		marks        []string
		want         bool
	}{
		{"on the machine itself", filepath.Join(dir, "nobody"), marked[:1], false},
		{"in a container with the engine", socket, marked, false}, // this process serves the socket
		{"in a container, the engine out of sight", filepath.Join(dir, "nobody"), marked, true},
		{"an engine without a socket", "", marked, false},
	} {
		if got := seesOtherFiles(t.Context(), c.socket, c.marks); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
	for host, want := range map[string]string{
		"": "/var/run/docker.sock", "unix:///run/user/1000/docker.sock": "/run/user/1000/docker.sock", "tcp://docker:2375": "", "ssh://a": "",
	} {
		if got := dockerSocket(func(string) string { return host }); got != want {
			t.Errorf("%q: %q", host, got)
		}
	}
}

// Control groups as they are seen on a machine and in containers, of both
// versions and of both at once.
func TestGroupsWithin(t *testing.T) {
	const (
		one       = "36 31 0:36 / /sys/fs/cgroup/pids rw,relatime - cgroup cgroup rw,pids\n"
		part      = "36 31 0:36 /docker/0123 /sys/fs/cgroup/pids rw,relatime - cgroup cgroup rw,pids\n"
		other     = "37 31 0:37 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"
		two       = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
		unified   = "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
		ofOne     = "4:cpu:/\n3:pids:/system.slice/docker.service\n0::/system.slice/docker.service\n"
		ofTwo     = "0::/system.slice/docker.service\n"
		fromAside = "0::/../../system.slice/docker.service\n"
	)
	there := []string{
		"/sys/fs/cgroup/pids/system.slice/docker.service", "/sys/fs/cgroup/system.slice/docker.service", "/sys/fs/cgroup/unified/system.slice/docker.service",
	}
	for _, c := range []struct{ name, mounts, groups, want string }{
		{"version 1", other + one, ofOne, ""},
		{"version 1 beside 2", one + unified, ofOne, ""},
		{"version 2", two, ofTwo, ""},
		{"a container's part of version 1", other + part, ofOne, "holds no more of them than /docker/0123"},
		{"version 2 from a name space of its own", two, fromAside, "/system.slice/docker.service, the engine's own, is not there"},
		{"another container's version 1", one, "3:pids:/docker/4567\n", "/sys/fs/cgroup/pids/docker/4567, the engine's own"},
	} {
		err := groupsWithin(c.mounts, c.groups, func(dir string) error {
			for _, d := range there {
				if d == dir {
					return nil
				}
			}
			return errors.New("not there")
		})
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}
