package run

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/vexxy/action/internal/config"
	"github.com/vexxy/action/internal/consume"
	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/gate"
	"github.com/vexxy/action/internal/judge"
	"github.com/vexxy/action/internal/record"
	"github.com/vexxy/action/internal/report"
	"github.com/vexxy/action/internal/sbom"
	"github.com/vexxy/action/internal/subject"
	"github.com/vexxy/action/internal/vexdiff"
	"github.com/vexxy/action/internal/vexdoc"
)

// The names of the documents in an image's folder, beside those of the SBOMs.
const (
	VEXFile     = "vex.openvex.json"
	SummaryFile = "summary.md"
	ResultFile  = "result.json"
)

// maxSummary is the largest summary that every host takes, in bytes.
const maxSummary = 1 << 20

// Documents is everything that follows from one record.
type Documents struct {
	Image report.Image
	// Files are the documents by name, all but the result.
	Files map[string][]byte
}

// Compose judges a record and makes its documents. It is a function of record
// and policy alone: the same record gives the same bytes. The document is read
// as its consumers will read it; one that suppresses anything but the intended
// findings is an internal error and never leaves.
func Compose(ctx context.Context, rec record.Record, policy gate.Policy) (Documents, error) {
	return compose(ctx, rec, policy, config.Command(rec.Run.Settings, reference(rec.Subject)))
}

// compose is Compose with the command that the documents tell their readers to
// repeat the run with, empty for none.
func compose(ctx context.Context, rec record.Record, policy gate.Policy, command string) (Documents, error) {
	j := judge.Judge(rec)
	change := compare(rec, policy, j)
	docs := Documents{Image: report.Image{
		Record: rec, Judgement: j, Decision: gate.Decide(policy, j, change), Change: change,
		Differences: vexdiff.Compare(rec, j), Command: command,
	}}
	var vex []byte
	var more map[string][]byte
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		vex, err = statements(gctx, rec, j)
		return err
	})
	g.Go(func() (err error) {
		if docs.Files, err = sbom.Documents(rec, j.Observed); err != nil {
			err = fmt.Errorf("writing SBOMs: %w", err)
		}
		return err
	})
	g.Go(func() (err error) {
		more, err = reports(docs.Image)
		return err
	})
	if err := g.Wait(); err != nil {
		return Documents{}, err
	}
	if vex != nil {
		docs.Files[VEXFile] = vex
	}
	maps.Copy(docs.Files, more)
	return docs, nil
}

// reference names an image for a command that analyses the same bytes again.
func reference(s subject.Subject) string {
	if s.Local() || s.Repository == "" {
		return s.Requested
	}
	return s.Repository + "@" + s.Digest()
}

// statements makes the OpenVEX document and reads it back. An image without
// findings has none: OpenVEX knows no document without statements.
func statements(ctx context.Context, rec record.Record, j judge.Judgement) ([]byte, error) {
	vex, err := vexdoc.Build(rec, j)
	if errors.Is(err, vexdoc.ErrEmpty) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("building the OpenVEX document: %w", err)
	}
	check, err := consume.Check(ctx, vex, rec, j)
	if err != nil {
		return nil, fmt.Errorf("reading the OpenVEX document back: %w", err)
	}
	if !check.OK {
		return nil, fmt.Errorf("the OpenVEX document would be misread: %s", check)
	}
	return vex, nil
}

// WriteTo writes the documents into dir, each whole or not at all: the OpenVEX
// document first, as it is what is waited for, and the result last, as the
// proof that the others are there.
func (d Documents) WriteTo(dir string) error {
	if err := d.writeFiles(dir); err != nil {
		return err
	}
	return d.writeResult(dir)
}

// writeFiles writes all but the result.
func (d Documents) writeFiles(dir string) error {
	names := slices.Sorted(maps.Keys(d.Files))
	slices.Reverse(names) // vex.openvex.json is the last in the alphabet
	for _, name := range names {
		if err := WriteFile(filepath.Join(dir, name), d.Files[name]); err != nil {
			return err
		}
	}
	return nil
}

// writeResult writes the result, with the list of the files.
func (d Documents) writeResult(dir string) error {
	d.Image.Publication.Files = report.Published(d.Files).Files
	result, err := report.Result(d.Image)
	if err != nil {
		return fmt.Errorf("writing result: %w", err)
	}
	return WriteFile(filepath.Join(dir, ResultFile), result)
}

// WriteFile replaces a file atomically, and makes its folder.
func WriteFile(path string, data []byte) error {
	err := func() error {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		tmp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-")
		if err != nil {
			return err
		}
		defer os.Remove(tmp.Name())
		defer tmp.Close()
		if _, err := tmp.Write(data); err != nil {
			return err
		}
		if err := tmp.Chmod(0o644); err != nil {
			return err
		}
		if err := tmp.Sync(); err != nil {
			return err
		}
		return os.Rename(tmp.Name(), path)
	}()
	if err != nil {
		return fault.New(fault.Infra, "check the space and the rights of the output directory", "writing %s: %w", path, err)
	}
	return nil
}
