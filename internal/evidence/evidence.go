// Package evidence holds what was seen while an image ran, how healthy the
// watching was, and the rule that says whether that is enough to call
// something not affected.
package evidence

import (
	"fmt"
	"time"
)

// Evidence is what one engine saw of one workload.
type Evidence struct {
	// Engine is embedded or kubescape.
	Engine       string        `json:"engine"`
	Window       Window        `json:"window"`
	Phases       []Phase       `json:"phases"`
	Observations []Observation `json:"-"` // a file of its own in the record
	Health       Health        `json:"health"`
	Workload     Workload      `json:"workload"`
	Exercise     []Exercise    `json:"exercise,omitempty"`
	// Kubescape is what Kubescape said of the same workload; nil where it did
	// not watch.
	Kubescape *Kubescape `json:"kubescape,omitempty"`
}

// Window is the time in which the workload was watched.
type Window struct {
	Start time.Time `json:"start"`
	End   time.Time `json:"end"`
	// Configured is the longest the window was allowed to be, in seconds.
	Configured float64 `json:"configured_seconds"`
	// Quiet is how long, in seconds, no new package had been seen when an
	// early stop ended the window; 0 when early stop was off.
	Quiet float64 `json:"quiet_seconds,omitempty"`
	// Stopped says why the window ended: see the Stopped constants.
	Stopped Stop `json:"stopped"`
}

// Seconds is the window's measured length.
func (w Window) Seconds() float64 { return w.End.Sub(w.Start).Seconds() }

// Length is the window's length for texts, such as "0.3 s" or "45 s": a short
// job's has a decimal, so that it does not read as no time at all.
func (w Window) Length() string {
	if s := w.Seconds(); s >= 10 {
		return fmt.Sprintf("%.0f s", s)
	}
	return fmt.Sprintf("%.1f s", w.Seconds())
}

// Stop is a reason for a window's end.
type Stop string

// The reasons for a window's end. Only StopDuration, StopQuiet and StopJobDone
// can meet the window's condition.
const (
	StopDuration    Stop = "duration"    // the configured time passed
	StopQuiet       Stop = "quiet"       // exercise done and nothing new for the quiet time
	StopJobDone     Stop = "job-done"    // the workload ended by itself with exit code 0
	StopExited      Stop = "exited"      // the workload ended early with another code
	StopNotReady    Stop = "not-ready"   // it was never ready
	StopInterrupted Stop = "interrupted" // the run was cancelled or met its deadline
	StopSensor      Stop = "sensor"      // the sensor failed
)

// The phases of a window, in their order. An observation carries the name of
// the phase in which its file was first used.
const (
	PhaseStartup  = "startup"  // first exec until ready
	PhaseExercise = "exercise" // tests run
	PhaseExec     = "exec"     // by a process that joined later (docker exec, exec probe)
	PhaseIdle     = "idle"     // everything else
)

// Phase is one stretch of the window.
type Phase struct {
	Name  string    `json:"name"`
	Start time.Time `json:"start"`
	End   time.Time `json:"end"`
}

// Kind is the way in which a file was used.
type Kind string

// The ways in which a file can be used, as they stand in Observation.Kinds.
const (
	Exec   Kind = "exec"   // executed
	Interp Kind = "interp" // loaded by the kernel as an ELF or script interpreter
	Map    Kind = "map"    // mapped, executable or not
	Open   Kind = "open"   // opened
)

// Observation is one file that the workload used, at its first use.
type Observation struct {
	// Path is the file as the container sees it, absolute, symbolic links
	// resolved by the kernel. It may hold any bytes but NUL.
	Path []byte `json:"path"`
	// ImagePath is the image's file that has the same device and inode, where
	// it is known and differs from Path (bind alias, nested overlay, copy).
	ImagePath []byte `json:"image_path,omitempty"`
	// Device and Inode identify the file in the container's mount.
	Device uint64 `json:"dev"`
	Inode  uint64 `json:"ino"`
	// Kinds are the ways in which it was used over the whole window, sorted.
	Kinds []Kind `json:"kinds"`
	// SHA256 is the content's digest, taken only of executed or mapped files
	// that are no file of the image. Empty when it could not be read.
	SHA256 string `json:"sha256,omitempty"`
	// Foreign says that the file is no file of the image (made at run time, a
	// memfd, a volume).
	Foreign bool `json:"foreign,omitempty"`
	// Process is the command name (at most 15 bytes, foreign text) of the
	// first process that used it, PID its number in the host's namespace.
	Process string    `json:"process"`
	PID     int       `json:"pid"`
	Phase   string    `json:"phase"`
	At      time.Time `json:"at"`
	// Witnesses are those who saw it, sorted, where more than one watched;
	// empty where the sensor was alone. What node-agent alone saw has no
	// process, device or inode, and the window's end as its time.
	Witnesses []Witness `json:"witnesses,omitempty"`
}

// Witness is one of those who watch a workload.
type Witness string

// The witnesses.
const (
	WitnessSensor    Witness = "sensor"     // vexxy's own, on this host's kernel
	WitnessNodeAgent Witness = "node-agent" // Kubescape's, by its profile
)

// Health says how well the sensor worked. The zero value is ill.
type Health struct {
	Kernel     string    `json:"kernel"`
	Programs   []string  `json:"programs"`
	AttachedAt time.Time `json:"attached_at"`
	DetachedAt time.Time `json:"detached_at"`
	// FirstExecAt is the workload's first exec as the sensor saw it.
	FirstExecAt time.Time `json:"first_exec_at"`
	// Lost counts events that the sensor knows it could not deliver: failed
	// reservations, full maps, descriptors gone before they could be read,
	// paths cut short, lines that could not be decoded.
	Lost Lost `json:"lost"`
	// Canaries are the self-tests, in their order.
	Canaries []Canary `json:"canaries"`
	// Blind are uses of ways around the sensor, each with a count.
	Blind []Blind `json:"blind,omitempty"`
	// Errors are failures of the sensor itself, in words.
	Errors []string `json:"errors,omitempty"`
}

// Lost counts events that were not delivered, by cause.
type Lost struct {
	Ring    uint64 `json:"ring"`    // no room in the ring buffer
	Map     uint64 `json:"map"`     // a kernel map was full
	Vanish  uint64 `json:"vanish"`  // the descriptor was gone before it was read
	Path    uint64 `json:"path"`    // a path was too long or too deep
	Decode  uint64 `json:"decode"`  // user space could not decode or keep up
	Unknown uint64 `json:"unknown"` // a mapping or exec that could not be identified
}

// Total is the sum over all causes.
func (l Lost) Total() uint64 {
	return l.Ring + l.Map + l.Vanish + l.Path + l.Decode + l.Unknown
}

// Canary is one self-test: numbered files opened inside the workload's control
// group, which must all arrive as events.
type Canary struct {
	// Stage is start, middle or end.
	Stage  string    `json:"stage"`
	At     time.Time `json:"at"`
	Opened int       `json:"opened"`
	Seen   int       `json:"seen"`
	// Place is where it ran: container, or helper for a control group of the
	// helper's own, before the container exists or after it has ended.
	Place string `json:"place,omitempty"`
	// Error says why it could not be run; empty when it could.
	Error string `json:"error,omitempty"`
}

// Blind is one way around the sensor that the workload used.
type Blind struct {
	// What is a stable word such as io_uring, memfd-exec, foreign-exec, mount-ns.
	What  string `json:"what"`
	Count uint64 `json:"count"`
	// Detail is one example, foreign text of at most 256 bytes.
	Detail string `json:"detail,omitempty"`
}

// Workload says what ran and how it fared.
type Workload struct {
	// ConfigDigest is the running image's configuration digest as the engine
	// reports it.
	ConfigDigest string `json:"config_digest"`
	ContainerID  string `json:"container_id"`
	Restarts     int    `json:"restarts"`
	// Exited says that it ended by itself within the window, with ExitCode.
	Exited    bool `json:"exited"`
	ExitCode  int  `json:"exit_code"`
	OOMKilled bool `json:"oom_killed,omitempty"`
	// ReadyBy is how readiness was established: see the Ready constants.
	ReadyBy Ready `json:"ready_by"`
	// ReadyAt is zero when it never was.
	ReadyAt time.Time `json:"ready_at,omitzero"`
	// Command is what ran, where the user replaced the image's own.
	Command []string `json:"command,omitempty"`
	// Relaxed lists protections that the user's inputs took away.
	Relaxed []string `json:"relaxed,omitempty"`
}

// Ready is a way in which readiness was established.
type Ready string

// The ways in which readiness can be established, strongest first.
const (
	ReadyInput       Ready = "input"       // ready-url or ready-command
	ReadyHealthcheck Ready = "healthcheck" // the image's HEALTHCHECK
	ReadyPorts       Ready = "ports"       // all exposed TCP ports accept
	ReadyJob         Ready = "job"         // it ended with exit code 0
	ReadyRunning     Ready = "running"     // it ran the whole window without restart
	ReadyNever       Ready = "never"
)

// Exercise is one way in which the workload was put to use.
type Exercise struct {
	// Kind is test-command, exec-command or http-probe.
	Kind string `json:"kind"`
	// What is the command or the path probed, secrets removed.
	What    string    `json:"what"`
	Start   time.Time `json:"start"`
	End     time.Time `json:"end"`
	Passed  bool      `json:"passed"`
	Outcome string    `json:"outcome"` // exit code, HTTP status or error, in words
}
