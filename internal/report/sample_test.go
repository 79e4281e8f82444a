package report_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/vexxy/action/internal/baseline"
	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/gate"
	"github.com/vexxy/action/internal/record"
	"github.com/vexxy/action/internal/report"
	"github.com/vexxy/action/internal/report/reporttest"
)

// reread gives an image's result as the baseline of a later run.
func reread(t *testing.T, img report.Image) baseline.Baseline {
	t.Helper()
	path := filepath.Join(t.TempDir(), "result.json")
	if err := os.WriteFile(path, result(t, img), 0o644); err != nil {
		t.Fatal(err)
	}
	set, err := baseline.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return set.For(img.Record.Subject, true)
}

// The images of package reporttest, by the names that the tests here have.
var (
	at           = reporttest.At
	sample       = reporttest.Sample
	inconclusive = reporttest.Inconclusive
	large        = reporttest.Large
	hostile      = reporttest.Hostile
	compared     = reporttest.Compared
	sized        = reporttest.Sized
	shortened    = reporttest.Shortened
)

func entry(img report.Image) report.Entry {
	return report.Entry{Requested: img.Record.Subject.Requested, Digest: img.Record.Subject.Digest(), Folder: "vexxy-results", Verdict: img.Decision.Verdict,
		Code: img.Decision.Code, Causes: img.Decision.Causes, Summary: &img.Judgement.Summary, Confidence: img.Judgement.Confidence}
}

func failure() report.Failure {
	return report.Failure{RunID: "0123456789abcdef01234567", Version: "1.0.0", Requested: "nope:1", StartedAt: at(0), FinishedAt: at(2), Verdict: gate.VerdictError,
		Code: fault.Infra, Causes: []string{"reaching Docker: no such socket"}, Hint: "start Docker", Settings: map[string]string{"image": "nope:1"},
		Timings: []record.Timing{{Step: "prepare engine", Start: at(0), End: at(1), Error: "no such socket"}}}
}

func run() report.Run {
	good, bad := entry(sample()), report.Entry{Requested: "nope:1", Folder: "nope-1", Verdict: gate.VerdictError, Code: fault.Infra, Causes: []string{"reaching registry: no such host"}}
	good.Folder = "nginx-1.25"
	return report.Run{RunID: "0123456789abcdef01234567", Version: "1.0.0", StartedAt: at(0), FinishedAt: at(600), Verdict: gate.VerdictError, Code: fault.Infra, Images: []report.Entry{good, bad}}
}
