package sensor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Probe says what this machine can do. As root it loads and attaches the
// program for a moment; otherwise it says whether sudo would help.
func Probe(ctx context.Context) Report {
	var r Report
	add := func(name string, err error, detail, remedy string) {
		c := ReportCheck{Name: name, OK: err == nil, Detail: detail}
		if err != nil {
			c.Detail, c.Remedy = err.Error(), remedy
		}
		r.Checks = append(r.Checks, c)
	}
	var name unix.Utsname
	err := unix.Uname(&name)
	add("kernel", err, unix.ByteSliceToString(name.Release[:]), "")
	_, err = os.Stat("/sys/kernel/btf/vmlinux")
	add("kernel types (BTF)", err, "/sys/kernel/btf/vmlinux", "use a kernel built with CONFIG_DEBUG_INFO_BTF")
	base, err := hierarchy()
	add("control groups", err, base, "mount the control groups at /sys/fs/cgroup")
	if os.Geteuid() == 0 {
		add("root", nil, "this process is root", "")
		p, err := attach(tuning{})
		detail := ""
		if err == nil {
			detail = fmt.Sprintf("%s; ring buffer %d MiB", strings.Join(p.names, ", "), p.ring.BufferSize()>>20)
			p.close()
		}
		add("eBPF programs", err, detail, remedyFor(err))
	} else {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		err := exec.CommandContext(ctx, "sudo", "-n", "true").Run()
		if err != nil {
			err = fmt.Errorf("not root, and sudo -n: %w", err)
		}
		add("root", err, "sudo without a password", permissionHint)
	}
	r.OK = true
	for _, c := range r.Checks {
		r.OK = r.OK && c.OK
	}
	return r
}

// remedyFor says what to do about a program that does not attach.
func remedyFor(err error) string {
	switch {
	case errors.Is(err, ErrPermission):
		return "allow CAP_BPF, CAP_PERFMON and CAP_SYS_ADMIN; inside a container, run privileged on the host's kernel"
	case errors.Is(err, ErrUnsupported):
		return "use Linux 5.17 or later with CONFIG_DEBUG_INFO_BTF"
	}
	return "see the kernel's message above"
}
