package app

import (
	"context"
	"io"

	"golang.org/x/term"

	"github.com/vexxy/action/internal/baseline"
	"github.com/vexxy/action/internal/config"
	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/host/github"
	"github.com/vexxy/action/internal/host/gitlab"
	"github.com/vexxy/action/internal/host/local"
	"github.com/vexxy/action/internal/record"
	"github.com/vexxy/action/internal/report"
	"github.com/vexxy/action/internal/run"
)

// files gives the job's own files, or those that hold instead: see checkout.
type files interface {
	readFile(path string) ([]byte, error)
	instead(path string, max int64) ([]byte, bool, error)
	list(dir string) ([]string, bool, error)
}

// host is where a run is shown while it runs, and where what came of it goes.
type host interface {
	run.Progress
	// Close ends the display of steps.
	Close()
	// usable says why no run can be made here, if so.
	usable() error
	files
	// artifact gives the files of an earlier run's artifact, which from names in
	// words. close is to be called in the end.
	artifact(ctx context.Context, name string, token config.Secret) (from string, files baseline.Reader, close func(), err error)
	// loaded is told the inputs, and gives the environment of what runs beside
	// the program.
	loaded(cfg config.Config) []string
	// origins are the jobs that a record may be of here, this one first; none
	// where any will do. Where they cannot be known there is an error.
	origins() ([]record.Origin, error)
	// unsigned says why this run has no identity to sign with, if so: it is no
	// error that attest: keyless does nothing then.
	unsigned() string
	// store gives what puts a bundle about a digest into the host's own store of
	// attestations; an error where it has none.
	store(cfg config.Config) (store, error)
	// publish tells of the end. It changes nothing of it: what cannot be
	// published is said, and that is all.
	publish(ctx context.Context, end ending)
}

// store puts one signed bundle about a digest somewhere beside the registry.
type store func(ctx context.Context, digest string, bundle []byte) (github.Stored, error)

// part is what of a run a command does, by the command's name.
type part string

const (
	partRun     part = "run"
	partAttest  part = "attest"  // sign what another job observed
	partPublish part = "publish" // tell of what another job observed
)

// ending is how a run, or a part of one, ended.
type ending struct {
	part part
	// cfg are the inputs; without images where they could not be read.
	cfg  config.Config
	out  run.Outcome
	code fault.Code
	err  error // of the run as a whole
}

// newHost gives the host that the environment is of.
func newHost(s Streams) host {
	switch getenv := lookup(s.Environ); {
	case github.Here(getenv):
		return newGitHub(s, getenv)
	case gitlab.Here(getenv):
		return newGitLab(s, getenv)
	}
	return &terminal{Progress: local.ForFile(s.Err, lookup(s.Environ)), s: s}
}

// terminal is the host of a person, or of a log that nobody knows more about.
type terminal struct {
	*local.Progress
	checkout
	s Streams
}

func (t *terminal) usable() error { return nil }

func (t *terminal) artifact(context.Context, string, config.Secret) (string, baseline.Reader, func(), error) {
	return "", nil, nil, fault.New(fault.Usage, "download it, and name its result.json", "only a job on GitHub has artifacts")
}

func (t *terminal) loaded(config.Config) []string { return t.s.Environ }

func (t *terminal) origins() ([]record.Origin, error) { return nil, nil }

func (t *terminal) unsigned() string { return "" }

func (t *terminal) store(config.Config) (store, error) {
	return nil, fault.New(fault.Usage, "leave it off, or run in a job on GitHub", "attest-github-store is on, and this is no job on GitHub")
}

func (t *terminal) publish(_ context.Context, end ending) {
	o := report.TableOptions{}
	if fd := int(t.s.Out.Fd()); term.IsTerminal(fd) {
		o.Width, _, _ = term.GetSize(fd)
		o.Colour = lookup(t.s.Environ)("NO_COLOR") == ""
	}
	show(t.s.Out, end.out, o)
	complain(t.s.Err, end.out)
}

// show prints the end of a run: the table, where the files are, and what was
// attested.
func show(w io.Writer, out run.Outcome, o report.TableOptions) {
	if len(out.Images) == 0 {
		return
	}
	if len(out.Images) == 1 && out.Images[0].Err != nil {
		return // the error says it all
	}
	report.Table(w, out.Shown(), o)
	for _, image := range out.Images {
		printAttested(w, image.Image.Publication.Attested)
	}
}

// complain prints the errors of single images.
func complain(w io.Writer, out run.Outcome) {
	for _, image := range out.Images {
		local.PrintError(w, image.Err)
		local.PrintError(w, image.AttestErr)
	}
}
