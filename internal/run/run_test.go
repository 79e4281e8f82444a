package run

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/gate"
	"github.com/vexxy/action/internal/record"
	"github.com/vexxy/action/internal/source"
)

// engine plays a recorded run for every image but those it has an error for.
type engine struct {
	t       *testing.T
	prepare error
	fails   map[string]error
	watched []string
}

func (e *engine) Prepare(context.Context) error { return e.prepare }

func (e *engine) Observe(_ context.Context, img source.Image) (record.Record, error) {
	e.watched = append(e.watched, img.Requested)
	if err := e.fails[img.Requested]; err != nil {
		return record.Record{}, err
	}
	rec, err := record.Read("../../testdata/runs/go-app")
	if err != nil {
		e.t.Fatal(err)
	}
	return rec, nil
}

type silent struct{}

func (silent) Step(string) func(error) { return func(error) {} }
func (silent) Window(time.Duration)    {}
func (silent) Seen(int, int)           {}
func (silent) Note(string)             {}

func plan(t *testing.T, e *engine, images ...string) Plan {
	e.t = t
	return Plan{
		ID: "0123456789abcdef01234567", Version: "v0.0.0", Images: images, OutputDir: filepath.Join(t.TempDir(), "out"),
		Settings: map[string]string{"max-db-age": "0s"}, Policy: gate.Policy{Max: gate.Unlimited}, StartedAt: time.Now().UTC(),
		Resolve: func(_ context.Context, ref string) (source.Image, error) {
			img := source.Image{}
			img.Requested = ref
			return img, nil
		},
		Engine: e, Timeline: NewTimeline(silent{}, nil, 8),
	}
}

type written struct {
	Verdict  string   `json:"verdict"`
	ExitCode int      `json:"exit_code"`
	Causes   []string `json:"causes"`
	Hint     string   `json:"hint"`
}

func result(t *testing.T, dir string) written {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(dir, ResultFile))
	if err != nil {
		t.Fatal(err)
	}
	var w written
	if err := json.Unmarshal(raw, &w); err != nil {
		t.Fatal(err)
	}
	return w
}

func TestRunWritesItsDocuments(t *testing.T) {
	p := plan(t, &engine{}, "one")
	out, err := Run(t.Context(), p)
	if err != nil || out.Verdict != gate.VerdictPass || out.Code != fault.Pass {
		t.Fatalf("verdict %s, code %d, %v", out.Verdict, out.Code, err)
	}
	for _, name := range []string{VEXFile, SummaryFile, "sbom.spdx.json", "sbom.cdx.json", "sbom.runtime.spdx.json", "sbom.runtime.cdx.json", "record/run.json", "comment.md", "results.sarif", "results.all.sarif", "gl-container-scanning.json"} {
		if st, err := os.Stat(filepath.Join(p.OutputDir, name)); err != nil || st.Size() == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	if w := result(t, p.OutputDir); w.Verdict != "pass" || w.ExitCode != 0 {
		t.Errorf("result is %+v", w)
	}
}

// One image's failure does not keep the others from their judgement, and
// decides the run.
func TestOneImageFails(t *testing.T) {
	e := &engine{fails: map[string]error{"b": fault.New(fault.Infra, "try again", "starting it: no")}}
	p := plan(t, e, "a", "b", "c")
	out, err := Run(t.Context(), p)
	if err != nil || out.Verdict != gate.VerdictError || out.Code != fault.Infra || !slices.Equal(e.watched, []string{"a", "b", "c"}) {
		t.Fatalf("verdict %s, code %d, %v, watched %v", out.Verdict, out.Code, err, e.watched)
	}
	if w := result(t, p.OutputDir); w.Verdict != "error" || w.ExitCode != 5 {
		t.Errorf("overall result is %+v", w)
	}
	if w := result(t, filepath.Join(p.OutputDir, "b")); w.Verdict != "error" || w.ExitCode != 5 || w.Hint != "try again" {
		t.Errorf("result of b is %+v", w)
	}
	if w := result(t, filepath.Join(p.OutputDir, "c")); w.Verdict != "pass" {
		t.Errorf("result of c is %+v", w)
	}
}

// Until a run is done its result says error, and nothing of an earlier run
// stands beside it.
func TestNothingStale(t *testing.T) {
	p := plan(t, &engine{}, "one")
	if _, err := Run(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	p.Engine = &engine{t: t, prepare: fault.New(fault.Infra, "", "no engine")}
	out, err := Run(t.Context(), p)
	if out.Code != fault.Infra || out.Verdict != gate.VerdictError {
		t.Fatalf("verdict %s, code %d, %v", out.Verdict, out.Code, err)
	}
	if w := result(t, p.OutputDir); w.Verdict != "error" || w.ExitCode != 5 {
		t.Errorf("result is %+v", w)
	}
	for _, name := range []string{VEXFile, "sbom.spdx.json", "record", SARIFFile, SARIFAllFile, GitLabFile} {
		if _, err := os.Stat(filepath.Join(p.OutputDir, name)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s of the earlier run is still there", name)
		}
	}
	// A comment that a host would post says that there is no judgement.
	comment, err := os.ReadFile(filepath.Join(p.OutputDir, CommentFile))
	if err != nil || !strings.Contains(string(comment), "There is no judgement") {
		t.Errorf("the comment is %q, %v", comment, err)
	}
}

// All that a run writes is cleared before the next.
func TestAllIsCleared(t *testing.T) {
	p := plan(t, &engine{}, "one")
	if _, err := Run(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if err := ClearDir(p.OutputDir); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(p.OutputDir)
	if err != nil || len(left) != 0 {
		t.Errorf("%v is left, %v", left, err)
	}
}

// The result over several images is an error too until all are done, and the
// documents that one image alone had left there go.
func TestNothingStaleOverall(t *testing.T) {
	p := plan(t, &engine{}, "one")
	if _, err := Run(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	p.Images = []string{"a", "b"}
	p.Engine = watcher{&engine{t: t}, func() {
		if w := result(t, p.OutputDir); w.Verdict != "error" || w.ExitCode != 1 {
			t.Errorf("result during the run is %+v", w)
		}
		for _, name := range []string{VEXFile, "sbom.spdx.json", "record"} {
			if _, err := os.Stat(filepath.Join(p.OutputDir, name)); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("%s of the earlier run is still there", name)
			}
		}
	}}
	if out, err := Run(t.Context(), p); err != nil || out.Code != fault.Pass {
		t.Fatalf("code %d, %v", out.Code, err)
	}
	if w := result(t, p.OutputDir); w.Verdict != "pass" {
		t.Errorf("result is %+v", w)
	}
}

// watcher looks around while an image is watched.
type watcher struct {
	*engine
	look func()
}

func (w watcher) Observe(ctx context.Context, img source.Image) (record.Record, error) {
	w.look()
	return w.engine.Observe(ctx, img)
}

// A cancelled run says so for every image that has no judgement.
func TestCancelledRun(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(fault.Signal{Code: fault.Interrupted})
	p := plan(t, &engine{}, "a", "b")
	out, _ := Run(ctx, p)
	if out.Code != fault.Interrupted || out.Verdict != gate.VerdictCancelled {
		t.Fatalf("verdict %s, code %d", out.Verdict, out.Code)
	}
	for _, dir := range []string{"a", "b", "."} {
		if w := result(t, filepath.Join(p.OutputDir, dir)); w.Verdict != "cancelled" || w.ExitCode != 130 {
			t.Errorf("result of %s is %+v", dir, w)
		}
	}
}

func TestFolders(t *testing.T) {
	if got := folders("out", []string{"x/y:1"}); !slices.Equal(got, []string{"out"}) {
		t.Errorf("one image: %v", got)
	}
	got := folders("out", []string{"x/y:1", "x-y-1", "..", "docker-archive:/tmp/a b.tar"})
	want := []string{"out/x-y-1", "out/x-y-1-2", "out/image", "out/docker-archive-tmp-a-b.tar"}
	if !slices.Equal(got, want) {
		t.Errorf("folders %v, want %v", got, want)
	}
}
