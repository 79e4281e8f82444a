package app

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/vexxy/action/internal/attest"
	"github.com/vexxy/action/internal/config"
	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/foreign"
	"github.com/vexxy/action/internal/journal"
	"github.com/vexxy/action/internal/run"
	"github.com/vexxy/action/internal/source"
	"github.com/vexxy/action/internal/subject"
	"github.com/vexxy/action/internal/triage"
)

const (
	attestHelp = `DIR is the output directory of ` + "`vexxy run`" + `, as another job has left it. Its record
is judged anew, and must be of IMAGE as the registry has it now. Nothing runs,
so no Docker is needed.`
	publishHelp = `DIR is the output directory of ` + "`vexxy run`" + `, as another job has left it. Its record
is judged anew, under this command's own policy and baseline.`
)

// attestCommand signs what another job has observed.
func attestCommand(ctx context.Context, s Streams, args []string) (fault.Code, error) {
	return hosted(ctx, s, args, ending{part: partAttest}, performLater)
}

// publishCommand tells of what another job has observed, and gates it.
func publishCommand(ctx context.Context, s Streams, args []string) (fault.Code, error) {
	return hosted(ctx, s, args, ending{part: partPublish}, performLater)
}

// performLater is all of both but the publication. What was observed is hostile:
// inputs, policy and images are this job's own.
func performLater(ctx context.Context, s Streams, args []string, h host, end *ending) (fault.Code, error) {
	if err := h.usable(); err != nil {
		return fault.Pass, err // the error has the code
	}
	var dir string
	cfg, err := config.Load(args, s.Environ, func(path string) ([]byte, error) {
		if err := apart(dir, path); err != nil {
			return nil, err
		}
		return h.readFile(path)
	}, config.Options{Ignore: noInputs, Rest: func(words []string) error {
		if len(words) != 1 {
			return fault.New(fault.Usage, fmt.Sprintf("vexxy %s [--INPUT VALUE…] DIR", end.part), "%s takes one folder, that of another job's results", end.part)
		}
		dir = words[0]
		return nil
	}})
	if err != nil {
		return fault.Pass, err
	}
	end.cfg, s.Environ = cfg, h.loaded(cfg)
	hideSecrets(cfg)
	if err := end.part.fits(cfg); err != nil {
		return fault.Pass, err
	}
	paths := []string{cfg.OutputDir}
	if path := cfg.Earlier().Path; path != "" {
		paths = append(paths, path) // what is judged does not say what is old
	}
	paths = append(paths, cfg.VEX...) // nor what is not affected
	if cfg.VEXDiscovery {
		paths = append(paths, triage.Folder, triage.Templates)
	}
	for _, path := range paths {
		if err := apart(dir, path); err != nil {
			return fault.Pass, err
		}
	}
	ctx, cancel := context.WithTimeoutCause(ctx, cfg.Deadline, fault.ErrDeadline)
	defer cancel()
	started := time.Now().UTC()
	earlier, unread := openBaseline(ctx, cfg, h)
	people, err := readPeople(cfg, h)
	if err != nil {
		return fault.Pass, err
	}
	if err := run.ClearDir(cfg.OutputDir); err != nil {
		return fault.Usage, err
	}
	var attester run.Attester
	if end.part == partAttest {
		if attester, err = newAttester(ctx, cfg, lookup(s.Environ), h.unsigned(), h.store); err != nil {
			return fault.Pass, err
		}
	}
	seen, err := openObserved(dir, end.part, cfg, h)
	if err != nil {
		return fault.Pass, err
	}
	defer seen.close()
	id := seen.images[0].record.Run.ID
	end.out = run.Outcome{ID: id}
	if len(cfg.Images) == 0 {
		for _, o := range seen.images {
			end.cfg.Images = append(end.cfg.Images, o.record.Subject.Requested)
		}
	}
	j, err := journal.Open(cfg.OutputDir, id, "") // it creates nothing here
	if err != nil {
		return fault.Infra, err
	}
	timeline := run.NewTimeline(h, j, 3*len(seen.images))
	if unread != nil {
		timeline.Note("everything counts as new: " + unread.Error())
	}
	for _, note := range unreadable(people) {
		timeline.Note(note)
	}
	plan := run.Plan{
		ID: id, Version: Version(), Settings: cfg.Settings(), Policy: cfg.Policy(), Triage: people,
		OutputDir: cfg.OutputDir, StartedAt: started, Attester: attester, Timeline: timeline,
	}
	if plan.Baseline, err = baselines(ctx, cfg, id, earlier, lookup(s.Environ), attester, h.instead, timeline.Note); err != nil {
		return closed(ctx, j, end.out, err)
	}
	var all []run.Observed
	for _, o := range seen.images {
		one := run.Observed{Record: o.record}
		if end.part == partAttest {
			one.Check = func(docs run.Documents) error { return seen.signable(ctx, cfg, o, docs, timeline) }
		}
		all = append(all, one)
	}
	end.out, err = run.Again(ctx, plan, all)
	h.Close()
	return closed(ctx, j, end.out, err)
}

// fits finds what a part of a split run cannot do without.
func (p part) fits(cfg config.Config) error {
	switch {
	case p != partAttest:
		return nil
	case cfg.Attest.Mode == config.AttestOff:
		return fault.New(fault.Usage, "give attest: keyless, key or dry-run", "attest (%s) is off: there is nothing to sign with", cfg.Origin("attest"))
	case len(cfg.Images) == 0:
		return fault.New(fault.Usage, "give this job the image that the other one ran", "no image is given, and what was observed does not say what may be signed")
	}
	return nil
}

// openObserved reads what another job has left, if it is of this job's run and
// images. What is published may be of the run that this one follows, too; what
// is signed may not.
func openObserved(dir string, part part, cfg config.Config, h host) (shelf, error) {
	origins, err := h.origins()
	if err != nil {
		return shelf{}, err
	}
	s, err := openShelf(dir)
	if err != nil {
		return shelf{}, err
	}
	if part == partAttest && len(origins) > 1 {
		origins = origins[:1] // a run that this one follows may be anybody's
	}
	if err = s.of(origins, cfg.Images); err == nil && cfg.Digest != "" {
		sub := s.images[0].record.Subject // Load allows the digest of one image alone
		if len(s.images) != 1 || !slices.Contains([]string{sub.IndexDigest, sub.ManifestDigest, sub.ConfigDigest}, cfg.Digest) {
			err = fault.New(fault.Integrity, "find out which job changed the image", "reading what was observed: it is not of %s (%s)", cfg.Digest, cfg.Origin("digest"))
		}
	}
	if err != nil {
		s.close()
		return shelf{}, err
	}
	return s, nil
}

// signable refuses to sign for an image but the one that this job names, as its
// registry has it, and documents but those that follow from the record.
func (s shelf) signable(ctx context.Context, cfg config.Config, o observed, docs run.Documents, timeline *run.Timeline) error {
	attested := map[string][]byte{}
	for _, d := range (&attester{cfg: cfg.Attest}).documents(docs) {
		attested[d.File] = d.Data
	}
	if err := s.same(o, attested); err != nil {
		return err
	}
	ref := o.record.Subject.Requested // one of cfg.Images: see shelf.of
	platform := cfg.Platform
	if platform == "" {
		platform = o.record.Subject.Platform.String()
	}
	done := timeline.Step("resolve " + ref)
	img, err := source.Resolve(ctx, ref, source.Options{Platform: platform, WantDigest: cfg.Digest})
	done(err)
	if err != nil {
		return err
	}
	defer img.Close()
	if cfg.Attest.Signs() && img.Local() {
		return attest.ErrLocal
	}
	if what := differs(o.record.Subject, img.Subject); what != "" {
		return fault.New(fault.Integrity, "name the image by its digest, so that all jobs mean the same; where they do already, find out which job changed it",
			"comparing the record with %s in its registry: %s", short(ref), what)
	}
	return nil
}

// differs says what of an image's identity is not the same, empty for nothing.
// The words by which each was found are none of it.
func differs(got, want subject.Subject) string {
	for _, c := range []struct{ what, got, want string }{
		{"repository", got.Repository, want.Repository},
		{"manifest", got.ManifestDigest, want.ManifestDigest},
		{"index", got.IndexDigest, want.IndexDigest},
		{"configuration", got.ConfigDigest, want.ConfigDigest},
		{"platform", got.Platform.String(), want.Platform.String()},
	} {
		if c.got != c.want {
			return fmt.Sprintf("the record's %s is %q, not %q", c.what, short(c.got), c.want)
		}
	}
	return ""
}

// short is a path or a name as an error may tell it.
func short(s string) string { return foreign.Text(s).Line(200) }

// apart sees that a path is not among what another job has left, nor the other
// way round.
func apart(dir, path string) error {
	if dir == "" {
		return nil
	}
	a, err := real(dir)
	if err != nil {
		return err
	}
	b, err := real(path)
	if err != nil {
		return err
	}
	for _, pair := range [][2]string{{a, b}, {b, a}} {
		if rel, err := filepath.Rel(pair[0], pair[1]); err == nil && filepath.IsLocal(rel) {
			return fault.New(fault.Usage, "download the other job's results into a folder of their own, and name another with output-dir",
				"%s and %s are not apart: one of them is another job's", short(dir), short(path))
		}
	}
	return nil
}

// real gives the absolute path without links, as far as it is there.
func real(path string) (string, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	for at, rest := abs, ""; ; at, rest = filepath.Dir(at), filepath.Join(filepath.Base(at), rest) {
		if got, err := filepath.EvalSymlinks(at); err == nil {
			return filepath.Join(got, rest), nil
		}
		if at == filepath.Dir(at) {
			return abs, errors.New("it cannot be looked at")
		}
	}
}
