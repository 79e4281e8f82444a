package run

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/gate"
	"github.com/vexxy/action/internal/report"
	"github.com/vexxy/action/internal/sbom"
)

// Outcome is what became of a run.
type Outcome struct {
	ID        string
	StartedAt time.Time
	Images    []ImageOutcome
	// Verdict is the worst of the images', Code the exit code.
	Verdict gate.Verdict
	Code    fault.Code
}

// ImageOutcome is what became of one image.
type ImageOutcome struct {
	Requested string
	// Dir holds its documents.
	Dir     string
	Verdict gate.Verdict
	Code    fault.Code
	Causes  []string
	// Err is why there is no judgement; nil when there is one.
	Err error
	// AttestErr is why the image was judged and not attested, though it should
	// have been.
	AttestErr error
	// Image is the judged record; its Judgement is empty when Err is set.
	Image report.Image
}

// begin makes the folders and puts a result in each that says "error", and over
// all of them: until the run is done there is no other. Documents of an earlier
// run go.
func begin(p Plan, out *Outcome) error {
	if len(out.Images) > 1 { // first: an image's folder may have the name of a document
		if err := ClearDir(p.OutputDir); err != nil {
			return err
		}
		if err := out.writeOverall(p); err != nil {
			return err
		}
	}
	for i := range out.Images {
		image := &out.Images[i]
		if err := ClearDir(image.Dir); err != nil {
			return err
		}
		image.Code, image.Causes = fault.Internal, []string{"the run is not finished"}
		if err := image.writeFailure(p); err != nil {
			return err
		}
	}
	return nil
}

// documents are the names of all that a run writes into an image's folder.
var documents = []string{
	VEXFile, SummaryFile, ResultFile, CommentFile, SARIFFile, SARIFAllFile, GitLabFile,
	sbom.SPDX, sbom.CycloneDX, sbom.RuntimeSPDX, sbom.RuntimeCycloneDX, "record", AttestationsFolder,
}

// ClearDir makes an output directory and takes an earlier run's documents out
// of it.
func ClearDir(dir string) error {
	if err := MakeDir(dir); err != nil {
		return err
	}
	for _, name := range documents {
		if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
			return fault.New(fault.Usage, "name another directory with --output-dir", "clearing output directory: %w", err)
		}
	}
	return nil
}

// MakeDir makes an output directory and sees that files can be made in it.
func MakeDir(dir string) error {
	const hint = "name a directory that can be written with --output-dir"
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fault.New(fault.Usage, hint, "making output directory: %w", err)
	}
	probe, err := os.CreateTemp(dir, ".probe-")
	if err != nil {
		return fault.New(fault.Usage, hint, "writing to output directory: %w", err)
	}
	probe.Close()
	return os.Remove(probe.Name())
}

// settle notes how an image's run ended when it ended with an error.
func (o *ImageOutcome) settle(ctx context.Context, err error) {
	if err == nil {
		return
	}
	o.Err = err
	o.Code = fault.CodeOf(ctx, err)
	o.Causes = []string{err.Error()}
	o.Verdict = gate.VerdictError
	if o.Code == fault.Interrupted || o.Code == fault.Terminated {
		o.Verdict = gate.VerdictCancelled
	}
}

// finish settles what no step reached, writes the results of failed images and
// the overall result.
func finish(ctx context.Context, p Plan, out *Outcome, err error) error {
	var codes []fault.Code
	for i := range out.Images {
		image := &out.Images[i]
		if image.Err == nil && !image.judged() {
			if err == nil {
				err = errors.New("the image was not reached")
			}
			image.settle(ctx, err)
		}
		if image.Err != nil {
			if werr := image.writeFailure(p); werr != nil {
				return werr
			}
		}
		codes = append(codes, image.Code)
	}
	out.Code = fault.Worst(codes...)
	out.Verdict = worst(out.Images)
	if len(out.Images) == 1 {
		return nil
	}
	return out.writeOverall(p)
}

// writeOverall writes the result and the summary over several images.
func (out *Outcome) writeOverall(p Plan) error {
	overall := out.report(p)
	data, err := report.Overall(overall)
	if err != nil {
		return fmt.Errorf("writing overall result: %w", err)
	}
	if err := WriteFile(filepath.Join(p.OutputDir, SummaryFile), report.OverallSummary(overall, maxSummary)); err != nil {
		return err
	}
	return WriteFile(filepath.Join(p.OutputDir, ResultFile), data)
}

// judged reports whether the image has come to a judgement.
func (o *ImageOutcome) judged() bool { return o.Image.Record.Digest != "" }

// writeFailure writes the result and the summary of an image without a
// judgement.
func (o *ImageOutcome) writeFailure(p Plan) error {
	f := report.Failure{
		RunID: p.ID, Version: p.Version, Requested: o.Requested, StartedAt: p.StartedAt, FinishedAt: time.Now().UTC(),
		Verdict: o.Verdict, Code: o.Code, Causes: o.Causes, Hint: fault.HintOf(o.Err),
		Settings: p.Settings, Timings: p.Timeline.Timings(),
	}
	data, err := report.Failed(f)
	if err != nil {
		return fmt.Errorf("writing result: %w", err)
	}
	if err := WriteFile(filepath.Join(o.Dir, SummaryFile), report.FailureSummary(f)); err != nil {
		return err
	}
	if err := WriteFile(filepath.Join(o.Dir, CommentFile), report.FailureComment(f, report.CommentOptions{})); err != nil {
		return err
	}
	return WriteFile(filepath.Join(o.Dir, ResultFile), data)
}

// Shown gives the images as the table at the end wants them.
func (out *Outcome) Shown() []report.Shown {
	var all []report.Shown
	for i := range out.Images {
		image := &out.Images[i]
		shown := report.Shown{Entry: image.entry()}
		shown.Entry.Folder = image.Dir
		if image.judged() {
			shown.Image = &image.Image
		}
		all = append(all, shown)
	}
	return all
}

func (o *ImageOutcome) entry() report.Entry {
	e := report.Entry{
		Requested: o.Requested, Folder: filepath.Base(o.Dir),
		Verdict: o.Verdict, Code: o.Code, Causes: o.Causes,
	}
	if o.judged() {
		e.Digest = o.Image.Record.Subject.Digest()
		e.Summary = &o.Image.Judgement.Summary
		e.Confidence = o.Image.Judgement.Confidence
		e.Contradictions = len(o.Image.Judgement.Contradictions())
	}
	return e
}

// report gives the outcome as the overall reports want it.
func (out *Outcome) report(p Plan) report.Run {
	r := report.Run{
		RunID: p.ID, Version: p.Version, StartedAt: p.StartedAt, FinishedAt: time.Now().UTC(),
		Verdict: out.Verdict, Code: out.Code,
	}
	for i := range out.Images {
		r.Images = append(r.Images, out.Images[i].entry())
	}
	return r
}

// verdicts lists the verdicts, worst first.
var verdicts = []gate.Verdict{
	gate.VerdictCancelled, gate.VerdictError, gate.VerdictInconclusive, gate.VerdictFail, gate.VerdictPass,
}

func worst(images []ImageOutcome) gate.Verdict {
	for _, v := range verdicts {
		for _, image := range images {
			if image.Verdict == v {
				return v
			}
		}
	}
	return gate.VerdictError
}

// maxFolder is the longest name of an image's folder.
const maxFolder = 100

var unsafe = regexp.MustCompile(`[^A-Za-z0-9._-]+`)

// folders gives the folder of each image's documents: the output directory
// itself for one image, else one below it that is named after the reference.
func folders(dir string, refs []string) []string {
	if len(refs) == 1 {
		return []string{dir}
	}
	var all []string
	for _, ref := range refs {
		name := strings.Trim(unsafe.ReplaceAllString(ref, "-"), "-.")
		if len(name) > maxFolder {
			name = name[len(name)-maxFolder:]
		}
		if name == "" {
			name = "image"
		}
		path := filepath.Join(dir, name)
		for n := 2; slices.Contains(all, path); n++ {
			path = filepath.Join(dir, fmt.Sprintf("%s-%d", name, n))
		}
		all = append(all, path)
	}
	return all
}
