// Package embedded runs an image on the local Docker engine under vexxy's own
// eBPF sensor. It needs no cluster: one container on a private network, the
// sensor's helper beside it, Syft and Grype as libraries at the same time.
package embedded

import (
	"context"
	"sync"
	"time"

	"github.com/moby/moby/client"

	"github.com/vexxy/action/internal/catalog"
	"github.com/vexxy/action/internal/exercise"
	"github.com/vexxy/action/internal/journal"
)

// Name is the engine's name, as inputs and documents write it.
const Name = "embedded"

// LabelRun is the label, with the run's ID as its value, of every container
// and network that a run makes on the Docker engine.
const LabelRun = "dev.vexxy.run"

// Options say how a workload runs and how long it is watched.
type Options struct {
	RunID string
	// Duration is the longest window. With EarlyStop the window ends before,
	// once the exercise is done and no new package was seen for Quiet.
	Duration  time.Duration
	EarlyStop bool
	Quiet     time.Duration
	Exercise  exercise.Plan

	// Command and Args replace the image's entry point and arguments where set.
	Command []string
	Args    []string
	Env     []string
	User    string
	// Ports are TCP ports at which the workload listens beside those that the
	// image exposes.
	Ports []int
	// Network is internal (reachable from here, no way out), bridge or none.
	Network string
	// CPU is in cores, Memory in bytes.
	CPU    float64
	Memory int64
	Pids   int64
	// AllowPrivilegeEscalation lifts no-new-privileges.
	AllowPrivilegeEscalation bool

	// SensorCommand starts the sensor's helper.
	SensorCommand []string
	// TempDir holds the unpacked layers for the time of the run.
	TempDir string
}

// Progress is told what happens. Step opens a step and gives the function
// that closes it.
type Progress interface {
	Step(name string) func(error)
	// Window says that the window begins and lasts at most total; 0 ends it.
	Window(total time.Duration)
	Seen(files, packages int)
	Note(string)
}

// Engine is the embedded engine. Prepare, Observe and Close are its verbs.
type Engine struct {
	options  Options
	progress Progress
	journal  *journal.Journal
	matcher  func(context.Context) (*catalog.Matcher, error)

	docker *client.Client

	mu    sync.Mutex
	undos []undo
}

// undo takes back one thing that the engine made.
type undo struct {
	what string
	f    func(context.Context) error
}

// New makes an engine that has done nothing yet. matcher gives the opened
// vulnerability database and is called once an image is read.
func New(o Options, p Progress, j *journal.Journal, matcher func(context.Context) (*catalog.Matcher, error)) *Engine {
	return &Engine{options: o, progress: p, journal: j, matcher: matcher}
}
