//go:build unix

package sensor

import (
	"os/exec"
	"syscall"
)

// ownGroup keeps the terminal's interrupt away from the helper: its parent
// decides when it ends.
func ownGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }
