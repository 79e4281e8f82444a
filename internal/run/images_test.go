package run

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vexxy/action/internal/fault"
	"github.com/vexxy/action/internal/gate"
	"github.com/vexxy/action/internal/record"
	"github.com/vexxy/action/internal/source"
)

// crowd is an engine whose Observe waits until want images are in it at once.
type crowd struct {
	*engine
	want    int
	release chan struct{}

	mu           sync.Mutex
	inside, most int
}

func (c *crowd) Observe(ctx context.Context, img source.Image) (record.Record, error) {
	c.mu.Lock()
	c.inside++
	c.most = max(c.most, c.inside)
	if c.inside == c.want {
		close(c.release)
		c.want = -1
	}
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		c.inside--
		c.mu.Unlock()
	}()
	select {
	case <-c.release:
	case <-ctx.Done():
		return record.Record{}, context.Cause(ctx)
	case <-time.After(time.Minute):
		return record.Record{}, fmt.Errorf("no %d images came together", c.want)
	}
	if strings.HasPrefix(img.Requested, "panic") {
		panic("broken")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.engine.Observe(ctx, img)
}

// Images run side by side, no more of them than the plan allows; each keeps its
// place, its documents and its own end, be it an error or a panic.
func TestImagesSideBySide(t *testing.T) {
	c := &crowd{engine: &engine{fails: map[string]error{"c": fault.New(fault.Infra, "", "starting it: no")}}, want: 3, release: make(chan struct{})}
	p := plan(t, c.engine, "a", "panic", "c", "d", "e", "f", "g")
	p.Engine, p.Parallel = c, 3
	out, err := Run(t.Context(), p)
	if err != nil || out.Verdict != gate.VerdictError || c.most != 3 || len(c.watched) != 6 {
		t.Fatalf("verdict %s, %v, %d at once, watched %v", out.Verdict, err, c.most, c.watched)
	}
	want := map[string]fault.Code{"panic": fault.Internal, "c": fault.Infra}
	for i, image := range out.Images {
		if image.Requested != p.Images[i] || image.Code != want[image.Requested] || image.judged() != (want[image.Requested] == fault.Pass) {
			t.Errorf("image %d: %s, code %d, %v", i, image.Requested, image.Code, image.Err)
		}
		if w := result(t, filepath.Join(p.OutputDir, image.Requested)); fault.Code(w.ExitCode) != want[image.Requested] {
			t.Errorf("result of %s is %+v", image.Requested, w)
		}
	}
	steps := map[string]int{}
	for _, timing := range p.Timeline.Timings() {
		steps[timing.Step]++
	}
	for _, name := range []string{"a", "d", "e", "f", "g"} {
		if steps["judge and write documents: "+name] != 1 {
			t.Errorf("no step of %s: %v", name, steps)
		}
	}
}

// One image after the other is what a plan without a word on it means, and one
// image alone has plain step names.
func TestOneAfterTheOther(t *testing.T) {
	c := &crowd{engine: &engine{}, want: 1, release: make(chan struct{})}
	p := plan(t, c.engine, "a", "b", "c")
	p.Engine = c
	if out, err := Run(t.Context(), p); err != nil || out.Verdict != gate.VerdictPass || c.most != 1 {
		t.Fatalf("verdict %s, %v, %d at once", out.Verdict, err, c.most)
	}
	alone := plan(t, &engine{}, "a")
	if _, err := Run(t.Context(), alone); err != nil {
		t.Fatal(err)
	}
	all := alone.Timeline.Timings()
	if got := all[len(all)-1].Step; got != "judge and write documents" {
		t.Errorf("the step is called %q", got)
	}
}

// A cancelled run ends the images that run and begins no other.
func TestCancelSideBySide(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	c := &crowd{engine: &engine{}, want: 9, release: make(chan struct{})}
	p := plan(t, c.engine, "a", "b", "c", "d")
	p.Engine, p.Parallel = c, 2
	go func() {
		for {
			c.mu.Lock()
			inside := c.inside
			c.mu.Unlock()
			if inside == 2 {
				break
			}
			time.Sleep(time.Millisecond)
		}
		cancel(fault.Signal{Code: fault.Interrupted})
	}()
	out, _ := Run(ctx, p)
	if out.Code != fault.Interrupted || out.Verdict != gate.VerdictCancelled || c.most != 2 || len(c.watched) != 0 {
		t.Fatalf("verdict %s, code %d, %d at once, watched %v", out.Verdict, out.Code, c.most, c.watched)
	}
	for _, dir := range p.Images {
		if w := result(t, filepath.Join(p.OutputDir, dir)); w.Verdict != "cancelled" || w.ExitCode != 130 {
			t.Errorf("result of %s is %+v", dir, w)
		}
	}
}
