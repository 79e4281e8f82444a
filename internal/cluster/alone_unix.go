//go:build unix

package cluster

import (
	"os/exec"
	"syscall"
)

// alone keeps a terminal's interrupt from a command: it would end the cleanup
// as well as the run.
func alone(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }
