package app

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/vexxy/action/internal/catalog"
	"github.com/vexxy/action/internal/config"
	"github.com/vexxy/action/internal/engine/embedded"
	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/host/gitlab"
	"github.com/vexxy/action/internal/journal"
	"github.com/vexxy/action/internal/run"
	"github.com/vexxy/action/internal/source"
	"github.com/vexxy/action/internal/triage"
)

// The longest times that undoing may take: after a run that was let finish,
// and after a cancelled one, whose host will not wait (GitHub kills 10 s after
// its SIGINT). What is left then is in the journal, for `vexxy cleanup`.
const (
	cleanupTimeout = 60 * time.Second
	cancelTimeout  = 9 * time.Second
)

// stepsAnImage and stepsARun are how many steps the percentage counts on.
const (
	stepsAnImage = 6
	stepsARun    = 2
)

// noInputs are variables that look like inputs and are none.
var noInputs = []string{
	journal.StateVariable, "VEXXY_CONTAINER", "VEXXY_NAMESPACE", "VEXXY_POD",
	"INPUT_BINARY", "INPUT_MATRIX", "INPUT_MODE", "INPUT_FROM", // of the action itself
	gitlab.TargetVariable,
}

// runCommand is `vexxy run`.
func runCommand(ctx context.Context, s Streams, args []string) (fault.Code, error) {
	return hosted(ctx, s, args, ending{part: partRun}, perform)
}

// hosted performs a part of a run and tells the host of its end.
func hosted(ctx context.Context, s Streams, args []string, end ending, perform func(context.Context, Streams, []string, host, *ending) (fault.Code, error)) (fault.Code, error) {
	h := newHost(s)
	defer h.Close()
	end.code, end.err = perform(ctx, s, args, h, &end)
	if errors.Is(end.err, config.ErrHelp) {
		return fault.Pass, end.err
	}
	if end.err != nil {
		end.code = fault.Worst(end.code, fault.CodeOf(ctx, end.err))
	}
	h.publish(ctx, end)
	return end.code, end.err
}

// perform is all of a run but its publication. It fills in what end has of
// inputs and outcome as they come to be known.
func perform(ctx context.Context, s Streams, args []string, h host, end *ending) (fault.Code, error) {
	if err := h.usable(); err != nil {
		return fault.Pass, err // the error has the code
	}
	cfg, err := config.Load(args, s.Environ, h.readFile, config.Options{Ignore: noInputs})
	if err != nil {
		return fault.Pass, err
	}
	end.cfg, s.Environ = cfg, h.loaded(cfg)
	hideSecrets(cfg)
	ctx, cancel := context.WithTimeoutCause(ctx, cfg.Deadline, fault.ErrDeadline)
	defer cancel()

	id, err := newRunID()
	if err != nil {
		return fault.Internal, err
	}
	started := time.Now().UTC()
	earlier, unread := openBaseline(ctx, cfg, h) // which may lie in the output directory
	people, err := readPeople(cfg, h)
	if err != nil {
		return fault.Pass, err // the error has the code
	}
	// An earlier run's documents must not stand for this one, wherever it fails:
	// without an ID the run names none.
	if err := run.ClearDir(cfg.OutputDir); err != nil {
		return fault.Usage, err
	}
	end.out = run.Outcome{ID: id}
	attester, err := newAttester(ctx, cfg, lookup(s.Environ), h.unsigned(), h.store)
	if err != nil {
		return fault.Pass, err // the error has the code
	}
	j, err := journal.Open(cfg.OutputDir, id, journal.StateDir(lookup(s.Environ)))
	if err != nil {
		return fault.Infra, err
	}
	steps := stepsAnImage
	if cfg.Attest.Mode != config.AttestOff {
		steps++
	}
	timeline := run.NewTimeline(h, j, stepsARun+steps*len(cfg.Images))
	if unread != nil {
		timeline.Note("everything counts as new: " + unread.Error())
	}
	for _, note := range unreadable(people) {
		timeline.Note(note)
	}
	plan := run.Plan{ID: id, StartedAt: started, Triage: people, Attester: attester, Timeline: timeline}
	if origins, err := h.origins(); err == nil && len(origins) > 0 {
		plan.Origin = &origins[0]
	}
	if plan.Baseline, err = baselines(ctx, cfg, id, earlier, lookup(s.Environ), attester, h.instead, timeline.Note); err != nil {
		return closed(ctx, j, end.out, err)
	}
	end.out, err = observe(ctx, s, cfg, plan, j)
	h.Close()
	return closed(ctx, j, end.out, err)
}

// closed closes the journal of a run that came to this outcome, or to an error,
// and gives the run's code while the context knows the deadline.
func closed(ctx context.Context, j *journal.Journal, out run.Outcome, err error) (fault.Code, error) {
	if cerr := j.Close(string(out.Verdict)); cerr != nil && err == nil {
		err = fault.New(fault.Infra, "", "closing the journal: %w", cerr)
	}
	if err != nil {
		return fault.Worst(out.Code, fault.CodeOf(ctx, err)), err
	}
	return out.Code, nil
}

// observe completes the plan, runs it, and takes back all that it made, whatever
// happened.
func observe(ctx context.Context, s Streams, cfg config.Config, plan run.Plan, j *journal.Journal) (run.Outcome, error) {
	failed := run.Outcome{ID: plan.ID, Verdict: "error"} // the error has the code
	tmp, err := os.MkdirTemp("", "vexxy-"+plan.ID+"-")
	if err != nil {
		return failed, fault.New(fault.Infra, "check the space and the rights of the temporary directory", "making temporary directory: %w", err)
	}
	defer func() {
		if err := os.RemoveAll(tmp); err == nil {
			j.Removed(journal.Directory, tmp)
		}
	}()
	if err := j.Created(journal.Directory, tmp); err != nil {
		return failed, err
	}
	// Syft unpacks some package databases into the system's temporary folder,
	// and can be moved from there by the environment alone.
	if err := os.Setenv("TMPDIR", tmp); err != nil {
		return failed, fmt.Errorf("setting TMPDIR: %w", err)
	}
	if len(cfg.Images) > 1 { // one alone makes its own beside all else
		if ctx, err = catalog.WithClassifier(ctx); err != nil {
			return failed, err
		}
	}
	helper, err := selfCommand()
	if err != nil {
		return failed, err
	}
	db := openDatabase(ctx, cfg, plan.Timeline)
	defer db.close()
	engine, err := newEngine(ctx, making{s, cfg, plan.ID, plan.StartedAt, tmp, helper, plan.Timeline, j, db.matcher})
	if err != nil {
		return failed, err
	}
	defer undo(ctx, engine, cfg.Cluster.Existing(), plan.Timeline) // also on a panic

	// The images may be asked for from the local engine too; without one the
	// run fails in Prepare, with the engine's own words.
	var daemon source.Daemon
	if docker, err := embedded.Connect(ctx); err == nil {
		defer docker.Close()
		daemon = embedded.Daemon{Docker: docker}
	}
	plan.Version, plan.Images, plan.OutputDir = Version(), cfg.Images, cfg.OutputDir
	plan.Settings, plan.Policy = cfg.Settings(), cfg.Policy()
	plan.Resolve = func(ctx context.Context, ref string) (source.Image, error) {
		img, err := source.Resolve(ctx, ref, source.Options{
			Platform: cfg.Platform, WantDigest: cfg.Digest, Daemon: daemon, TempDir: tmp,
		})
		if err == nil {
			err = attestable(cfg, img)
		}
		if err == nil {
			engine.expect(img)
		}
		return img, err
	}
	plan.Engine, plan.Parallel = engine, engine.parallel
	return run.Run(ctx, plan)
}

// readPeople reads what people have stated, nil for nothing: of a pull request
// as the base commit has it.
func readPeople(cfg config.Config, h host) (*triage.Set, error) {
	return triage.Read(triage.Options{
		Given: cfg.VEX, Discover: cfg.VEXDiscovery, MaxAge: cfg.VEXMaxAge, Guard: h.instead, List: h.list,
	})
}

// unreadable says which documents of people's statements do not count.
func unreadable(s *triage.Set) []string {
	var notes []string
	if s == nil {
		return nil
	}
	for _, d := range s.Documents {
		if d.Problem != "" {
			notes = append(notes, "statements of people that do not count: "+d.Source+": "+d.Problem)
		}
	}
	return notes
}

// undo takes back what the engine made. What cannot be taken back in time is
// told; the judgement stands, and the journal knows what is left.
func undo(ctx context.Context, engine engine, existing bool, timeline *run.Timeline) {
	limit := cleanupTimeout
	if ctx.Err() != nil {
		limit = cancelTimeout
	}
	ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), limit, fmt.Errorf("not done after %s", limit))
	defer cancel()
	done := timeline.Step("clean up")
	err := engine.Close(ctx)
	done(err)
	switch {
	case err == nil:
	case existing:
		timeline.Note("something is left in the cluster, which the first run there after this one's deadline takes away: " + err.Error())
	default:
		timeline.Note("run `vexxy cleanup`, something is left: " + err.Error())
	}
}

// database opens the vulnerability database beside everything else and gives
// it to whoever asks.
type database struct {
	ready   chan struct{}
	matched *catalog.Matcher
	err     error
}

func openDatabase(ctx context.Context, cfg config.Config, timeline *run.Timeline) *database {
	d := &database{ready: make(chan struct{})}
	go func() {
		defer close(d.ready)
		done := timeline.Step("open vulnerability database")
		d.matched, d.err = catalog.OpenDatabase(ctx, catalog.DatabaseOptions{Path: cfg.VulnerabilityDB})
		done(d.err)
		if d.err == nil && d.matched.Warning() != "" {
			timeline.Note(d.matched.Warning())
		}
	}()
	return d
}

func (d *database) matcher(ctx context.Context) (*catalog.Matcher, error) {
	select {
	case <-d.ready:
		return d.matched, d.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func (d *database) close() {
	<-d.ready
	if d.matched != nil {
		d.matched.Close()
	}
}

func newRunID() (string, error) {
	var b [12]byte
	if _, err := rand.Read(b[:]); err != nil {
		return "", fmt.Errorf("making run ID: %w", err)
	}
	return hex.EncodeToString(b[:]), nil
}

// lookup gives a function that reads the given environment.
func lookup(environ []string) func(string) string {
	var once sync.Once
	env := map[string]string{}
	return func(name string) string {
		once.Do(func() {
			for _, kv := range environ {
				k, v, _ := strings.Cut(kv, "=")
				env[k] = v
			}
		})
		return env[name]
	}
}
