package sensor

import (
	"time"

	"github.com/vexxy/action/internal/evidence"
)

// maxLine bounds one line of the protocol, either way. The longest message is
// a file with two paths of 4 KiB in base64.
const maxLine = 64 << 10

// Commands, as they stand in command.Do.
const (
	doClaim  = "claim"
	doCanary = "canary"
	doStop   = "stop"
)

// command is one line to the helper.
type command struct {
	ID        int    `json:"id"`
	Do        string `json:"do"`
	Container string `json:"container,omitempty"`
	Stage     string `json:"stage,omitempty"`
}

// Messages, as they stand in message.Type.
const (
	msgReady   = "ready"   // attached; with Health
	msgFailed  = "failed"  // could not attach; with Error and Cause
	msgClaimed = "claimed" // answer to claim, when the first exec was seen
	msgCanary  = "canary"  // answer to canary
	msgFile    = "file"    // a file was used for the first time, or in a new way
	msgLost    = "lost"    // losses so far
	msgEnd     = "end"     // answer to stop, the last message; with Health
)

// Causes of a failed start, as they stand in message.Cause.
const (
	causePermission  = "permission"
	causeUnsupported = "unsupported"
)

// message is one line from the helper.
type message struct {
	Type    string           `json:"type"`
	ID      int              `json:"id,omitempty"`
	Error   string           `json:"error,omitempty"`
	Cause   string           `json:"cause,omitempty"`
	Claimed *Claimed         `json:"claimed,omitempty"`
	Canary  *evidence.Canary `json:"canary,omitempty"`
	File    *wireFile        `json:"file,omitempty"`
	Health  *evidence.Health `json:"health,omitempty"`
	Lost    uint64           `json:"lost,omitempty"`
}

// wireFile is one observation on its way. Byte slices travel as base64, so a
// hostile name cannot end a line or a string.
type wireFile struct {
	Path    []byte `json:"path"`
	Image   []byte `json:"image,omitempty"`
	Device  uint64 `json:"dev"`
	Inode   uint64 `json:"ino"`
	Kinds   uint8  `json:"kinds"`
	SHA256  string `json:"sha256,omitempty"`
	Foreign bool   `json:"foreign,omitempty"`
	Command []byte `json:"comm"`
	PID     int    `json:"pid"`
	Joined  bool   `json:"joined,omitempty"`
	At      int64  `json:"at"` // wall clock, Unix nanoseconds
}

// Ways in which a file was used, as the kernel side counts them (maps.h).
const (
	kindExec   = 1
	kindInterp = 2
	kindMap    = 4
	kindOpen   = 8
	kindXMap   = 16 // mapped executable
)

// kindsOf gives the evidence's words, sorted.
func kindsOf(bits uint8) []evidence.Kind {
	var kinds []evidence.Kind
	for _, k := range []struct {
		bit  uint8
		kind evidence.Kind
	}{{kindExec, evidence.Exec}, {kindInterp, evidence.Interp}, {kindMap, evidence.Map}, {kindOpen, evidence.Open}} {
		if bits&k.bit != 0 {
			kinds = append(kinds, k.kind)
		}
	}
	return kinds
}

// Claimed is what is known of a claimed container.
type Claimed struct {
	// FirstExecAt is the workload's first exec, the kernel's time as wall time.
	FirstExecAt time.Time `json:"first_exec_at"`
	// RootPID is its process in the host's numbering; it may have ended.
	RootPID int `json:"root_pid"`
	// Group is the control group's path below its hierarchy.
	Group string `json:"group"`
}

// ClaimOptions are the options of Session.Claim; there are none yet.
type ClaimOptions struct{}
