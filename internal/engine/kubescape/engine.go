// Package kubescape runs images in a Kubernetes cluster with Kubescape: an
// ephemeral one that kind makes for the run, or one that is there. Kubescape's
// node-agent and vexxy's own sensor watch the same pod; what either saw counts.
package kubescape

import (
	"context"
	"sync"
	"time"

	"github.com/vexxy/action/internal/catalog"
	"github.com/vexxy/action/internal/cluster"
	"github.com/vexxy/action/internal/evidence"
	"github.com/vexxy/action/internal/journal"
	"github.com/vexxy/action/internal/source"
	"github.com/vexxy/action/internal/window"
)

// Name is the engine's name, as inputs and documents write it.
const Name = evidence.KubescapeEngine

// Namespace is Kubescape's own, Sandbox that of the workloads.
const (
	Namespace = "kubescape"
	Sandbox   = "vexxy-sandbox"
)

// The marks of everything that a run makes in a cluster: whose it is, and
// until when it can be of use to anybody.
const (
	labelRun       = "dev.vexxy.run"
	annotateExpiry = "dev.vexxy.expires"
)

// Options say in which cluster images run, how, and how long they are watched.
type Options struct {
	RunID  string
	Window window.Options
	// Images is how many images the run has, Parallel how many of them share
	// the nodes at a time. Requested are the images as the user names them.
	Images, Parallel int
	Requested        []string

	// Cluster is for a cluster of the run's own. Existing, when it is not nil,
	// names one that is there.
	Cluster  cluster.Options
	Existing *Existing
	// Archives are files or folders of images that an own cluster is given.
	Archives []string
	// Retain keeps the own cluster, with a support bundle in SupportDir.
	Retain     bool
	SupportDir string
	Redact     func(string) string

	Chart    ChartSource
	Pod      PodOptions
	Packaged Packaged
	// InstallTimeout bounds the installation of Kubescape and of Packaged.
	InstallTimeout time.Duration
	// Deadline is the end of the run, after which what it left in a cluster is
	// of no use.
	Deadline time.Time

	// SensorCommand starts the sensor's helper; TempDir is for files of the
	// run's time.
	SensorCommand []string
	TempDir       string
}

// Existing is a cluster that is not of the run's making.
type Existing struct {
	// Kubeconfig is a file, empty for the user's own; Context one of its
	// contexts, empty for the current one.
	Kubeconfig, Context string
}

// Progress is told what happens. Step opens a step and gives the function
// that closes it.
type Progress interface {
	window.Progress
	Step(name string) func(error)
}

// Engine is the Kubescape engine. Prepare, Observe and Close are its verbs.
type Engine struct {
	options  Options
	progress Progress
	journal  *journal.Journal
	matcher  func(context.Context) (*catalog.Matcher, error)

	expected chan source.Image

	cluster   *cluster.Cluster
	kubescape installation
	deferred  *deferred // nil where all of Kubescape is there from the beginning
	share     share

	mu    sync.Mutex
	undos []undo
}

// undo takes back one thing that the engine made.
type undo struct {
	what string
	f    func(context.Context) error
}

// New makes an engine that has done nothing yet. matcher gives the opened
// vulnerability database.
func New(o Options, p Progress, j *journal.Journal, matcher func(context.Context) (*catalog.Matcher, error)) *Engine {
	return &Engine{options: o, progress: p, journal: j, matcher: matcher, expected: make(chan source.Image, max(1, o.Images))}
}

// Expect tells the engine of an image before Observe, so that it reaches the
// nodes while the control plane boots. Call it at most once for each image.
func (e *Engine) Expect(img source.Image) { e.expected <- img }

// lane is the progress of one image among several: its steps bear the image's
// name, and the live line stays with the run.
type lane struct {
	Progress
	image string
}

func (l lane) Step(name string) func(error) { return l.Progress.Step(name + ": " + l.image) }
func (l lane) Window(time.Duration)         {}
func (l lane) Seen(int, int)                {}
func (l lane) Note(text string)             { l.Progress.Note(l.image + ": " + text) }

// progressOf gives the progress to show an image's steps on.
func (e *Engine) progressOf(img source.Image) Progress {
	if e.options.Images < 2 {
		return e.progress
	}
	return lane{e.progress, img.Requested}
}
