package doctor

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// What a job lacks is said in words.
func TestGitLab(t *testing.T) {
	status := func(caps, uid string) string {
		return fmt.Sprintf("Name:\tvexxy\nUid:\t%s\t%s\t%s\t%s\nCapEff:\t%s\n", uid, uid, uid, uid, caps)
	}
	const all, few = "000001ffffffffff", "00000000a80425fb"
	for name, c := range map[string]struct {
		docker, status string
		socket         bool
		groups         string
		lacks          []string
	}{
		"shell executor of root": {"", status(all, "0"), true, machineGroups, nil},
		"shell executor":         {"", status("0", "1000"), true, machineGroups, nil},
		"no Docker":              {"", status(all, "0"), false, machineGroups, []string{"Docker in this job"}},
		"plain container":        {"", status(few, "0"), false, "cgroup:[4026532512]", []string{"Docker in this job", "privileged job", "control groups"}},
		"socket, unprivileged":   {"", status(few, "0"), true, machineGroups, []string{"privileged job"}},
		"socket, privileged":     {"", status(all, "0"), true, "cgroup:[4026532512]", []string{"control groups"}},
		"Docker-in-Docker":       {"tcp://docker:2376", status(all, "0"), false, "cgroup:[4026532512]", []string{"control groups", "Docker-in-Docker"}},
		"a local port":           {"tcp://127.0.0.1:2375", status(all, "0"), false, machineGroups, nil},
		"nothing is known":       {"unix:///x", "", false, "", nil},
	} {
		root := t.TempDir()
		for _, dir := range []string{"proc/self/ns", "var/run"} {
			if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		write(t, filepath.Join(root, "proc/self/status"), c.status)
		if c.groups != "" {
			if err := os.Symlink(c.groups, filepath.Join(root, "proc/self/ns/cgroup")); err != nil {
				t.Fatal(err)
			}
		}
		if c.socket {
			write(t, filepath.Join(root, "var/run/docker.sock"), "")
		}
		var lacks []string
		findings := GitLab(func(name string) string {
			return map[string]string{"DOCKER_HOST": c.docker}[name]
		}, root)
		for _, f := range findings {
			if !f.OK {
				lacks = append(lacks, f.Name)
			}
			if f.Detail == "" || f.Remedy == "" {
				t.Errorf("%s: %+v", name, f)
			}
		}
		if !slices.Equal(lacks, c.lacks) {
			t.Errorf("%s lacks %q, want %q", name, lacks, c.lacks)
		}
		var out bytes.Buffer
		if missing := Print(&out, findings); missing != 0 {
			t.Errorf("%s: advice keeps it from running", name)
		}
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
